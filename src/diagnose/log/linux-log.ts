/** The log of a Linux kernel: found by its symbols, by VMCOREINFO, or by its structure. */
import type { LinuxKernel } from "../symbols/linux-kernel.js";
import type { Ram } from "../ram.js";
import type { KernelLog } from "./kernel-log.js";
import { printkHeads, readPrintkRing } from "./printk-ring.js";
import { readRecords } from "./printk-records.js";
import { findVmcoreinfo } from "./vmcoreinfo.js";

/** Where a kernel's own memory begins. */
const LEAST = { 4: 0x4000_0000n, 8: 0xffff_8000_0000_0000n } as const;

/** Reads it; undefined where there is none, or nothing in it yet. */
export function readLinuxLog(ram: Ram, kernel: LinuxKernel): KernelLog | undefined {
  const told = findVmcoreinfo(ram);
  const { read, wordSize: word, symbols } = kernel;
  const address = (name: string): bigint | undefined => symbols.find(name) ?? toldAddress(told, name);
  const pointer = (name: string): bigint | undefined => {
    const at = address(name);
    const bytes = at === undefined ? undefined : read(at, word);
    return bytes && littleEndian(bytes);
  };
  for (const ring of [pointer("prb"), symbols.find("printk_rb_static"), symbols.find("printk_rb_dynamic")]) {
    const log = ring === undefined ? undefined : readPrintkRing(read, ring, word, told);
    if (log !== undefined) return log;
  }
  return readRecords({ read, word, told, pointer, address }) ?? byStructure(ram, kernel, told);
}

function byStructure(
  ram: Ram,
  { read, delta, wordSize: word }: LinuxKernel,
  told: ReadonlyMap<string, string> | undefined,
): KernelLog | undefined {
  if (delta === undefined) return undefined;
  let best: KernelLog | undefined;
  for (const at of printkHeads(ram, word, LEAST[word])) {
    const log = readPrintkRing(read, BigInt.asUintN(word * 8, BigInt(at) + delta), word, told);
    // A ring that was replaced by a larger one is still there.
    if (log !== undefined && (best === undefined || last(log) >= last(best))) best = log;
  }
  return best;
}

function last({ lines }: KernelLog): number {
  return lines.at(-1)?.seconds ?? 0;
}

function toldAddress(told: ReadonlyMap<string, string> | undefined, name: string): bigint | undefined {
  const text = told?.get(`SYMBOL(${name})`);
  return text !== undefined && /^[0-9a-f]{1,16}$/.test(text) ? BigInt(`0x${text}`) : undefined;
}

function littleEndian(bytes: Uint8Array): bigint {
  return bytes.reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n);
}
