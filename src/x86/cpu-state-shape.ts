/**
 * What the state of a CPU that comes from a file looks like: every field of its width, every list of its length. Whether a CPU
 * can be in it is another question, which an engine answers (`engine/x86/checked-state.ts`). Knows no engine.
 */
import { FXSAVE } from "../spec/fxsave.js";
import {
  big,
  bits,
  bool,
  bytes,
  list,
  numberMap,
  oneOf,
  optional,
  record,
  text,
  u16,
  u32,
  u64,
  whole,
} from "../bytes/shape.js";
import { DEBUG_REGISTERS, GENERAL_REGISTERS } from "../spec/x86-encoding.js";
import { DR6_BREAKPOINTS } from "../spec/x86-privileged.js";
import type { CpuState, DescriptorTableRegister, MonitoredLine, SegmentRegister } from "./cpu-state.js";

/** Access rights with the bit "unusable". */
const ACCESS_BITS = 0x1f0ff;
const U32_BIG = 0xffff_ffffn;
/** Guest-physical addresses have 52 bits at most. */
const PHYSICAL_END = 2 ** 52;
const YMM_UPPER_BYTES = 256;
const PDPTES = 4;
/** More than any CPU here stores. */
const MOST_MSRS = 256;
/** A sentence or two. */
const LONGEST_SHUTDOWN = 4096;

const segment = record<SegmentRegister>({
  selector: u16,
  base: u64,
  limit: u32,
  access: bits(ACCESS_BITS),
});
const table = record<DescriptorTableRegister>({ base: u64, limit: u16 });

/** Model-specific registers by index. */
export const msrsShape = numberMap(u32, u64, MOST_MSRS);

export const cpuStateShape = record<CpuState>({
  gpr: list(u64, GENERAL_REGISTERS),
  rip: u64,
  rflags: big(0n, U32_BIG),
  es: segment,
  cs: segment,
  ss: segment,
  ds: segment,
  fs: segment,
  gs: segment,
  ldtr: segment,
  tr: segment,
  gdtr: table,
  idtr: table,
  cr0: big(0n, U32_BIG),
  cr2: u64,
  cr3: u64,
  cr4: big(0n, U32_BIG),
  efer: big(0n, U32_BIG),
  dr: list(u64, DEBUG_REGISTERS),
  msrs: msrsShape,
  xcr0: optional(big(0n, U32_BIG)),
  fxsave: optional(bytes(FXSAVE.SIZE)),
  x87Selectors: optional(record<{ code: number; data: number }>({ code: u16, data: u16 })),
  ymmUpper: optional(bytes(YMM_UPPER_BYTES)),
  pdptes: optional(list(u64, PDPTES)),
  nmiPending: optional(bool),
  nmiBlocked: optional(bool),
  interruptShadow: optional(oneOf("sti", "ss")),
  interruptTaken: optional(bool),
  pendingDebug: optional(bits(DR6_BREAKPOINTS)),
  monitor: optional(
    record<MonitoredLine>({
      address: whole(0, PHYSICAL_END - 1),
      waiting: bool,
      wakesOnMasked: bool,
    }),
  ),
  shutdown: optional(text(LONGEST_SHUTDOWN)),
  halted: bool,
  waitForSipi: bool,
});
