// The CPUID policy: what guests read, and that nothing is promised which is switched off.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { FEATURE_BITS, type FeatureName } from "../../src/spec/cpuid.js";
import { DEFAULT_CPU_FEATURES, withFeatures } from "../../src/x86/cpu-features.js";
import { ARCH_CAPABILITIES_VALUE, CPU_IDENTITY_MSRS } from "../../src/x86/cpu-identity.js";
import { cpuidTable, hasFeature, lookUpCpuid } from "../../src/x86/cpuid-table.js";
import { cpuidLines, featureNames } from "../../src/x86/cpuid-text.js";

const RATES = { tscHz: 1_000_000_000, apicHz: 100_000_000 };
const table = (cpus = 1, features = DEFAULT_CPU_FEATURES) => cpuidTable({ features, cpus, ...RATES });
const text = (...words: number[]): string =>
  String.fromCharCode(...words.flatMap((w) => [w & 255, (w >>> 8) & 255, (w >>> 16) & 255, w >>> 24]));

describe("R2.2 CPUID", () => {
  it("R2.2 the whole table of one CPU, as a golden", () => {
    assert.deepEqual(cpuidLines(table()), [
      "00000000    eax=00000016 ebx=756e6547 ecx=6c65746e edx=49656e69",
      "00000001    eax=000106ca ebx=00010800 ecx=c7fa220b edx=078bfbfd",
      "00000002    eax=00b0ff01 ebx=000000b4 ecx=00000000 edx=00000000",
      "00000004.0  eax=00000121 ebx=01c0003f ecx=0000003f edx=00000000",
      "00000004.1  eax=00000122 ebx=01c0003f ecx=0000003f edx=00000000",
      "00000004.2  eax=00000143 ebx=03c0003f ecx=000003ff edx=00000000",
      "00000004.3  eax=00000163 ebx=03c0003f ecx=00001fff edx=00000000",
      "00000005    eax=00000040 ebx=00000040 ecx=00000003 edx=00000010",
      "00000006    eax=00000004 ebx=00000000 ecx=00000000 edx=00000000",
      "00000007.0  eax=00000000 ebx=209c078b ecx=00400004 edx=24000010",
      "0000000b.0  eax=00000000 ebx=00000001 ecx=00000100 edx=00000000",
      "0000000b.1  eax=00000000 ebx=00000001 ecx=00000201 edx=00000000",
      "0000000b.2  eax=00000000 ebx=00000000 ecx=00000002 edx=00000000",
      "0000000d.0  eax=00000003 ebx=00000240 ecx=00000240 edx=00000000",
      "0000000d.1  eax=00000007 ebx=00000240 ecx=00000000 edx=00000000",
      "00000015    eax=00000001 ebx=0000000a ecx=05f5e100 edx=00000000",
      "00000016    eax=000003e8 ebx=000003e8 ecx=00000064 edx=00000000",
      "40000000    eax=40000010 ebx=6f636f6c ecx=6f6c6572 edx=65726f63",
      "40000010    eax=000f4240 ebx=000186a0 ecx=00000000 edx=00000000",
      "80000000    eax=80000008 ebx=00000000 ecx=00000000 edx=00000000",
      "80000001    eax=00000000 ebx=00000000 ecx=00000021 edx=2c100800",
      "80000002    eax=6f636f6c ebx=76206572 ecx=75747269 edx=43206c61",
      "80000003    eax=00005550 ebx=00000000 ecx=00000000 edx=00000000",
      "80000006    eax=00000000 ebx=00000000 ecx=04008040 edx=00000000",
      "80000007    eax=00000000 ebx=00000000 ecx=00000000 edx=00000100",
      "80000008    eax=00003028 ebx=00000000 ecx=00000000 edx=00000000",
    ]);
  });

  it("R2.2 vendor and hypervisor signature read as text, and the latter is nobody else's", () => {
    const vendor = lookUpCpuid(table(), 0, 0);
    assert.equal(text(vendor.ebx, vendor.edx, vendor.ecx), "GenuineIntel");
    const hypervisor = lookUpCpuid(table(), 0x40000000, 0);
    assert.equal(text(hypervisor.ebx, hypervisor.ecx, hypervisor.edx), "locorelocore");
  });

  it("R2.2 leaf 0xD tells sizes of what is switched on: AVX brings component 2 at 576", () => {
    const avx = table(1, withFeatures({ avx: true }));
    assert.deepEqual(lookUpCpuid(avx, 0xd, 0), { leaf: 0xd, subleaf: 0, eax: 7, ebx: 576, ecx: 832, edx: 0 });
    assert.deepEqual(lookUpCpuid(avx, 0xd, 2), { leaf: 0xd, subleaf: 2, eax: 256, ebx: 576, ecx: 0, edx: 0 });
    const none = lookUpCpuid(table(1, withFeatures({ xsavec: false })), 0xd, 1);
    assert.equal(none.ebx, 0, "no compacted form, no size of it");
    assert.equal(lookUpCpuid(table(1, withFeatures({ xsave: false })), 0xd, 0).ecx, 0);
  });

  it("R3.2 leaves 0x15 and 0x40000010 tell the same TSC and APIC rates", () => {
    const crystal = lookUpCpuid(table(), 0x15, 0);
    assert.equal((crystal.ecx * crystal.ebx) / crystal.eax, RATES.tscHz);
    const timing = lookUpCpuid(table(), 0x40000010, 0);
    assert.equal(timing.eax * 1000, RATES.tscHz);
    assert.equal(timing.ebx * 1000, crystal.ecx);
  });

  it("R3.2 a rate that cannot be told exactly is refused", () => {
    const input = { features: DEFAULT_CPU_FEATURES, cpus: 1, tscHz: 1_000_000_500, apicHz: 100_000_000 };
    assert.throws(() => cpuidTable(input), RangeError);
  });

  it("R3.3 leaves between the signature and the timing leaf are zeros", () => {
    for (let leaf = 0x40000001; leaf < 0x40000010; leaf++) {
      const { eax, ebx, ecx, edx } = lookUpCpuid(table(), leaf, 0);
      assert.deepEqual([eax, ebx, ecx, edx], [0, 0, 0, 0]);
    }
  });

  it("R2.2 every feature shows exactly when its switch is on", () => {
    for (const name of Object.keys(FEATURE_BITS) as FeatureName[]) {
      assert.equal(hasFeature(table(1, withFeatures({ [name]: true })), name), true, `${name} on`);
      assert.equal(hasFeature(table(1, withFeatures({ [name]: false })), name), false, `${name} off`);
    }
  });

  it("R2.2 no two features share a bit", () => {
    const places = Object.values(FEATURE_BITS).map((bit) => JSON.stringify(bit));
    assert.equal(new Set(places).size, places.length);
  });

  it("R2.2 features are listed by name", () => {
    const names = featureNames(table());
    assert.ok(names.includes("pcid") && names.includes("lm") && !names.includes("avx"));
  });

  it("R3.4 four CPUs: topology leaf, HTT, APIC id 0", () => {
    const boot = table(4);
    assert.equal(lookUpCpuid(boot, 0xb, 1).ebx, 4);
    assert.equal(lookUpCpuid(boot, 0xb, 1).eax, 2);
    assert.equal((lookUpCpuid(boot, 1, 0).edx >>> 28) & 1, 1);
    assert.equal(lookUpCpuid(boot, 1, 0).ebx >>> 24, 0, "APIC id of the boot CPU");
  });
});

describe("R2.2 identity registers", () => {
  it("R2.2 IA32_ARCH_CAPABILITIES says not affected, and nothing that asks for a mitigation", () => {
    assert.equal(CPU_IDENTITY_MSRS[0x10a], ARCH_CAPABILITIES_VALUE);
    assert.equal(ARCH_CAPABILITIES_VALUE, 0x4000_0000_0d10_e17bn);
    const asking = [2n, 7n, 17n, 19n, 25n, 28n];
    for (const bit of asking) assert.equal((ARCH_CAPABILITIES_VALUE >> bit) & 1n, 0n, `bit ${bit}`);
  });

  it("R2.2 fast strings are enabled, else Linux gives up rep movs", () => {
    assert.equal(CPU_IDENTITY_MSRS[0x1a0] & 1n, 1n);
  });
});
