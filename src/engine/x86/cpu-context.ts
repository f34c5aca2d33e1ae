/**
 * One CPU as TypeScript sees it: typed views over its area of the shared memory, and the services of the engine
 * around it. All architectural state lives in that memory (layout.ts), so that generated code and the functions
 * here work on the same bytes; what this object keeps itself is derived or bookkeeping. Knows no instruction.
 *
 * Linear addresses are `number`s: signed, exact for every canonical address (|x| ≤ 2^47). A value outside that
 * range is not canonical, however it was rounded.
 */
import { TWO_32 } from "../../bytes/words.js";
import type { CpuHost } from "../contract.js";
import type { CpuidLeaf } from "../../x86/cpuid.js";
import { FLAG_VM, RESERVED_1G } from "../../spec/x86-privileged.js";
import * as L from "./layout.js";
import * as R from "./record.js";
import { type Breakpoints, NO_BREAKPOINTS } from "./system/breakpoints.js";
import { CpuidTable } from "./system/cpuid-rows.js";
import { Stops } from "./system/stops.js";
import { TlbBook } from "./system/tlb-book.js";
import { FpuState } from "./x87/state.js";

/** What the engine that owns the CPUs provides. */
export interface EngineServices {
  readonly memory: WebAssembly.Memory;
  readonly host: CpuHost;
  /** Host address of the area of CPU 0 in `memory`; the others follow. */
  readonly cpuAreas: number;
  /** Host address of the first byte of guest RAM in `memory`. */
  readonly ramBase: number;
  /** Bytes of RAM that begin at guest-physical address 0, below 4 GiB. */
  readonly ramLowBytes: number;
  /** Offset in RAM of a guest-physical address, or -1 when it is not RAM. */
  ramOffsetOf(physical: number): number;
  /** Guest-physical address of an offset in RAM. */
  physicalOf(ramOffset: number): number;
  readonly code: {
    /** Bytes `[ramOffset, +length)` are about to change: decoded instructions there are dropped. */
    invalidate(ramOffset: number, length: number): void;
    /**
     * Whether writes to the page of this RAM offset must be told: it holds decoded instructions or a watched line, or was not
     * written since a mark.
     */
    pageHoldsCode(ramOffset: number): boolean;
  };
  /** The line of memory that a CPU watches after MONITOR, until a write reaches it. */
  readonly monitor: {
    /** Watches the line around a RAM offset, in place of any other. */
    arm(cpu: CpuContext, ramOffset: number): void;
    disarm(cpu: CpuContext): void;
    isArmed(cpu: CpuContext): boolean;
    /** Guest-physical address of the line that is watched, or -1. */
    armedAt(cpu: CpuContext): number;
  };
  /**
   * Delivers an event in IA-32e mode by generated code if nothing about it is rare; otherwise false, nothing changed.
   * `errorCode` is negative when none is pushed.
   */
  enterQuickly(cpu: CpuContext, vector: number, errorCode: number, restarts: boolean): boolean;
  /** Makes generated code return at the next instruction boundary (`LEFT` becomes 0). */
  requestExit(cpu: CpuContext): void;
  /** Instructions executed in the current run, for clocks. */
  instructionsInRun(cpu: CpuContext): number;
  /** Next 32 random bits, unsigned, from the machine's generator. */
  random32(): number;
  /** The CPU has executed as many PAUSE instructions as it may. The engine ends the run behind this one. */
  pausesSpent(cpu: CpuContext): void;
  /** The CPU shut down (triple fault). The engine ends the run; state stays as it was. */
  shutdown(cpu: CpuContext, detail: string): void;
  /** Something architectural that the engine does not implement was used at RIP. The caller raises a fault. */
  unimplemented(cpu: CpuContext, text: string): void;
}

/** Position of a descriptor that `readDescriptor` found, and its fields decoded. */
export interface Descriptor {
  linear: number;
  low: number;
  high: number;
  base: number;
  limit: number;
  access: number;
}

/** Physical-address bits that PSE-36 reaches. */
const PSE36_BITS = 40;
const ALL_ONES = 0xffffffff;
const BITS_21_TO_13 = 0x3fe000;

/** Physical addresses have no more bits than this, whatever CPUID says. */
const MOST_PHYSICAL_BITS = 52;

/** Physical-address bits 63:32 that are reserved, below bit 52. */
export function reservedPhysicalHigh({ physicalAddressBits }: CpuidTable): number {
  const bits = Math.min(MOST_PHYSICAL_BITS, physicalAddressBits);
  return 0xfffff & ~(2 ** Math.max(0, bits - 32) - 1);
}

export class CpuContext {
  /** Byte address of the CPU's area. */
  readonly base: number;
  readonly u8: Uint8Array;
  readonly u16: Uint16Array;
  readonly i32: Int32Array;
  readonly u32: Uint32Array;
  readonly u64: BigUint64Array;
  readonly view: DataView;
  readonly cpuid: CpuidTable;
  readonly tlb: TlbBook;
  readonly fpu: FpuState;
  /** Model-specific registers outside the CPU area that hold a value, see system/msr-storage.ts. */
  readonly msrTable = new Map<number, bigint>();

  // Why the last `translatePage` or `resolveAccess` returned -1.
  faultVector = 0;
  faultCode = 0;
  faultLinear = 0;

  // Pieces of a write that landed in SCRATCH: guest-physical address and length, second length 0 when unused.
  pendingFirst = 0;
  pendingFirstLength = 0;
  pendingSecond = 0;
  pendingSecondLength = 0;

  /** Upper half of the last 64-bit value that a function returned the lower half of. */
  high = 0;
  /** Page-directory-pointer entries of PAE paging, low and high words in turn, see system/pdptes.ts. */
  readonly pdptes = new Uint32Array(8);
  /** Enabled hardware breakpoints, see system/breakpoints.ts. */
  breakpoints: Breakpoints = NO_BREAKPOINTS;
  /** Breakpoints and watchpoints of a debugger, see system/stops.ts. */
  readonly stops = new Stops();
  /** DR6 bits of data breakpoints that were reached: a #DB at the next boundary that debugShadow does not hide. */
  pendingDebug = 0;
  /**
   * As INTERRUPT_SHADOW, of loads of SS only: those put off debug traps too, STI does not. In a slice it is what LEFT
   * was when the last such load began, plus 1.
   */
  debugShadow = 0;
  /** SYSCALL and SYSRET step by the TF that they leave: whether the one that just ran is followed by #DB. */
  stepAfter: boolean | undefined;
  /** In MWAIT: an interrupt ends it even with RFLAGS.IF clear. */
  wakesOnMasked = false;
  /** CR0.AM, RFLAGS.AC and CPL 3: data accesses must be aligned, and no user page has fast TLB tags. */
  alignmentChecks = false;
  /** Physical-address bits 63:32 that are reserved in paging entries, without XD. */
  readonly reservedPhysicalHigh: number;
  /** Whether a page-directory-pointer entry may map 1 GiB. */
  readonly gigabytePages: boolean;
  /** Bits that are reserved in an entry for 4 MiB: 21:13 hold address bits 39:32 as far as PSE-36 and MAXPHYADDR go. */
  readonly reserved4M: number;

  constructor(
    readonly id: number,
    readonly services: EngineServices,
    cpuid: readonly CpuidLeaf[],
  ) {
    this.base = services.cpuAreas + id * L.CPU_AREA_SIZE;
    const { buffer } = services.memory;
    this.u8 = new Uint8Array(buffer);
    this.u16 = new Uint16Array(buffer);
    this.i32 = new Int32Array(buffer);
    this.u32 = new Uint32Array(buffer);
    this.u64 = new BigUint64Array(buffer);
    this.view = new DataView(buffer);
    this.cpuid = new CpuidTable(cpuid);
    const bits = Math.min(MOST_PHYSICAL_BITS, this.cpuid.physicalAddressBits);
    this.reservedPhysicalHigh = reservedPhysicalHigh(this.cpuid);
    this.gigabytePages = this.cpuid.has("pdpe1gb");
    const above4G = this.cpuid.has("pse36") ? Math.max(0, Math.min(bits, PSE36_BITS) - 32) : 0;
    this.reserved4M = BITS_21_TO_13 & ~((2 ** above4G - 1) << 13);
    this.tlb = new TlbBook(this.base, this.i32);
    this.setBig(L.TSC_RATE, -1n);
    this.set32(L.RAM_BASE, services.ramBase);
    this.set32(L.RAM_LOW_PAGES, services.ramLowBytes >>> L.PAGE_SHIFT);
    this.set32(L.RESERVED_PHYSICAL, this.reservedPhysicalHigh);
    this.set32(L.RESERVED_1G, this.gigabytePages ? RESERVED_1G : ALL_ONES);
    this.fpu = new FpuState(this.view, this.base + L.FPU);
  }

  /** Unsigned 32-bit field at byte offset `offset` of the CPU area. */
  get32(offset: number): number {
    return this.u32[(this.base + offset) >>> 2];
  }
  set32(offset: number, value: number): void {
    this.u32[(this.base + offset) >>> 2] = value;
  }
  /** Lower half of a 64-bit field, unsigned. */
  low(offset: number): number {
    return this.u32[(this.base + offset) >>> 2];
  }
  /** Upper half of a 64-bit field, unsigned. */
  upper(offset: number): number {
    return this.u32[(this.base + offset + 4) >>> 2];
  }
  setPair(offset: number, low: number, high: number): void {
    const index = (this.base + offset) >>> 2;
    this.u32[index] = low;
    this.u32[index + 1] = high;
  }
  /** A 64-bit field as a signed number: exact when canonical. */
  getAddress(offset: number): number {
    const index = (this.base + offset) >>> 2;
    return this.i32[index + 1] * TWO_32 + this.u32[index];
  }
  /** Stores a safe integer, sign-extended to 64 bits. */
  setAddress(offset: number, value: number): void {
    const index = (this.base + offset) >>> 2;
    this.u32[index] = value;
    this.i32[index + 1] = Math.floor(value / TWO_32);
  }
  getBig(offset: number): bigint {
    return this.u64[(this.base + offset) >>> 3];
  }
  setBig(offset: number, value: bigint): void {
    this.u64[(this.base + offset) >>> 3] = BigInt.asUintN(64, value);
  }

  get cpl(): number {
    return this.get32(L.CPL);
  }
  /** EFER.LMA: IA-32e mode. */
  get longMode(): boolean {
    return (this.get32(L.EFER) & 0x400) !== 0;
  }
  /** 64-bit code: IA-32e mode with CS.L. */
  get code64(): boolean {
    return (this.get32(L.MODE_KEY) & 3) === 2;
  }
  /** CR0.PE. */
  get protectedMode(): boolean {
    return (this.get32(L.CR0) & 1) !== 0;
  }

  /** Virtual-8086 mode: RFLAGS.VM, which is only ever set in protected mode outside IA-32e mode. */
  get virtual8086(): boolean {
    return (this.get32(L.FLAG_SYSTEM) & FLAG_VM) !== 0;
  }
  /** Real-address or virtual-8086 mode: a selector is the segment's base divided by 16. */
  get realSegments(): boolean {
    return !this.protectedMode || this.virtual8086;
  }

  selector(segment: number): number {
    return this.get32(L.SEGMENT_SELECTOR + segment * 4);
  }
  access(segment: number): number {
    return this.get32(L.SEGMENT_ACCESS + segment * 4);
  }
  limit(segment: number): number {
    return this.get32(L.SEGMENT_LIMIT + segment * 4);
  }
  /** Offset in the CPU area of a segment's base (LDTR and TR included). */
  baseOffset(segment: number): number {
    if (segment === L.LDTR) return L.LDTR_BASE;
    return segment === L.TR ? L.TR_BASE : L.SEGMENT_BASE + segment * 8;
  }
  segmentBase(segment: number): number {
    return this.getAddress(this.baseOffset(segment));
  }
  setSegment(segment: number, selector: number, base: number, limit: number, access: number): void {
    this.set32(L.SEGMENT_SELECTOR + segment * 4, selector);
    this.setAddress(this.baseOffset(segment), base);
    this.set32(L.SEGMENT_LIMIT + segment * 4, limit);
    this.set32(L.SEGMENT_ACCESS + segment * 4, access);
  }

  /** Cuts a RIP to 64 or 32 bits; 16-bit code too may come to lie above 64 KiB, if only to fault there. */
  maskRip(rip: number): number {
    return this.code64 ? rip : rip >>> 0;
  }
  /** RIP of the instruction that `record` holds. */
  instructionRip(record: number): number {
    return this.maskRip(this.getAddress(L.PAGE_RIP) + this.u16[(record + R.REC_OFFSET) >>> 1]);
  }
  /** RIP of the instruction after `record`. */
  nextRip(record: number): number {
    const offset = this.u16[(record + R.REC_OFFSET) >>> 1] + this.u8[record + R.REC_LENGTH];
    return this.maskRip(this.getAddress(L.PAGE_RIP) + offset);
  }

  /** Number that ModRM.reg holds in `record`: a register, control register or segment. */
  regField(record: number): number {
    return (this.u16[(record + R.REC_A) >>> 1] - L.GPR) >>> 3;
  }
  /** Offset in the CPU area of the register operand (ModRM.rm or opcode). */
  rmOffset(record: number): number {
    return this.u16[(record + R.REC_B) >>> 1];
  }
  /** Immediate of `record`, low 32 bits unsigned. */
  immediate(record: number): number {
    return this.u32[(record + R.REC_IMMEDIATE) >>> 2];
  }
  /** Second immediate of `record`. */
  secondImmediate(record: number): number {
    return this.u32[(record + R.REC_LINK) >>> 2];
  }

  /** Low `size` (1, 2, 4) bytes of the 64-bit slot at `offset`. Byte registers AH…BH are not reached this way. */
  readSlot(offset: number, size: number): number {
    const value = this.get32(offset);
    if (size === 4) return value;
    return size === 2 ? value & 0xffff : value & 0xff;
  }
  /** Writes a general register as instructions do: 4 bytes clear the upper half, 1 and 2 keep the rest. */
  writeSlot(offset: number, size: number, low: number, high = 0): void {
    if (size === 8) this.setPair(offset, low, high);
    else if (size === 4) this.setPair(offset, low, 0);
    else if (size === 2) this.u16[(this.base + offset) >>> 1] = low;
    else this.u8[this.base + offset] = low;
  }

  /** Records why a translation failed. Always returns -1. */
  fail(vector: number, code: number, linear: number): -1 {
    this.faultVector = vector;
    this.faultCode = code;
    this.faultLinear = linear;
    return -1;
  }
}
