/**
 * Instructions that 64-bit mode has lost or that few programs use, outside it: BOUND, INTO, ARPL, XLAT, PUSHA, POPA,
 * ENTER at every level, LDS and its relatives; the system calls that each mode lacks.
 *
 * Specification: SDM vol. 2, those instructions.
 */
import {
  bp,
  byte,
  cx,
  ds,
  dword,
  eax,
  ebp,
  ebx,
  ecx,
  edi,
  edx,
  es,
  esi,
  esp,
  fs,
  segmentDescriptor,
  DATA_WRITABLE,
  sp,
  ss,
  ax,
} from "../../support/asm/index.js";
import { ZF } from "../../support/model/flags.js";
import { prologue } from "../support/environments.js";
import { guest } from "../support/guest.js";
import type { ExpectedEvent, Guest, GuestBuilder } from "../support/guest.js";
import * as layout from "../support/layout.js";
import { atLevel3 } from "../support/rings.js";

const OF_VECTOR = 4;
const BR = 5;
const UD = 6;
const GP = 13;
const OPERAND16 = 0x66;
const ADDRESS16 = 0x67;
const BOUNDS = layout.DATA;
const LEVELS = 32;

function bound(g: GuestBuilder): void {
  prologue(g.a);
  const { a } = g;
  const view = new DataView(new ArrayBuffer(12));
  view.setInt32(0, -5, true);
  view.setInt32(4, 1000, true);
  view.setInt16(8, -5, true);
  view.setInt16(10, 1000, true);
  g.data(BOUNDS, new Uint8Array(view.buffer));
  for (const [prefix, place] of [
    [[], BOUNDS],
    [[OPERAND16], BOUNDS + 8],
  ] as const) {
    const size = prefix.length === 0 ? 32 : 16;
    a.mov(ebx, place);
    for (const [index, inside] of [
      [-5, true],
      [1000, true],
      [0, true],
      [-6, false],
      [1001, false],
      [size === 16 ? 0x8000 : -0x80000000, false],
      [size === 16 ? 0x7fff : 0x7fffffff, false],
    ] as const) {
      a.mov(eax, index);
      const emit = (): unknown => a.db(...prefix, 0x62, 0x03);
      if (inside) emit();
      else g.fault({ vector: BR, note: `BOUND of ${index} at ${size} bits` }, emit);
    }
  }
  // The upper half of the register is no part of 16 bits.
  a.mov(eax, 0x7fff0001).db(OPERAND16, 0x62, 0x03);
  g.fault({ vector: UD, note: "BOUND of two registers" }, () => a.db(0x62, 0xc3));
  g.exit();
}

function overflow(g: GuestBuilder): void {
  g.gates.set(OF_VECTOR, { selector: layout.KERNEL_CODE, offset: 0, type: 0xe, dpl: 0 });
  prologue(g.a);
  const { a } = g;
  a.xor(eax, eax).into();
  a.mov(eax, 0x7fffffff).inc(eax);
  g.expectEvent({ vector: OF_VECTOR, rip: "afterInto", note: "INTO with OF" });
  a.into().label("afterInto");
  atLevel3(g, () => {
    a.into().mov(eax, 0x7fffffff).inc(eax);
    g.fault({ vector: GP, error: OF_VECTOR * 8 + 2, note: "INTO asks the DPL of its gate" }, () => a.into());
  });
  g.exit();
}

function adjustments(g: GuestBuilder): void {
  prologue(g.a);
  const { a } = g;
  const arpl = (destination: number, source: number, result: number, raised: boolean): void => {
    a.mov(eax, 0x55550000 | destination)
      .mov(ecx, source)
      .db(0x63, 0xc8);
    g.expectFlags(raised ? ZF : 0n, raised ? 0n : ZF, `ARPL ${destination}, ${source}`);
    g.expect(eax, (0x55550000 | result) >>> 0, "its result");
    a.mov(dword(BOUNDS), 0x55550000 | destination)
      .mov(ebx, BOUNDS)
      .db(0x63, 0x0b)
      .mov(edx, dword(ebx));
    g.expectFlags(raised ? ZF : 0n, raised ? 0n : ZF, `ARPL of memory ${destination}, ${source}`);
    g.expect(edx, (0x55550000 | result) >>> 0, "its result in memory");
  };
  arpl(0x10, 0x03, 0x13, true);
  arpl(0x13, 0x02, 0x13, false);
  arpl(0x12, 0x02, 0x12, false);
  arpl(0x11, 0xfffe, 0x12, true);
  g.data(BOUNDS + 0x100, [1, 2, 3, 4, 5, 6, 7, 8]);
  g.data(0x6000, [0x11, 0x12, 0x13, 0x14]);
  a.mov(ebx, BOUNDS + 0x100)
    .mov(eax, 0xaabbcc05)
    .db(0xd7);
  g.expect(eax, 0xaabbcc06, "XLAT");
  const based = g.descriptor(segmentDescriptor({ base: BOUNDS, type: DATA_WRITABLE, big: true }));
  a.mov(ecx, based).movToSegment(fs, ecx).mov(ebx, 0x100).mov(eax, 2).db(0x64, 0xd7);
  g.expect(eax, 3, "XLAT through FS");
  a.mov(ebx, 0xffff5fff).mov(eax, 3).db(ADDRESS16, 0xd7);
  g.expect(eax, 0x13, "XLAT at 16 bits of BX");
  a.mov(ebx, 0xffffff02).mov(eax, 0xfe).mov(byte(0), 0x77).db(ADDRESS16, 0xd7);
  g.expect(eax, 0x77, "which wraps");
  a.mov(dword(BOUNDS), 0x11223344).mov(dword(BOUNDS + 4), layout.USER_DATA_SELECTOR);
  a.mov(esi, BOUNDS).db(0xc4, 0x3e).movFromSegment(edx, es);
  g.expect(edi, 0x11223344, "LES: the offset");
  g.expect(edx, layout.USER_DATA_SELECTOR, "LES: the selector", 0xffffn);
  a.mov(dword(BOUNDS + 4), 0x3f8).mov(edi, 0x99);
  g.fault({ vector: GP, error: 0x3f8, note: "LES of no segment" }, () => a.db(0xc4, 0x3e));
  g.expect(edi, 0x99, "leaves the register");
  g.expectAt(BOUNDS + 4, 4, 0x3f8n, "memory stays");
  g.exit();
}

function allRegisters(g: GuestBuilder): void {
  prologue(g.a);
  const { a } = g;
  const values = [0x11111111, 0x22222222, 0x33333333, 0x44444444, 0, 0x66666666, 0x77777777, 0x88888888];
  const registers = [eax, ecx, edx, ebx, esp, ebp, esi, edi];
  const load = (): void => registers.forEach((r, i) => void (i === 4 ? a : a.mov(r, values[i])));
  const stack = layout.STACK_TOP;
  load();
  a.pusha();
  const name = (i: number): string => registers[i].name;
  values.forEach((value, i) => {
    if (i !== 4) g.expectAt(stack - 4 * (i + 1), 4, BigInt(value), `PUSHA: ${name(i)}`);
  });
  a.mov(eax, dword(esp, 12));
  g.expect(eax, stack, "PUSHA: ESP as it was");
  g.expect(esp, stack - 32, "PUSHA moves ESP");
  for (const r of registers) if (r !== esp) a.xor(r, r);
  a.mov(dword(esp, 12), 0x12345678).popa();
  registers.forEach((r, i) => g.expect(r, i === 4 ? stack : values[i], `POPA: ${r.name}`));
  a.mov(esp, stack - 0x100);
  load();
  a.db(OPERAND16, 0x60);
  values.forEach((value, i) => {
    const pushed = (i === 4 ? stack - 0x100 : value) & 0xffff;
    g.expectAt(stack - 0x100 - 2 * (i + 1), 2, BigInt(pushed), `PUSHA of 16 bits: ${name(i)}`);
  });
  for (const r of registers) if (r !== esp) a.mov(r, 0x5a5a5a5a);
  a.db(OPERAND16, 0x61);
  registers.forEach((r, i) => {
    const half = (0x5a5a0000 | (values[i] & 0xffff)) >>> 0;
    g.expect(r, i === 4 ? stack - 0x100 : half, `POPA of 16 bits: ${r.name}`);
  });
  a.mov(esp, stack);
  g.exit();
}

/** ENTER at every level: the frame that the manual's pseudo-code builds. */
function enterLevels(g: GuestBuilder, size: 2 | 4): void {
  const real = g.mode === 16;
  if (!real) prologue(g.a);
  const { a } = g;
  const base = real ? 0x10000 : 0;
  const stacks = real ? 0x2000 : layout.DATA + 0x10000;
  const display = real ? 0x1000 : layout.DATA + 0x8000;
  const locals = 0x24;
  if (real) a.mov(ax, base >> 4).movToSegment(ss, ax);
  for (let i = 1; i < LEVELS; i++) {
    const bytes = new Uint8Array(4);
    new DataView(bytes.buffer).setUint32(0, 0x01010101 * i, true);
    g.data(base + display - size * i, bytes.subarray(0, size));
  }
  for (let level = 0; level < LEVELS; level++) {
    const top = stacks + 0x200 * (level + 1);
    const put = (index: number, value: number, note: string): void => {
      const cut = size === 2 ? value & 0xffff : value >>> 0;
      g.expectAt(base + top - size * index, size, BigInt(cut), `ENTER at level ${level}: ${note}`);
    };
    if (real) a.mov(sp, top).mov(bp, display);
    else a.mov(esp, top).mov(ebp, display);
    if (size * 8 !== a.mode) a.db(OPERAND16);
    a.enter(locals, level);
    put(1, display, "the old frame pointer");
    for (let i = 1; i < level; i++) put(i + 1, 0x01010101 * i, `outer frame ${i}`);
    if (level > 0) put(level + 1, top - size, "its own frame");
    const values = level === 0 ? 1 : level + 1;
    g.expect(real ? sp : esp, top - size * values - locals, `ENTER at level ${level}: stack pointer`);
    // An operand of 16 bits loads BP alone, whatever the stack.
    const frame = !real && size === 2 ? (display & 0xffff0000) | ((top - size) & 0xffff) : top - size;
    g.expect(real ? bp : ebp, frame, `ENTER at level ${level}: frame pointer`);
  }
  a.mov(ecx, 0);
  if (real) a.movToSegment(ss, cx).mov(sp, layout.REAL_STACK_TOP);
  else a.mov(esp, layout.STACK_TOP);
  g.exit();
}

/** An Intel processor has SYSCALL and SYSRET in 64-bit mode only. */
function absentCalls(g: GuestBuilder): void {
  prologue(g.a);
  const { a } = g;
  const refused = (note: string, ...bytes: number[]): void => {
    const event: ExpectedEvent = { vector: UD, note };
    g.fault(event, () => a.db(...bytes));
  };
  if (g.mode === 64) {
    g.user(() => {
      a.mov(ecx, layout.USER_DATA_SELECTOR).movToSegment(ds, ecx).movToSegment(es, ecx);
      refused("SYSCALL in compatibility mode", 0x0f, 0x05);
      refused("SYSRET in compatibility mode", 0x0f, 0x07);
      refused("SWAPGS in compatibility mode", 0x0f, 0x01, 0xf8);
    }, 32);
  } else {
    refused("SYSCALL in protected mode", 0x0f, 0x05);
    refused("SYSRET in protected mode", 0x0f, 0x07);
    refused("SWAPGS in protected mode", 0x0f, 0x01, 0xf8);
  }
  g.exit();
}

export function legacyInstructionGuests(): Guest[] {
  const levels = "SDM vol. 2A, ENTER";
  const everywhere =
    "QEMU 7.2 has SYSCALL in compatibility mode, as AMD processors do; CPUID says Intel here";
  return [
    guest("BOUND", { mode: 32, cites: "SDM vol. 2A, BOUND" }, bound),
    guest("INTO", { mode: 32, cites: "SDM vol. 2A, INT n" }, overflow),
    guest("ARPL, XLAT, LES", { mode: 32, cites: "SDM vol. 2, ARPL, XLAT, LDS" }, adjustments),
    guest("PUSHA and POPA", { mode: 32, cites: "SDM vol. 2B, PUSHA, POPA" }, allRegisters),
    guest("ENTER at every level, 32 bits", { mode: 32, cites: levels }, (g) => enterLevels(g, 4)),
    guest("ENTER at every level, 16 bits on a 32-bit stack", { mode: 32, cites: levels }, (g) =>
      enterLevels(g, 2),
    ),
    guest("ENTER at every level in real mode", { mode: 16, cites: levels }, (g) => enterLevels(g, 2)),
    guest("ENTER of 32 bits at every level in real mode", { mode: 16, cites: levels }, (g) =>
      enterLevels(g, 4),
    ),
    guest(
      "SYSCALL, SYSRET and SWAPGS in compatibility mode",
      { cites: "SDM vol. 2B, SYSCALL", notOnQemu: everywhere },
      absentCalls,
    ),
    guest(
      "SYSCALL, SYSRET and SWAPGS in protected mode",
      { mode: 32, cites: "SDM vol. 2B, SYSCALL" },
      absentCalls,
    ),
  ];
}
