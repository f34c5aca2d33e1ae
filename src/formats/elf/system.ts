/**
 * Whose kernel a file is: by its notes, interpreter and EI_OSABI, else by the texts that each system's kernel carries.
 * Describes; decides nothing.
 */
import { hex } from "../../bytes/hex.js";
import { FREEBSD_KERNEL_INTERPRETER, LINUX_NOTE_OWNER, OS_NOTE } from "../../spec/arm-elf.js";
import { ELFOSABI } from "../../spec/elf.js";
import { XEN_ELFNOTE, XEN_NOTE_OWNER } from "../../spec/xen-notes.js";
import type { ElfImage } from "./elf.js";
import type { ElfNote } from "./notes.js";
import { unikernelMark, unikernelOf, type Unikernel } from "./unikernel.js";

/** Systems that a kernel can be told to be of. */
export type KernelSystem =
  "FreeBSD" | "NetBSD" | "OpenBSD" | "Linux" | "Xen" | "GNU Mach" | Unikernel["system"];

/** A system, and by what it was recognised, for people. */
export interface SystemMark {
  readonly system: KernelSystem;
  readonly by: string;
}

type Marked = Pick<ElfImage, "bytes" | "header" | "notes" | "interpreter" | "sections" | "segments">;

/** What GUEST_OS notes say, in lower case. */
const GUEST_OS: Readonly<Record<string, KernelSystem>> = {
  freebsd: "FreeBSD",
  netbsd: "NetBSD",
  openbsd: "OpenBSD",
  linux: "Linux",
};
/** Longest GUEST_OS text that is read, bytes. */
const GUEST_OS_LENGTH = 32;

/**
 * Texts by which a kernel without such marks is known. The BSDs first: their Linux emulation names Linux. Linux before
 * Xen, of whose version it speaks.
 */
const TEXTS: readonly (readonly [text: string, system: KernelSystem])[] = [
  ["The FreeBSD Project", "FreeBSD"],
  ["The NetBSD Foundation, Inc.", "NetBSD"],
  ["OpenBSD.  All rights reserved", "OpenBSD"],
  ["Linux version ", "Linux"],
  ["Xen version %d", "Xen"],
  ["GNU Mach ", "GNU Mach"],
];
/** Bytes that are searched for texts: more than any kernel without debugging information. */
const SEARCHED = 2 ** 26;

/** The system that the file's notes, interpreter and EI_OSABI tell; undefined when they do not. */
export function systemByMarks(image: Marked): SystemMark | undefined {
  // Before the others: those of Solo5 have a note of OpenBSD's, so that OpenBSD does not run them.
  const unikernel = unikernelOf(image);
  if (unikernel !== undefined) return { system: unikernel.system, by: unikernelMark(unikernel) };
  const { header, notes, interpreter } = image;
  const guest = GUEST_OS[guestOs(notes)] as KernelSystem | undefined;
  if (guest !== undefined) return { system: guest, by: "its Xen note GUEST_OS" };
  const owners = new Set(notes.map(({ name }) => name));
  const marked = Object.values(OS_NOTE).find(({ owner }) => owners.has(owner));
  if (marked !== undefined) return { system: marked.system, by: `a note of "${marked.owner}"` };
  if (interpreter === FREEBSD_KERNEL_INTERPRETER)
    return { system: "FreeBSD", by: `the interpreter ${FREEBSD_KERNEL_INTERPRETER}` };
  if (header.osabi === ELFOSABI.FREEBSD) return { system: "FreeBSD", by: "EI_OSABI" };
  if (header.osabi === ELFOSABI.NETBSD) return { system: "NetBSD", by: "EI_OSABI" };
  return owners.has(LINUX_NOTE_OWNER)
    ? { system: "Linux", by: `a note of "${LINUX_NOTE_OWNER}"` }
    : undefined;
}

/** The system whose kernel has such a text in it; undefined when there is none. `bytes`: the unpacked file. */
export function systemByText(bytes: Uint8Array): SystemMark | undefined {
  const searched = bytes.subarray(0, SEARCHED);
  for (const [text, system] of TEXTS) {
    const at = indexOf(searched, text);
    if (at >= 0) return { system, by: `the text "${text.trim()}" at offset ${hex(at)}` };
  }
  return undefined;
}

/** The system that the file is a kernel of, as its notes, OSABI and interpreter say; undefined when they do not. */
export function kernelSystem(image: Marked): KernelSystem | undefined {
  return systemByMarks(image)?.system;
}

function guestOs(notes: readonly ElfNote[]): string {
  const note = notes.find((one) => one.name === XEN_NOTE_OWNER && one.type === XEN_ELFNOTE.GUEST_OS);
  if (note === undefined) return "";
  return String.fromCharCode(...note.desc.subarray(0, GUEST_OS_LENGTH))
    .replace(/\0.*$/s, "")
    .toLowerCase();
}

/** Where an ASCII text begins; -1 when it is not there. */
function indexOf(bytes: Uint8Array, text: string): number {
  const codes = [...text].map((char) => char.charCodeAt(0));
  for (let at = bytes.indexOf(codes[0]); at >= 0; at = bytes.indexOf(codes[0], at + 1)) {
    if (codes.every((code, i) => bytes[at + i] === code)) return at;
  }
  return -1;
}
