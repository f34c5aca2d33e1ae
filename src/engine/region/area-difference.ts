/**
 * What differs between two CPU areas, in the words of the architecture. Knows the layout of the area and no
 * instruction.
 */
import { GPR_NAMES, SEGMENT_NAMES } from "../../x86/cpu-state.js";
import { DEBUG_REGISTERS, XMM_BYTES, XMM_REGISTERS } from "../../spec/x86-encoding.js";
import * as layout from "../x86/layout.js";
import { FPU_STATE_BYTES } from "../x86/x87/state.js";

/** One register or byte with two values, as text. */
export interface Difference {
  readonly what: string;
  readonly interpreted: string;
  readonly compiled: string;
}

interface Field {
  readonly name: string;
  readonly offset: number;
  readonly bytes: number;
}

const SEGMENTS = [...SEGMENT_NAMES, "ldtr", "tr"];

function row(names: readonly string[], offset: number, bytes: number, stride = bytes): Field[] {
  return names.map((name, i) => ({ name, offset: offset + i * stride, bytes }));
}

function numbered(name: string, count: number): string[] {
  return Array.from({ length: count }, (_, i) => `${name}${i}`);
}

function suffixed(names: readonly string[], suffix: string): string[] {
  return names.map((name) => `${name} ${suffix}`);
}

/** What the manual names. */
const FIELDS: readonly Field[] = [
  ...row(GPR_NAMES, layout.GPR, 8),
  ...row(numbered("xmm", XMM_REGISTERS), layout.XMM, XMM_BYTES, layout.XMM_STRIDE),
  ...row(["x87 state"], layout.FPU, FPU_STATE_BYTES),
  ...row(["mxcsr"], layout.MXCSR, 4),
  ...row(["system flags", "cpl"], layout.FLAG_SYSTEM, 4),
  ...row(suffixed(SEGMENT_NAMES, "base"), layout.SEGMENT_BASE, 8),
  ...row(suffixed(SEGMENTS, "limit"), layout.SEGMENT_LIMIT, 4),
  ...row(suffixed(SEGMENTS, "access"), layout.SEGMENT_ACCESS, 4),
  ...row(suffixed(SEGMENTS, "selector"), layout.SEGMENT_SELECTOR, 4),
  ...row(["cr0", "cr2", "cr3", "cr4", "efer"], layout.CR0, 8),
  ...row(numbered("dr", DEBUG_REGISTERS), layout.DR, 8),
  ...row(["kernel gs base"], layout.MSR_KERNEL_GS_BASE, 8),
  ...row(["mode"], layout.MODE_KEY, 4),
  ...row(["activity"], layout.ACTIVITY, 4),
];

/** What may differ: bookkeeping of the run, forms of what is compared elsewhere (RIP, flags), leavings of calls. */
const IGNORED: readonly Field[] = [
  ...row(["page rip", "rip", "flag result", "flag carry"], layout.PAGE_RIP, 8),
  ...row(["left"], layout.LEFT, 4),
  ...row(["interrupt shadow"], layout.INTERRUPT_SHADOW, 4),
  ...row(["mail address"], layout.MAIL_ADDRESS, 8),
  ...row(["mail value"], layout.MAIL_VALUE, 8),
  ...row(["address fault", "epoch"], layout.ADDRESS_FAULT, 4),
  ...row(["tail"], layout.REGION_TAIL, 4),
  ...row(["journal"], layout.REGION_JOURNAL, 4),
];
/** Behind it are landing places of accesses. */
const STATE_BYTES = layout.SCRATCH;

/** Words of the area that no field and nothing ignored covers: they must be equal too. */
const UNNAMED: readonly Field[] = (() => {
  const covered = new Uint8Array(STATE_BYTES);
  for (const { offset, bytes } of [...FIELDS, ...IGNORED]) covered.fill(1, offset, offset + bytes);
  const words = Array.from({ length: STATE_BYTES / 4 }, (_, i) => i * 4);
  return words
    .filter((offset) => covered[offset] === 0)
    .map((offset) => ({ name: `CPU area +0x${offset.toString(16)}`, offset, bytes: 4 }));
})();

const ALL = [...FIELDS, ...UNNAMED];

function hex(bytes: Uint8Array): string {
  const digits = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0"));
  return `0x${digits.reverse().join("")}`;
}

/** Whether two stretches of bytes are equal. */
export function equalBytes(left: Uint8Array, right: Uint8Array): boolean {
  for (let i = 0; i < left.length; i++) if (left[i] !== right[i]) return false;
  return true;
}

function equalAt(left: Uint8Array, right: Uint8Array, offset: number, bytes: number): boolean {
  for (let i = offset; i < offset + bytes; i++) if (left[i] !== right[i]) return false;
  return true;
}

/** Differences of the registers in two copies of a CPU area. The lazy flags and RIP are compared elsewhere. */
export function areaDifferences(interpreted: Uint8Array, compiled: Uint8Array): Difference[] {
  const found: Difference[] = [];
  for (const { name, offset, bytes } of ALL) {
    if (equalAt(interpreted, compiled, offset, bytes)) continue;
    const [left, right] = [interpreted, compiled].map((area) => hex(area.subarray(offset, offset + bytes)));
    found.push({ what: name, interpreted: left, compiled: right });
  }
  return found;
}
