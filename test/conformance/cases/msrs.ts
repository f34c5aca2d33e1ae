/**
 * Model-specific registers as a table: what each reads after reset, a value that it takes, values that raise #GP(0).
 *
 * Specification: SDM vol. 4, table 2-2; vol. 3A §11.11.2 (MTRRs), §11.12.2 (PAT), §10.12.1 (x2APIC states); vol. 3B
 * §15.3 (machine check), §17.4.1 (DEBUGCTL).
 */
import type { FeatureName } from "../../../src/spec/cpuid.js";
import { eax, ecx, edi, edx, esi, rax } from "../../support/asm/index.js";
import { prologue } from "../support/environments.js";
import { guest } from "../support/guest.js";
import type { Guest, GuestBuilder } from "../support/guest.js";

const GP = 13;

interface MsrRow {
  name: string;
  index: number;
  /** After reset; absent: write-only. */
  reads?: bigint;
  /** Values that are taken, and what they then read as (the same unless given). */
  takes?: readonly (bigint | readonly [bigint, bigint])[];
  /** Values that raise #GP(0). */
  refuses?: readonly bigint[];
  /** Without it neither reading nor writing is possible. */
  feature?: FeatureName;
}

const NON_CANONICAL = 0x0000_8000_0000_0000n;
const CANONICAL = 0xffff_8000_0000_1000n;
const HIGH_BIT = 1n << 63n;
const ALL = (1n << 64n) - 1n;
const MTRR_UC = 0n;
const WB8 = 0x0606060606060606n;
const address = (name: string, index: number, feature: FeatureName): MsrRow => ({
  name,
  index,
  takes: [CANONICAL, 0n],
  refuses: [NON_CANONICAL, HIGH_BIT],
  feature,
});

const FIXED_MTRRS = [0x250, 0x258, 0x259, 0x268, 0x269, 0x26a, 0x26b, 0x26c, 0x26d, 0x26e, 0x26f];

/**
 * Bits of IA32_MISC_ENABLE that family 6 model 1CH has: fast strings 0, automatic thermal control 3, performance monitoring 7
 * (read-only), FERR# multiplexing 10, no branch trace 11 and no precise events 12 (read-only), TM2 13, SpeedStep 16, MONITOR
 * 18, SpeedStep's lock 20, CPUID's limit 22, xTPR disable 23, XD disable 34 (SDM vol. 4 tables 2-2 and 2-4).
 */
const MISC_ENABLE_BITS = [0, 3, 7, 10, 11, 12, 13, 16, 18, 20, 22, 23, 34];
const MISC_ENABLE_RESERVED = Array.from({ length: 64 }, (_, bit) => bit)
  .filter((bit) => !MISC_ENABLE_BITS.includes(bit))
  .map((bit) => 1n << BigInt(bit));

/** MAXPHYADDR is 48 here. */
const ROWS: readonly MsrRow[] = [
  { name: "IA32_TSC_ADJUST", index: 0x3b, reads: 0n, takes: [ALL, 0n], feature: "tsc_adjust" },
  {
    name: "IA32_SPEC_CTRL",
    index: 0x48,
    reads: 0n,
    // IBRS; STIBP is ignored where it is not enumerated, SSBD is reserved there.
    takes: [1n, [3n, 1n], 0n],
    refuses: [4n, 8n, 1n << 32n],
    feature: "spec_ctrl",
  },
  { name: "IA32_PRED_CMD", index: 0x49, takes: [], refuses: [2n, HIGH_BIT], feature: "spec_ctrl" },
  { name: "IA32_BIOS_SIGN_ID", index: 0x8b, reads: 0x219n << 32n, takes: [[0n, 0x219n << 32n]] },
  { name: "IA32_MTRRCAP", index: 0xfe, reads: 0x508n, refuses: [0n, 0x508n], feature: "mtrr" },
  {
    name: "IA32_ARCH_CAPABILITIES",
    index: 0x10a,
    reads: 0x4000_0000_0d10_e17bn,
    refuses: [0n],
    feature: "arch_capabilities",
  },
  { name: "IA32_FLUSH_CMD", index: 0x10b, refuses: [0n, 1n] },
  { name: "IA32_SYSENTER_CS", index: 0x174, reads: 0n, takes: [0x10n, 0n], feature: "sep" },
  address("IA32_SYSENTER_ESP", 0x175, "sep"),
  address("IA32_SYSENTER_EIP", 0x176, "sep"),
  { name: "IA32_MCG_CAP", index: 0x179, reads: 0x104n, refuses: [0n, 0x104n], feature: "mca" },
  {
    name: "IA32_MCG_STATUS",
    index: 0x17a,
    reads: 0n,
    takes: [4n, 0n],
    refuses: [8n, HIGH_BIT],
    feature: "mca",
  },
  { name: "IA32_MCG_CTL", index: 0x17b, reads: 0n, takes: [ALL, 0n], refuses: [1n], feature: "mca" },
  { name: "IA32_MC0_CTL", index: 0x400, reads: 0n, takes: [ALL, 0n], feature: "mca" },
  { name: "IA32_MC0_STATUS", index: 0x401, reads: 0n, takes: [0n], refuses: [1n, HIGH_BIT], feature: "mca" },
  { name: "IA32_MC3_STATUS", index: 0x40d, reads: 0n, takes: [0n], refuses: [1n], feature: "mca" },
  { name: "IA32_MC4_CTL, which MCG_CAP does not count", index: 0x410, refuses: [0n] },
  {
    name: "IA32_MISC_ENABLE",
    index: 0x1a0,
    reads: 0x41801n,
    // Fast strings and MONITOR can be switched; what is not there is read-only.
    takes: [
      [0x1801n, 0x1801n],
      [0n, 0x1800n],
      [0x40001n, 0x41801n],
      // What the model has is kept: thermal control, FERR#, SpeedStep, xTPR, the limit of CPUID, XD disabled.
      [0x4_00c5_3489n, 0x4_00c5_3c09n],
      [0x41801n, 0x41801n],
      // The lock of SpeedStep is written once.
      [0x150801n, 0x151801n],
      [0x40801n, 0x151801n],
    ],
    refuses: MISC_ENABLE_RESERVED,
  },
  { name: "IA32_DEBUGCTL", index: 0x1d9, reads: 0n, takes: [1n, 0n], refuses: [4n, 1n << 6n, HIGH_BIT] },
  {
    name: "IA32_MTRR_PHYSBASE0",
    index: 0x200,
    reads: 0n,
    takes: [0xc000_0006n, MTRR_UC],
    refuses: [2n, 3n, 7n, 0x100n, 1n << 48n, HIGH_BIT],
    feature: "mtrr",
  },
  {
    name: "IA32_MTRR_PHYSMASK7",
    index: 0x20f,
    reads: 0n,
    takes: [0xffff_c000_0800n, 0n],
    refuses: [1n, 0x400n, 1n << 48n, HIGH_BIT],
    feature: "mtrr",
  },
  { name: "IA32_MTRR_PHYSBASE8, which MTRRCAP does not count", index: 0x210, refuses: [0n] },
  ...FIXED_MTRRS.map((index): MsrRow => ({
    name: `fixed-range MTRR ${index.toString(16)}`,
    index,
    reads: 0n,
    takes: [WB8, 0x0001040506000104n],
    refuses: [7n, 2n << 8n, 3n << 32n, 0x80n << 56n],
    feature: "mtrr",
  })),
  {
    name: "IA32_PAT",
    index: 0x277,
    reads: 0x0007040600070406n,
    takes: [0x0007010600070406n, 0x0007040600070406n],
    refuses: [2n, 3n << 8n, 8n << 40n, HIGH_BIT],
    feature: "pat",
  },
  {
    name: "IA32_MTRR_DEF_TYPE",
    index: 0x2ff,
    reads: 0n,
    takes: [0xc06n, 0n],
    refuses: [2n, 7n, 0x100n, 0x200n, 0x1000n, HIGH_BIT],
    feature: "mtrr",
  },
  { name: "IA32_STAR", index: 0xc0000081, takes: [ALL, 0n], feature: "syscall" },
  address("IA32_LSTAR", 0xc0000082, "syscall"),
  address("IA32_CSTAR", 0xc0000083, "syscall"),
  {
    name: "IA32_FMASK",
    index: 0xc0000084,
    takes: [0xffff_ffffn, 0n],
    refuses: [1n << 32n],
    feature: "syscall",
  },
  address("IA32_FS_BASE", 0xc0000100, "lm"),
  address("IA32_GS_BASE", 0xc0000101, "lm"),
  address("IA32_KERNEL_GS_BASE", 0xc0000102, "lm"),
  { name: "IA32_TSC_AUX", index: 0xc0000103, takes: [7n, 0n], refuses: [1n << 32n] },
  {
    name: "IA32_EFER",
    index: 0xc0000080,
    reads: 0xd01n,
    refuses: [0xd01n | (1n << 1n), 0xd01n | (1n << 12n), 0xc01n, 1n << 32n],
  },
  { name: "IA32_XSS, without XSAVES", index: 0xda0, refuses: [0n] },
  { name: "an index that means nothing", index: 0x12345678, refuses: [0n] },
];

const low = (value: bigint): bigint => value & 0xffffffffn;

function write(g: GuestBuilder, row: MsrRow, value: bigint): void {
  g.a
    .mov(ecx, row.index)
    .mov(eax, Number(low(value)))
    .mov(edx, Number(value >> 32n));
}

/** RDMSR into RAX, whole. */
function read(g: GuestBuilder, row: MsrRow): void {
  g.a
    .mov(ecx, row.index)
    .rdmsr()
    .shl({ ...rax, name: "rdx", code: 2 }, 32)
    .or(rax, { ...rax, name: "rdx", code: 2 });
}

function table(rows: readonly MsrRow[]): (g: GuestBuilder) => void {
  return (g) => {
    prologue(g.a);
    for (const row of rows) {
      const { name, reads, takes = [], refuses = [] } = row;
      if (reads !== undefined) {
        read(g, row);
        g.expect(rax, reads, `${name} after reset`);
      }
      for (const entry of takes) {
        const [value, then] = typeof entry === "bigint" ? [entry, entry] : entry;
        write(g, row, value);
        g.a.wrmsr();
        read(g, row);
        g.expect(rax, then, `${name} after 0x${value.toString(16)}`);
      }
      for (const value of refuses) {
        write(g, row, value);
        g.fault({ vector: GP, error: 0, note: `${name}: 0x${value.toString(16)}` }, (a) => a.wrmsr());
      }
      if (reads === undefined && takes.length === 0) {
        g.a.mov(ecx, row.index);
        g.fault({ vector: GP, error: 0, note: `${name}: reading` }, (a) => a.rdmsr());
      }
    }
    g.exit();
  };
}

/** Registers whose feature is not announced are not there. */
function absent(g: GuestBuilder): void {
  prologue(g.a);
  for (const row of ROWS.filter(({ feature }) => feature !== undefined)) {
    g.a.mov(ecx, row.index);
    g.fault({ vector: GP, error: 0, note: `${row.name}: reading` }, (a) => a.rdmsr());
    write(g, row, 0n);
    g.fault({ vector: GP, error: 0, note: `${row.name}: writing` }, (a) => a.wrmsr());
  }
  g.exit();
}

/** RDMSR and WRMSR are privileged; PRED_CMD takes its command. */
function commands(g: GuestBuilder): void {
  prologue(g.a);
  const { a } = g;
  a.mov(ecx, 0x49).mov(eax, 1).xor(edx, edx).wrmsr();
  a.mov(ecx, 0x79).mov(eax, 0x1000).xor(edx, edx).wrmsr();
  g.user(() => {
    a.mov(ecx, 0x277);
    g.fault({ vector: GP, note: "RDMSR at CPL 3" }, () => a.rdmsr());
    g.fault({ vector: GP, note: "WRMSR at CPL 3" }, () => a.wrmsr());
  });
  g.exit();
}

/** IA32_MISC_ENABLE limits CPUID to leaf 2, and takes XD away: from CPUID and from what EFER takes. */
function takesAway(g: GuestBuilder): void {
  prologue(g.a);
  const { a } = g;
  const set = (bits: bigint): void => {
    write(g, { name: "IA32_MISC_ENABLE", index: 0x1a0 }, 0x41801n | bits);
    a.wrmsr();
  };
  const leaf = (index: number): void => {
    a.mov(eax, index).xor(ecx, ecx).cpuid();
  };
  const XD = 1n << 20n;
  set(1n << 22n);
  leaf(0);
  g.expect(eax, 2, "CPUID.0:EAX with the limit");
  leaf(2);
  a.mov(esi, edx).mov(edi, eax);
  leaf(7);
  a.sub(esi, edx).sub(edi, eax);
  g.expect(esi, 0, "leaf 7 answers as leaf 2");
  g.expect(edi, 0, "in EAX, too");
  leaf(0x80000001);
  g.expect(edx, XD, "extended leaves stay", XD);
  set(1n << 34n);
  leaf(0x80000001);
  g.expect(edx, 0, "CPUID shows no XD", XD);
  write(g, { name: "IA32_EFER", index: 0xc0000080 }, 0xd01n);
  g.fault({ vector: GP, error: 0, note: "EFER.NXE is reserved then" }, () => a.wrmsr());
  set(0n);
  leaf(0x80000001);
  g.expect(edx, XD, "it is back", XD);
  g.exit();
}

/** IA32_APIC_BASE.EN is CPUID's bit. */
function apicBit(g: GuestBuilder): void {
  prologue(g.a);
  const { a } = g;
  const APIC = 1n << 9n;
  const shows = (value: bigint, note: string): void => {
    a.mov(eax, 1).xor(ecx, ecx).cpuid();
    g.expect(edx, value, note, APIC);
  };
  shows(APIC, "enabled");
  a.mov(ecx, 0x1b).rdmsr().btr(rax, 11).wrmsr();
  shows(0n, "disabled");
  a.mov(ecx, 0x1b).rdmsr().bts(rax, 11).wrmsr();
  shows(APIC, "enabled again");
  g.exit();
}

export function msrGuests(): Guest[] {
  const qemu = "QEMU 7.2 ignores reserved bits and unknown MSRs and has CPUID of its own; the SDM is right";
  const half = Math.ceil(ROWS.length / 2);
  const features = [
    ...new Set(ROWS.flatMap(({ feature }) => (feature === undefined || feature === "lm" ? [] : [feature]))),
  ];
  return [
    guest(
      "each register: reset value, legal and illegal writes",
      { cites: "SDM vol. 4, table 2-2", notOnQemu: qemu },
      table(ROWS.slice(0, half)),
    ),
    guest(
      "the other registers",
      { cites: "SDM vol. 4, table 2-2", notOnQemu: qemu },
      table(ROWS.slice(half)),
    ),
    guest(
      "IA32_MISC_ENABLE takes XD and CPUID leaves away",
      {
        cites: "SDM vol. 4, table 2-4",
        notOnQemu: "QEMU 7.2 keeps the bits without effect; the SDM is right",
      },
      takesAway,
    ),
    guest(
      "IA32_APIC_BASE.EN is CPUID's APIC bit",
      { cites: "SDM vol. 3A §10.4.3", needs: ["apic"], notOnQemu: "QEMU 7.2 does not enable it again" },
      apicBit,
    ),
    guest(
      "registers of features that are not announced",
      {
        cites: "SDM vol. 4, table 2-2",
        notOnQemu: qemu,
        features: Object.fromEntries([...features, "lm"].map((name) => [name, false])),
      },
      absent,
    ),
    guest(
      "RDMSR and WRMSR are privileged, commands are taken",
      { cites: "SDM vol. 2B, RDMSR, WRMSR" },
      commands,
    ),
  ];
}
