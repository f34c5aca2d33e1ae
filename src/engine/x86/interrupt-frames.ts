/**
 * The frame that IA-32e mode pushes for an event, and what IRET loads from it, for both of the definitions of each.
 * Numbers only.
 *
 * ```
 *   −8            0            8            16           24           32           40
 *  ┌────────────┬────────────┬────────────┬────────────┬────────────┬────────────┐
 *  │ error code │ RIP        │ CS         │ RFLAGS     │ RSP        │ SS         │
 *  └────────────┴────────────┴────────────┴────────────┴────────────┴────────────┘
 * ```
 * Specification: Intel SDM vol. 3A §6.14.2; vol. 2A, IRET.
 */
import {
  FLAG_AC,
  FLAG_DF,
  FLAG_ID,
  FLAG_IF,
  FLAG_IOPL,
  FLAG_NT,
  FLAG_RF,
  FLAG_TF,
  FLAG_VIF,
  FLAG_VIP,
  FLAG_VM,
  FLAGS_STATUS,
} from "../../spec/x86-privileged.js";

export const FRAME64 = 40;
export const FRAME64_RIP = 0;
export const FRAME64_CS = 8;
export const FRAME64_FLAGS = 16;
export const FRAME64_RSP = 24;
export const FRAME64_SS = 32;
/** Frames begin at a multiple of it, going down. */
export const FRAME64_ALIGNMENT = 16;

/** Flags that every gate clears; interrupt gates clear IF too. */
export const ENTRY_CLEARED_FLAGS = FLAG_TF | FLAG_NT | FLAG_RF | FLAG_VM;
/** Flags that IRET loads at every level. RF only matters while one is watched. */
export const IRET_FLAGS = FLAGS_STATUS | FLAG_TF | FLAG_DF | FLAG_NT | FLAG_AC | FLAG_ID;
/** What it loads besides at level 0; IF also at IOPL. */
export const IRET_FLAGS_PRIVILEGED = FLAG_IOPL | FLAG_VIF | FLAG_VIP;
export const IRET_FLAGS_SUPERVISOR = IRET_FLAGS | FLAG_IF | IRET_FLAGS_PRIVILEGED;
