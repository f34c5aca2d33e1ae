/** Lines of the table that make no forms for the comparison with a CPU, and why. */
import { DEFAULT_CPU_FEATURES } from "../../src/x86/cpu-features.js";
import type { Exemption } from "./exemptions.js";

const skip = (name: string, why: string, ...names: string[]): Exemption => {
  const set = new Set(names);
  return { name, why, skips: ({ mnemonic }) => set.has(mnemonic) };
};

export const SKIPPED: readonly Exemption[] = [
  skip("time", "the value is the host's time", "rdtsc", "rdtscp", "rdpmc"),
  skip("identity", "the value is the host's identity, or which CPU runs", "cpuid", "rdpid", "xgetbv"),
  skip("random numbers", "the value is random", "rdrand", "rdseed"),
  skip("system calls", "they enter Linux", "syscall", "sysenter", "sysexit"),
  skip("far transfers", "system behaviour: held to the manual by the conformance guests", "far_call_imm", "far_call_mem",
    "far_jmp_imm", "far_jmp_mem", "far_ret", "iret", "les", "lds", "lss", "lfs", "lgs", "mov_to_seg", "pop_seg"), // prettier-ignore
  skip(
    "UMIP",
    "Linux emulates them where UMIP raises #GP (arch/x86/kernel/umip.c)",
    "sgdt",
    "sidt",
    "smsw",
    "sldt",
    "str",
  ),
  {
    name: "features that are not announced",
    why: "their forms are undefined on the engine, whatever the host has",
    skips: ({ features }) => features.always !== undefined && !DEFAULT_CPU_FEATURES[features.always],
  },
  {
    name: "BOUND in 64-bit mode",
    why: "62 is undefined there on the engine and begins AVX-512 instructions on the host",
    skips: (line, mode) => line.mnemonic === "bound" && mode === 64,
  },
  skip("x87", "forms of their own", "x87"),
];
