/** What a Linux kernel in a machine's memory says of itself, for gdb's user: its symbols as a file, and its log. */
import type { MachineDebugging } from "../../machine/debugging.js";
import { logLineText } from "../log/kernel-log.js";
import { readLinuxLog } from "../log/linux-log.js";
import { addressSpace } from "../page-tables.js";
import { findLinuxKernel, type LinuxKernel } from "../symbols/linux-kernel.js";
import { symbolFile, type AddressRange } from "./symbol-file.js";

/** Beginnings and ends of a kernel's code: the lasting part, and what is given away after boot. */
const CODE_SYMBOLS = [
  ["_stext", "_etext"],
  ["_sinittext", "_einittext"],
] as const;

function kernelIn(machine: MachineDebugging): LinuxKernel | undefined {
  const spaces = Array.from({ length: machine.cpus }, (_, cpu) => addressSpace(machine.state(cpu)));
  return findLinuxKernel(machine.memory, spaces);
}

function codeOf({ symbols }: LinuxKernel): AddressRange[] {
  const ranges = CODE_SYMBOLS.flatMap(([first, last]) => {
    const [from, to] = [symbols.find(first), symbols.find(last)];
    return from === undefined || to === undefined || to <= from ? [] : [{ from, to }];
  });
  return ranges.filter(({ from }, i) => i === 0 || from >= ranges[i - 1].to);
}

/** Symbols of the kernel in memory as an ELF file, with their number and what the kernel is called; undefined where none is found. */
export function kernelSymbolFile(
  machine: MachineDebugging,
): { bytes: Uint8Array; count: number; banner: string } | undefined {
  const kernel = kernelIn(machine);
  if (kernel === undefined) return undefined;
  const symbols = [...kernel.symbols.all()];
  const bytes = symbolFile({ bits: kernel.wordSize === 4 ? 32 : 64, symbols, code: codeOf(kernel) });
  return { bytes, count: symbols.length, banner: kernel.banner ?? "a Linux kernel" };
}

/** The kernel's own log, a line each; undefined where none is found. */
export function kernelLogText(machine: MachineDebugging): string | undefined {
  const kernel = kernelIn(machine);
  const log = kernel && readLinuxLog(machine.memory, kernel);
  return log?.lines.map(logLineText).join("\n");
}
