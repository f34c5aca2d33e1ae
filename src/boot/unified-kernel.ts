/** A unified kernel image as what is to be booted: the kernel, the initrd and the line that lie in it, where nobody gives others. */
import { readUnifiedKernel } from "../formats/pe/uki.js";
import type { BootOptions } from "./options.js";

/** The options with what is in the image; the same object for any other kernel file. */
export function withUnifiedKernel(options: BootOptions): BootOptions {
  const { kernel, initrd, commandLine } = options;
  const unified = readUnifiedKernel(kernel.bytes);
  if (unified === undefined) return options;
  const inside = unified.initrd && { name: `${kernel.name}:.initrd`, bytes: unified.initrd };
  const line = commandLine ?? unified.commandLine;
  return {
    ...options,
    kernel: { name: kernel.name, bytes: unified.kernel },
    ...(initrd === undefined && inside !== undefined ? { initrd: inside } : {}),
    ...(line === undefined ? {} : { commandLine: line }),
  };
}
