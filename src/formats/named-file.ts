/**
 * Files that are no kernels and have facts worth showing all the same: EFI programs, unified kernel images, initramfs archives.
 * Knows no loader.
 */
import { ByteView } from "../bytes/byte-view.js";
import { cpioFacts, isCpio } from "./cpio/cpio.js";
import type { Fact } from "./image.js";
import { peFacts, readPe, type PeSection } from "./pe/pe.js";
import { readUnifiedKernel } from "./pe/uki.js";

/** What such a file is. */
export interface NamedFile {
  readonly format: "uki" | "pe" | "cpio";
  readonly summary: string;
  readonly facts: readonly Fact[];
  /** The kernel in it, which can be booted. */
  readonly kernel?: Uint8Array;
}

/** Longest command line that the summary's facts repeat. */
const SHOWN = 256;

/** Sections of a unified kernel image that are archives. */
const ARCHIVES = [".ucode", ".initrd"];

/** What the archives in a section are, at their offsets in the file. */
function archiveFacts({ name, bytes, offset }: PeSection): Fact[] {
  if (bytes === undefined || !ARCHIVES.includes(name)) return [];
  const moved = (fact: Fact): Fact => ({
    ...fact,
    name: `uki${name} ${fact.name}`,
    ...(fact.offset === undefined ? {} : { offset: offset + fact.offset }),
  });
  return cpioFacts(bytes).map(moved);
}

/** Names a file that `recognise` refuses; undefined when there is nothing to add to its refusal. */
export function namedFile(bytes: Uint8Array): NamedFile | undefined {
  const unified = readUnifiedKernel(bytes);
  if (unified !== undefined) {
    const { pe, kernel, initrd, commandLine, system, release } = unified;
    const facts: Fact[] = [{ name: "format", value: "unified kernel image" }, ...peFacts(pe)];
    const add = (name: string, value: string | number | undefined, meaning: string): void =>
      void (value !== undefined && facts.push({ name, value, meaning }));
    add("uki.system", system, "PRETTY_NAME of .osrel");
    add("uki.release", release, ".uname");
    add("uki.cmdline", commandLine?.slice(0, SHOWN), "the command line where none is given");
    add("uki.linux", kernel.length, "bytes of the kernel");
    add("uki.initrd", initrd?.length, "bytes of .ucode and .initrd");
    facts.push(...pe.sections.flatMap(archiveFacts));
    const whose = system ?? release;
    const summary = `unified kernel image for ${pe.machine}${whose === undefined ? "" : `, ${whose}`}`;
    return { format: "uki", summary, facts, kernel };
  }
  const pe = readPe(bytes);
  if (pe !== undefined) {
    return {
      format: "pe",
      summary: `PE/COFF program for ${pe.machine}`,
      facts: [{ name: "format", value: "PE/COFF" }, ...peFacts(pe)],
    };
  }
  if (!isCpio(new ByteView(bytes))) return undefined;
  return {
    format: "cpio",
    summary: "cpio archive",
    facts: [{ name: "format", value: "cpio (newc)" }, ...cpioFacts(bytes)],
  };
}
