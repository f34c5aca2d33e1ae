/**
 * Reads QEMU's register dumps (`info registers`, `-d cpu`): the whole of one into a `CpuState`, and the general
 * registers of many, fast.
 *
 * Specification: QEMU target/i386/cpu-dump.c; access rights as in SDM vol. 3C §24.4.1.
 */
import type { CpuState, DescriptorTableRegister, SegmentRegister } from "../../src/x86/cpu-state.js";

const UNUSABLE = 0x10000;
const PRESENT = 0x80;
const ACCESS_MASK = 0xf0ff;
const FXSAVE_SIZE = 512;

/** The part of a dump that every instruction is compared by. */
export interface Registers {
  gpr: bigint[];
  rip: bigint;
  rflags: bigint;
  /** Whether the dump showed 64-bit registers. */
  long: boolean;
}

/** Dump order to encoding order: RAX RBX RCX RDX RSI RDI RBP RSP R8 …. */
const ORDER = ["AX", "CX", "DX", "BX", "SP", "BP", "SI", "DI"];

function field(dump: string, name: string): bigint {
  const found = new RegExp(`\\b${name}\\s*=([0-9a-f]+)`).exec(dump);
  if (!found) throw new Error(`QEMU's dump holds no ${name}:\n${dump}`);
  return BigInt(`0x${found[1]}`);
}

/** General registers, RIP and RFLAGS of a dump. */
export function parseRegisters(dump: string): Registers {
  const long = dump.startsWith("RAX");
  const prefix = long ? "R" : "E";
  const gpr = ORDER.map((name) => field(dump, prefix + name));
  for (let i = 8; i < 16; i++) gpr.push(long ? field(dump, `R${i}`) : 0n);
  return { gpr, rip: field(dump, `${prefix}IP`), rflags: field(dump, `${prefix}FL`), long };
}

function segment(dump: string, name: string): SegmentRegister {
  const found = new RegExp(`^${name}\\s*=([0-9a-f]{4}) ([0-9a-f]+) ([0-9a-f]{8}) ([0-9a-f]{8})`, "m").exec(
    dump,
  );
  if (!found) throw new Error(`QEMU's dump holds no ${name}:\n${dump}`);
  const access = (parseInt(found[4], 16) >>> 8) & ACCESS_MASK;
  return {
    selector: parseInt(found[1], 16),
    base: BigInt(`0x${found[2]}`),
    limit: parseInt(found[3], 16),
    access: (access & PRESENT) === 0 ? UNUSABLE : access,
  };
}

function table(dump: string, name: string): DescriptorTableRegister {
  const found = new RegExp(`^${name}=\\s+([0-9a-f]+) ([0-9a-f]+)`, "m").exec(dump);
  if (!found) throw new Error(`QEMU's dump holds no ${name}:\n${dump}`);
  return { base: BigInt(`0x${found[1]}`), limit: parseInt(found[2], 16) };
}

/** x87 and SSE as an FXSAVE64 image (SDM vol. 1 table 10-2); the tag word of the dump is already abridged. */
function fxsave(dump: string): Uint8Array {
  const image = new Uint8Array(FXSAVE_SIZE);
  const view = new DataView(image.buffer);
  view.setUint16(0, Number(field(dump, "FCW")), true);
  view.setUint16(2, Number(field(dump, "FSW")), true);
  view.setUint8(4, Number(field(dump, "FTW")) ^ 0);
  view.setUint32(24, Number(field(dump, "MXCSR")), true);
  const top = (Number(field(dump, "FSW")) >> 11) & 7;
  for (const [, number, mantissa, exponent] of dump.matchAll(/FPR(\d)=([0-9a-f]{16}) ([0-9a-f]{4})/g)) {
    const at = 32 + 16 * ((Number(number) - top) & 7);
    view.setBigUint64(at, BigInt(`0x${mantissa}`), true);
    view.setUint16(at + 8, parseInt(exponent, 16), true);
  }
  for (const [, number, high, low] of dump.matchAll(/XMM(\d\d)=([0-9a-f]{16}) ([0-9a-f]{16})/g)) {
    const at = 160 + 16 * Number(number);
    view.setBigUint64(at, BigInt(`0x${low}`), true);
    view.setBigUint64(at + 8, BigInt(`0x${high}`), true);
  }
  return image;
}

/** The state a dump of `info registers` describes. MSRs other than EFER, FS and GS base are not in it. */
export function parseState(dump: string): CpuState {
  const body = dump.slice(dump.search(/^[RE]AX=/m));
  const dr = [0, 1, 2, 3].map((i) => field(body, `DR${i}`));
  const named = (name: string): SegmentRegister => segment(body, name);
  return {
    ...parseRegisters(body),
    es: named("ES"),
    cs: named("CS"),
    ss: named("SS"),
    ds: named("DS"),
    fs: named("FS"),
    gs: named("GS"),
    ldtr: named("LDT"),
    tr: { ...named("TR"), access: named("TR").access | 2 },
    gdtr: table(body, "GDT"),
    idtr: table(body, "IDT"),
    cr0: field(body, "CR0"),
    cr2: field(body, "CR2"),
    cr3: field(body, "CR3"),
    cr4: field(body, "CR4"),
    efer: field(body, "EFER"),
    dr: [...dr, 0n, 0n, field(body, "DR6"), field(body, "DR7")],
    msrs: {},
    fxsave: fxsave(body),
    halted: false,
    waitForSipi: false,
  };
}
