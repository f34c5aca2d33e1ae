/**
 * Effective addresses of memory operands as record.ts describes them, with the limit and rights checks that
 * segments need outside 64-bit mode, and the operand reads and writes of helpers. Knows no instruction.
 *
 * Specification: Intel SDM vol. 1 §3.7.5, vol. 3A §5.3 (limits), §5.2 (types).
 */
import { TWO_32 } from "../../../bytes/words.js";
import {
  ACCESS_CODE,
  ACCESS_DB,
  ACCESS_DOWN_OR_CONFORMING,
  ACCESS_P,
  ACCESS_UNUSABLE,
  ACCESS_WRITE_OR_READ,
  VECTOR_GP,
  VECTOR_SS,
} from "../../../spec/x86-privileged.js";
import {
  INFO_ACCESS,
  INFO_ACCESS_SHIFT,
  INFO_MASKED_STORE,
  INFO_MEMORY,
  INFO_SIZE,
  INFO_STRING_DESTINATION,
} from "../call-info.js";
import type { CpuContext } from "../cpu-context.js";
import * as L from "../layout.js";
import { dataAccessMode } from "../mode.js";
import * as R from "../record.js";
import { commitPending, explicitHost, READ, readHost, WRITE, writeHost } from "./access.js";
import { generalProtection, GuestFault } from "./faults.js";

const GPR_RSP = L.GPR + 4 * 8;
const GPR_RBP = L.GPR + 5 * 8;
const GPR_RSI = L.GPR + 6 * 8;
const GPR_RDI = L.GPR + 7 * 8;
const MOST_ELEMENTS = 0x7fffffff;
const EXACT = 2 ** 52;

/** Throws when `[offset, +size)` violates the segment's limit, type or presence. */
export function checkSegment(
  cpu: CpuContext,
  segment: number,
  offset: number,
  size: number,
  write: boolean,
): void {
  const vector = segment === L.SS ? VECTOR_SS : VECTOR_GP;
  const access = cpu.access(segment);
  if (access & ACCESS_UNUSABLE || !(access & ACCESS_P)) throw new GuestFault(vector);
  const code = (access & ACCESS_CODE) !== 0;
  const permitted = (access & ACCESS_WRITE_OR_READ) !== 0;
  // In real mode CS can be written: what it was loaded with there has no type.
  const writable = permitted && (!code || !cpu.protectedMode);
  if (write ? !writable : code && !permitted) throw new GuestFault(vector);
  const limit = cpu.limit(segment);
  const last = offset + size - 1;
  if (!code && access & ACCESS_DOWN_OR_CONFORMING) {
    const top = access & ACCESS_DB ? TWO_32 - 1 : 0xffff;
    if (offset <= limit || last > top) throw new GuestFault(vector);
  } else if (last > limit) throw new GuestFault(vector);
}

/** Last offset that the segment allows, for one that `checkSegment` accepts. */
function lastOffset(cpu: CpuContext, segment: number): number {
  const access = cpu.access(segment);
  if (access & ACCESS_CODE || !(access & ACCESS_DOWN_OR_CONFORMING)) return cpu.limit(segment);
  return access & ACCESS_DB ? TWO_32 - 1 : 0xffff;
}

/**
 * Checks the first element of a string operand outside 64-bit mode; throws #GP(0) or #SS(0). Returns how many, upwards
 * from there, keep to the segment and do not wrap: at least 1.
 */
export function stringRoom(cpu: CpuContext, record: number, info: number): number {
  const destination = (info & INFO_STRING_DESTINATION) !== 0;
  const segment = destination ? L.ES : cpu.u8[record + R.REC_SEGMENT] >>> 3;
  const addressSize = cpu.u8[record + R.REC_MISC] & 0xf;
  const size = info & INFO_SIZE;
  const index = destination || info & INFO_MASKED_STORE ? GPR_RDI : GPR_RSI;
  const offset = wrapOffset(cpu.low(index), addressSize);
  const write = ((info >>> INFO_ACCESS_SHIFT) & INFO_ACCESS) !== READ;
  checkSegment(cpu, segment, offset, size, write);
  const last = Math.min(lastOffset(cpu, segment), addressSize === 2 ? 0xffff : TWO_32 - 1);
  return Math.max(1, Math.min(MOST_ELEMENTS, Math.floor((last + 1 - offset) / size)));
}

/**
 * Base, scaled index, displacement, `extra` and what the slot `addend` holds, cut to the address size, on top of
 * `start`: signed, exact when it is canonical. Registers may hold anything above the address size.
 */
function sumOf(
  cpu: CpuContext,
  record: number,
  addressSize: number,
  extra: number,
  start: number,
  addend: number,
): number {
  const baseOffset = cpu.u16[(record + R.REC_B) >>> 1];
  const indexOffset = cpu.u16[(record + R.REC_X) >>> 1];
  const scale = cpu.u8[record + R.REC_SCALE];
  const carry = cpu.u8[record + R.REC_MISC] & R.MISC_DISPLACEMENT_CARRY ? TWO_32 : 0;
  const rest = cpu.i32[(record + R.REC_DISPLACEMENT) >>> 2] + carry + extra;
  if (addressSize !== 8)
    return (
      start +
      wrapOffset(
        cpu.low(baseOffset) + cpu.low(indexOffset) * 2 ** scale + cpu.low(addend) + rest,
        addressSize,
      )
    );
  const base = cpu.getAddress(baseOffset);
  const index = cpu.getAddress(indexOffset) * 2 ** scale;
  const moved = cpu.getAddress(addend);
  if (Math.abs(base) < EXACT && Math.abs(index) < EXACT && Math.abs(moved) < EXACT)
    return start + base + index + moved + rest;
  const index64 = cpu.getBig(indexOffset) << BigInt(scale);
  const exact = cpu.getBig(baseOffset) + index64 + cpu.getBig(addend) + BigInt(start + rest);
  return Number(BigInt.asIntN(64, exact));
}

/** Cuts an offset to the address size: 2, 4 or 8 bytes. */
function wrapOffset(offset: number, addressSize: number): number {
  if (addressSize === 8) return offset;
  return addressSize === 4 ? offset >>> 0 : offset & 0xffff;
}

/**
 * Linear address of the memory operand of `record`, not yet checked for being canonical. Throws #GP(0) or #SS(0)
 * when the operand needs a segment check and fails it. `extra` and the signed 64 bits of the slot `addend` are added
 * before wrapping. An address that misses `alignment`, a power of two, raises #GP(0) before the segment is checked.
 */
export function effectiveAddress(
  cpu: CpuContext,
  record: number,
  size: number,
  write: boolean,
  extra = 0,
  addend = L.ZERO_SLOT,
  alignment = 1,
): number {
  const segment = cpu.u8[record + R.REC_SEGMENT] >>> 3;
  const kind = cpu.u8[record + R.REC_EA];
  const addressSize = cpu.u8[record + R.REC_MISC] & 0xf;
  if (cpu.code64) {
    const based = kind !== R.EA_SIMPLE && (segment === L.FS || segment === L.GS);
    return sumOf(cpu, record, addressSize, extra, based ? cpu.segmentBase(segment) : 0, addend);
  }
  const offset = sumOf(cpu, record, addressSize, extra, 0, addend);
  const plain = kind === R.EA_SIMPLE || segment === L.SEGMENT_NONE;
  const linear = (plain ? offset : cpu.segmentBase(segment) + offset) >>> 0;
  if (kind === R.EA_CHECKED) {
    if ((linear & (alignment - 1)) !== 0) generalProtection();
    checkSegment(cpu, segment, offset, size, write);
  }
  return linear;
}

/**
 * Linear address of an operand that the instruction does not name (XLAT, MONITOR): `offset` in DS or the segment that
 * overrides it, cut to the address size. Checks the segment, not yet whether it is canonical.
 */
export function implicitAddress(cpu: CpuContext, record: number, offset: number, size: number): number {
  const segment = cpu.u8[record + R.REC_SEGMENT] >>> 3;
  const cut = wrapOffset(offset, cpu.u8[record + R.REC_MISC] & 0xf);
  if (!cpu.code64) checkSegment(cpu, segment, cut, size, false);
  const linear = segment === L.SEGMENT_NONE ? cut : cpu.segmentBase(segment) + cut;
  return cpu.code64 ? linear : linear >>> 0;
}

/** Whether the operand of `record` counts as a stack access when its address is not canonical. */
export function addressesStack(cpu: CpuContext, record: number): boolean {
  const segment = cpu.u8[record + R.REC_SEGMENT] >>> 3;
  if (segment === L.SS) return true;
  if (segment === L.FS || segment === L.GS) return false;
  const base = cpu.u16[(record + R.REC_B) >>> 1];
  return base === GPR_RSP || base === GPR_RBP;
}

function operandHost(cpu: CpuContext, record: number, size: number, access: number, extra: number): number {
  const linear = effectiveAddress(cpu, record, size, access !== READ, extra);
  const vector = addressesStack(cpu, record) ? VECTOR_SS : VECTOR_GP;
  const mode = dataAccessMode(cpu, cpu.cpl);
  return explicitHost(cpu, linear, size, access, mode, vector);
}

/** Reads `size` (1, 2, 4, 8) bytes of the memory operand plus `extra`; of 8 bytes the upper half is in `cpu.high`. */
export function readOperandMemory(cpu: CpuContext, record: number, size: number, extra = 0): number {
  return readHost(cpu, operandHost(cpu, record, size, READ, extra), size);
}

/** Writes the memory operand of a record. Throws the guest's fault before anything is written. */
export function writeOperandMemory(
  cpu: CpuContext,
  record: number,
  size: number,
  low: number,
  high = 0,
  extra = 0,
): void {
  writeHost(cpu, operandHost(cpu, record, size, WRITE, extra), size, low, high);
  commitPending(cpu);
}

/** Throws unless `[operand + extra, +size)` can be written. */
export function probeOperandWrite(cpu: CpuContext, record: number, size: number, extra = 0): void {
  operandHost(cpu, record, size, WRITE, extra);
  cpu.pendingFirstLength = 0;
}

/** Reads the 16-bit ModRM.rm operand, register or memory. */
export function readRm16(cpu: CpuContext, record: number, info: number): number {
  if (info & INFO_MEMORY) return readOperandMemory(cpu, record, 2);
  return cpu.get32(cpu.rmOffset(record)) & 0xffff;
}
