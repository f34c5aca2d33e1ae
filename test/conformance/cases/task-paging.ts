/**
 * Task switches whose TSSs lie on pages that are absent or read-only: the fault belongs to the old task, and nothing has
 * changed.
 *
 * Specification: SDM vol. 3A §7.2.1 (pages of a TSS), §7.3 (the steps of a switch), §4.6 (accesses to a TSS).
 */
import {
  TYPE_TSS_AVAILABLE,
  ax,
  byte,
  cr0,
  cr3,
  cr4,
  cx,
  dword,
  eax,
  ecx,
  segmentDescriptor,
} from "../../support/asm/index.js";
import { guest } from "../support/guest.js";
import type { ExpectedEvent, Guest, GuestBuilder } from "../support/guest.js";
import * as layout from "../support/layout.js";
import { CR0_PG, CR4_PSE, CS, EFLAGS, ESP, LINK, begin, busy } from "../support/tasks.js";

const PF = 14;
const PRESENT = 1;
const WRITE = 2;
const CR0_WP = 0x10000;
const CR4_SSE = 0x600;
const DIRECTORY = 0x300000;
const TABLE = 0x301000;
const FRAME = 0x280000;
const TSS32_SIZE = 0x68;
/** Linear pages: writable, absent, read-only, absent. */
const WINDOW = 0x1400000;
const PAGE = 0x1000;
const READ_ONLY = WINDOW + 2 * PAGE;
/** P, R/W, PS. */
const LARGE = 0x83;

function pages(g: GuestBuilder): void {
  const table = (address: number, values: readonly number[]): void => {
    const view = new DataView(new ArrayBuffer(4 * values.length));
    values.forEach((value, i) => view.setUint32(4 * i, value >>> 0, true));
    g.data(address, new Uint8Array(view.buffer));
  };
  table(DIRECTORY, [LARGE, 0x400000 | LARGE, 0x800000 | LARGE, 0xc00000 | LARGE, 0, TABLE | 3]);
  table(TABLE, [FRAME | 3, 0, (FRAME + PAGE) | 1, 0]);
  g.a
    .mov(eax, CR4_PSE | CR4_SSE)
    .movSystem(cr4, eax)
    .mov(eax, DIRECTORY)
    .movSystem(cr3, eax);
  g.a
    .movSystem(eax, cr0)
    .or(eax, CR0_PG | CR0_WP)
    .movSystem(cr0, eax);
}

/** A TSS at a linear address, written to its frame; what does not fit the page is nowhere. */
function place(g: GuestBuilder, linear: number): number {
  const bytes = new Uint8Array(TSS32_SIZE);
  const view = new DataView(bytes.buffer);
  view.setUint32(0x1c, DIRECTORY, true);
  view.setUint32(EFLAGS, 2, true);
  view.setUint32(ESP, layout.STACK_TOP - 0x1000, true);
  for (let at = 0x48; at <= 0x5c; at += 4) view.setUint16(at, layout.KERNEL_DATA, true);
  view.setUint16(CS, layout.KERNEL_CODE, true);
  const within = linear % PAGE;
  const frame = linear < READ_ONLY ? FRAME : FRAME + PAGE;
  g.data(frame + within, bytes.subarray(0, PAGE - within));
  const type = TYPE_TSS_AVAILABLE;
  return g.descriptor(segmentDescriptor({ base: linear, limit: layout.TSS_LIMIT, type, granular: false }));
}

function faults(g: GuestBuilder): void {
  begin(g);
  const { a } = g;
  pages(g);
  const absent = place(g, WINDOW + PAGE);
  const torn = place(g, WINDOW + PAGE - 0x40);
  const readOnly = place(g, READ_ONLY + 0x100);
  // Which byte of a TSS is read or written first is the CPU's own affair.
  const refused = (selector: number, error: number, cr2: number | undefined, note: string): void => {
    for (const call of [false, true]) {
      const event: ExpectedEvent = { vector: PF, error, note: `${call ? "CALL" : "JMP"}: ${note}` };
      if (cr2 !== undefined) event.cr2 = BigInt(cr2);
      g.fault(event, () => (call ? a.callFar(selector, 0) : a.jmpFar(selector, 0)));
      busy(g, selector, false, `${event.note}: the new task`);
      a.str(ax);
      g.expect(ax, layout.TSS_SELECTOR, `${event.note}: TR stays`);
      busy(g, layout.TSS_SELECTOR, true, `${event.note}: the old task`);
    }
  };
  g.expectAt(FRAME + PAGE + 0x100 + LINK, 2, 0n, "no link was written to a read-only TSS");
  refused(absent, 0, undefined, "a TSS that is absent");
  refused(torn, 0, WINDOW + PAGE, "a TSS of which half is absent");
  // Only a nested task has its link written.
  g.fault(
    {
      vector: PF,
      error: PRESENT | WRITE,
      cr2: BigInt(READ_ONLY + 0x100),
      note: "CALL: the link of a read-only TSS",
    },
    () => a.callFar(readOnly, 0),
  );
  busy(g, readOnly, false, "the task whose link cannot be written");
  // The old TSS must take the registers.
  a.and(byte(layout.GDT + readOnly + 5), ~2)
    .mov(ecx, readOnly)
    .ltr(cx);
  const other = place(g, WINDOW);
  g.fault(
    {
      vector: PF,
      error: PRESENT | WRITE,
      note: "JMP: a read-only TSS of the old task",
    },
    () => a.jmpFar(other, 0),
  );
  busy(g, other, false, "the task that was not entered");
  a.mov(eax, dword(layout.LOG));
  g.expect(eax, 6, "six faults");
  g.exit();
}

export function taskPagingGuests(): Guest[] {
  return [guest("TSSs on pages that refuse", { mode: 32, cites: "SDM vol. 3A §7.2.1, §7.3" }, faults)];
}
