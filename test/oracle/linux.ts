/**
 * The one place where Linux's or a signal's view of an exception is made equal to the CPU's:
 *
 * - CR2 in a signal frame is whatever the task's last page fault left; it counts for #PF only.
 * - A page fault at a kernel address is reported with P set, whatever the page tables say, so that a process cannot
 *   look for mappings (arch/x86/mm/fault.c, sanitize_error_code).
 * - Vectors are the frame's `trapno`, so that it does not matter which signal stands for which exception (#SS and
 *   #AC come as SIGBUS, #OF as SIGSEGV, #DE, #MF and #XM as SIGFPE). The error code is the frame's `err`.
 * - Bytes 416 to 511 of the FXSAVE image in a signal frame belong to the kernel and are not compared.
 */
import { RESULT, TASK_SIZE_MAX } from "./layout.js";

const PAGE_FAULT = 14;
const ERROR_PRESENT = 1n;

/** Rewrites a result record of either world. */
export function normalise(record: DataView): void {
  if (record.getUint32(RESULT.VECTOR, true) !== PAGE_FAULT) record.setBigUint64(RESULT.CR2, 0n, true);
  else if (record.getBigUint64(RESULT.CR2, true) >= TASK_SIZE_MAX) {
    record.setBigUint64(RESULT.ERROR, record.getBigUint64(RESULT.ERROR, true) | ERROR_PRESENT, true);
  }
}
