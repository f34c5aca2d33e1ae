/**
 * Unified kernel images: an EFI stub with a kernel, its initrd and its command line as PE sections. Says what is in one; starts
 * nothing.
 *
 * Specification: UAPI Group, Unified Kernel Image (UKI), "UKI Components".
 */
import { readPe, type PeFile } from "./pe.js";

/** What a unified kernel image holds. */
export interface UnifiedKernel {
  readonly pe: PeFile;
  /** The kernel: `.linux`. */
  readonly kernel: Uint8Array;
  /** `.initrd`, behind `.ucode`, whose archive comes first. */
  readonly initrd: Uint8Array | undefined;
  /** `.cmdline` without what ends it. */
  readonly commandLine: string | undefined;
  /** PRETTY_NAME of `.osrel`, and `.uname`. */
  readonly system: string | undefined;
  readonly release: string | undefined;
}

const PRETTY_NAME = /^PRETTY_NAME="?([^"\n]*)"?$/m;

/** Reads one; undefined for a file without a `.linux` section. */
export function readUnifiedKernel(bytes: Uint8Array): UnifiedKernel | undefined {
  const pe = readPe(bytes);
  if (pe === undefined) return undefined;
  // The first section of a name counts; an empty one is none.
  const section = (name: string): Uint8Array | undefined => {
    const found = pe.sections.find((one) => one.name === name)?.bytes;
    return found === undefined || found.length === 0 ? undefined : found;
  };
  const kernel = section(".linux");
  if (kernel === undefined) return undefined;
  const initrds = [section(".ucode"), section(".initrd")].filter((one) => one !== undefined);
  return {
    pe,
    kernel,
    initrd: initrds.length === 0 ? undefined : joined(initrds),
    commandLine: textOf(section(".cmdline")),
    system: PRETTY_NAME.exec(textOf(section(".osrel")) ?? "")?.[1],
    release: textOf(section(".uname")),
  };
}

function textOf(bytes: Uint8Array | undefined): string | undefined {
  return bytes && new TextDecoder().decode(bytes).replace(/\0.*$/s, "").trim();
}

/** Archives one behind the other, each at a multiple of 4, as Linux reads them. */
function joined(parts: readonly Uint8Array[]): Uint8Array {
  const offsets: number[] = [];
  let size = 0;
  for (const part of parts) {
    offsets.push(size);
    size += part === parts[parts.length - 1] ? part.length : Math.ceil(part.length / ALIGNMENT) * ALIGNMENT;
  }
  const whole = new Uint8Array(size);
  parts.forEach((part, i) => whole.set(part, offsets[i]));
  return whole;
}

const ALIGNMENT = 4;
