/** Every conformance guest, by group. */
import { alignmentGuests } from "./cases/alignment.js";
import { aluGuests } from "./cases/alu.js";
import { bitGuests } from "./cases/bits.js";
import { callGateGuests } from "./cases/call-gates.js";
import { descriptorGuests } from "./cases/descriptors.js";
import { doubleFaultGuests } from "./cases/double-faults.js";
import { encodingGuests } from "./cases/encodings.js";
import { exceptionGuests } from "./cases/exceptions.js";
import { faultOrderGuests } from "./cases/fault-order.js";
import { interruptGuests } from "./cases/interrupts.js";
import { featureGuests } from "./cases/features.js";
import { systemCallGuests } from "./cases/system-calls.js";
import { segmentGuests } from "./cases/segments.js";
import { limitMatrixGuests } from "./cases/limit-matrix.js";
import { limitGuests } from "./cases/limits.js";
import { longReturnGuests } from "./cases/long-returns.js";
import { modeGuests } from "./cases/modes.js";
import { legacyInstructionGuests } from "./cases/legacy-instructions.js";
import { legacyPagingGuests } from "./cases/legacy-paging.js";
import { codeLimitGuests } from "./cases/code-limits.js";
import { codeChangeGuests } from "./cases/code-changes.js";
import { registerGuests } from "./cases/registers.js";
import { stateSavingGuests } from "./cases/state-saving.js";
import { debugCornerGuests } from "./cases/debug-corners.js";
import { debugShadowGuests } from "./cases/debug-shadows.js";
import { debugGuests } from "./cases/debug.js";
import { monitorGuests } from "./cases/monitor.js";
import { multiplyGuests } from "./cases/multiply.js";
import { operandGuests } from "./cases/operands.js";
import { pagingGuests } from "./cases/paging.js";
import { portPermissionGuests } from "./cases/port-permissions.js";
import { permissionGuests } from "./cases/permissions.js";
import { shiftGuests } from "./cases/shifts.js";
import { sixteenBitGateGuests } from "./cases/sixteen-bit-gates.js";
import { smokeGuests } from "./cases/smoke.js";
import { stringGuests } from "./cases/strings.js";
import { taskFaultGuests } from "./cases/task-faults.js";
import { taskGuests } from "./cases/tasks.js";
import { taskPagingGuests } from "./cases/task-paging.js";
import { translationGuests } from "./cases/translations.js";
import { virtual8086Guests } from "./cases/virtual8086.js";
import { x87OperandGuests } from "./cases/x87-operands.js";
import { xsaveGuests } from "./cases/xsave.js";
import { msrGuests } from "./cases/msrs.js";
import type { Guest } from "./support/guest.js";

export interface GuestGroup {
  name: string;
  guests: Guest[];
}

/** The first tier takes every so-many-th cell of the permission matrix: no divisor of its dimensions. */
const PERMISSION_SAMPLE = 11;

export function allGuests(): GuestGroup[] {
  return [
    { name: "start states", guests: smokeGuests() },
    { name: "integer arithmetic", guests: aluGuests() },
    { name: "shifts and rotations", guests: shiftGuests() },
    { name: "multiplication and division", guests: multiplyGuests() },
    { name: "bits, conditions, exchanges", guests: bitGuests() },
    { name: "operands and encodings", guests: operandGuests() },
    { name: "encodings at their limits", guests: encodingGuests() },
    { name: "strings", guests: stringGuests() },
    { name: "paging", guests: pagingGuests() },
    { name: "permission matrix", guests: permissionGuests(PERMISSION_SAMPLE) },
    { name: "remembered translations", guests: translationGuests() },
    { name: "exceptions and double faults", guests: [...exceptionGuests(), ...doubleFaultGuests()] },
    { name: "the order of faults", guests: [...faultOrderGuests(), ...alignmentGuests()] },
    { name: "interrupts", guests: interruptGuests() },
    { name: "system calls", guests: systemCallGuests() },
    { name: "segments", guests: segmentGuests() },
    {
      name: "call gates and returns",
      guests: [...callGateGuests(), ...longReturnGuests(), ...sixteenBitGateGuests()],
    },
    { name: "descriptors", guests: descriptorGuests() },
    { name: "modes", guests: modeGuests() },
    { name: "instructions of protected and real mode", guests: legacyInstructionGuests() },
    { name: "segment limits", guests: [...limitGuests(), ...limitMatrixGuests()] },
    { name: "limits of code segments", guests: codeLimitGuests() },
    { name: "ports in user mode", guests: portPermissionGuests() },
    { name: "virtual-8086 mode", guests: virtual8086Guests() },
    { name: "tasks", guests: taskGuests() },
    { name: "tasks refused", guests: [...taskFaultGuests(), ...taskPagingGuests()] },
    { name: "32-bit and PAE paging", guests: legacyPagingGuests() },
    { name: "code that changes and code at page ends", guests: codeChangeGuests() },
    { name: "MSRs, CPUID, control registers", guests: registerGuests() },
    { name: "x87, SSE and their state", guests: stateSavingGuests() },
    { name: "memory operands of x87 instructions", guests: x87OperandGuests() },
    { name: "XSAVE", guests: xsaveGuests() },
    { name: "model-specific registers", guests: msrGuests() },
    { name: "MONITOR, MWAIT, CLFLUSH", guests: monitorGuests() },
    { name: "features that CPUID announces or not", guests: featureGuests() },
    { name: "debug exceptions", guests: [...debugGuests(), ...debugCornerGuests(), ...debugShadowGuests()] },
  ];
}
