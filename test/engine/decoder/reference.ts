/**
 * The reference's side of the comparison: iced-x86's decoder, its instructions in our notation, and which of them a
 * CPU with our CPUID may know. Knows no decoder of ours.
 */
import {
  Code,
  CpuidFeature,
  Decoder,
  DecoderOptions,
  EncodingKind,
  Instruction,
  MemorySizeExt,
  Mnemonic,
  OpCodeOperandKind,
  OpKind,
  Register,
} from "iced-x86";
import { immediateText, INVALID_VIEW, memoryText, type DecodedView } from "./view.js";

/** Every string gets this many bytes, so that no instruction runs out of them. */
export const STRIDE = 32;

/**
 * The feature level that our CPUID can offer when every switch is on. An instruction that needs anything else has to
 * be undefined.
 */
const OFFERED = new Set(
  `INTEL8086 INTEL186 INTEL286 INTEL386 INTEL486 X64 ADX AES CLFLUSHOPT CLFSH CLWB CMOV CMPXCHG16B CPUID CX8 FPU FPU287
  FPU387 FSGSBASE FXSR INVPCID LZCNT BMI1 BMI2 MMX MONITOR MOVBE MSR MULTIBYTENOP PAUSE PCLMULQDQ POPCNT PREFETCHW RDPID RDPMC RDRAND
  RDSEED RDTSCP SEP SHA SMAP SSE SSE2 SSE3 SSE4_1 SSE4_2 SSSE3 SYSCALL TSC XSAVE XSAVEC XSAVEOPT`.split(
    /\s+/,
  ),
);

/**
 * 0F 0D and 0F 18–1F are hints; as reserved NOPs they decode alike whether a CPU knows them or not. Without WBNOINVD its
 * F3 prefix is ignored.
 */
const OPTIONS = DecoderOptions.ForceReservedNop | DecoderOptions.NoWbnoinvd;

const UNDEFINED_CODES = new Set<Code>([
  Code.INVALID,
  Code.Ud0_r16_rm16,
  Code.Ud0_r32_rm32,
  Code.Ud0_r64_rm64,
  Code.Ud0,
  Code.Ud1_r16_rm16,
  Code.Ud1_r32_rm32,
  Code.Ud1_r64_rm64,
  Code.Ud2,
]);

const K = OpCodeOperandKind;
/** Operands that the opcode implies. Accumulator, CL and the constant 1 are kept where our form names them. */
const IMPLIED_REGISTERS = new Set([K.es, K.cs, K.ss, K.ds, K.fs, K.gs, K.dx, K.st0, K.sti_opcode]);
const NAMED_SOMETIMES = new Set([K.al, K.cl, K.ax, K.eax, K.rax, K.imm8_const_1]);
const STRING_OPERANDS = new Set([K.seg_rSI, K.es_rDI, K.seg_rDI, K.seg_rBX_al]);

interface CodeFacts {
  offered: boolean;
  mnemonic: string;
  /** Operand kinds, as the opcode table names them. */
  kinds: OpCodeOperandKind[];
}

const SEGMENT_REGISTERS = [Register.ES, Register.CS, Register.SS, Register.DS, Register.FS, Register.GS];

/** Our names of the reference's registers. */
const REGISTER_NAMES = ((): string[] => {
  const names: string[] = [];
  const row = (first: Register, count: number, name: (n: number) => string): void => {
    for (let n = 0; n < count; n++) names[first + n] = name(n);
  };
  row(Register.AL, 4, (n) => `b${n}`);
  row(Register.AH, 4, (n) => `h${n}`);
  row(Register.SPL, 12, (n) => `b${n + 4}`);
  row(Register.AX, 16, (n) => `w${n}`);
  row(Register.EAX, 16, (n) => `d${n}`);
  row(Register.RAX, 16, (n) => `q${n}`);
  row(Register.XMM0, 16, (n) => `x${n}`);
  row(Register.MM0, 8, (n) => `m${n}`);
  row(Register.ES, 6, (n) => `s${n}`);
  row(Register.CR0, 16, (n) => `c${n}`);
  row(Register.DR0, 16, (n) => `t${n}`);
  names[Register.None] = "";
  names[Register.RIP] = names[Register.EIP] = "rip";
  return names;
})();

/** Bytes of an address register. */
function addressBytesOf(register: Register): number {
  if (register >= Register.RAX && register <= Register.R15) return 8;
  if (register === Register.RIP) return 8;
  if (register >= Register.AX && register <= Register.R15W) return 2;
  return 4;
}

/** Bytes of an immediate by its kind. */
function immediateBytes(kind: OpKind): number {
  switch (kind) {
    case OpKind.Immediate8:
    case OpKind.Immediate8_2nd:
      return 1;
    case OpKind.Immediate16:
    case OpKind.Immediate8to16:
      return 2;
    case OpKind.Immediate32:
    case OpKind.Immediate8to32:
      return 4;
    default:
      return 8;
  }
}

export class ReferenceDecoder {
  private readonly instruction = new Instruction();
  private readonly facts: (CodeFacts | undefined)[] = [];
  private decoder: Decoder | undefined;

  constructor(private readonly bits: 16 | 32 | 64) {}

  /** Replaces the bytes that are decoded. */
  load(bytes: Uint8Array): void {
    this.decoder?.free();
    this.decoder = new Decoder(this.bits, bytes, OPTIONS);
  }

  /** Decodes at `offset`; `ip` is the address the instruction has. Its length, also where it is undefined. */
  decode(offset: number, ip: number): number {
    if (!this.decoder) throw new Error("nothing is loaded");
    this.decoder.position = offset;
    this.decoder.ip = BigInt(ip);
    this.decoder.decodeOut(this.instruction);
    return this.instruction.length;
  }

  /** The reference's name of the encoding last decoded. */
  get codeName(): string {
    return Code[this.instruction.code];
  }

  /** Whether a CPU with our CPUID may know what was decoded last. */
  get isOffered(): boolean {
    return this.factsOf(this.instruction.code).offered;
  }

  /** What was decoded last. `named`: whether accumulator, CL and the constant 1 count as operands. */
  view(named: boolean): DecodedView {
    const i = this.instruction;
    const facts = this.factsOf(i.code);
    if (!facts.offered) return INVALID_VIEW;
    const operands: string[] = [];
    let stringOperand = "";
    let memoryBytes = 0;
    facts.kinds.forEach((kind, n) => {
      if (IMPLIED_REGISTERS.has(kind) || (NAMED_SOMETIMES.has(kind) && !named)) return;
      if (STRING_OPERANDS.has(kind)) {
        stringOperand = this.stringOperand(n, stringOperand);
        return;
      }
      if (i.opKind(n) === OpKind.Memory) memoryBytes = MemorySizeExt.size(i.memorySize);
      operands.push(this.operand(n));
    });
    if (stringOperand !== "") operands.push(stringOperand, ...this.repeat());
    if (i.hasLockPrefix) operands.push("lock");
    return { length: i.length, mnemonic: facts.mnemonic, operands: operands.join(","), memoryBytes };
  }

  private factsOf(code: Code): CodeFacts {
    const known = this.facts[code];
    if (known) return known;
    const i = this.instruction;
    const { opCode } = i;
    const features = [...i.cpuidFeatures()].map((f) => CpuidFeature[f]);
    const facts: CodeFacts = {
      offered:
        !UNDEFINED_CODES.has(code) &&
        (i.encoding === EncodingKind.Legacy || i.encoding === EncodingKind.VEX) &&
        features.every((f) => OFFERED.has(f)),
      mnemonic: Mnemonic[i.mnemonic].toLowerCase(),
      kinds: Array.from({ length: i.opCount }, (_, n) => opCode.opKind(n)),
    };
    opCode.free();
    return (this.facts[code] = facts);
  }

  private operand(n: number): string {
    const i = this.instruction;
    const kind = i.opKind(n);
    switch (kind) {
      case OpKind.Register:
        return REGISTER_NAMES[i.opRegister(n)];
      case OpKind.Memory:
        return this.memory();
      case OpKind.NearBranch16:
        return immediateText(BigInt(i.nearBranch16), 2);
      case OpKind.NearBranch32:
        return immediateText(BigInt(i.nearBranch32), 4);
      case OpKind.NearBranch64:
        return immediateText(i.nearBranch64, 8);
      case OpKind.FarBranch16:
        return `${immediateText(BigInt(i.farBranchSelector), 2)}:${immediateText(BigInt(i.farBranch16), 4)}`;
      case OpKind.FarBranch32:
        return `${immediateText(BigInt(i.farBranchSelector), 2)}:${immediateText(BigInt(i.farBranch32), 4)}`;
      default:
        return immediateText(i.immediate(n), immediateBytes(kind));
    }
  }

  private segment(): number {
    const segment = SEGMENT_REGISTERS.indexOf(this.instruction.memorySegment);
    return this.bits === 64 && segment < 4 ? -1 : segment;
  }

  private memory(): string {
    const i = this.instruction;
    const base = i.memoryBase;
    const index = i.memoryIndex;
    const relative = base === Register.RIP || base === Register.EIP;
    let addressBytes = i.memoryDisplSize;
    if (base !== Register.None) addressBytes = addressBytesOf(base);
    else if (index !== Register.None) addressBytes = addressBytesOf(index);
    return memoryText({
      segment: this.segment(),
      base: REGISTER_NAMES[base],
      index: REGISTER_NAMES[index],
      scale: i.memoryIndexScale,
      displacement: relative ? i.memoryDisplacementU64 - i.ip : i.memoryDisplacementU64,
      addressBytes,
      bytes: 0,
    });
  }

  private stringOperand(n: number, before: string): string {
    const kind = this.instruction.opKind(n);
    const source = {
      [OpKind.MemorySegSI]: 2,
      [OpKind.MemorySegESI]: 4,
      [OpKind.MemorySegRSI]: 8,
      [OpKind.MemorySegDI]: 2,
      [OpKind.MemorySegEDI]: 4,
      [OpKind.MemorySegRDI]: 8,
    }[kind as number];
    if (source !== undefined) return `implied a${source} s${this.segment()}`;
    if (kind === OpKind.Memory)
      return `implied a${addressBytesOf(this.instruction.memoryBase)} s${this.segment()}`;
    if (before !== "") return before;
    return `implied a${kind === OpKind.MemoryESDI ? 2 : kind === OpKind.MemoryESEDI ? 4 : 8} s-1`;
  }

  private repeat(): string[] {
    const i = this.instruction;
    if (!i.isStringInstruction) return [];
    return [`rep ${i.hasRepnePrefix ? "f2" : i.hasRepPrefix ? "f3" : "0"}`];
  }
}
