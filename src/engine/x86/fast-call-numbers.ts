/**
 * What SYSCALL, SYSRET, SYSENTER and SYSEXIT load without looking at descriptors, for both of their definitions.
 *
 * Specification: Intel SDM vol. 2B, SYSCALL, SYSRET; vol. 3A §5.8.7, §5.8.8.
 */
import { FLAGS_STATUS, FLAGS_SYSTEM, FLAG_RF, FLAG_VM, SELECTOR_RPL } from "../../spec/x86-privileged.js";

// Access rights, VMX format: present, accessed, 4 KiB granular.
export const CODE64_KERNEL = 0xa09b;
export const CODE32_KERNEL = 0xc09b;
export const CODE64_USER = 0xa0fb;
export const CODE32_USER = 0xc0fb;
export const DATA_KERNEL = 0xc093;
export const DATA_USER = 0xc0f3;
/** A selector without its privilege level. */
export const NO_RPL = 0xffff & ~SELECTOR_RPL;
/** SYSRET loads every flag but RF and VM. */
export const SYSRET_FLAGS = (FLAGS_STATUS | FLAGS_SYSTEM) & ~(FLAG_RF | FLAG_VM);
/** Distance of a stack's selector from its code's. */
export const STACK_AFTER_CODE = 8;
/** Distance of SYSRET's 64-bit code segment from STAR[63:48]. */
export const SYSRET_CS64 = 16;
