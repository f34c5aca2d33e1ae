/**
 * Generated quick paths (delivery, IRETQ, page walks) beside the exact functions of `system/`, from the same random
 * states: what a quick path does to registers, TLB and memory, the exact one must do too, and where it leaves to the
 * exact one it must not have changed anything.
 */
import assert from "node:assert/strict";
import { refreshBreakpoints } from "../../../src/engine/x86/system/breakpoints.js";
import { READ, resolveAccess, WRITE } from "../../../src/engine/x86/system/access.js";
import { readFlags, writeFlags } from "../../../src/engine/x86/flags.js";
import { IMPORTS } from "../../../src/engine/wasm/interpreter.js";
import { interpreterModule } from "../../../src/engine/wasm/interpreter-module.js";
import * as L from "../../../src/engine/x86/layout.js";
import { refreshMode } from "../../../src/engine/x86/mode.js";
import type { Random } from "../../support/random.js";
import { createBench, descriptor, GDT, GPR, IDT, longMode, PT, TSS, type Bench } from "./bench.js";

/** Bytes of RAM that the states are made of: tables, stacks and page tables. */
const RAM_BYTES = 0x14000;
const STATUS_AND_SYSTEM = 0x3f7fd5;
/** VM is never set in IA-32e mode. */
const LOADABLE = STATUS_AND_SYSTEM & ~0x20000;
const FIRST_EXTRA = 0x40;
export const STACKS = [0x7000, 0x8000, 0x9000, 0xa000];
/** Selectors of descriptors that are in some way not those of a kernel or its programs. */
export const ODD_SELECTORS = [0, 3, 4, 0x0c, 0x2b, 0x40, 0x48, 0x50, 0x58, 0x61, 0x68, 0x73, 0x7b, 0x98];
/** At FIRST_EXTRA: conforming, not accessed, not present, 32 bits, L and D, level 1, read-only, not accessed. */
const EXTRA_RIGHTS = [0xa09f, 0xa09a, 0xa01b, 0xc09b, 0xe09b, 0xa0bb, 0xc0f1, 0xc0f2];

type Generated = (cpu: number, ...rest: number[]) => number;

/** A CPU with the generated code, whose ways out are noted instead of taken. */
export class QuickBench {
  readonly bench: Bench = createBench();
  readonly exports: Record<string, unknown>;
  left = false;
  exits = 0;
  /** Pages that have been marked as holding code. */
  private readonly marked = new Set<number>();

  constructor() {
    const env: Record<string, unknown> = { memory: this.bench.cpu.services.memory };
    for (const name of Object.keys(IMPORTS)) env[name] = (): number => assert.fail(`called ${name}`);
    env["helper"] = env["slowTranslate"] = env["translateCode"] = (): number => ((this.left = true), 0);
    env["requestExit"] = (): number => this.exits++;
    this.exports = new WebAssembly.Instance(interpreterModule(), { env }).exports;
  }

  /** A handler by its number. */
  handler(operation: number): Generated {
    return (this.exports["handlers"] as WebAssembly.Table).get(operation) as Generated;
  }

  exported(name: string): Generated {
    return this.exports[name] as Generated;
  }

  /** Marks a page as holding decoded code, or not. */
  setCode(page: number, holds: boolean): void {
    const { cpu, codePages } = this.bench;
    cpu.u8[L.CODE_LINES + page * 8] = holds ? 1 : 0;
    this.marked.add(page);
    if (holds) codePages.add(page * L.PAGE_SIZE);
    else codePages.delete(page * L.PAGE_SIZE);
  }

  private parts(): Uint8Array[] {
    const { cpu } = this.bench;
    const { ramBase } = cpu.services;
    return [
      cpu.u8.subarray(cpu.base, cpu.base + L.CPU_AREA_SIZE),
      cpu.u8.subarray(ramBase, ramBase + RAM_BYTES),
    ];
  }

  /** What a guest or the next access can see of CPU and memory; the lazy flags as flags, RIP only if asked for. */
  private seen(withRip: boolean): Uint8Array[] {
    const { cpu } = this.bench;
    const flags = readFlags(cpu);
    const copies = this.parts().map((part) => part.slice());
    const view = new DataView(copies[0].buffer);
    const forget = [L.FLAG_RESULT, L.FLAG_CARRY, ...(withRip ? [] : [L.RIP])];
    for (const offset of forget) view.setBigUint64(offset, 0n);
    view.setUint32(L.FLAG_RESULT, flags);
    view.setUint32(L.TLB_MISSES, 0);
    return copies;
  }

  /** Runs both paths from the present state; whether the quick one went to its end. */
  compare(what: string, quick: () => number, exact: () => number): boolean {
    // The exact path drops code from pages that it writes.
    for (const page of this.marked) this.setCode(page, this.bench.codePages.has(page * L.PAGE_SIZE));
    const before = this.parts().map((part) => part.slice());
    const seenBefore = this.seen(false);
    this.left = false;
    this.exits = 0;
    const result = quick();
    if (this.left) {
      this.same(`${what}: changed something before it left`, seenBefore, this.seen(false));
      return false;
    }
    const seenQuick = this.seen(true);
    this.parts().forEach((part, i) => part.set(before[i]));
    const { seen, cpu } = this.bench;
    const { alignmentChecks } = cpu;
    seen.exits = 0;
    assert.equal(exact(), result, `${what}: result`);
    for (const page of this.marked)
      if (!this.bench.codePages.has(page * L.PAGE_SIZE)) this.setCode(page, false);
    this.same(what, this.seen(true), seenQuick);
    assert.equal(cpu.alignmentChecks, alignmentChecks, what);
    assert.ok(this.exits >= seen.exits, `${what}: an interrupt or a step is missed`);
    return true;
  }

  private same(what: string, expected: Uint8Array[], found: Uint8Array[]): void {
    expected.forEach((part, i) => {
      if (Buffer.compare(part, found[i]) === 0) return;
      const at = part.findIndex((byte, n) => byte !== found[i][n]);
      const place = `${i === 0 ? "CPU area" : "RAM"} +0x${at.toString(16)}`;
      assert.fail(`${what}: ${place} is 0x${found[i][at].toString(16)}, exact 0x${part[at].toString(16)}`);
    });
  }
}

/** True once in `n`. */
export function seldom(random: Random, n = 20): boolean {
  return random.below(n) === 0;
}

function randomTables(bench: Bench, random: Random): void {
  EXTRA_RIGHTS.forEach((rights, i) => {
    bench.poke(GDT + FIRST_EXTRA + i * 8, 8, descriptor(random.below(0x1000), 0xfffff, rights));
  });
  bench.poke(GDT + 0x18, 8, descriptor(random.below(2) * 0x1234000, random.below(0xfffff), 0xc0f3));
  const pages = [GDT, IDT, TSS, ...STACKS].map((address) => address >>> L.PAGE_SHIFT);
  for (const page of pages) {
    let entry = (page << L.PAGE_SHIFT) | 3;
    if (random.below(3) === 0) entry |= 4;
    if (random.below(3) === 0) entry |= 0x100;
    if (seldom(random)) entry &= ~random.pick([1, 2]);
    bench.poke(PT + page * 8, 8, entry);
  }
}

function randomRegisters(bench: Bench, random: Random): void {
  const { cpu } = bench;
  for (let i = 0; i < 16; i++) cpu.setBig(GPR(i), BigInt(random.below(0x7fffffff)));
  const features = random.below(2) * 0x200000 + random.below(2) * 0x80;
  cpu.set32(L.CR4, cpu.get32(L.CR4) | features);
  cpu.set32(L.CR0, cpu.get32(L.CR0) ^ (random.below(2) * 0x40000) ^ (seldom(random, 4) ? 0x10000 : 0));
  for (const segment of [L.ES, L.DS, L.FS, L.GS]) {
    const [selector, access] = random.pick([
      [0, 0x10000],
      [0x10, 0x10000],
      ...(seldom(random, 4) ? [[random.below(4), random.pick([0x10000, 0xc0f3])]] : []),
      [0x1b, 0xc0f3],
      [seldom(random, 4) ? 0x10 : 0x1b, 0xc0f3],
      ...(seldom(random, 4) ? [[0x10, 0xc093]] : []),
    ]);
    cpu.setSegment(segment, selector, random.below(0x10000), 0xffffffff, access);
  }
  if (seldom(random)) cpu.set32(L.NMI_BLOCKED, 1);
  if (seldom(random)) cpu.set32(L.DR + 7 * 8, 0x401 | (random.below(2) << 16));
  if (seldom(random)) cpu.set32(L.GDTR_LIMIT, random.pick([0x17, 0x23, 0x3f]));
  cpu.set32(L.INTERRUPT_PENDING, seldom(random, 4) ? random.below(4) : 0);
}

/** Flags as a program may have them, and seldom those that make a quick path leave. */
export function randomFlags(random: Random): number {
  const flags = random.below(STATUS_AND_SYSTEM) & ~(0x4100 | 0x40000);
  const odd = seldom(random) ? random.pick([0x100, 0x4000]) : 0;
  return flags | odd | (random.below(3) === 0 ? 0x40000 : 0) | 2;
}

/** A state of 64-bit mode at level 0 or 3 (seldom another), its TLB warm in most places. */
export function randomState({ bench }: QuickBench, random: Random): void {
  const { cpu } = bench;
  longMode(bench, random.pick([0, 0, 3]));
  cpu.set32(L.INTERRUPT_PENDING, 0);
  randomTables(bench, random);
  randomRegisters(bench, random);
  refreshBreakpoints(cpu);
  if (seldom(random)) cpu.set32(L.CPL, random.pick([1, 2]));
  writeFlags(cpu, randomFlags(random), LOADABLE);
  refreshMode(cpu);
  for (const address of [GDT, IDT, TSS, ...STACKS]) {
    for (const mode of [0, 1, 2]) {
      if (!seldom(random, 60)) resolveAccess(cpu, address, 1, READ, mode);
      if (!seldom(random, 60)) resolveAccess(cpu, address, 1, WRITE, mode);
    }
  }
}
