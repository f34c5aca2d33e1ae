/**
 * What an initramfs is made of: cpio archives, one behind the other, the microcode's unpacked one first. Lists them, up to what
 * is packed; unpacks nothing.
 *
 * Specification: Linux, Documentation/driver-api/early-userspace/buffer-format.rst.
 */
import { alignUp } from "../../bytes/align.js";
import { ByteView } from "../../bytes/byte-view.js";
import { identifyCodec } from "../../codecs/identify.js";
import type { Fact } from "../image.js";

const NEWC = {
  MAGIC: "070701",
  CRC_MAGIC: "070702",
  SIZE: 110,
  FILE_SIZE: 54,
  NAME_SIZE: 94,
  DIGITS: 8,
} as const;
const TRAILER = "TRAILER!!!";
const ALIGNMENT = 4;
/** Longest name that is followed. */
const MOST_NAME = 4096;
/** Files that are counted. */
const MOST_FILES = 1 << 20;
const MICROCODE = /^kernel\/x86\/microcode\//;

/** One archive. */
interface Archive {
  readonly offset: number;
  readonly end: number;
  readonly files: number;
  readonly bytes: number;
  /** Files of the processor's microcode. */
  readonly microcode: readonly string[];
  readonly problem: string | undefined;
  /** Whether there is an `init`. */
  readonly init: boolean;
}

/** Whether a newc archive begins there. */
export function isCpio(view: ByteView, offset = 0): boolean {
  return view.matches(offset, NEWC.MAGIC) || view.matches(offset, NEWC.CRC_MAGIC);
}

function number(view: ByteView, offset: number): number {
  return view.holds(offset, NEWC.DIGITS) ? Number.parseInt(view.latin1(offset, NEWC.DIGITS), 16) : NaN;
}

function readArchive(view: ByteView, offset: number): Archive {
  const microcode: string[] = [];
  let [files, bytes, at, init] = [0, 0, offset, false];
  const ended = (problem: string | undefined): Archive => ({
    offset,
    end: at,
    files,
    bytes,
    microcode,
    problem,
    init,
  });
  while (files < MOST_FILES) {
    if (!isCpio(view, at) || !view.holds(at, NEWC.SIZE))
      return ended(`no header at ${at}: the archive is cut, or damaged`);
    const [size, nameSize] = [number(view, at + NEWC.FILE_SIZE), number(view, at + NEWC.NAME_SIZE)];
    if (!(size >= 0) || !(nameSize > 0 && nameSize <= MOST_NAME))
      return ended(`sizes that are no numbers at ${at}`);
    const nameAt = at + NEWC.SIZE;
    const dataAt = alignUp(nameAt + nameSize, ALIGNMENT);
    if (!view.holds(nameAt, nameSize) || dataAt + size > view.length)
      return ended(`a file at ${at} that ends behind the end`);
    const name = view.latin1(nameAt, nameSize - 1);
    at = Math.min(alignUp(dataAt + size, ALIGNMENT), view.length);
    if (name === TRAILER) return ended(undefined);
    files++;
    bytes += size;
    init ||= name === "init" || name === "./init" || name === "/init";
    if (MICROCODE.test(name)) microcode.push(name);
  }
  return ended("more files than are counted");
}

/** Every archive with what is in it, then what is packed behind them. Empty for what does not begin as one. */
export function cpioFacts(bytes: Uint8Array): Fact[] {
  const view = new ByteView(bytes);
  const facts: Fact[] = [];
  let at = 0;
  for (let index = 0; isCpio(view, at); index++) {
    const { end, files, bytes: size, microcode, problem, init } = readArchive(view, at);
    const meaning =
      microcode.length > 0 ? `microcode: ${microcode.join(", ")}` : init ? "has /init" : "has no /init";
    facts.push({ name: `cpio[${index}]`, value: [`${files} files`, `${size} bytes`], offset: at, meaning });
    if (problem !== undefined) facts.push({ name: "problem", value: problem, offset: end });
    if (problem !== undefined) return facts;
    at = end;
    while (at < bytes.length && bytes[at] === 0) at++;
  }
  if (facts.length === 0 || at >= bytes.length) return facts;
  const codec = identifyCodec(bytes.subarray(at));
  const name = typeof codec === "string" ? codec : (codec?.unsupported ?? "nothing that is known");
  return [
    ...facts,
    {
      name: "packed",
      value: name,
      offset: at,
      meaning: `${bytes.length - at} bytes, unpacked by the kernel`,
    },
  ];
}
