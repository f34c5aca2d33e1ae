/**
 * What CPUID does not announce: #UD, or the meaning its bytes had before; control-register bits and MSRs that follow.
 *
 * Specification: SDM vol. 2, "#UD" of each instruction; vol. 3A §2.5 (CR4), §4.4.2, §4.5 (1 GiB pages).
 */
import type { FeatureName } from "../../../src/spec/cpuid.js";
import { cr4, eax, ebx, ecx, edx, rax, rcx } from "../../support/asm/index.js";
import { prologue } from "../support/environments.js";
import { guest } from "../support/guest.js";
import type { Guest, GuestBuilder } from "../support/guest.js";
import * as layout from "../support/layout.js";

const UD = 6;
const GP = 13;
const OWN_TABLE = "QEMU has a CPUID table of its own";
const CR4_PCIDE = 17;
const CR4_FSGSBASE = 16;
const CR4_SMEP = 20;
const CR4_SMAP = 21;
const CR4_UMIP = 11;
const CR4_OSXSAVE = 18;
const CR4_TSD = 2;
const CR4_DE = 3;
const CR4_MCE = 6;
const CR4_PGE = 7;
const CR4_OSFXSR = 9;
const CR4_OSXMMEXCPT = 10;

/** One instruction of each feature that does nothing harmful: operands are registers, or memory at RAX. */
const SAMPLES: readonly (readonly [FeatureName, readonly number[]])[] = [
  ["fpu", [0xd9, 0xe8]],
  ["tsc", [0x0f, 0x31]],
  ["cx8", [0x0f, 0xc7, 0x08]],
  ["cmov", [0x0f, 0x44, 0xd9]],
  ["cmov", [0xdb, 0xf0]],
  ["clflush", [0x0f, 0xae, 0x38]],
  ["mmx", [0x0f, 0xfc, 0xc1]],
  ["fxsr", [0x0f, 0xae, 0x00]],
  ["sse", [0x0f, 0x58, 0xc1]],
  ["sse", [0x0f, 0xae, 0xf8]],
  ["sse2", [0x66, 0x0f, 0x58, 0xc1]],
  ["sse2", [0x0f, 0xae, 0xf0]],
  ["sse3", [0xf2, 0x0f, 0x7c, 0xc1]],
  ["sse3", [0xdf, 0x08]],
  ["pclmulqdq", [0x66, 0x0f, 0x3a, 0x44, 0xc1, 0]],
  ["ssse3", [0x0f, 0x38, 0x1c, 0xc1]],
  ["cx16", [0x48, 0x0f, 0xc7, 0x08]],
  ["sse4_1", [0x66, 0x0f, 0x38, 0x17, 0xc1]],
  ["sse4_2", [0xf2, 0x0f, 0x38, 0xf1, 0xd9]],
  ["movbe", [0x0f, 0x38, 0xf0, 0x18]],
  ["popcnt", [0xf3, 0x0f, 0xb8, 0xd9]],
  ["aes", [0x66, 0x0f, 0x38, 0xdc, 0xc1]],
  ["rdrand", [0x0f, 0xc7, 0xf3]],
  ["rdseed", [0x0f, 0xc7, 0xfb]],
  ["bmi1", [0xc4, 0xe2, 0x70, 0xf2, 0xd9]],
  ["bmi2", [0xc4, 0xe2, 0x71, 0xf7, 0xd9]],
  ["adx", [0x66, 0x0f, 0x38, 0xf6, 0xd9]],
  ["smap", [0x0f, 0x01, 0xca]],
  ["clflushopt", [0x66, 0x0f, 0xae, 0x38]],
  ["sha_ni", [0x0f, 0x38, 0xc9, 0xc1]],
  ["rdpid", [0xf3, 0x0f, 0xc7, 0xfb]],
  ["rdtscp", [0x0f, 0x01, 0xf9]],
  ["lahf_lm", [0x9f]],
  ["monitor", [0x0f, 0x01, 0xc8]],
];

const FEATURES = [...new Set(SAMPLES.map(([feature]) => feature))];

function announced(g: GuestBuilder): void {
  prologue(g.a);
  const { a } = g;
  SAMPLES.forEach(([, bytes], i) => {
    a.mov(rax, layout.DATA).xor(ecx, ecx).xor(edx, edx);
    a.db(...bytes).mov(ebx, i);
  });
  g.expect(ebx, SAMPLES.length - 1, "every one was executed");
  g.exit();
}

function notAnnounced(g: GuestBuilder): void {
  prologue(g.a);
  const { a } = g;
  for (const [feature, bytes] of SAMPLES) {
    a.mov(rax, layout.DATA).xor(ecx, ecx).xor(edx, edx);
    g.fault({ vector: UD, note: `${feature}: ${bytes.map((b) => b.toString(16)).join(" ")}` }, () =>
      a.db(...bytes),
    );
  }
  // 66 0F AE /6 is CLWB, which no machine of ours announces.
  g.fault({ vector: UD, note: "CLWB" }, () => a.db(0x66, 0x0f, 0xae, 0x30));
  g.exit();
}

/** LZCNT and TZCNT of 0x00f0. */
const LZCNT = [0xf3, 0x0f, 0xbd, 0xd9];
const TZCNT = [0xf3, 0x0f, 0xbc, 0xd9];

function counts(leading: number, trailing: number): (g: GuestBuilder) => void {
  return (g) => {
    prologue(g.a);
    const { a } = g;
    a.mov(ecx, 0xf0).db(...LZCNT);
    g.expect(ebx, leading, "F3 0F BD");
    a.mov(ecx, 0xf0).db(...TZCNT);
    g.expect(ebx, trailing, "F3 0F BC");
    g.exit();
  };
}

const CR4_BITS: readonly (readonly [FeatureName, number])[] = [
  ["tsc", CR4_TSD],
  ["de", CR4_DE],
  ["mce", CR4_MCE],
  ["pge", CR4_PGE],
  ["fxsr", CR4_OSFXSR],
  ["sse", CR4_OSXMMEXCPT],
  ["umip", CR4_UMIP],
  ["fsgsbase", CR4_FSGSBASE],
  ["pcid", CR4_PCIDE],
  ["xsave", CR4_OSXSAVE],
  ["smep", CR4_SMEP],
  ["smap", CR4_SMAP],
];

function controlBits(on: boolean): (g: GuestBuilder) => void {
  return (g) => {
    prologue(g.a);
    const { a } = g;
    for (const [feature, bit] of CR4_BITS) {
      a.movSystem(rax, cr4).and(rax, ~CR4_START).bts(rax, bit);
      if (!on) g.fault({ vector: GP, error: 0, note: `CR4 bit ${bit}` }, () => a.movSystem(cr4, rax));
      else {
        a.movSystem(cr4, rax).movSystem(rcx, cr4).bt(rcx, bit).set("b", LOW_BYTE);
        g.expect(LOW_BYTE, 1, `CR4 bit ${bit} of ${feature}`);
      }
    }
    g.exit();
  };
}
/** Bits that the start state has set and that are looked at here: OSFXSR, OSXMMEXCPT. */
const CR4_START = (1 << CR4_OSFXSR) | (1 << CR4_OSXMMEXCPT);
const LOW_BYTE = { kind: "gpr", name: "bl", code: 3, size: 8 } as const;

/** Instructions that follow a control-register bit, whatever CPUID says. */
function enabledByControlBits(g: GuestBuilder): void {
  prologue(g.a);
  const { a } = g;
  g.fault({ vector: UD, note: "RDFSBASE without CR4.FSGSBASE" }, () => a.db(0xf3, 0x0f, 0xae, 0xc0));
  g.fault({ vector: UD, note: "XGETBV without CR4.OSXSAVE" }, () => a.xgetbv());
  a.movSystem(rax, cr4).bts(rax, CR4_FSGSBASE).bts(rax, CR4_OSXSAVE).movSystem(cr4, rax);
  a.db(0xf3, 0x0f, 0xae, 0xc0).xor(ecx, ecx).xgetbv();
  g.expect(eax, 1, "XCR0 after reset");
  g.exit();
}

export function featureGuests(): Guest[] {
  const off = (names: readonly FeatureName[]): Partial<Record<FeatureName, boolean>> =>
    Object.fromEntries(names.map((name) => [name, false]));
  return [
    guest(
      "announced instructions execute",
      { cites: "SDM vol. 2", notOnQemu: OWN_TABLE, features: { monitor: true } },
      announced,
    ),
    guest(
      "instructions that CPUID does not announce raise #UD",
      { cites: "SDM vol. 2", notOnQemu: OWN_TABLE, features: off(FEATURES) },
      notAnnounced,
    ),
    guest("LZCNT and TZCNT count", { cites: "SDM vol. 2A, LZCNT; 2B, TZCNT" }, counts(24, 4)),
    guest(
      "LZCNT is BSR and TZCNT is BSF where they are not announced",
      {
        cites: "SDM vol. 2A, LZCNT; vol. 2B, TZCNT",
        notOnQemu: OWN_TABLE,
        features: { abm: false, bmi1: false },
      },
      counts(7, 4),
    ),
    guest(
      "CR4 takes the bits of announced features",
      { cites: "SDM vol. 3A §2.5", notOnQemu: OWN_TABLE, features: { umip: true } },
      controlBits(true),
    ),
    guest(
      "CR4 refuses the bits of features that are not announced",
      {
        cites: "SDM vol. 3A §2.5",
        notOnQemu: OWN_TABLE,
        features: off(CR4_BITS.map(([feature]) => feature)),
      },
      controlBits(false),
    ),
    guest(
      "FSGSBASE and XSAVE wait for their bits in CR4",
      { cites: "SDM vol. 3A §2.5" },
      enabledByControlBits,
    ),
  ];
}
