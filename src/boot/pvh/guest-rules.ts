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

/** What a kernel is about to be told. */
export interface Told {
  commandLine: string;
  /** Whether there is an initrd or a boot module. */
  modules: boolean;
  /** Whether start_info has the memory map. */
  memoryMap: boolean;
}

/** Warnings for this system. */
export function guestWarnings(system: string, { commandLine, modules, memoryMap }: Told): string[] {
  const warnings: string[] = [];
  const length = new TextEncoder().encode(commandLine).length;
  if (!memoryMap) {
    const who = system === "" ? "Linux, FreeBSD and NetBSD stop" : `${system} stops`;
    warnings.push(`start_info version 0 has no memory map: ${who} without one`);
  }
  if (system === "netbsd" && length > NETBSD_STORED) {
    warnings.push(`NetBSD keeps the first ${NETBSD_STORED} bytes of the command line; it has ${length}`);
  } else if (system === "netbsd" && length > NETBSD_PARSED) {
    warnings.push(`NetBSD looks for options in the first ${NETBSD_PARSED} bytes of the command line only`);
  }
  if (system === "netbsd" && !/(^|\s)console=com/.test(commandLine.slice(0, NETBSD_PARSED))) {
    warnings.push(
      `NetBSD is silent on the serial port without console=com in the first ${NETBSD_PARSED} bytes`,
    );
  }
  if (system === "freebsd" && modules) {
    warnings.push("FreeBSD takes the first module for loader metadata: an initrd will confuse it");
  }
  if ((system === "linux" || system === "") && length >= LINUX_COMMAND_LINE_SIZE) {
    warnings.push(
      `Linux keeps the first ${LINUX_COMMAND_LINE_SIZE - 1} bytes of the command line; it has ${length}`,
    );
  }
  return warnings;
}
