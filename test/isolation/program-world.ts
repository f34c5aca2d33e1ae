/**
 * The machine around a random program: descriptor tables, page tables, handlers, the CPU's state at its start, for each
 * mode that programs run in. Everything a program breaks a handler mends, so that it goes on.
 */
import type { GuestMemory } from "../../src/engine/contract.js";
import { MSR_IA32_FMASK, MSR_IA32_LSTAR, MSR_IA32_STAR } from "../../src/spec/x86-msr.js";
import {
  CR0_PG,
  CR0_WP,
  CR4_OSFXSR,
  CR4_OSXMMEXCPT,
  EFER_SCE,
  FLAG_RF as RF,
  FLAG_TF as TF,
} from "../../src/spec/x86-privileged.js";
import type { CpuState, SegmentRegister } from "../../src/x86/cpu-state.js";
import { longMode64, protectedMode32 } from "../../src/x86/entry-states.js";
import { BOOT_CS, BOOT_DS, BOOT_TR, bootGdt } from "../../src/x86/gdt.js";
import * as o from "../support/asm/index.js";
import type { Program } from "./program-code.js";
import { CODE, COUNTS, PAGE, PAGE_TABLE, TWIN } from "./program-layout.js";
import { SERVICE, wordAt, wordRegister, type ProgramMode } from "./program-modes.js";

const GDT = 0x1000;
const IDT = 0x2000;
const HANDLERS = 0x3000;
const TSS = 0x4000;
const TSS_LIMIT = 0x67;
/** Where the stack of privilege 0 stands in a TSS, of either width; the 32-bit one has its segment behind it. */
const TSS_STACK = 4;
const PML4 = 0x8000;
const PDPT = 0x9000;
const DIRECTORY = 0xa000;
const STACK = 0x60000;
/** What handlers of a user program run on. */
const KERNEL_STACK = 0x6c000;
const PRESENT_WRITABLE = 3;
const USER = 4;
/** Pages with tables and handlers, which no user program may touch. */
const KERNEL_PAGES = [0x1000, 0x2000, 0x3000, 0x4000, KERNEL_STACK - PAGE];
const ENTRIES = 512;
const VECTORS = 256;
export const IRQ = 0x40;
const CALLS = [3, IRQ, IRQ + 1];
const FLAGS_AT_START = 0x202n;
/** User programs may use CLI and STI. */
const IOPL_3 = 0x3000n;
/** Selectors behind those of `bootGdt`, as SYSRET wants them: 32-bit code, data, 64-bit code. */
const USER_BASE = 0x30;
const USER_DATA = 0x38;
const USER_CODE_64 = 0x40;
const GDT_ENTRIES = 9;
const RPL_3 = 3;
const STAR_SYSCALL_CS = 32n;
const STAR_SYSRET_CS = 48n;
const DPL_SHIFT = 5;

/** What handlers count, in words from COUNTS on. */
export const COUNTED = ["faults", "steps", "calls", "others", "privileged"] as const;
const countOf = (what: (typeof COUNTED)[number]): o.Memory => o.dword(COUNTS + 4 * COUNTED.indexOf(what));

interface Handlers {
  chunks: o.Chunk[];
  at: Map<number, number>;
  system: number;
  other: number;
}

/** A page fault makes the page accessible, steps end after a while, what is forbidden is skipped or done, calls count. */
function handlers(mode: ProgramMode): Handlers {
  const a = new o.Assembler(HANDLERS, mode.width);
  const [rax, rcx, rsp] = [0, 1, 4].map((code) => wordRegister(mode, code));
  const word = mode.width / 8;
  const flags = o.memory(32, { base: rsp, disp: 2 * word });
  const leave = (): unknown => (mode.width === 64 ? a.iretq() : a.iret());
  const entry = o.memory(32, { index: rax, scale: mode.width === 64 ? 8 : 4, disp: PAGE_TABLE });
  a.label("fault").push(rax).movSystem(rax, o.cr2);
  a.invlpg(o.memory(0, { base: rax }))
    .shr(rax, 12)
    .cmp(rax, ENTRIES)
    .jcc("ae", "other");
  a.or(entry, PRESENT_WRITABLE | (mode.user ? USER : 0));
  a.inc(countOf("faults")).pop(rax).add(rsp, word);
  leave();
  a.label("step").inc(countOf("steps")).test(countOf("steps"), 0xf).jcc("ne", "on").and(flags, ~TF);
  a.label("on").or(flags, RF);
  leave();
  a.label("call").inc(countOf("calls"));
  leave();
  // One byte is skipped, as HLT has.
  a.label("forbidden")
    .inc(countOf("privileged"))
    .inc(wordAt(mode, rsp, word))
    .add(rsp, word);
  leave();
  a.label("invlpg")
    .inc(countOf("privileged"))
    .invlpg(o.memory(0, { base: rax }));
  leave();
  a.label("flush").inc(countOf("privileged")).push(rax).movSystem(rax, o.cr3).movSystem(o.cr3, rax).pop(rax);
  leave();
  a.label("system").inc(countOf("calls"));
  // From supervisor code SYSRET would leave for user mode.
  if (mode.width === 64 && mode.user) a.sysret(64);
  else if (mode.width === 64) a.push(o.r11).popf().jmpAt(rcx);
  a.label("other").inc(countOf("others")).hlt();
  const at = new Map<number, number>([
    [14, a.address("fault")],
    [1, a.address("step")],
    ...CALLS.map((vector): [number, number] => [vector, a.address("call")]),
  ]);
  if (mode.user) {
    at.set(13, a.address("forbidden"));
    at.set(SERVICE.INVLPG, a.address("invlpg"));
    at.set(SERVICE.FLUSH, a.address("flush"));
  }
  return { chunks: a.link(), at, system: a.address("system"), other: a.address("other") };
}

/** A segment register of `bootGdt` as user code has it. */
function userSegment(segment: SegmentRegister, selector: number): SegmentRegister {
  return { ...segment, selector: selector | RPL_3, access: segment.access | (RPL_3 << DPL_SHIFT) };
}

/** The CPU before the program's first instruction. */
export function startState(mode: ProgramMode): CpuState {
  const entry = { entry: BigInt(CODE), gdtBase: GDT, registers: { rsp: BigInt(STACK) } };
  const flat =
    mode.width === 64
      ? longMode64(entry, BigInt(PML4))
      : { ...protectedMode32(entry), cr3: BigInt(DIRECTORY) };
  const gdt = bootGdt(mode.width);
  const data = userSegment(gdt.data, USER_DATA);
  const user = {
    cs: userSegment(gdt.code, mode.width === 64 ? USER_CODE_64 : USER_BASE),
    ...{ ss: data, ds: data, es: data, fs: data, gs: data },
  };
  const star =
    (BigInt(BOOT_CS) << STAR_SYSCALL_CS) | (BigInt(mode.user ? USER_BASE | RPL_3 : 0) << STAR_SYSRET_CS);
  return {
    ...flat,
    ...(mode.user ? user : {}),
    tr: { ...flat.tr, selector: BOOT_TR, base: BigInt(TSS), limit: TSS_LIMIT },
    gdtr: { base: BigInt(GDT), limit: GDT_ENTRIES * 8 - 1 },
    cr0: flat.cr0 | BigInt(CR0_WP) | BigInt.asUintN(32, BigInt(CR0_PG)),
    cr4: flat.cr4 | BigInt(CR4_OSFXSR | CR4_OSXMMEXCPT),
    efer: mode.width === 64 ? flat.efer | BigInt(EFER_SCE) : flat.efer,
    msrs:
      mode.width === 64
        ? {
            [MSR_IA32_STAR]: star,
            [MSR_IA32_LSTAR]: BigInt(handlers(mode).system),
            [MSR_IA32_FMASK]: BigInt(TF) | FLAGS_AT_START,
          }
        : {},
    rflags: FLAGS_AT_START | (mode.user ? IOPL_3 : 0n),
    idtr: { base: BigInt(IDT), limit: VECTORS * (mode.width === 64 ? 16 : 8) - 1 },
  };
}

function words(values: readonly bigint[], size: 4 | 8): Uint8Array {
  const view = new DataView(new ArrayBuffer(values.length * size));
  values.forEach((value, i) =>
    size === 8 ? view.setBigUint64(i * 8, value, true) : view.setUint32(i * 4, Number(value), true),
  );
  return new Uint8Array(view.buffer);
}

function writeDescriptors(mode: ProgramMode, ram: GuestMemory): void {
  ram.write(GDT, bootGdt(mode.width).bytes);
  const code = { type: o.CODE_READABLE, dpl: 3 };
  ram.write(
    GDT + USER_BASE,
    words(
      [
        o.segmentDescriptor({ ...code, big: true }),
        o.segmentDescriptor({ type: o.DATA_WRITABLE, dpl: 3, big: true }),
        o.segmentDescriptor({ ...code, long: true }),
      ],
      8,
    ),
  );
  ram.write(TSS + TSS_STACK, words([BigInt(KERNEL_STACK), BigInt(mode.width === 64 ? 0 : BOOT_DS)], 4));
  const { chunks, at, other } = handlers(mode);
  for (const { address, bytes } of chunks) ram.write(address, bytes);
  const gates = Array.from({ length: VECTORS }, (_, vector) => {
    const fields = {
      selector: BOOT_CS,
      offset: at.get(vector) ?? other,
      type: o.TYPE_INTERRUPT_GATE,
      dpl: 3,
    };
    return mode.width === 64 ? o.gate64(fields) : [o.gate32(fields)];
  });
  ram.write(IDT, words(gates.flat(), 8));
}

function writePageTables(mode: ProgramMode, ram: GuestMemory): void {
  const size = mode.width === 64 ? 8 : 4;
  const bits = PRESENT_WRITABLE | (mode.user ? USER : 0);
  for (const [table, next] of [
    [PML4, PDPT],
    [PDPT, DIRECTORY],
    [DIRECTORY, PAGE_TABLE],
  ])
    ram.write(table, words([BigInt(next | bits)], size));
  const pages = Array.from({ length: ENTRIES }, (_, i) => {
    const address = i * PAGE;
    return BigInt(address | (KERNEL_PAGES.includes(address) ? PRESENT_WRITABLE : bits));
  });
  ram.write(PAGE_TABLE, words(pages, size));
}

/** Writes the program, its twin and all around them. */
export function writeWorld(mode: ProgramMode, ram: GuestMemory, program: Program, twin: Program): void {
  for (const { address, bytes } of program.chunks) ram.write(address, bytes);
  for (const { address, bytes } of twin.chunks) ram.write(address - CODE + TWIN, bytes);
  writeDescriptors(mode, ram);
  writePageTables(mode, ram);
}
