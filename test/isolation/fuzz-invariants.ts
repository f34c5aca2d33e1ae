/**
 * What must hold of a CPU's state at every exit, whatever the guest did: registers that exist only within bounds
 * are within them, modes do not contradict each other.
 *
 * Specification: Intel SDM vol. 1 §3.4.3 (RFLAGS), vol. 3A §2.5 (control registers), §3.3.7.1 (canonical
 * addresses), §4.1.1 (paging modes); vol. 3C §26.3.1 (checks on guest state).
 */
import * as X from "../../src/spec/x86-privileged.js";
import { SEGMENT_NAMES, type CpuState } from "../../src/x86/cpu-state.js";

const FLAGS_EXISTING = BigInt((X.FLAGS_STATUS | X.FLAGS_SYSTEM | X.FLAG_ALWAYS) >>> 0);
const TWO_32 = 1n << 32n;
const UPPER = ~0xffffffffn;

const bit = (value: bigint, mask: number): boolean => (value & BigInt(mask >>> 0)) !== 0n;

/** Bits 63:47 alike. */
export function isCanonicalBig(address: bigint): boolean {
  return BigInt.asUintN(64, BigInt.asIntN(48, address)) === address;
}

function* controlFaults({ cr0, cr3, cr4, efer }: CpuState): Generator<string> {
  if (cr0 & ~BigInt(X.CR0_DEFINED >>> 0)) yield `CR0 has reserved bits: 0x${cr0.toString(16)}`;
  if (bit(cr0, X.CR0_PG) && !bit(cr0, X.CR0_PE)) yield "paging without protection";
  if (bit(cr0, X.CR0_NW) && !bit(cr0, X.CR0_CD)) yield "CR0.NW without CD";
  if (cr4 & UPPER) yield `CR4 has reserved bits: 0x${cr4.toString(16)}`;
  if (cr3 >> 52n) yield `CR3 is no physical address: 0x${cr3.toString(16)}`;
  const active = bit(efer, X.EFER_LMA);
  if (active !== (bit(efer, X.EFER_LME) && bit(cr0, X.CR0_PG))) yield "EFER.LMA contradicts LME and CR0.PG";
  if (active && !bit(cr4, X.CR4_PAE)) yield "IA-32e mode without PAE";
  if (!active && bit(cr4, X.CR4_PCIDE)) yield "PCIDs outside IA-32e mode";
}

function* segmentFaults(state: CpuState): Generator<string> {
  for (const name of [...SEGMENT_NAMES, "ldtr", "tr"] as const) {
    const { selector, base, limit, access } = state[name];
    if (!(selector >= 0 && selector <= 0xffff)) yield `${name}: selector ${selector}`;
    if (!(limit >= 0 && limit <= 0xffffffff)) yield `${name}: limit ${limit}`;
    if (!isCanonicalBig(base)) yield `${name}: base 0x${base.toString(16)}`;
    if (["es", "cs", "ss", "ds"].includes(name) && base >= TWO_32)
      yield `${name}: base 0x${base.toString(16)}`;
    if (access < 0 || access > 0x1ffff) yield `${name}: access rights 0x${access.toString(16)}`;
  }
  if (state.cs.access & X.ACCESS_UNUSABLE) yield "CS is unusable";
  const protectedMode = bit(state.cr0, X.CR0_PE);
  const long = bit(state.efer, X.EFER_LMA);
  if (long && state.cs.access & X.ACCESS_L && state.cs.access & X.ACCESS_DB) yield "CS with both L and D";
  if (protectedMode && !(state.rflags & BigInt(X.FLAG_VM)) && !(state.cs.access & X.ACCESS_P))
    yield "CS is not present";
}

/** SDM vol. 3B §21.2.1: segments as in real mode. */
function* virtualFaults(state: CpuState): Generator<string> {
  if (!bit(state.rflags, X.FLAG_VM)) return;
  if (!bit(state.cr0, X.CR0_PE) || bit(state.efer, X.EFER_LMA)) yield "RFLAGS.VM outside protected mode";
  for (const name of SEGMENT_NAMES) {
    const { selector, base, limit } = state[name];
    if (base !== BigInt(selector << 4) || limit !== 0xffff) yield `${name} in virtual-8086 mode`;
  }
}

function* pointerFaults(state: CpuState): Generator<string> {
  const code64 = bit(state.efer, X.EFER_LMA) && (state.cs.access & X.ACCESS_L) !== 0;
  if (code64 ? !isCanonicalBig(state.rip) : state.rip >= TWO_32) yield `RIP 0x${state.rip.toString(16)}`;
  for (const [name, table] of [
    ["GDTR", state.gdtr],
    ["IDTR", state.idtr],
  ] as const) {
    if (!isCanonicalBig(table.base)) yield `${name} base 0x${table.base.toString(16)}`;
    if (!(table.limit >= 0 && table.limit <= 0xffff)) yield `${name} limit ${table.limit}`;
  }
}

function* flagFaults({ rflags, dr }: CpuState): Generator<string> {
  if (rflags & ~FLAGS_EXISTING) yield `RFLAGS has reserved bits: 0x${rflags.toString(16)}`;
  if (!bit(rflags, X.FLAG_ALWAYS)) yield "RFLAGS bit 1 is clear";
  if (dr[6] >> 32n || (dr[6] & BigInt(X.DR6_ONES)) !== BigInt(X.DR6_ONES))
    yield `DR6 0x${dr[6].toString(16)}`;
  if (dr[7] >> 32n || dr[7] & BigInt(X.DR7_ZEROS) || !bit(dr[7], X.DR7_ONES))
    yield `DR7 0x${dr[7].toString(16)}`;
}

/** Everything about a state that cannot be, in words. */
export function stateFaults(state: CpuState): string[] {
  return [
    ...controlFaults(state),
    ...segmentFaults(state),
    ...virtualFaults(state),
    ...pointerFaults(state),
    ...flagFaults(state),
  ];
}
