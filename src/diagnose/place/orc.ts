/**
 * Callers by ORC: for each instruction of a Linux kernel for x86-64, how far the stack pointer is from the frame. The tables lie in
 * its memory, sorted.
 *
 * ```
 *   ip table: 32-bit distances from their own places      entry: sp_offset (16)  bp_offset (16)  sp_reg:4 bp_reg:4 type … (16)
 * ```
 *
 * Source: Linux arch/x86/include/asm/orc_types.h, arch/x86/kernel/unwind_orc.c. Types were numbered anew in 6.4.
 */
import type { SymbolTable } from "../symbols/symbol-table.js";
import type { Read } from "./code.js";

const ENTRY = 6;
const REGISTER = { PREVIOUS_SP: 1, BP: 4, SP: 5, BP_INDIRECT: 8, SP_INDIRECT: 9 } as const;
/** Kinds of frames as they were first; since 6.4, 2 more. */
const TYPE = { CALL: 0, REGS: 1, PARTIAL: 2 } as const;
const RENUMBERED = 2;
/** Where struct pt_regs has them, and an interrupt's frame. */
const REGS = { BP: 32n, IP: 128n, SP: 152n } as const;
const IRET = { IP: 0n, SP: 24n } as const;
const MOST_FRAMES = 24;
const MOST_ENTRIES = 2 ** 22;

interface Tables {
  ips: bigint;
  entries: bigint;
  count: number;
  /** Taken off a type. */
  renumbered: number;
}

interface Frame {
  ip: bigint;
  sp: bigint;
  bp: bigint;
}

/** Return addresses, the innermost first; none where the kernel has no tables. */
export function orcFrames(start: Frame, symbols: SymbolTable, read: Read): bigint[] {
  const tables = tablesOf(symbols, read);
  if (tables === undefined) return [];
  const frames: bigint[] = [];
  let frame: Frame | undefined = start;
  while (frames.length < MOST_FRAMES) {
    // A return address may be the first byte behind its function.
    const next: Frame | undefined = callerOf(frame, frames.length === 0 ? 0n : 1n, tables, read);
    if (next === undefined || next.sp <= frame.sp || symbols.at(next.ip) === undefined) break;
    frames.push(next.ip);
    frame = next;
  }
  return frames;
}

function word(read: Read, at: bigint): bigint | undefined {
  const bytes = read(BigInt.asUintN(64, at), 8);
  return bytes && new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true);
}

function tablesOf(symbols: SymbolTable, read: Read): Tables | undefined {
  const [ips, entries, end] = ["__start_orc_unwind_ip", "__start_orc_unwind", "__stop_orc_unwind"].map(
    (name) => symbols.find(name),
  );
  if (ips === undefined || entries === undefined || end === undefined) return undefined;
  const count = Number((end - entries) / BigInt(ENTRY));
  if (count <= 0 || count > MOST_ENTRIES) return undefined;
  const some = read(entries, ENTRY * Math.min(count, 512));
  if (some === undefined) return undefined;
  const types = Array.from({ length: some.length / ENTRY }, (_, i) => some[i * ENTRY + 5] & 7);
  const renumbered = types.filter((type) => type === RENUMBERED).length > types.length / 2 ? RENUMBERED : 0;
  return { ips, entries, count, renumbered };
}

/** The index of the last entry at or below an address. */
function indexOf(ip: bigint, { ips, count }: Tables, read: Read): number | undefined {
  let low = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const at = ips + BigInt(middle * 4);
    const bytes = read(at, 4);
    if (bytes === undefined) return undefined;
    const place = BigInt.asUintN(
      64,
      at + BigInt(new DataView(bytes.buffer, bytes.byteOffset).getInt32(0, true)),
    );
    if (place <= ip) low = middle + 1;
    else high = middle;
  }
  return low === 0 ? undefined : low - 1;
}

function callerOf({ ip, sp, bp }: Frame, back: bigint, tables: Tables, read: Read): Frame | undefined {
  const index = indexOf(ip - back, tables, read);
  const bytes = index === undefined ? undefined : read(tables.entries + BigInt(index * ENTRY), ENTRY);
  if (bytes === undefined) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const [spOffset, bpOffset] = [BigInt(view.getInt16(0, true)), BigInt(view.getInt16(2, true))];
  const [spRegister, bpRegister] = [bytes[4] & 15, bytes[4] >> 4];
  const type = (bytes[5] & (tables.renumbered === 0 ? 3 : 7)) - tables.renumbered;
  const base = frameBase({ ip, sp, bp }, spRegister, spOffset, read);
  if (base === undefined) return undefined;
  if (type === TYPE.REGS || type === TYPE.PARTIAL) {
    const regs = type === TYPE.REGS;
    const nextIp = word(read, base + (regs ? REGS.IP : IRET.IP));
    const nextSp = word(read, base + (regs ? REGS.SP : IRET.SP));
    const nextBp = regs ? word(read, base + REGS.BP) : bp;
    return nextIp === undefined || nextSp === undefined
      ? undefined
      : { ip: nextIp, sp: nextSp, bp: nextBp ?? bp };
  }
  const nextIp = type === TYPE.CALL ? word(read, base - 8n) : undefined;
  if (nextIp === undefined) return undefined;
  const saved =
    bpRegister === REGISTER.PREVIOUS_SP
      ? word(read, base + bpOffset)
      : bpRegister === REGISTER.BP
        ? word(read, bp + bpOffset)
        : bp;
  return { ip: nextIp, sp: base, bp: saved ?? bp };
}

function frameBase({ sp, bp }: Frame, register: number, offset: bigint, read: Read): bigint | undefined {
  switch (register) {
    case REGISTER.SP:
      return sp + offset;
    case REGISTER.BP:
      return bp + offset;
    case REGISTER.SP_INDIRECT: {
      const at = word(read, sp);
      return at === undefined ? undefined : at + offset;
    }
    case REGISTER.BP_INDIRECT:
      return word(read, bp + offset);
    default:
      return undefined;
  }
}
