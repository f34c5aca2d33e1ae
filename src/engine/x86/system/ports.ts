/**
 * Port input and output: IN, OUT, INS, OUTS with their repeat forms, under IOPL and the TSS's permission map. A
 * repeated instruction counts every iteration and stops, restartable, when the run's budget is used up.
 *
 * Specification: Intel SDM vol. 2, IN, OUT, INS, OUTS, REP; vol. 1 §19.5 (protection).
 */
import { FLAG_DF, FLAG_IOPL, FLAG_IOPL_SHIFT, FLAG_VM, VECTOR_GP } from "../../../spec/x86-privileged.js";
import type { AccessSize } from "../../contract.js";
import type { CpuContext } from "../cpu-context.js";
import * as L from "../layout.js";
import { RAX, RCX, RDX, RSI, RDI } from "../layout.js";
import { dataAccessMode } from "../mode.js";
import * as R from "../record.js";
import { commitPending, explicitHost, READ, readHost, WRITE, writeHost } from "./access.js";
import { notePortAccess } from "./breakpoints.js";
import { generalProtection } from "./faults.js";
import { INFO_SIZE } from "../call-info.js";
import { checkSegment } from "./operands.js";
import { CONTINUE, type Helper, RESOLVE } from "./outcome.js";
import { portsAllowed } from "./task-state.js";

/** #GP(0) unless the current code may use `size` ports from `port` on. */
function requirePorts(cpu: CpuContext, port: number, size: number): void {
  if (!cpu.protectedMode) return;
  const flags = cpu.get32(L.FLAG_SYSTEM);
  const iopl = (flags & FLAG_IOPL) >>> FLAG_IOPL_SHIFT;
  if (cpu.cpl <= iopl && !(flags & FLAG_VM)) return;
  if (!portsAllowed(cpu, port, size)) generalProtection();
}

function portIn(cpu: CpuContext, port: number, info: number): number {
  const size = (info & INFO_SIZE) as AccessSize;
  requirePorts(cpu, port, size);
  cpu.writeSlot(RAX, size, cpu.services.host.readPort(cpu.id, port, size));
  notePortAccess(cpu, port, size);
  return CONTINUE;
}

function portOut(cpu: CpuContext, port: number, info: number): number {
  const size = (info & INFO_SIZE) as AccessSize;
  requirePorts(cpu, port, size);
  cpu.services.host.writePort(cpu.id, port, size, cpu.readSlot(RAX, size));
  notePortAccess(cpu, port, size);
  return CONTINUE;
}

function immediatePort(cpu: CpuContext, record: number): number {
  return cpu.immediate(record) & 0xff;
}

function dxPort(cpu: CpuContext): number {
  return cpu.get32(RDX) & 0xffff;
}

/** Value of a count or index register at an address size, as an address. */
function indexValue(cpu: CpuContext, offset: number, addressSize: number): number {
  return addressSize === 8 ? cpu.getAddress(offset) : cpu.readSlot(offset, addressSize);
}

function setIndex(cpu: CpuContext, offset: number, addressSize: number, value: number): void {
  if (addressSize === 8) cpu.setAddress(offset, value);
  else cpu.writeSlot(offset, addressSize, value);
}

/** Host address of the string element at `segment`:index. */
function elementHost(cpu: CpuContext, segment: number, index: number, size: number, access: number): number {
  let linear = index;
  if (cpu.code64) {
    if (segment === L.FS || segment === L.GS) linear += cpu.segmentBase(segment);
  } else {
    checkSegment(cpu, segment, index, size, access !== READ);
    linear = (cpu.segmentBase(segment) + index) >>> 0;
  }
  return explicitHost(cpu, linear, size, access, dataAccessMode(cpu, cpu.cpl), VECTOR_GP);
}

function inputElement(cpu: CpuContext, port: number, index: number, size: AccessSize): void {
  const host = elementHost(cpu, L.ES, index, size, WRITE);
  writeHost(cpu, host, size, cpu.services.host.readPort(cpu.id, port, size));
  commitPending(cpu);
}

function outputElement(
  cpu: CpuContext,
  port: number,
  index: number,
  size: AccessSize,
  segment: number,
): void {
  const host = elementHost(cpu, segment, index, size, READ);
  cpu.services.host.writePort(cpu.id, port, size, readHost(cpu, host, size));
}

/** Takes one more iteration from the budget; false when there is none. */
function takeIteration(cpu: CpuContext): boolean {
  const word = (cpu.base + L.LEFT) >>> 2;
  if (cpu.i32[word] <= 0) return false;
  cpu.i32[word]--;
  return true;
}

function portString(input: boolean): Helper {
  return (cpu, record, info) => {
    const size = (info & INFO_SIZE) as AccessSize;
    const addressSize = cpu.u8[record + R.REC_MISC] & 0xf;
    const segment = cpu.u8[record + R.REC_SEGMENT] >>> 3;
    const repeats = cpu.u8[record + R.REC_REP] !== 0;
    const indexRegister = input ? RDI : RSI;
    const step = cpu.get32(L.FLAG_SYSTEM) & FLAG_DF ? -size : size;
    const port = dxPort(cpu);
    const operation = (record + R.REC_OP) >>> 1;
    const started = cpu.u16[operation];
    requirePorts(cpu, port, size);
    let count = repeats ? indexValue(cpu, RCX, addressSize) : 1;
    if (count === 0) return CONTINUE;
    for (;;) {
      const index = indexValue(cpu, indexRegister, addressSize);
      if (input) inputElement(cpu, port, index, size);
      else outputElement(cpu, port, index, size, segment);
      setIndex(cpu, indexRegister, addressSize, index + step);
      notePortAccess(cpu, port, size);
      if (!repeats) return CONTINUE;
      count--;
      setIndex(cpu, RCX, addressSize, count);
      if (count === 0) return CONTINUE;
      // An element, or a device, may have overwritten this very instruction.
      if (cpu.u16[operation] !== started || !takeIteration(cpu)) {
        cpu.setAddress(L.RIP, cpu.instructionRip(record));
        return RESOLVE;
      }
    }
  };
}

export const PORTS: Record<string, Helper> = {
  in_imm: (cpu, record, info) => portIn(cpu, immediatePort(cpu, record), info),
  in_dx: (cpu, _record, info) => portIn(cpu, dxPort(cpu), info),
  out_imm: (cpu, record, info) => portOut(cpu, immediatePort(cpu, record), info),
  out_dx: (cpu, _record, info) => portOut(cpu, dxPort(cpu), info),
  ins: portString(true),
  outs: portString(false),
};
