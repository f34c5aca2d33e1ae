/**
 * Code of 32-bit guests at privilege level 3 and 1, and the way back. Knows no test.
 *
 * Specification: SDM vol. 3A §5.8.5 (stack switching), §7.2.1 (stacks of a TSS).
 */
import {
  CODE_READABLE,
  DATA_WRITABLE,
  addressOf,
  ds,
  dword,
  ecx,
  es,
  esp,
  segmentDescriptor,
} from "../../support/asm/index.js";
import type { GuestBuilder } from "./guest.js";
import * as layout from "./layout.js";

/** Fields of a 32-bit TSS: the stack of level 1. */
export const TSS_ESP1 = layout.TSS + 0x0c;
export const TSS_SS1 = layout.TSS + 0x10;
export const RING1_STACK = layout.DATA + 0x8000;

/** Runs `body` at CPL 3 with flat segments and goes on at CPL 0; ECX and the flags are lost on both ways. */
export function atLevel3(g: GuestBuilder, body: () => void): void {
  const { a } = g;
  const start = a.fresh("level3");
  const behind = a.fresh("level0");
  a.mov(dword(layout.LOG_USER_RETURN), addressOf(behind)).mov(dword(layout.LOG_USER_STACK), esp);
  a.push(layout.USER_DATA_SELECTOR).push(layout.USER_STACK_TOP).push(2);
  a.push(layout.USER_CODE32).push(addressOf(start)).iret();
  a.label(start).mov(ecx, layout.USER_DATA_SELECTOR).movToSegment(ds, ecx).movToSegment(es, ecx);
  body();
  a.int(layout.USER_DONE_VECTOR);
  a.label(behind).mov(ecx, layout.KERNEL_DATA).movToSegment(ds, ecx).movToSegment(es, ecx);
}

/** Flat segments of level 1. */
export interface Level1 {
  code: number;
  data: number;
}

export function level1(g: GuestBuilder): Level1 {
  const segment = (type: number): bigint => segmentDescriptor({ type, dpl: 1, big: true });
  const code = g.descriptor(segment(CODE_READABLE)) | 1;
  const data = g.descriptor(segment(DATA_WRITABLE)) | 1;
  return { code, data };
}
