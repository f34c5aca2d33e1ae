/**
 * Reads the vectors that tools/oracle/record-sse.c recorded on real hardware and replays them on our SSE floating
 * point.
 */
import { SSE_FAULTED, executeSseFloat, sseFloatOperation } from "../../src/engine/x86/sse-float.js";

export interface SseCase {
  line: string;
  name: string;
  /** Operands, 32 hexadecimal digits each. */
  a: string;
  b: string;
  imm: number;
  mxcsr: number;
  after: SseObservation;
}

export interface SseObservation {
  /** Hexadecimal, "-" when there is none, "fault". */
  result: string;
  mxcsr: number;
  eflags: number;
}

const DESTINATION = 0;
const SOURCE = 16;
const MXCSR = 32;
const view = new DataView(new ArrayBuffer(36));

/** Parses one line of a vector file. */
export function parseSseCase(line: string): SseCase {
  const [name, a, b, imm, mxcsr, , result, mxcsrAfter, eflags] = line.split(" ");
  const hex = (text: string): number => parseInt(text, 16);
  const after = { result, mxcsr: hex(mxcsrAfter), eflags: hex(eflags) };
  return { line, name, a, b, imm: hex(imm), mxcsr: hex(mxcsr), after };
}

function put(offset: number, text: string): void {
  view.setBigUint64(offset + 8, BigInt("0x" + text.slice(0, 16)), true);
  view.setBigUint64(offset, BigInt("0x" + text.slice(16)), true);
}

function get(offset: number): string {
  return view.getBigUint64(offset, true).toString(16).padStart(16, "0");
}

/** Executes a case; `wide` as the recorded result was. */
export function replaySseCase({ name, a, b, imm, mxcsr, after }: SseCase): SseObservation {
  put(DESTINATION, a);
  put(SOURCE, b);
  view.setUint32(MXCSR, mxcsr, true);
  const code = executeSseFloat(sseFloatOperation(name), view, DESTINATION, SOURCE, imm, MXCSR);
  let result = get(DESTINATION);
  if (code === SSE_FAULTED) result = get(DESTINATION + 8) + result === a ? "fault" : "fault that wrote";
  else if (after.result === "-") result = "-";
  else if (after.result.length !== 16) result = get(DESTINATION + 8) + result;
  return { result, mxcsr: view.getUint32(MXCSR, true), eflags: code === SSE_FAULTED ? 0 : code };
}
