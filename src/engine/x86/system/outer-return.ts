/**
 * The stack half of a far return or IRET to an outer privilege level: checking the SS it names, switching to it, and
 * dropping data segments that the outer level may not use.
 *
 * Specification: Intel SDM vol. 2A, RET and IRET; vol. 3A §5.8.6.
 */
import { RSP } from "../layout.js";
import { ACCESS_DB, ACCESS_L, SELECTOR_RPL } from "../../../spec/x86-privileged.js";
import type { CpuContext, Descriptor } from "../cpu-context.js";
import * as L from "../layout.js";
import { isNull, markAccessed, readDescriptor } from "./descriptors.js";
import { generalProtection } from "./faults.js";
import { checkStackDescriptor, dropPrivilegedSegments, setFromDescriptor, setNullStack } from "./segments.js";

/** A checked SS to return with; no descriptor when it is null. */
export interface ReturnStack {
  selector: number;
  descriptor: Descriptor | undefined;
}

/** The stack pointer that a frame holds, its operand size, and the bytes that RET imm16 drops. */
export interface ReturnPointer {
  low: number;
  high: number;
  size: number;
  extra: number;
}

/** Checks the SS that a return to level `cpl` in code segment `code` loads. A null one may serve 64-bit code below 3. */
export function checkOuterStack(
  cpu: CpuContext,
  selector: number,
  cpl: number,
  code: Descriptor,
): ReturnStack {
  if (isNull(selector)) {
    const to64 = cpu.longMode && (code.access & ACCESS_L) !== 0;
    if (!to64 || cpl === 3 || (selector & SELECTOR_RPL) !== cpl) generalProtection();
    return { selector, descriptor: undefined };
  }
  const descriptor = readDescriptor(cpu, selector);
  checkStackDescriptor(selector, descriptor, cpl);
  return { selector, descriptor };
}

/** Width of the stack pointer by the CS and SS that were just loaded: a 16-bit stack keeps the rest of ESP. */
function stackWidth(cpu: CpuContext): number {
  if (cpu.longMode && cpu.access(L.CS) & ACCESS_L) return 8;
  return cpu.access(L.SS) & ACCESS_DB ? 4 : 2;
}

/** Loads SS and RSP of a return; CS and CPL are the new ones already. */
export function loadReturnStack(cpu: CpuContext, stack: ReturnStack, pointer: ReturnPointer): void {
  const { descriptor, selector } = stack;
  if (descriptor) {
    markAccessed(cpu, descriptor);
    setFromDescriptor(cpu, L.SS, selector, descriptor);
  } else {
    setNullStack(cpu, cpu.cpl);
    cpu.set32(L.SEGMENT_SELECTOR + L.SS * 4, selector);
  }
  const width = stackWidth(cpu);
  if (width === 8 && pointer.size === 8) cpu.setPair(RSP, pointer.low, pointer.high);
  else if (width === 2) cpu.writeSlot(RSP, 2, pointer.low);
  else cpu.setPair(RSP, pointer.low, 0);
}

/** A far RET to an outer level, after CS and CPL were loaded. */
export function returnToOuter(cpu: CpuContext, stack: ReturnStack, pointer: ReturnPointer): void {
  loadReturnStack(cpu, stack, pointer);
  if (pointer.extra !== 0) {
    const sum = cpu.getAddress(RSP) + pointer.extra;
    if (stackWidth(cpu) === 8) cpu.setAddress(RSP, sum);
    else cpu.writeSlot(RSP, stackWidth(cpu), sum);
  }
  dropPrivilegedSegments(cpu, cpu.cpl);
}
