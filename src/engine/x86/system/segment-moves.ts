/**
 * MOV, PUSH and POP of segment registers, LES and its relatives, and the instructions on the bases of FS and GS.
 *
 * Specification: Intel SDM vol. 2, MOV, PUSH, POP, LDS/LES/LFS/LGS/LSS, RDFSBASE, WRFSBASE; vol. 3A §6.8.3 (the
 * instruction after a load of SS).
 */
import { CR4_FSGSBASE } from "../../../spec/x86-privileged.js";
import type { CpuContext } from "../cpu-context.js";
import * as L from "../layout.js";
import { isCanonical } from "./access.js";
import { generalProtection, undefinedOpcode } from "./faults.js";
import { INFO_SIZE } from "../call-info.js";
import { readOperandMemory, readRm16 } from "./operands.js";
import { CONTINUE, continueUnlessModeChanged, type Helper, resolveNext } from "./outcome.js";
import { loadSegment } from "./segments.js";
import { currentStack, peek, pushValues, release, storePointer } from "./stack.js";
import { storeSelector } from "./table-registers.js";

/** What a load of a segment register must remember from before it: a device behind its operand can end the slice. */
interface LoadStart {
  key: number;
  left: number;
}

function beginLoad(cpu: CpuContext): LoadStart {
  return { key: cpu.get32(L.MODE_KEY), left: cpu.get32(L.LEFT) };
}

/**
 * Ends an instruction that loaded `segment`; after SS interrupts and debug traps wait for one more instruction. Of several
 * such in a row only the first puts them off, as in QEMU and Bochs, so that they cannot wait for long.
 */
function endLoad(cpu: CpuContext, record: number, segment: number, start: LoadStart): number {
  if (segment !== L.SS) return continueUnlessModeChanged(cpu, record, start.key);
  const shadow = start.left + 1;
  if (cpu.debugShadow !== shadow + 1) {
    cpu.set32(L.INTERRUPT_SHADOW, shadow);
    cpu.debugShadow = shadow;
  }
  return resolveNext(cpu, record);
}

/** The segment number in ModRM.reg; #UD for 6 and 7, which name none. */
function segmentNumber(cpu: CpuContext, record: number): number {
  const segment = cpu.regField(record) & 7;
  if (segment > L.GS) undefinedOpcode();
  return segment;
}

function movFromSegment(cpu: CpuContext, record: number, info: number): number {
  return storeSelector(cpu, record, info, cpu.selector(segmentNumber(cpu, record)));
}

function movToSegment(cpu: CpuContext, record: number, info: number): number {
  const segment = segmentNumber(cpu, record);
  if (segment === L.CS) undefinedOpcode();
  const start = beginLoad(cpu);
  loadSegment(cpu, segment, readRm16(cpu, record, info));
  return endLoad(cpu, record, segment, start);
}

/**
 * 4 bytes make room for a selector of which two are written, and asked for: what recent Core and Atom CPUs do (vol. 2, PUSH).
 * 8 bytes are extended by zeros on all.
 */
function pushSegment(cpu: CpuContext, record: number, info: number): number {
  const stack = currentStack(cpu);
  const size = info & INFO_SIZE;
  const written = size === 4 ? 2 : size;
  release(stack, written - size);
  pushValues(cpu, stack, written, [cpu.selector(segmentNumber(cpu, record))]);
  storePointer(cpu, stack);
  return CONTINUE;
}

function popSegment(cpu: CpuContext, record: number, info: number): number {
  const segment = segmentNumber(cpu, record);
  const size = info & INFO_SIZE;
  const start = beginLoad(cpu);
  const stack = currentStack(cpu);
  const selector = peek(cpu, stack, size, 0) & 0xffff;
  loadSegment(cpu, segment, selector);
  release(stack, size);
  storePointer(cpu, stack);
  return endLoad(cpu, record, segment, start);
}

/** LES, LDS, LFS, LGS, LSS: a far pointer from memory into a segment and a general register. */
function loadFarPointer(segment: number): Helper {
  return (cpu, record, info) => {
    const size = info & INFO_SIZE;
    const low = readOperandMemory(cpu, record, size);
    const { high } = cpu;
    const selector = readOperandMemory(cpu, record, 2, size);
    loadSegment(cpu, segment, selector);
    cpu.writeSlot(L.GPR + cpu.regField(record) * 8, size, low, high);
    return resolveNext(cpu, record);
  };
}

function requireFsGsBase(cpu: CpuContext): void {
  if (!cpu.code64 || !(cpu.get32(L.CR4) & CR4_FSGSBASE)) undefinedOpcode();
}

function readBase(segment: number): Helper {
  const offset = L.SEGMENT_BASE + segment * 8;
  return (cpu, record, info) => {
    requireFsGsBase(cpu);
    cpu.writeSlot(cpu.rmOffset(record), info & INFO_SIZE, cpu.low(offset), cpu.upper(offset));
    return CONTINUE;
  };
}

function writeBase(segment: number): Helper {
  const offset = L.SEGMENT_BASE + segment * 8;
  return (cpu, record, info) => {
    requireFsGsBase(cpu);
    const source = cpu.rmOffset(record);
    const wide = (info & INFO_SIZE) === 8;
    if (wide && !isCanonical(cpu.getAddress(source))) generalProtection();
    cpu.setPair(offset, cpu.low(source), wide ? cpu.upper(source) : 0);
    return CONTINUE;
  };
}

export const SEGMENT_MOVES: Record<string, Helper> = {
  mov_from_seg: movFromSegment,
  mov_to_seg: movToSegment,
  push_seg: pushSegment,
  pop_seg: popSegment,
  les: loadFarPointer(L.ES),
  lds: loadFarPointer(L.DS),
  lss: loadFarPointer(L.SS),
  lfs: loadFarPointer(L.FS),
  lgs: loadFarPointer(L.GS),
  rdfsbase: readBase(L.FS),
  rdgsbase: readBase(L.GS),
  wrfsbase: writeBase(L.FS),
  wrgsbase: writeBase(L.GS),
};
