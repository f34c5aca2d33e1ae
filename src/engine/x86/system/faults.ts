/**
 * The one exception type that means "the guest faulted". Thrown by the functions that execute system instructions,
 * caught where they are called, delivered to the guest. Knows no delivery.
 *
 * Specification: Intel SDM vol. 3A §6.5 and §6.13.
 */
import { VECTOR_GP, VECTOR_PF, VECTOR_UD } from "../../../spec/x86-privileged.js";
import type { CpuContext } from "../cpu-context.js";

/** Vectors 8, 10–14, 17 and 21 push an error code. */
export function hasErrorCode(vector: number): boolean {
  return vector <= 31 && ((0x00227d00 >>> vector) & 1) !== 0;
}

/** A fault of the guest. `errorCode` is only used by vectors that push one. */
export class GuestFault extends Error {
  /** It belongs to the task that was just switched to: RIP in the CPU's state is where it is reported. */
  inNewTask = false;

  constructor(
    readonly vector: number,
    readonly errorCode = 0,
    /** Faulting linear address of a page fault. */
    readonly linear = 0,
  ) {
    // Recording where it was thrown would take longer than delivering it, and nobody looks.
    const { stackTraceLimit } = Error;
    Error.stackTraceLimit = 0;
    super("guest exception");
    Error.stackTraceLimit = stackTraceLimit;
  }
}

/** Throws the fault that the last failed translation recorded. */
export function throwRecorded(cpu: CpuContext): never {
  throw new GuestFault(cpu.faultVector, cpu.faultCode, cpu.faultVector === VECTOR_PF ? cpu.faultLinear : 0);
}

/** Throws #GP with an error code (0 or a selector). */
export function generalProtection(errorCode = 0): never {
  throw new GuestFault(VECTOR_GP, errorCode);
}

/** Throws #UD. */
export function undefinedOpcode(): never {
  throw new GuestFault(VECTOR_UD);
}
