/**
 * The loop that a CPU is in, and the memory that it reads there: a CPU that was found in a few instructions only, whenever it was looked
 * at, waits for something that they read.
 */
import { Decoder } from "../../engine/x86/decode.js";
import { NO_REGISTER, REGISTER_RIP, type Instruction } from "../../engine/x86/instruction.js";
import { hex } from "../../bytes/hex.js";
import { SEGMENT_NAMES, type CpuState } from "../../x86/cpu-state.js";
import { decodeRun, type Read } from "./code.js";

/** A loop of few instructions. */
export interface Loop {
  /** Its first and last instruction that was seen, linear. */
  from: string;
  to: string;
  /** Memory that it reads again and again, with what is there now. */
  reads: { address: string; value: string; instruction: string }[];
}

/** Bytes of a loop at most, and looks that have to find it there. */
const LONGEST = 96n;
const FEWEST_LOOKS = 24;
const LONGEST_INSTRUCTION = 15;
const READS = /^(cmp|test|mov|movzx|movsx|movsxd|bt|and|or|sub|xchg|cmpxchg)\b/;
/** What moves a register on from where it is, with the register. */
const MOVES_ON = /^(?:(?:add|sub|adc|sbb|inc|dec|xadd) (\w+)|lea (\w+), \[(\w+))/;
const REGISTERS = ["ax", "cx", "dx", "bx", "sp", "bp", "si", "di"];
const MASK_32 = 0xffff_ffffn;

/** The loop of a CPU; undefined where it was seen in more than one place, or too seldom. `looks`: where it was found. */
export function loopOf(
  looks: readonly bigint[],
  { state, size, read }: { state: CpuState; size: 2 | 4 | 8; read: Read },
): Loop | undefined {
  if (looks.length < FEWEST_LOOKS) return undefined;
  let [from, to] = [looks[0], looks[0]];
  for (const look of looks) {
    if (look < from) from = look;
    if (look > to) to = look;
  }
  if (to - from > LONGEST) return undefined;
  const bytes = read(from, Number(to - from) + LONGEST_INSTRUCTION) ?? read(from, Number(to - from) + 1);
  if (bytes === undefined) return undefined;
  const run = decodeRun(new Decoder(), bytes, from, size).filter(({ address }) => address <= to);
  const moving = new Set(run.map(({ text }) => movedOn(text)));
  const reads = run.flatMap(({ address, length, text, instruction }) => {
    const bare = text.replace(/^(lock|rep) /, "");
    // A store names memory first.
    const stores = /^mov \w* ?\w*:?\[/.test(bare) && !/^mov \w+,/.test(bare);
    if (!instruction.isMemory || !READS.test(bare) || stores) return [];
    // A loop that walks through memory waits for nothing there.
    if (moving.has(instruction.base) || moving.has(instruction.index)) return [];
    const at = effective(instruction, address + BigInt(length), state);
    const bytesThere = read(at, Math.min(instruction.operandSize, 8));
    const value = bytesThere === undefined ? "not mapped" : hex(littleEndian(bytesThere));
    return [{ address: hex(at), value, instruction: text }];
  });
  return { from: hex(from), to: hex(to), reads };
}

/** The number of a register, however much of it is named; undefined for what is none. */
function registerNumber(name: string): number | undefined {
  const high = /^r(\d+)[dwb]?$/.exec(name);
  if (high !== null) return Number(high[1]);
  const number = REGISTERS.indexOf(name.replace(/^[re]/, ""));
  return number < 0 ? undefined : number;
}

/** The register that an instruction moves on. */
function movedOn(text: string): number | undefined {
  const [found, arithmetic, into, from] = MOVES_ON.exec(text) ?? [];
  if (found === undefined) return undefined;
  if (arithmetic !== undefined) return registerNumber(arithmetic);
  const number = registerNumber(into);
  return number === registerNumber(from) ? number : undefined;
}

function littleEndian(bytes: Uint8Array): bigint {
  return bytes.reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n);
}

/** The linear address that an instruction names, with the registers as they are now. */
function effective(i: Instruction, next: bigint, state: CpuState): bigint {
  const register = (number: number): bigint => (number === NO_REGISTER ? 0n : state.gpr[number]);
  const base = i.base === REGISTER_RIP ? next : register(i.base);
  const offset = base + (register(i.index) << BigInt(i.scale)) + BigInt(i.displacement);
  const segment = i.segmentOverride < 0 ? 0n : state[SEGMENT_NAMES[i.segmentOverride]].base;
  const bits = i.addressSize === 8 ? 64 : 32;
  const linear = BigInt.asUintN(bits, offset) + segment;
  return bits === 64 ? BigInt.asUintN(64, linear) : linear & MASK_32;
}
