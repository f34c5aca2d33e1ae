/**
 * How x86 instructions number registers, what prefixes they have and how long they are. Numbers only.
 *
 * Specification: Intel SDM vol. 2A §2.1 (prefixes), §2.3.11 (length), vol. 2A tables 2-2 and 2-3 (registers).
 */

/** General registers by the number that ModRM, SIB and REX give them. */
export const RAX = 0;
export const RCX = 1;
export const RDX = 2;
export const RBX = 3;
export const RSP = 4;
export const RBP = 5;
export const RSI = 6;
export const RDI = 7;
export const R11 = 11;

export const GENERAL_REGISTERS = 16;
/** Those that code without REX reaches. */
export const LEGACY_GENERAL_REGISTERS = 8;
/** ES CS SS DS FS GS. */
export const SEGMENT_REGISTERS = 6;
/** DR0 to DR7; DR4 and DR5 are other names of DR6 and DR7. */
export const DEBUG_REGISTERS = 8;
export const XMM_REGISTERS = 16;
export const XMM_BYTES = 16;

export const PREFIX_REPNE = 0xf2;
export const PREFIX_REP = 0xf3;

/** Bytes of the longest instruction that a processor executes. */
export const MAX_INSTRUCTION_LENGTH = 15;
