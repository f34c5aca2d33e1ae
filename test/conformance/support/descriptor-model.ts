/**
 * What protection makes of a descriptor: whether LAR, LSL, VERR, VERW, a segment load, LLDT, LTR or a far transfer
 * accepts it at a privilege level. Written from the manual alone, as a second opinion on the engine; knows no engine
 * and no guest.
 *
 * Specification: SDM vol. 3A §3.4.5, §5.5–5.8; vol. 2, LAR (table 3-53), LSL (table 3-55), VERR, MOV, LLDT, LTR, JMP, CALL, RET, IRET.
 */
export const INSTRUCTIONS = [
  "LAR",
  "LSL",
  "VERR",
  "VERW",
  "MOV DS",
  "MOV SS",
  "LLDT",
  "LTR",
  "JMP",
  "CALL",
  "RET",
  "IRET",
] as const;
export type Instruction = (typeof INSTRUCTIONS)[number];

export interface DescriptorFacts {
  /** S, and the four bits of the type. */
  segment: boolean;
  type: number;
  dpl: number;
  present: boolean;
  long: boolean;
  big: boolean;
}

export interface Situation {
  instruction: Instruction;
  descriptor: DescriptorFacts;
  selector: number;
  cpl: number;
  longMode: boolean;
}

/** ZF for the queries; for the others the fault, or none. */
export interface Ruling {
  zero?: boolean;
  fault?: readonly [number, number];
  /** The accessed bit, or a TSS's busy bit, is set. */
  marks: boolean;
}

const NP = 11;
const SS = 12;
const GP = 13;
const TSS16 = 1;
const LDT = 2;
const CALL_GATE16 = 4;
const TASK_GATE = 5;
const TSS = 9;
const CALL_GATE = 12;

const isCode = (d: DescriptorFacts): boolean => d.segment && (d.type & 8) !== 0;
const isConforming = (d: DescriptorFacts): boolean => isCode(d) && (d.type & 4) !== 0;
const isReadable = (d: DescriptorFacts): boolean => d.segment && (!isCode(d) || (d.type & 2) !== 0);
const isWritable = (d: DescriptorFacts): boolean => d.segment && !isCode(d) && (d.type & 2) !== 0;

/** System descriptors that LAR and LSL know, outside and in IA-32e mode. */
const LSL_TYPES = { legacy: [1, 2, 3, 9, 11], long: [2, 9, 11] };
const LAR_TYPES = { legacy: [1, 2, 3, 4, 5, 9, 11, 12], long: [2, 9, 11, 12] };

function query({ instruction, descriptor: d, selector, cpl, longMode }: Situation): boolean {
  const visible = isConforming(d) || (d.dpl >= cpl && d.dpl >= (selector & 3));
  if (!visible) return false;
  if (instruction === "VERR") return isReadable(d);
  if (instruction === "VERW") return isWritable(d);
  const types = instruction === "LAR" ? LAR_TYPES : LSL_TYPES;
  return d.segment || (longMode ? types.long : types.legacy).includes(d.type);
}

/** The vector that a load of a data segment, LDTR or TR raises; 0 for none. */
function load({ instruction, descriptor: d, selector, cpl, longMode }: Situation): number {
  const rpl = selector & 3;
  if (instruction === "LLDT" || instruction === "LTR") {
    const types = instruction === "LLDT" ? [LDT] : longMode ? [TSS] : [TSS16, TSS];
    if (d.segment || !types.includes(d.type)) return GP;
    return d.present ? 0 : NP;
  }
  if (instruction === "MOV SS") {
    if (rpl !== cpl || !isWritable(d) || d.dpl !== cpl) return GP;
    return d.present ? 0 : SS;
  }
  if (!isReadable(d)) return GP;
  if (!isConforming(d) && (rpl > d.dpl || cpl > d.dpl)) return GP;
  return d.present ? 0 : NP;
}

/** The vector of a far transfer; gates and TSSs here lead to a null selector, or nowhere. */
function transfer({
  instruction,
  descriptor: d,
  selector,
  cpl,
  longMode,
}: Situation): readonly [number, number] | undefined {
  const rpl = selector & 3;
  const error = selector & ~3;
  const returns = instruction === "RET" || instruction === "IRET";
  if (!d.segment && !returns) {
    const known = longMode ? [CALL_GATE] : [CALL_GATE16, CALL_GATE, TASK_GATE, TSS16, TSS];
    if (!known.includes(d.type) || d.dpl < cpl || d.dpl < rpl) return [GP, error];
    return d.present ? [GP, 0] : [NP, error];
  }
  if (!isCode(d)) return [GP, error];
  if (returns && rpl < cpl) return [GP, error];
  const level = returns ? rpl : cpl;
  if (isConforming(d) ? d.dpl > level : d.dpl !== level || (!returns && rpl > cpl)) return [GP, error];
  if (!d.present) return [NP, error];
  return longMode && d.long && d.big ? [GP, error] : undefined;
}

/** What must come of an instruction on a descriptor. */
export function rule(s: Situation): Ruling {
  if (["LAR", "LSL", "VERR", "VERW"].includes(s.instruction)) return { zero: query(s), marks: false };
  if (["JMP", "CALL", "RET", "IRET"].includes(s.instruction)) {
    const fault = transfer(s);
    return fault ? { fault, marks: false } : { marks: true };
  }
  const system = s.instruction === "LLDT" || s.instruction === "LTR";
  if (system && s.cpl !== 0) return { fault: [GP, 0], marks: false };
  const vector = load(s);
  if (vector !== 0) return { fault: [vector, s.selector & ~3], marks: false };
  return { marks: s.instruction !== "LLDT" };
}
