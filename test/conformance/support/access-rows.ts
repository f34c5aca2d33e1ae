/**
 * A guest that tries many accesses, one a row of a table: it sets a page up, sets control registers, makes the access
 * at CPL 0 or 3, and writes down what came of it. Knows no rule of paging: expectations come with the rows.
 *
 * ```
 *  row    0 leaf entry's address  8 leaf  16 upper entry's address  24 upper  32 CR0  40 CR4  48 EFER  56 flags  60 stub
 *  result 0 error code or NO_FAULT   8 CR2   16 leaf   24 upper
 * ```
 */
import {
  TYPE_INTERRUPT_GATE,
  DATA_WRITABLE,
  al,
  byte,
  cr0,
  cr2,
  cr3,
  cr4,
  ds,
  dword,
  ecx,
  edx,
  eax,
  es,
  fs,
  memory,
  rax,
  resize,
  rbx,
  rdi,
  rsi,
  rsp,
  segmentDescriptor,
} from "../../support/asm/index.js";
import type { Gpr, Memory } from "../../support/asm/index.js";
import type { GuestBuilder } from "./guest.js";
import { KINDS } from "./access-model.js";
import type { Kind } from "./access-model.js";
import * as layout from "./layout.js";

/** Where rows and results lie, and the guest's own cells. */
const ROWS = 0x800000;
const ROW_SIZE = 64;
const RESULTS = 0x940000;
const RESULT_SIZE = 32;
const MOST_ROWS = (RESULTS - ROWS) / ROW_SIZE;
const SAVED_STACK = layout.DATA + 0xe00;
/** Supervisor and user stubs, one of `STUB_SIZE` bytes a kind. */
const STUBS = layout.CODE + 0x8000;
const USER_STUBS = layout.USER_CODE + 0x8000;
const STUB_SIZE = 32;
const DONE_VECTOR = 0x91;
const PF = 14;
const MSR_EFER = 0xc0000080;
const FLAGS_FIXED = 2;

/** Error-code field of a result without a fault. */
export const NO_FAULT = 0xffff;
/** What is in the page: INT DONE_VECTOR, then two descriptors of an LDT, the second not yet accessed. */
const ACCESSED = 1;
const ACCESSED_SELECTOR = 0x0c | 3;
const FRESH_SELECTOR = 0x14 | 3;
const FRESH = 0x10;
/** A port whose bit lies in the page, 0x40 behind its start, when the permission map begins there. */
const PORT = 0x200;
/** A TSS lies right before the page, so that its permission map is the page. */
export const TSS_SIZE = 0x68;
export const LDT_LIMIT = 0x17;
export const TSS_LIMIT = TSS_SIZE + 0x100;

export interface Row {
  leaf: bigint;
  upper: bigint;
  cr0: number;
  cr4: number;
  efer: number;
  flags: number;
  kind: Kind;
  user: boolean;
}

export interface Page {
  linear: bigint;
  /** Its frame, reachable at the same linear address. */
  frame: number;
  leafAddress: number;
  upperAddress: number;
  /** The entries without their flags. */
  leaf: bigint;
  upper: bigint;
}

/** The contents of the page that the stubs need. */
export function pageContents(g: GuestBuilder, frame: number): void {
  const data = segmentDescriptor({ type: DATA_WRITABLE, dpl: 3, big: true });
  g.data(frame, [0xcd, DONE_VECTOR]);
  g.words(frame + 8, data | (BigInt(ACCESSED) << 40n), data);
  g.data(frame + 0x40, [0, 0]);
}

function emitStub(g: GuestBuilder, kind: Kind, wide: boolean): void {
  const { a } = g;
  const base = wide ? rbx : resize(rbx, 32);
  const target: Memory = byte(base);
  if (kind === "read") a.mov(al, target);
  else if (kind === "write") a.mov(target, 0xcd);
  else if (kind === "update") a.lock().or(target, 0);
  else if (kind === "fetch") a.jmpAt(base);
  else if (kind === "port map") a.mov(edx, PORT).in(8, "dx");
  else a.mov(ecx, kind === "implicit read" ? ACCESSED_SELECTOR : FRESH_SELECTOR).movToSegment(fs, ecx);
  a.int(DONE_VECTOR);
}

function emitStubs(g: GuestBuilder, wide: boolean): void {
  const { a } = g;
  const here = a.here;
  for (const start of [STUBS, USER_STUBS]) {
    KINDS.forEach((kind, i) => {
      a.org(start + i * STUB_SIZE);
      emitStub(g, kind, wide);
    });
  }
  a.org(here);
}

/** Declares the gates that end a row; before anything else is emitted. */
export function rowGates(g: GuestBuilder): void {
  const gate = { selector: layout.KERNEL_CODE, offset: 0, type: TYPE_INTERRUPT_GATE };
  g.gates.set(PF, { ...gate, dpl: 0, label: "failed" });
  g.gates.set(DONE_VECTOR, { ...gate, dpl: 3, label: "done" });
}

/** Emits the loop over `rows`; the guest goes on behind it. */
export function emitRows(g: GuestBuilder, page: Page, rows: readonly Row[]): void {
  if (rows.length > MOST_ROWS) throw new Error(`${rows.length} rows, at most ${MOST_ROWS} fit`);
  const wide = g.mode === 64;
  const size = wide ? 64 : 32;
  const sized = (r: Gpr): Gpr => resize(r, size);
  const natural = (place: Gpr | number, disp = 0): Memory => memory(size, place, disp);
  const [A, B, SI, DI, SP] = [rax, rbx, rsi, rdi, rsp].map(sized);
  const { a } = g;
  rows.forEach((row, i) => writeRow(g, page, row, ROWS + i * ROW_SIZE, wide));
  emitStubs(g, wide);
  // A return to CPL 3 would empty data segments of the kernel.
  if (!wide) a.mov(eax, layout.USER_DATA_SELECTOR).movToSegment(ds, eax).movToSegment(es, eax);
  a.mov(SI, ROWS).mov(DI, RESULTS).mov(natural(SAVED_STACK), SP);
  a.label("row");
  for (const at of [0, 16]) {
    a.mov(B, natural(SI, at))
      .mov(A, natural(SI, at + 8))
      .mov(natural(B), A);
    if (!wide) a.mov(A, natural(SI, at + 12)).mov(natural(B, 4), A);
  }
  a.mov(
    byte(page.frame + FRESH + 5),
    Number((segmentDescriptor({ type: DATA_WRITABLE, dpl: 3 }) >> 40n) & 0xffn),
  );
  a.mov(ecx, MSR_EFER).mov(eax, dword(SI, 48)).xor(edx, edx).wrmsr();
  a.mov(eax, dword(SI, 32)).movSystem(cr0, A).mov(eax, dword(SI, 40)).movSystem(cr4, A);
  a.movSystem(A, cr3).movSystem(cr3, A);
  a.mov(B, page.linear).mov(ecx, dword(SI, 60)).mov(dword(DI), NO_FAULT).mov(eax, 0);
  a.cmp(ecx, USER_STUBS).jcc("ae", "user");
  a.mov(eax, dword(SI, 56)).push(A).popf().jmpAt(sized(ecx));
  a.label("user").mov(eax, dword(SI, 56));
  a.push(layout.USER_DATA_SELECTOR).push(layout.USER_STACK_TOP).push(A);
  a.push(wide ? layout.USER_CODE64 : layout.USER_CODE32).push(sized(ecx));
  if (wide) a.iretq();
  else a.iret();
  a.label("failed").pop(A).mov(dword(DI), eax);
  a.label("done").mov(SP, natural(SAVED_STACK)).push(FLAGS_FIXED).popf();
  a.movSystem(A, cr2).mov(natural(DI, 8), A);
  for (const at of [0, 16]) {
    a.mov(B, natural(SI, at))
      .mov(A, natural(B))
      .mov(natural(DI, 16 + at / 2), A);
    if (!wide) a.mov(A, natural(B, 4)).mov(natural(DI, 20 + at / 2), A);
  }
  a.add(SI, ROW_SIZE)
    .add(DI, RESULT_SIZE)
    .cmp(SI, ROWS + rows.length * ROW_SIZE)
    .jcc("ne", "row");
}

function writeRow(g: GuestBuilder, page: Page, row: Row, at: number, wide: boolean): void {
  const stub = (row.user ? USER_STUBS : STUBS) + KINDS.indexOf(row.kind) * STUB_SIZE;
  const last = BigInt(row.flags | FLAGS_FIXED) | (BigInt(stub) << 32n);
  const places = [BigInt(page.leafAddress), BigInt(page.upperAddress)];
  const controls = [row.cr0, row.cr4, row.efer].map((v) => BigInt(v >>> 0));
  g.words(at, places[0], row.leaf, places[1], row.upper, ...controls, last);
  if (!wide && (page.leafAddress & 7) === 4)
    throw new Error("a table entry that is not alone in its 8 bytes");
}

/** Expects the result of row `index`. `cr2`: of a fault. */
export function expectRow(
  g: GuestBuilder,
  index: number,
  want: {
    error: number | undefined;
    cr2: bigint;
    leaf: bigint;
    upper: bigint;
    mask: bigint;
    cr2Mask: bigint;
  },
  note: string,
): void {
  const at = RESULTS + index * RESULT_SIZE;
  g.expectAt(at, 4, BigInt(want.error ?? NO_FAULT), `${note}: error code`);
  // Which byte of a descriptor the CPU writes to set its accessed bit is its own affair.
  if (want.error !== undefined)
    g.expectAt(at + 8, g.mode === 64 ? 8 : 4, want.cr2, `${note}: CR2`, want.cr2Mask);
  g.expectAt(at + 16, 8, want.leaf, `${note}: leaf entry`, want.mask);
  g.expectAt(at + 24, 8, want.upper, `${note}: upper entry`, want.mask);
}

/** Offset in the page that an access of this kind touches first. */
export function touched(kind: Kind): bigint {
  if (kind === "implicit read") return 8n;
  if (kind === "implicit write") return BigInt(FRESH);
  return kind === "port map" ? BigInt(PORT / 8) : 0n;
}
