/**
 * What is not compared with the host's CPU, and why: here and in the files this one joins. An entry either leaves forms
 * out or takes bits of some result fields away. What the manual leaves undefined is masked for every CPU. Where the makers
 * differ the engine follows Intel, and an entry names the other; where it does not, the entry says what that would cost.
 * What both do the engine does. Every entry must be about some form (`oracle.test.ts`) and be needed on its maker's CPU
 * (`exemptions.full.test.ts`).
 */
import type { Form as TableForm } from "../../src/engine/x86/table/form.js";
import { FX, RFLAGS, STATUS_FLAGS } from "./case.js";
import { isFetchFault } from "./compare.js";
import type { Form } from "./form.js";
import { GPR_NAMES } from "../../src/x86/cpu-state.js";
import { FLOAT_EXEMPTIONS } from "./float-exemptions.js";
import { SKIPPED } from "./skipped.js";
import type { Vendor } from "./vendor.js";
import { CASE, FX_AT, LDT, MEMORY_AT, MEMORY_BYTES, RESULT, VIEW_STRIDE, localSelector } from "./layout.js";

/** A case that differed, as an exemption sees it. */
export interface Finished {
  readonly form: Form;
  /** Whose CPU the host is, or was when the case was recorded. */
  readonly vendor: Vendor;
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
  /** Whose CPUs it is about; both, where the manual leaves something undefined. */
  readonly vendor?: Vendor;
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
const STATUS_BITS = [CF, PF, AF, ZF, SF, OF];

const undefinedFlags = (why: string, bits: readonly number[], ...names: string[]): Exemption => ({
  name: `${names.join(", ")}: flags`,
  why,
  forms: mnemonics(...names),
  ignored: () => flags(...bits),
});

const MM_BIT = 0x20000n;
const DEBUG = 1;
const UD = 6;
const STACK_FAULT = 12;
const GP = 13;
const PAGE_FAULT = 14;
const ALIGNMENT_CHECK = 17;
const vector = (record: DataView): number => record.getUint32(RESULT.VECTOR, true);
/** Whether SS was a local segment without its B bit. */
function hasSmallStack(c: Finished): boolean {
  const selector = c.before.getUint32(CASE.SS, true);
  return LDT.some((segment, i) => localSelector(i) === selector && !segment.big);
}
const isMemoryFault = (record: DataView): boolean =>
  [STACK_FAULT, GP, PAGE_FAULT, ALIGNMENT_CHECK].includes(vector(record));
/** Whether a one-byte instruction of 64-bit code has REX.B. */
const hasRexB = (code: Uint8Array): boolean => (code[code.length - 2] & 0xf1) === 0x41;
const RCX_AT = 8;
/** Whether a repeated instruction was left by an exception after some of its elements. */
function endsBetweenElements({ before, host }: Finished): boolean {
  const left = host.getBigUint64(RESULT.RIP, true) === BigInt(before.getUint32(CASE.RIP, true));
  return left && host.getBigUint64(RCX_AT, true) !== before.getBigUint64(RCX_AT, true);
}
const [RSI_AT, RDI_AT] = [0x30, 0x38];
/** Bytes that fast strings copy at a time. */
const FAST_STRING = 64;
/** Whether a repeated MOVS has its destination in another view of memory, a little behind its source. */
function copiesOverItself({ before, code }: Finished): boolean {
  const [source, destination] = [before.getUint32(RSI_AT, true), before.getUint32(RDI_AT, true)];
  const behind = (destination % VIEW_STRIDE) - (source % VIEW_STRIDE);
  const isOther = Math.floor(source / VIEW_STRIDE) !== Math.floor(destination / VIEW_STRIDE);
  return isOther && behind > 0 && behind < FAST_STRING && (code.includes(REP) || code.includes(REPNE));
}
/** Everything that says which exception it was. */
const EXCEPTION: Ignored = { vector: ~0n, error: ~0n, cr2: ~0n };

const ALL: Ignored = { "*": ~0n };
const MEMORY: Ignored = Object.fromEntries(
  Array.from({ length: MEMORY_BYTES / 8 }, (_, i) => [`mem+${8 * i}`, ~0n]),
);
const X87: Ignored = {
  ...{ fsw: ~0n, ftw: ~0n },
  ...Object.fromEntries(Array.from({ length: 8 }, (_, i) => [`st${i}`, ~0n])),
  ...Object.fromEntries(Array.from({ length: 8 }, (_, i) => [`st${i}e`, ~0n])),
};

const X87_CONTROL: Ignored = { fcw: ~0n, fop: ~0n, fip: ~0n, fdp: ~0n };

const REGISTERS: Ignored = Object.fromEntries(GPR_NAMES.map((n) => [n, ~0n]));
const [OPERAND_SIZE, LOCK, REPNE, REP] = [0x66, 0xf0, 0xf2, 0xf3];

const ROTATIONS = new Set(["rol", "ror", "rcl", "rcr"]);
const SHIFTS = new Set([...ROTATIONS, "shl", "shr", "sar", "shld", "shrd"]);
const isWord = (c: Finished): boolean => / 16 [mr] /.test(c.form.name);

/** The count of a shift, masked: CL, an immediate or 1. */
function shiftCount(c: Finished): number {
  const last = c.code[c.code.length - 1];
  const raw = /CL/.test(c.form.name) ? c.before.getUint8(RCX_AT) : /,1b \[/.test(c.form.name) ? 1 : last;
  return raw & (/ 64 [mr] /.test(c.form.name) ? 63 : 31);
}

function shiftFlags(c: Finished): Ignored {
  const count = shiftCount(c);
  const bits = Number(/ (16|32|64) [mr] /.exec(c.form.name)?.[1] ?? 8);
  if (count === 0) return {};
  const rotation = ROTATIONS.has(c.form.mnemonic);
  const beyond = !rotation && c.form.mnemonic !== "sar" && count >= bits;
  return flags(rotation ? 0 : AF, count === 1 ? 0 : OF, beyond ? CF : 0);
}

const FS_GS_PREFIXES = new Set([0x64, 0x65]);
const hasBase = (c: Finished): boolean => c.code.subarray(0, 5).some((byte) => FS_GS_PREFIXES.has(byte));

const mxcsrOf = (record: DataView): bigint => BigInt(record.getUint32(FX_AT + FX.MXCSR, true));

/** Where only AMD's bit of MXCSR_MASK differs: FXSAVE areas are aligned, the mask lies at 28. */
function savedMask(c: Finished): Ignored {
  const of = (record: DataView, i: number): bigint => record.getBigUint64(MEMORY_AT + 8 * i, true);
  const found = Array.from({ length: MEMORY_BYTES / 8 }, (_, i) => i).filter(
    (i) => (of(c.host, i) ^ of(c.ours, i)) === MM_BIT << 32n,
  );
  return Object.fromEntries(found.map((i) => [`mem+${8 * i}`, MM_BIT << 32n]));
}

/** Bytes of memory that differ and are 0 on the host. */
function zeroedMemory(c: Finished): Ignored {
  const ignored: Record<string, bigint> = {};
  for (let i = 0; i < MEMORY_BYTES; i++) {
    if (c.host.getUint8(MEMORY_AT + i) !== 0 || c.ours.getUint8(MEMORY_AT + i) === 0) continue;
    const name = `mem+${i & ~7}`;
    ignored[name] = (ignored[name] ?? 0n) | (0xffn << BigInt(8 * (i & 7)));
  }
  return ignored;
}

const COMPARED: readonly Exemption[] = [
  {
    name: "MXCSR_MASK",
    vendor: "AMD",
    why: "AMD has a bit more (misaligned SSE mode, MXCSR.MM); the engine says Intel",
    forms: () => true,
    ignored: () => ({ mxcsr_mask: MM_BIT }),
  },
  {
    name: "undefined opcode at the end of a page",
    why: "how many bytes of an undefined instruction are fetched before #UD is up to the CPU",
    forms: () => true,
    ignored: (c) =>
      [c.host, c.ours].some((r) => vector(r) === UD) && [c.host, c.ours].some(isFetchFault)
        ? EXCEPTION
        : undefined,
  },
  {
    name: "alignment of 16 bytes",
    vendor: "AMD",
    why: "unaligned operands of 16 bytes raise #AC on AMD; the CPU of Intel's that was recorded does not",
    forms: (f) => /^(movu|lddqu|pcmp[ei]str[im])$/.test(f.mnemonic),
    ignored: (c) =>
      vector(c.host) === ALIGNMENT_CHECK && vector(c.ours) !== ALIGNMENT_CHECK ? ALL : undefined,
  },
  undefinedFlags("AF and PF are undefined", [AF, PF], "andn", "blsr", "blsmsk", "blsi", "bzhi"),
  undefinedFlags("SF, ZF, AF and PF are undefined", [SF, ZF, AF, PF], "mul", "imul1", "imul2", "imul3"),
  undefinedFlags("all status flags are undefined", [STATUS_FLAGS], "div", "idiv"),
  undefinedFlags("all but ZF are undefined", [CF, OF, SF, AF, PF], "bsf", "bsr"),
  undefinedFlags("all but ZF and CF are undefined", [OF, SF, AF, PF], "tzcnt", "lzcnt"),
  undefinedFlags("AF, SF and PF are undefined", [AF, SF, PF], "bextr"),
  undefinedFlags("OF, SF, ZF and PF are undefined", [OF, SF, ZF, PF], "aaa", "aas"),
  undefinedFlags("OF is undefined", [OF], "daa", "das"),
  undefinedFlags("OF, AF and CF are undefined", [OF, AF, CF], "aam", "aad"),
  {
    name: "shifts and rotations: flags",
    why: "OF is undefined unless the count is 1, AF always but for rotations, CF beyond the operand",
    forms: (f) => SHIFTS.has(f.mnemonic),
    ignored: shiftFlags,
  },
  {
    name: "SHLD, SHRD beyond 16 bits",
    why: "result and flags are undefined",
    forms: mnemonics("shld", "shrd"),
    ignored: (c) => (isWord(c) && shiftCount(c) > 16 ? ALL : undefined),
  },
  {
    name: "LAR: limit",
    why: "bits 16 to 19 are undefined",
    forms: mnemonics("lar"),
    ignored: () => Object.fromEntries(GPR_NAMES.map((n) => [n, 0xf0000n])),
  },
  {
    name: "MXCSR.MM",
    vendor: "AMD",
    why: "AMD's bit for misaligned SSE operands, reserved on Intel: loading it raises #GP there",
    forms: mnemonics("ldmxcsr", "fxrstor", "xrstor"),
    ignored: (c) => (vector(c.ours) === GP && (mxcsrOf(c.host) & MM_BIT) !== 0n ? ALL : undefined),
  },
  {
    name: "MXCSR_MASK in memory",
    vendor: "AMD",
    why: "as MXCSR_MASK",
    forms: mnemonics("fxsave", "xsave", "xsaveopt", "xsavec"),
    ignored: (c) => savedMask(c),
  },
  {
    name: "INT1 under a hypervisor",
    vendor: "AMD",
    why: "KVM on AMD reports the address of the instruction instead of the next (the SDM says a trap)",
    forms: mnemonics("int1"),
    ignored: () => ({ rip: ~0n }),
  },
  {
    name: "PREFETCH of a register",
    vendor: "AMD",
    why: "0F 0D with a register operand is undefined on AMD and does nothing on Intel",
    forms: (f) => f.name.includes("[0F 0D]"),
    ignored: () => ALL,
  },
  {
    name: "indirect CALL to an address that is not canonical",
    vendor: "AMD",
    why: "AMD writes the return address after it has checked the target, Intel before",
    forms: mnemonics("call_near"),
    ignored: (c) => (vector(c.host) === GP && vector(c.ours) === GP ? MEMORY : undefined),
  },
  {
    name: "MOVSXD of a word",
    vendor: "AMD",
    why: "AMD reads 4 bytes of memory, Intel 2",
    forms: (f) => f.mode === 64 && /^(movsxd|arpl)$/.test(f.mnemonic),
    ignored: (c) => (c.code.includes(OPERAND_SIZE) ? ALL : undefined),
  },
  {
    name: "PUSHA, ENTER: pushes before a fault",
    why: "what has been pushed when a later one faults is up to the CPU",
    forms: mnemonics("enter", "pusha"),
    ignored: (c) => (isMemoryFault(c.host) ? MEMORY : undefined),
  },
  {
    name: "PUSHA, ENTER: which access faults",
    why: "in which order what they push, read and probe is checked is up to the CPU",
    forms: mnemonics("enter", "pusha"),
    ignored: (c) => (isMemoryFault(c.host) && isMemoryFault(c.ours) ? EXCEPTION : undefined),
  },
  {
    name: "large operands: CR2",
    why: "which byte of an operand that reaches into an absent page is reported is up to the CPU",
    forms: mnemonics("fxsave", "fxrstor", "xsave", "xrstor", "xsaveopt", "xsavec", "enter"),
    ignored: (c) => (vector(c.host) === PAGE_FAULT ? { cr2: ~0n, ...MEMORY } : undefined),
  },
  {
    name: "SHA: alignment",
    vendor: "AMD",
    why: "AMD takes unaligned memory operands; on Intel they raise #GP as of any SSE instruction (SDM vol. 2, type 4)",
    forms: (f) => f.mnemonic.startsWith("sha"),
    ignored: (c) => (vector(c.ours) === GP ? ALL : undefined),
  },
  {
    name: "BSWAP of a word",
    why: "undefined",
    forms: mnemonics("bswap"),
    ignored: (c) => (isWord(c) ? ALL : undefined),
  },
  {
    name: "offsets that are not canonical",
    vendor: "AMD",
    why: "AMD looks at the offset, too; Intel only at the linear address, that is with the base of FS or GS",
    forms: (f) => f.mode === 64,
    ignored: (c) =>
      vector(c.host) === GP && [PAGE_FAULT, ALIGNMENT_CHECK].includes(vector(c.ours)) && hasBase(c)
        ? EXCEPTION
        : undefined,
  },
  {
    name: "LOOPE, LOOPNE with REP prefixes",
    vendor: "AMD",
    why: "AMD takes F2 and F3 for the condition; to Intel they are reserved",
    forms: mnemonics("loope", "loopne"),
    ignored: (c) => (c.code.some((byte) => byte === REPNE || byte === REP) ? ALL : undefined),
  },
  {
    name: "PUSH of a segment register, 32 bits",
    vendor: "AMD",
    why: "AMD writes 4 bytes, zeros above the selector; Intel's Core and Atom CPUs write 2 and ask for no more (vol. 2, PUSH)",
    forms: (f) => f.mnemonic === "push_seg" && / 32 r /.test(f.name),
    ignored: (c) => (isMemoryFault(c.host) ? ALL : zeroedMemory(c)),
  },
  {
    name: "POPA that faults",
    vendor: "AMD",
    why: "AMD has popped registers before the fault; the SDM pops after all checks",
    forms: mnemonics("popa"),
    ignored: (c) => (isMemoryFault(c.host) ? REGISTERS : undefined),
  },
  {
    name: "RSP above a 16-bit stack pointer",
    why: "IRET to a 16-bit stack leaves the kernel's bits there, now and then",
    forms: (f) => f.segmented === true,
    ignored: (c) => (hasSmallStack(c) ? { rsp: ~0xffffn } : undefined),
  },
  {
    name: "order of two memory operands' faults",
    why: "which operand is checked first, and for what, is up to the CPU",
    forms: mnemonics("cmps", "movs", "push", "pop", "call_near"),
    ignored: (c) => (isMemoryFault(c.host) && isMemoryFault(c.ours) ? EXCEPTION : undefined),
  },
  {
    name: "LOCK VERR, LOCK VERW",
    vendor: "AMD",
    why: "AMD takes no notice of LOCK, or reads the operand first",
    forms: mnemonics("verr", "verw"),
    ignored: (c) => (vector(c.ours) === UD && c.code.includes(LOCK) ? ALL : undefined),
  },
  {
    name: "RF between iterations",
    vendor: "AMD",
    why: "AMD keeps RF until a repeated instruction ends; the engine has it only while instruction breakpoints are set",
    forms: mnemonics("movs", "stos", "lods", "scas", "cmps"),
    ignored: (c) => (vector(c.host) === DEBUG ? flags(RFLAGS.RF) : undefined),
  },
  {
    name: "REP CMPS, REP SCAS: flags between elements",
    vendor: "AMD",
    why: "at a fault or trap before the end AMD has the last element's; by the manual (vol. 2, REP) they are as before",
    forms: mnemonics("scas", "cmps"),
    ignored: (c) => (endsBetweenElements(c) ? flags(...STATUS_BITS) : undefined),
  },
  {
    name: "REP MOVS from one view of memory into another",
    why: "fast strings (CPUID.07H:EDX[4]) tell by linear addresses whether what they copy overlaps, and copy 64 bytes at a time",
    forms: mnemonics("movs"),
    ignored: (c) => (copiesOverItself(c) ? MEMORY : undefined),
  },
  {
    name: "PAUSE with REX.B",
    vendor: "AMD",
    why: "on AMD it exchanges with R8; on Intel it is PAUSE",
    forms: mnemonics("pause"),
    ignored: (c) => (c.form.mode === 64 && hasRexB(c.code) ? { rax: ~0n, r8: ~0n } : undefined),
  },
  {
    name: "LOCK MOV CR",
    vendor: "AMD",
    why: "on AMD it stands for CR8, elsewhere it is undefined",
    forms: mnemonics("mov_to_cr", "mov_from_cr"),
    ignored: (c) => (c.code.includes(LOCK) ? ALL : undefined),
  },
  {
    name: "XSAVE: order of checks",
    vendor: "AMD",
    why: "AMD raises #AC, #GP or #SS for what is misaligned and violates something else, now this, now that",
    forms: mnemonics("fxsave", "fxrstor", "xsave", "xrstor", "xsaveopt", "xsavec"),
    ignored: (c) => (isMemoryFault(c.host) && isMemoryFault(c.ours) ? EXCEPTION : undefined),
  },
  {
    name: "XSAVE: bytes that are not asked for",
    vendor: "AMD",
    why: "AMD checks the whole area, also of registers and components that are neither saved nor restored",
    forms: mnemonics("fxsave", "fxrstor", "xsave", "xrstor", "xsaveopt", "xsavec"),
    ignored: (c) => (vector(c.host) === PAGE_FAULT ? ALL : undefined),
  },
  {
    name: "SYSRET in compatibility mode",
    vendor: "AMD",
    why: "#UD on Intel; AMD has the instruction there and checks the privilege",
    forms: (f) => f.mnemonic === "sysret" && f.mode === 32,
    ignored: () => EXCEPTION,
  },
  {
    name: "TOP after a faulting MMX store",
    vendor: "AMD",
    why: "AMD sets it when nothing can fault any more, Intel before",
    forms: mnemonics("movd", "movq_mmx", "movnt"),
    ignored: (c) => (isMemoryFault(c.host) && isMemoryFault(c.ours) ? X87 : undefined),
  },
  {
    name: "XRSTOR: x87 state with a bad MXCSR",
    vendor: "AMD",
    why: "AMD checks MXCSR before it loads x87 state, Intel behind that",
    forms: mnemonics("xrstor"),
    ignored: (c) => (vector(c.host) === GP && vector(c.ours) === GP ? { ...X87, ...X87_CONTROL } : undefined),
  },
  {
    name: "MASKMOVDQU: which half faults",
    vendor: "AMD",
    why: "AMD reports the lowest byte that faults, Intel looks at the upper half first",
    forms: mnemonics("maskmovdqu"),
    ignored: (c) => (isMemoryFault(c.host) && isMemoryFault(c.ours) ? EXCEPTION : undefined),
  },
];

export const EXEMPTIONS: readonly Exemption[] = [...SKIPPED, ...COMPARED, ...FLOAT_EXEMPTIONS];
