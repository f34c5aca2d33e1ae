/** `--cpu`: what features are called, QEMU's models and properties. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import test from "node:test";
import { UsageError } from "../../src/cli/args.js";
import { readCpuOption } from "../../src/cli/cpu-option.js";
import { FEATURE_BITS, type FeatureName } from "../../src/spec/cpuid.js";
import { featureNamed } from "../../src/x86/cpu-feature-names.js";
import { DEFAULT_CPU_FEATURES } from "../../src/x86/cpu-features.js";
import { requireTool } from "../support/requires.js";

/** Names of Linux's /proc/cpuinfo and of QEMU's -cpu, where they are not the same as ours. */
const OTHERS: Partial<Record<FeatureName, { linux?: readonly string[]; qemu?: readonly string[] }>> = {
  sse3: { linux: ["pni"], qemu: ["pni", "sse3"] },
  pclmulqdq: { qemu: ["pclmuldq"] },
  sse4_1: { qemu: ["sse4.1", "sse4-1"] },
  sse4_2: { qemu: ["sse4.2", "sse4-2"] },
  tsc_deadline_timer: { qemu: ["tsc-deadline"] },
  tsc_adjust: { qemu: ["tsc-adjust"] },
  sha_ni: { qemu: ["sha-ni"] },
  spec_ctrl: { linux: ["ibrs", "ibpb"], qemu: ["spec-ctrl"] },
  flush_l1d: { qemu: ["flush-l1d"] },
  arch_capabilities: { qemu: ["arch-capabilities"] },
  lahf_lm: { qemu: ["lahf-lm"] },
  prefetchw: { linux: ["3dnowprefetch"], qemu: ["3dnowprefetch"] },
  nx: { qemu: ["xd"] },
  lm: { qemu: ["i64"] },
  invariant_tsc: { linux: ["constant_tsc", "nonstop_tsc"], qemu: ["invtsc"] },
};

function usage(message: RegExp, hint?: RegExp): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof UsageError);
    assert.match(error.message, message);
    if (hint !== undefined) assert.match(error.hint ?? "", hint);
    return true;
  };
}

test("R1.5 every feature is known by our name, Linux's and QEMU's, whatever the case and the signs", () => {
  for (const feature of Object.keys(FEATURE_BITS) as FeatureName[]) {
    const { linux = [], qemu = [] } = OTHERS[feature] ?? {};
    for (const name of [feature, ...linux, ...qemu]) {
      for (const spelling of [
        name,
        name.toUpperCase(),
        name.replaceAll("_", "-"),
        name.replaceAll(/[-.]/g, "_"),
      ])
        assert.deepEqual(readCpuOption([`-${spelling}`]), { [feature]: false }, spelling);
    }
  }
});

test("R1.5 the README's --cpu=-aes,-sha, and QEMU's models with features behind them", () => {
  assert.deepEqual(readCpuOption(["-aes,-sha"]), { aes: false, sha_ni: false });
  for (const model of ["max", "host", "qemu64"])
    assert.deepEqual(readCpuOption([`${model},-aes,+sse4.2,bmi1=off,adx=on`]), {
      aes: false,
      sse4_2: true,
      bmi1: false,
      adx: true,
    });
  assert.deepEqual(readCpuOption(["max"]), {});
  assert.deepEqual(readCpuOption(["max,check,enforce,migratable=no,pmu=off,kvm=off"]), {});
  assert.deepEqual(readCpuOption(["-aes", "+aes"]), { aes: true }, "the later one counts");
});

test("R1.5 a feature that the CPU lacks can be off, not on", () => {
  for (const name of [
    "avx512f",
    "avx512-vpopcntdq",
    "vmx",
    "svm",
    "hle",
    "mpx",
    "sse4a",
    "kvmclock",
    "3dnow",
  ]) {
    assert.deepEqual(readCpuOption([`max,-${name}`]), {}, name);
    assert.throws(() => readCpuOption([`max,+${name}`]), usage(/the CPU does not have it/));
  }
  const lacked = Object.keys(FEATURE_BITS).filter((name) => !DEFAULT_CPU_FEATURES[name as FeatureName]);
  assert.ok(lacked.includes("avx2"));
  for (const name of lacked) {
    assert.deepEqual(readCpuOption([`-${name}`]), { [name]: false });
    assert.throws(() => readCpuOption([`+${name}`]), usage(/the CPU does not have it/));
  }
});

test("R1.5 what is no feature is refused with what was meant, or why", () => {
  assert.throws(() => readCpuOption(["-shaa"]), usage(/--cpu -shaa: unknown feature/, /did you mean -sha\?/));
  assert.throws(() => readCpuOption(["max,shaa=off"]), usage(/unknown feature/, /did you mean sha=off\?/));
  assert.throws(() => readCpuOption(["-frobnicate"]), usage(/unknown feature/));
  assert.throws(() => readCpuOption(["aes"]), usage(/expected a sign before a feature/, /-aes/));
  assert.throws(() => readCpuOption(["-ht"]), usage(/no feature of a CPU/, /-smp/));
  assert.throws(() => readCpuOption(["-nopl"]), usage(/no feature of a CPU/, /Linux concludes/));
  assert.throws(() => readCpuOption(["Nehalem"]), usage(/one model of CPU/, /write max/));
  assert.throws(() => readCpuOption(["help"]), usage(/--cpu help/, /locore plan KERNEL --cpuid/));
  assert.throws(() => readCpuOption(["max,vendor=AuthenticAMD"]), usage(/vendor cannot/));
  assert.throws(() => readCpuOption(["max,pmu=on"]), usage(/this CPU has none/, /leave pmu out/));
});

test("R1.5 every feature that QEMU's -cpu help names is known", (t) => {
  const qemu = requireTool(t, "qemu-system-x86_64");
  if (qemu === undefined) return;
  const { stdout } = spawnSync(qemu, ["-cpu", "help"], { encoding: "utf8" });
  const names = (stdout.split("Recognized CPUID flags:")[1] ?? "").trim().split(/\s+/);
  assert.ok(names.length > 200, stdout);
  // ht is one: it follows from -smp here, and says so.
  assert.deepEqual(
    names.filter((name) => featureNamed(name).kind === "unknown"),
    [],
  );
});
