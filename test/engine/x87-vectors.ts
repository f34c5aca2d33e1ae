/**
 * Reads the vectors that tools/oracle/record-x87.c recorded on real hardware and replays them on our x87. Knows
 * nothing about which results may differ: it reports every difference.
 */
import { FPU_STATE_BYTES, FpuState, executeX87, lookupX87, type X87Call } from "../../src/engine/x86/x87.js";
import type { Extended } from "../../src/engine/x86/softfloat/value.js";

/** What a case fixes and what it observes. `memory` is little-endian as one number, "-" when there is none. */
export interface X87Case {
  line: string;
  opcode: number;
  modrm: number;
  control: number;
  before: X87Observation;
  after: X87Observation;
}

export interface X87Observation {
  status: number;
  tags: number;
  st7: string;
  st0: string;
  st1: string;
  memory: string;
  eflags: number;
}

const EFLAGS_COMPARED = 0x8d5;

/** Parses one line of a vector file. */
export function parseX87Case(line: string): X87Case {
  const fields = line.split(" ");
  const hex = (text: string): number => parseInt(text, 16);
  const before: X87Observation = {
    status: hex(fields[3]),
    tags: hex(fields[4]),
    st7: fields[5],
    st0: fields[6],
    st1: fields[7],
    memory: fields[8],
    eflags: hex(fields[9]),
  };
  const same = (text: string, old: string): string => (text === "=" ? old : text);
  const after: X87Observation = {
    status: hex(fields[11]),
    tags: hex(fields[12]),
    st7: same(fields[13], before.st7),
    st0: same(fields[14], before.st0),
    st1: same(fields[15], before.st1),
    memory: same(fields[16], before.memory),
    eflags: hex(fields[17]),
  };
  return { line, opcode: hex(fields[0]), modrm: hex(fields[1]), control: hex(fields[2]), before, after };
}

function toExtended(text: string): Extended {
  return { signExponent: parseInt(text.slice(0, 4), 16), significand: BigInt("0x" + text.slice(4)) };
}

function fromExtended({ signExponent, significand }: Extended): string {
  return signExponent.toString(16).padStart(4, "0") + significand.toString(16).padStart(16, "0");
}

const state = new FpuState(new DataView(new ArrayBuffer(FPU_STATE_BYTES)), 0);
const scratch = new DataView(new ArrayBuffer(16));

/** Executes a case and observes what the hardware's recorder observed. */
export function replayX87Case({ opcode, modrm, control, before }: X87Case): X87Observation {
  const instruction = lookupX87(opcode, modrm);
  if (instruction === undefined)
    throw new Error(`no instruction ${opcode.toString(16)} ${modrm.toString(16)}`);
  state.control = control;
  state.status = before.status;
  const top = state.top;
  for (let i = 0; i < 8; i++) state.writePhysical(i, { signExponent: 0, significand: 0n });
  state.writePhysical((top + 7) & 7, toExtended(before.st7));
  state.writePhysical(top, toExtended(before.st0));
  state.writePhysical((top + 1) & 7, toExtended(before.st1));
  state.tags = before.tags;
  const bytes = before.memory === "-" ? 0 : before.memory.length / 2;
  const memory = bytes === 0 ? 0n : BigInt("0x" + before.memory);
  for (let i = 0; i < bytes; i++) scratch.setUint8(i, Number((memory >> BigInt(8 * i)) & 0xffn));
  const call: X87Call = {
    index: modrm & 7,
    memory: scratch,
    offset: 0,
    operandSize: 32,
    realMode: false,
    eflags: before.eflags,
    ax: 0,
  };
  executeX87(state, instruction, call);
  let text = "";
  for (let i = 0; i < bytes; i++) text = scratch.getUint8(i).toString(16).padStart(2, "0") + text;
  return {
    status: state.status,
    tags: state.tags,
    st7: fromExtended(state.readPhysical((top + 7) & 7)),
    st0: fromExtended(state.readPhysical(top)),
    st1: fromExtended(state.readPhysical((top + 1) & 7)),
    memory: bytes === 0 ? "-" : text,
    eflags: call.eflags & EFLAGS_COMPARED,
  };
}
