/**
 * What particular systems make of PVH's freedoms, as warnings: how much command line they read, what they expect
 * of modules. The system is told by the kernel's own GUEST_OS note.
 *
 * Sources: FreeBSD sys/x86/xen/pv.c; NetBSD sys/arch/xen/x86/xen_machdep.c; Linux arch/x86/platform/pvh/enlighten.c.
 */
import type { ElfImage } from "../../formats/elf/elf.js";
import { LINUX_COMMAND_LINE_SIZE } from "../../spec/boot-params.js";
import { XEN_ELFNOTE, XEN_NOTE_OWNER } from "../../spec/xen-notes.js";

/** NetBSD looks for root=, console= and flags only so far, and keeps so much. */
const NETBSD_PARSED = 255;
const NETBSD_STORED = 1023;

/** The GUEST_OS note in lower case: "linux", "freebsd", "netbsd"; empty when there is none. */
export function guestSystem(elf: ElfImage): string {
  const note = elf.notes.find((one) => one.name === XEN_NOTE_OWNER && one.type === XEN_ELFNOTE.GUEST_OS);
  if (note === undefined) return "";
  return String.fromCharCode(...note.desc.subarray(0, 32))
    .replace(/\0.*$/s, "")
    .toLowerCase();
}

/** Warnings for this system, this command line (`length` in bytes without NUL) and an initrd. */
export function guestWarnings(system: string, length: number, hasInitrd: boolean): string[] {
  const warnings: string[] = [];
  if (system === "netbsd" && length > NETBSD_STORED) {
    warnings.push(`NetBSD keeps the first ${NETBSD_STORED} bytes of the command line; it has ${length}`);
  } else if (system === "netbsd" && length > NETBSD_PARSED) {
    warnings.push(`NetBSD looks for options in the first ${NETBSD_PARSED} bytes of the command line only`);
  }
  if (system === "freebsd" && hasInitrd) {
    warnings.push("FreeBSD takes the first module for loader metadata: an initrd will confuse it");
  }
  if ((system === "linux" || system === "") && length >= LINUX_COMMAND_LINE_SIZE) {
    warnings.push(
      `Linux keeps the first ${LINUX_COMMAND_LINE_SIZE - 1} bytes of the command line; it has ${length}`,
    );
  }
  return warnings;
}
