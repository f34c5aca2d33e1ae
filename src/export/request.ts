/**
 * What an export is made of, and what comes out: a kernel and a machine that were asked for, files and commands for
 * another monitor, and what is lost on the way. Knows no target.
 */
import type { X86Target } from "../convert/index.js";
import type { KnownImage } from "../formats/index.js";
import type { Plan } from "../boot/plan.js";

/** A file that the exported configuration names. */
export interface ExportFile {
  /** As the configuration is to name it. */
  readonly name: string;
  /** Bytes. */
  readonly size: number;
}

/** What is to be exported. */
export interface ExportRequest {
  readonly kernel: ExportFile & { readonly image: KnownImage };
  /** Name of the guest: letters, digits, "-", "_", "."; default "guest". */
  readonly name?: string | undefined;
  /** Name of the file that the configuration is written to, for the commands; default: the guest's name and an ending. */
  readonly fileName?: string | undefined;
  /** Bytes; default 256 MiB. */
  readonly memory?: number | undefined;
  /** Default 1. */
  readonly cpus?: number | undefined;
  readonly commandLine?: string | undefined;
  readonly initrd?: ExportFile | undefined;
  /** Disk images, in order. */
  readonly disks?: readonly string[] | undefined;
  /** Things that were asked for and that only this program's own machine has: "--deterministic". */
  readonly ownOnly?: readonly string[] | undefined;
  /** Boot modules other than the initrd, by name. */
  readonly modules?: readonly string[] | undefined;
  /** The machine as it would be here; only x86 kernels have one. */
  readonly plan?: Plan | undefined;
}

/** Something that the target does not have. */
export interface Loss {
  readonly what: string;
  readonly why: string;
}

/** A kernel that was converted, because the target does not take it as it is. */
export interface ConvertedFile {
  /** As the configuration names it: beside the configuration. */
  readonly name: string;
  readonly bytes: Uint8Array;
  /** A target of `convert`, or only unpacked. */
  readonly way: X86Target | "unpacked";
  /** The kernel's own file. */
  readonly of: string;
}

/** What was made. */
export interface Export {
  readonly target: ExportTarget;
  /** The configuration. Text, lines ended by "\n". */
  readonly file: { readonly name: string; readonly text: string };
  /** The kernel that has to lie beside it, where the target takes the given one only converted. */
  readonly converted?: ConvertedFile;
  /** Complete command lines, in order. */
  readonly commands: readonly string[];
  readonly lost: readonly Loss[];
  /** What a person should know. */
  readonly notes: readonly string[];
}

/** Where to. */
export const EXPORT_TARGETS = [
  "xl",
  "dom0less",
  "qemu",
  "firecracker",
  "cloud-hypervisor",
  "crosvm",
  "kvmtool",
  "bhyve",
  "libvirt",
] as const;
export type ExportTarget = (typeof EXPORT_TARGETS)[number];

export const MIB = 2 ** 20;
const DEFAULT_MEMORY_MIB = 256;

/** Guest memory in MiB, rounded up. */
export function memoryMib(request: ExportRequest): number {
  return Math.ceil((request.memory ?? DEFAULT_MEMORY_MIB * MIB) / MIB);
}

/** What only this program's own machine has. */
export function ownLosses({ ownOnly = [] }: ExportRequest): Loss[] {
  return ownOnly.map((what) => ({ what, why: "only this program's own machine has it" }));
}

/** What every target of Xen's loses of a request. */
export function commonLosses(request: ExportRequest): Loss[] {
  const own = ownLosses(request);
  const modules = (request.modules ?? []).map((name) => ({
    what: `module ${name}`,
    why: "Xen hands a guest a kernel and one RAM disk, no other modules",
  }));
  return [...own, ...modules];
}
