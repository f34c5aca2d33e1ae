/**
 * What is not compared with the host's CPU, and why: the only place that says so. An entry either leaves forms out or
 * takes bits of some result fields away. Every entry must apply to some form (`exemptions.test.ts`).
 */
import type { Form as TableForm } from "../../src/engine/x86/table/forms.js";
import { FX, RFLAGS, STATUS_FLAGS } from "./case.js";
import type { Form } from "./form.js";
import { CASE, FX_AT } from "./layout.js";

/** A case that differed, as an exemption sees it. */
export interface Finished {
  readonly form: Form;
  /** The instruction's bytes. */
  readonly code: Uint8Array;
  /** The case record: the state before. */
  readonly before: DataView;
  readonly host: DataView;
  readonly ours: DataView;
}

/** Bits by result field that need not be equal. The name `*` stands for everything. */
export type Ignored = Readonly<Record<string, bigint>>;

export interface Exemption {
  readonly name: string;
  readonly why: string;
  /** Lines of the table that make no forms at all. */
  readonly skips?: (line: TableForm, mode: 64 | 32) => boolean;
  /** Forms it is about, and what is not compared of a case of theirs. */
  readonly forms?: (form: Form) => boolean;
  readonly ignored?: (c: Finished) => Ignored | undefined;
}

const flags = (...bits: number[]): Ignored => ({ rflags: BigInt(bits.reduce((a, b) => a | b, 0)) });
const mnemonics = (...names: string[]): ((form: { mnemonic: string }) => boolean) => {
  const set = new Set(names);
  return (form) => set.has(form.mnemonic);
};
const { CF, PF, AF, ZF, SF, OF } = RFLAGS;

const skip = (name: string, why: string, ...names: string[]): Exemption => ({ name, why, skips: mnemonics(...names) });
const undefinedFlags = (why: string, bits: readonly number[], ...names: string[]): Exemption => ({
  name: `${names.join(", ")}: flags`,
  why,
  forms: mnemonics(...names),
  ignored: () => flags(...bits),
});

const SKIPPED: readonly Exemption[] = [
  skip("time", "the value is the host's time", "rdtsc", "rdtscp", "rdpmc"),
  skip("identity", "the value is the host's identity, or which CPU runs", "cpuid", "rdpid", "xgetbv"),
  skip("random numbers", "the value is random", "rdrand", "rdseed"),
  skip("system calls", "they enter Linux", "syscall", "sysenter", "sysexit"),
  skip("far transfers", "system behaviour: held to the manual by the conformance guests", "far_call_imm", "far_call_mem",
    "far_jmp_imm", "far_jmp_mem", "far_ret", "iret", "les", "lds", "lss", "lfs", "lgs", "mov_to_seg", "pop_seg"), // prettier-ignore
  skip("UMIP", "Linux emulates them where UMIP raises #GP (arch/x86/kernel/umip.c)", "sgdt", "sidt", "smsw", "sldt", "str"),
  skip("x87", "forms of their own", "x87"),
];

const COMPARED: readonly Exemption[] = [
  {
    name: "MXCSR_MASK",
    why: "AMD has a bit more (misaligned SSE mode, MXCSR.MM); the engine says Intel",
    forms: () => true,
    ignored: () => ({ mxcsr_mask: 0x20000n }),
  },
  {
    name: "x87 pointers",
    why: "which instructions store FOP, FIP and FDP, and whether FIP is 64 bits, differs between AMD and Intel",
    forms: () => true,
    ignored: () => ({ fop: 0xffffn, fip: ~0n, fdp: ~0n }),
  },
  undefinedFlags("AF is undefined", [AF], "and", "or", "xor", "test"),
];

export const EXEMPTIONS: readonly Exemption[] = [...SKIPPED, ...COMPARED];
void [CF, PF, ZF, SF, OF, STATUS_FLAGS, FX, FX_AT, CASE];
