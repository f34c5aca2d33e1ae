/**
 * What instructions of 64-bit code have in common that differ only in registers, addresses and immediates: a template for each kind,
 * by which generated code makes their records (quick-decoder.ts). The exact decoder leaves one of what it decodes for the first
 * time, so that nothing is decided twice. Knows no instruction that needs more than these bits say: the exact decoder keeps those.
 *
 * ```
 *  31   29..28  27..26     25..22           21..19   18..16   15..0
 * ┌───┬───────┬───────────┬────────────────┬────────┬────────┬───────────┐
 * │ 1 │ flow  │ immediate │ bytes of it    │ slot b │ slot a │ operation │   one template
 * └───┴───────┴───────────┴────────────────┴────────┴────────┴───────────┘
 * ```
 */
import type { Instruction } from "../x86/instruction.js";
import { CALLS, NEVER_CONTINUES } from "../x86/control-flow.js";
import * as layout from "../x86/layout.js";
import { OPERATIONS } from "../x86/operands.js";
import { VEX_MAP, type Form, type OperandSpec } from "../x86/table/form.js";
import { formsOf } from "../x86/table/forms.js";

/** Set in a template; without it, a word that is not 0 says that there will be none. */
const KNOWN = 1 << 31;
const NEVER = 1;

export const SLOT_A_SHIFT = 16;
export const SLOT_B_SHIFT = 19;
export const SLOT_MASK = 7;
/** How a register is named: rows of `TEMPLATE_SLOTS`. */
export const SLOT = { none: 0, general: 1, byte: 2, xmm: 3, accumulator: 4 } as const;

export const IMMEDIATE_BYTES_SHIFT = 22;
export const IMMEDIATE_BYTES_MASK = 15;
export const IMMEDIATE_SHIFT = 26;
export const IMMEDIATE_MASK = 3;
/** How an immediate is extended; a relative one is a target, and that of shifts by one has no bytes. */
export const IMMEDIATE = { signed: 0, unsigned: 1, relative: 2, one: 3 } as const;

export const FLOW_SHIFT = 28;
export const FLOW_MASK = 3;
/** What comes behind it: the next one; nothing; a record that looks for the next one; the next one, to which a return leads. */
export const FLOW = { on: 0, ends: 1, breaks: 2, calls: 3 } as const;

/** Bits of the number of a template below the map and opcode. */
export const KEY_SHIFT = 7;
export const PREFIX_SHIFT = 5;
/** Prefixes that choose among forms, at most one of them. */
export const PREFIX = { none: 0, operand: 1, f2: 2, f3: 3 } as const;
export const WIDE_BIT = 1 << 4;
export const REGISTER_BIT = 1 << 3;
export const MOD_REGISTER = 0xc0;

/** Kinds of bytes: an opcode is not known yet, has no ModRM byte, has one; from `rex` on they are prefixes. */
export const BYTE = {
  unknown: 0,
  plain: 1,
  modrm: 2,
  rex: 3,
  operand: 4,
  f2: 5,
  f3: 6,
  fs: 7,
  gs: 8,
  other: 9,
} as const;

/** In `state`: the first instruction is to be looked up, as it does not begin the block; it is where a call returns to. */
export const STATE_LOOKS = 1;
export const STATE_AFTER_CALL = 2;

/**
 * `(host, ramOffset, record, room, state)`: decodes from the byte at `host`, which is at `ramOffset` in RAM, at most `room` instructions into
 * records from `record` on. How far it came, see `DECODED`.
 */
export type DecodeQuickly = (
  host: number,
  ramOffset: number,
  record: number,
  room: number,
  state: number,
) => number;

/** Its result: offset in the page (which may be its end), how many instructions, and the `FLOW` of the last one. */
export const DECODED = { offsetMask: 0x1fff, countShift: 13, countMask: 0x7f, flowShift: 20 } as const;

const OPERAND_PREFIX = 0x66;
const REPEAT_PREFIX = 0xf2;
const FS_PREFIX = 0x64;
/** Segment overrides that 64-bit code ignores: ES, CS, SS, DS. */
const OTHER_SEGMENTS = [0x26, 0x2e, 0x36, 0x3e];
const REX = 0x40;
const REX_W = 8;
/** With REX.B it exchanges with R8, else it does nothing, or waits: no other opcode asks for that bit. */
export const NOP = 0x90;
export const REX_B = 1;
const REGISTERS = 16;
/** Byte registers 4 to 7 are, without REX, the high bytes of 0 to 3. */
const HIGH_BYTES = 4;

function prefixOf({ repeat, operandPrefix }: Instruction): number {
  if (repeat !== 0) return repeat === REPEAT_PREFIX ? PREFIX.f2 : PREFIX.f3;
  return operandPrefix ? PREFIX.operand : PREFIX.none;
}

/** Whether the form was chosen by what the number of a template says, and nothing else. */
function isChosenByKind({ map, opcode }: Form): boolean {
  return formsOf((map << 8) | opcode).every(({ modrmByte }) => modrmByte < 0);
}

/** How the slot of an operand is found; undefined where a template cannot say it. */
function slotOf({ kind, size }: OperandSpec, { form, isMemory }: Instruction): number | undefined {
  switch (kind) {
    case "G":
    case "Z":
      return size === "b" ? SLOT.byte : SLOT.general;
    case "E":
      if (isMemory) return SLOT.none;
      return size === "b" && !form.dwordRegister ? SLOT.byte : SLOT.general;
    case "V":
      return SLOT.xmm;
    case "W":
      return isMemory ? SLOT.none : SLOT.xmm;
    case "AL":
    case "rAX":
      return SLOT.accumulator;
    case "M":
    case "CL":
    case "I":
    case "J":
    case "1":
      return SLOT.none;
    default:
      return undefined;
  }
}

/** Whether ModRM.rm or the opcode names this operand. */
function isSecond({ kind }: OperandSpec): boolean {
  return kind === "E" || kind === "Z" || kind === "W";
}

/** The bits of both slots; undefined where a template cannot say them. */
function slots(i: Instruction): number | undefined {
  const { operands } = i.form;
  const usesB = operands.some(isSecond);
  let bits = 0;
  for (const operand of operands) {
    const slot = slotOf(operand, i);
    if (slot === undefined) return undefined;
    if (slot === SLOT.none) continue;
    const inB = isSecond(operand) || (slot === SLOT.accumulator && !usesB);
    const shift = inB ? SLOT_B_SHIFT : SLOT_A_SHIFT;
    bits = (bits & ~(SLOT_MASK << shift)) | (slot << shift);
  }
  return bits;
}

function immediateBits(extension: number, bytes: number): number {
  return (extension << IMMEDIATE_SHIFT) | (bytes << IMMEDIATE_BYTES_SHIFT);
}

/** The bits of one immediate operand; undefined where a template cannot say them. */
function immediateOf({ kind, size }: OperandSpec, operandSize: number): number | undefined {
  if (kind === "1") return immediateBits(IMMEDIATE.one, 0);
  if (kind === "J")
    return operandSize === 2 ? undefined : immediateBits(IMMEDIATE.relative, size === "b" ? 1 : 4);
  switch (size) {
    case "b":
      return immediateBits(IMMEDIATE.signed, 1);
    case "u":
      return immediateBits(IMMEDIATE.unsigned, 1);
    case "w":
      return immediateBits(IMMEDIATE.unsigned, 2);
    case "v":
      return immediateBits(IMMEDIATE.signed, operandSize);
    case "z":
      return immediateBits(IMMEDIATE.signed, Math.min(operandSize, 4));
    default:
      return undefined;
  }
}

function immediates({ form, operandSize }: Instruction): number | undefined {
  const wanted = form.operands.filter(({ kind }) => kind === "I" || kind === "J" || kind === "1");
  if (wanted.length > 1) return undefined;
  return wanted.length === 0 ? 0 : immediateOf(wanted[0], operandSize);
}

function flowOf({ ends, mnemonic }: Form): number {
  if (ends) return NEVER_CONTINUES.has(mnemonic) ? FLOW.ends : FLOW.breaks;
  return CALLS.has(mnemonic) ? FLOW.calls : FLOW.on;
}

/** The template of an instruction of 64-bit code whose record has this operation; `NEVER` where there is none. */
function templateOf(i: Instruction, operation: number): number {
  const { form } = i;
  const some = slots(i);
  const immediate = immediates(i);
  // POP addresses memory behind the pop, and a record of x87 has its whole encoding.
  const special = form.unit === "x87" || (form.mnemonic === "pop" && i.isMemory);
  if (special || !isChosenByKind(form) || some === undefined || immediate === undefined) return NEVER;
  return KNOWN | (flowOf(form) << FLOW_SHIFT) | immediate | some | operation;
}

export class Templates {
  private readonly words: Int32Array;
  private readonly kinds: Uint8Array;

  constructor(memory: WebAssembly.Memory) {
    this.words = new Int32Array(memory.buffer, layout.TEMPLATES, layout.TEMPLATE_COUNT);
    this.kinds = new Uint8Array(memory.buffer, layout.BYTE_KINDS, layout.TEMPLATE_SLOTS - layout.BYTE_KINDS);
    this.placePrefixes();
    this.placeSlots(new Uint16Array(memory.buffer, layout.TEMPLATE_SLOTS));
  }

  private placePrefixes(): void {
    const { kinds } = this;
    kinds.fill(BYTE.rex, REX, REX + REGISTERS);
    for (const byte of OTHER_SEGMENTS) kinds[byte] = BYTE.other;
    kinds[OPERAND_PREFIX] = BYTE.operand;
    kinds[REPEAT_PREFIX] = BYTE.f2;
    kinds[REPEAT_PREFIX + 1] = BYTE.f3;
    kinds[FS_PREFIX] = BYTE.fs;
    kinds[FS_PREFIX + 1] = BYTE.gs;
  }

  private placeSlots(table: Uint16Array): void {
    for (let number = 0; number < REGISTERS; number++) {
      const general = layout.GPR + number * 8;
      const high = number >= HIGH_BYTES && number < 2 * HIGH_BYTES;
      table[SLOT.none * REGISTERS + number] = layout.ZERO_SLOT;
      table[SLOT.general * REGISTERS + number] = general;
      table[SLOT.byte * REGISTERS + number] = high ? layout.GPR + (number - HIGH_BYTES) * 8 + 1 : general;
      table[SLOT.xmm * REGISTERS + number] = layout.XMM + number * layout.XMM_STRIDE;
      table[SLOT.accumulator * REGISTERS + number] = layout.RAX;
    }
  }

  /** Keeps what an instruction of 64-bit code, whose record has this operation, has in common with others. */
  learn(i: Instruction, operation: number): void {
    const { form } = i;
    if (form.map === 0 && form.opcode === NOP && i.rex & REX_B) return;
    const rare = i.lock || i.tooLong || i.addressSize !== 8 || (i.repeat !== 0 && i.operandPrefix);
    if (rare || form.map >= VEX_MAP) return;
    const key = (form.map << 8) | form.opcode;
    const wide = i.rex & REX_W ? WIDE_BIT : 0;
    const number = (key << KEY_SHIFT) | (prefixOf(i) << PREFIX_SHIFT) | wide | this.modrmBits(i);
    if (this.words[number] !== 0 || operation !== OPERATIONS.find(i)) return;
    this.words[number] = templateOf(i, operation);
    this.kinds[key] = form.hasModrm ? BYTE.modrm : BYTE.plain;
  }

  private modrmBits({ form, modrm }: Instruction): number {
    if (!form.hasModrm) return 0;
    return ((modrm >> 3) & 7) | (modrm >= MOD_REGISTER ? REGISTER_BIT : 0);
  }

  /** What is known: number and template of each, and the kinds of bytes. */
  save(): { templates: Uint32Array; kinds: Uint8Array } {
    const found: number[] = [];
    this.words.forEach((template, number) => {
      if (template !== 0) found.push(number, template);
    });
    return { templates: Uint32Array.from(found), kinds: this.kinds.slice() };
  }

  /** Knows what another one saved. */
  restore(templates: Uint32Array, kinds: Uint8Array): void {
    for (let i = 0; i < templates.length; i += 2) this.words[templates[i]] = templates[i + 1];
    this.kinds.set(kinds);
  }
}
