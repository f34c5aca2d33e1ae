/**
 * The memory that FXSAVE, XSAVE and their counterparts work on: where it lies, and copying ranges of it from and to the
 * staging image. Every range is translated before a byte is written, so that a fault changes nothing. Knows no
 * instruction.
 *
 * Specification: Intel SDM vol. 1 §10.5.1, §13.4; vol. 3A §4.5 (canonical addresses).
 */
import { VECTOR_GP, VECTOR_SS } from "../../../spec/x86-privileged.js";
import type { CpuContext } from "../cpu-context.js";
import * as L from "../layout.js";
import { dataAccessMode } from "../mode.js";
import { isAligned, isCanonical, probe, READ, readBytes, WRITE, writeBytes } from "./access.js";
import { noteDataAccess } from "./breakpoints.js";
import { staging } from "./extended-state.js";
import { generalProtection, throwRecorded } from "./faults.js";
import { addressesStack, effectiveAddress } from "./operands.js";

/** Bytes of an area, as pairs of start and end from its beginning, ascending. */
export class Ranges {
  readonly bounds: number[] = [];

  /** Adds `[start, end)`; one that begins where the last ended makes it longer. */
  add(start: number, end: number): this {
    const { bounds } = this;
    if (bounds.at(-1) === start) bounds[bounds.length - 1] = end;
    else bounds.push(start, end);
    return this;
  }
}

/** An area in memory: its linear address, and the vector of a non-canonical one. */
export interface StateArea {
  readonly linear: number;
  readonly vector: number;
  readonly mode: number;
}

/** The area of `size` bytes that `record` names, aligned or #GP(0); #AC(0) where alignment is checked, as on real CPUs. */
export function stateArea(
  cpu: CpuContext,
  record: number,
  size: number,
  alignment: number,
  write: boolean,
): StateArea {
  const mode = dataAccessMode(cpu, cpu.cpl);
  const checked = cpu.alignmentChecks && mode === L.ACCESS_USER;
  const linear = effectiveAddress(cpu, record, size, write, 0, L.ZERO_SLOT, checked ? 1 : alignment);
  if (isCanonical(linear, size) && !isAligned(cpu, linear, mode, alignment)) throwRecorded(cpu);
  if ((linear & (alignment - 1)) !== 0) generalProtection();
  const vector = addressesStack(cpu, record) ? VECTOR_SS : VECTOR_GP;
  return { linear, vector, mode };
}

function probeRanges(cpu: CpuContext, area: StateArea, { bounds }: Ranges, access: number): void {
  for (let i = 0; i < bounds.length; i += 2) {
    const linear = area.linear + bounds[i];
    const length = bounds[i + 1] - bounds[i];
    probe(cpu, linear, length, access, area.mode, area.vector);
    if (cpu.breakpoints.data.length > 0) noteDataAccess(cpu, linear, length, access !== READ);
  }
}

/** Copies ranges of the staging image to the area, all of them or, when one faults, none. */
export function saveRanges(cpu: CpuContext, area: StateArea, ranges: Ranges): void {
  probeRanges(cpu, area, ranges, WRITE);
  const { bounds } = ranges;
  for (let i = 0; i < bounds.length; i += 2) {
    writeBytes(cpu, area.linear + bounds[i], staging.subarray(bounds[i], bounds[i + 1]), area.mode);
  }
}

/** Copies ranges of the area to the staging image; `access` is WRITE where they are going to be written. */
export function loadRanges(cpu: CpuContext, area: StateArea, ranges: Ranges, access = READ): void {
  probeRanges(cpu, area, ranges, access);
  const { bounds } = ranges;
  for (let i = 0; i < bounds.length; i += 2) {
    readBytes(cpu, area.linear + bounds[i], staging.subarray(bounds[i], bounds[i + 1]), area.mode);
  }
}
