/**
 * Numbers of the local APIC (Intel SDM vol. 3A, chapter 11 "APIC") and of the I/O APIC (82093AA data sheet,
 * §3; ICH9 data sheet §13.5 for the EOI register).
 */
import { MSR_IA32_APIC_BASE, MSR_IA32_TSC_DEADLINE, MSR_X2APIC_FIRST, MSR_X2APIC_LAST } from "./x86-msr.js";

/** Guest-physical address of the local APIC's registers after reset (§11.4.1). */
export const LAPIC_RESET_BASE = 0xfee00000;
/** Registers lie on 16-byte boundaries, 4 bytes wide (§11.4.1). */
export const LAPIC_STRIDE = 0x10;

/** Register offsets (table 11-1). The x2APIC MSR is 0x800 + offset / 16 (table 11-6). */
export const LAPIC = {
  id: 0x020,
  version: 0x030,
  taskPriority: 0x080,
  arbitrationPriority: 0x090,
  processorPriority: 0x0a0,
  endOfInterrupt: 0x0b0,
  remoteRead: 0x0c0,
  logicalDestination: 0x0d0,
  destinationFormat: 0x0e0,
  spurious: 0x0f0,
  inService: 0x100,
  triggerMode: 0x180,
  request: 0x200,
  errorStatus: 0x280,
  commandLow: 0x300,
  commandHigh: 0x310,
  lvtTimer: 0x320,
  lvtThermal: 0x330,
  lvtPerformance: 0x340,
  lvtLint0: 0x350,
  lvtLint1: 0x360,
  lvtError: 0x370,
  initialCount: 0x380,
  currentCount: 0x390,
  divide: 0x3e0,
  /** x2APIC only. */
  selfIpi: 0x3f0,
} as const;

/** Version register: an integrated APIC with six LVT entries (no CMCI) (§11.4.8). */
export const LAPIC_VERSION = { version: 0x14, maxLvtShift: 16 } as const;

/** MSRs. */
export const APIC_MSR = {
  base: MSR_IA32_APIC_BASE,
  tscDeadline: MSR_IA32_TSC_DEADLINE,
  x2apicFirst: MSR_X2APIC_FIRST,
  x2apicLast: MSR_X2APIC_LAST,
} as const;

/**
 * IA32_APIC_BASE (§11.4.4, §11.12.1).
 * ```
 *  63..MAXPHYADDR  MAXPHYADDR-1..12   11   10    9    8    7..0
 * ┌──────────────┬──────────────────┬────┬──────┬───┬─────┬──────┐
 * │   reserved   │   base >> 12     │ EN │ EXTD │ 0 │ BSP │  0   │
 * └──────────────┴──────────────────┴────┴──────┴───┴─────┴──────┘
 * ```
 */
export const APIC_BASE = {
  bsp: 0x100,
  x2apic: 0x400,
  enable: 0x800,
  reserved: 0x2ff,
  pageSize: 0x1000,
} as const;

/** Spurious-interrupt vector register (§11.9). */
export const SVR = { vector: 0xff, enable: 0x100, focusOff: 0x200, writable: 0x3ff } as const;

/** LVT fields (figure 11-8). */
export const LVT = {
  vector: 0xff,
  modeShift: 8,
  modeMask: 7,
  deliveryStatus: 0x1000,
  lowActive: 0x2000,
  remoteIrr: 0x4000,
  level: 0x8000,
  masked: 0x10000,
  timerModeShift: 17,
  timerModeMask: 3,
} as const;
/** Bits software may write, by entry. */
export const LVT_WRITABLE = { timer: 0x700ff, monitor: 0x107ff, lint: 0x1a7ff, error: 0x100ff } as const;
export const LVT_TIMER_MODE = { oneShot: 0, periodic: 1, tscDeadline: 2 } as const;

/** Delivery modes, in LVT, ICR and I/O APIC entries. */
export const DELIVERY = {
  fixed: 0,
  lowestPriority: 1,
  smi: 2,
  nmi: 4,
  init: 5,
  startUp: 6,
  extInt: 7,
} as const;

/** Interrupt command register (figure 11-12; x2APIC: figure 11-28). */
export const ICR = {
  vector: 0xff,
  modeShift: 8,
  modeMask: 7,
  logical: 0x800,
  assert: 0x4000,
  level: 0x8000,
  shorthandShift: 18,
  shorthandMask: 3,
  writable: 0xccfff,
  destinationShift: 24,
} as const;
export const SHORTHAND = { none: 0, self: 1, all: 2, others: 3 } as const;
/** Destination that means every CPU, in xAPIC and x2APIC form. */
export const BROADCAST = { xapic: 0xff, x2apic: 0xffffffff } as const;

/** Error status (figure 11-9). */
export const ESR = {
  sendIllegalVector: 0x20,
  receiveIllegalVector: 0x40,
  illegalRegister: 0x80,
} as const;
/** Vectors below this are reserved and cannot be delivered by an APIC (§11.5.2). */
export const FIRST_LEGAL_VECTOR = 16;

/** Destination format: the model in bits 31–28, all other bits one (§11.6.2.2). */
export const DFR = { flat: 0xffffffff, modelMask: 0xf0000000, fixed: 0x0fffffff, clusterModel: 0 } as const;

/** Divide configuration (figure 11-10): bits 3, 1 and 0. */
export const DIVIDE = { writable: 0x0b, low: 0x03, high: 0x08 } as const;

/** I/O APIC: registers in memory. */
export const IOAPIC = { select: 0x00, window: 0x10, endOfInterrupt: 0x40 } as const;
/** Registers behind the window. */
export const IOAPIC_REGISTER = { id: 0, version: 1, arbitration: 2, redirection: 0x10 } as const;
export const IOAPIC_PINS = 24;
/** Versions: 0x11 is the 82093AA, 0x20 has the EOI register. */
export const IOAPIC_VERSION = { plain: 0x11, withEoi: 0x20, maxEntryShift: 16 } as const;
export const IOAPIC_ID = { shift: 24, mask: 0x0f000000 } as const;
/** Redirection entry, low half; the high half has the destination in bits 31–24. */
export const REDIRECTION = {
  vector: 0xff,
  modeShift: 8,
  modeMask: 7,
  logical: 0x800,
  deliveryStatus: 0x1000,
  lowActive: 0x2000,
  remoteIrr: 0x4000,
  level: 0x8000,
  masked: 0x10000,
  writable: 0x1afff,
  destinationShift: 24,
  highWritable: 0xff000000,
} as const;
