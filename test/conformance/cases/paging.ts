/**
 * 4-level paging: sizes of pages, rights, error codes, accessed and dirty bits.
 *
 * Specification: SDM vol. 3A §4.5 (4-level), §4.6 (access rights), §4.7 (page-fault exceptions), §4.8 (accessed
 * and dirty).
 */
import {
  al,
  at,
  byte,
  cr0,
  cr4,
  dword,
  eax,
  ecx,
  qword,
  rax,
  rbx,
  rdi,
  rsi,
} from "../../support/asm/index.js";
import type { Assembler } from "../../support/asm/index.js";
import { prologue } from "../support/environments.js";
import { guest } from "../support/guest.js";
import type { Guest, GuestBuilder } from "../support/guest.js";
import * as layout from "../support/layout.js";
import { A, D, NX, P, PS, RW, US } from "../support/page-tables.js";

const PF = 14;
/** Error-code bits, SDM vol. 3A §4.7. */
export const PF_P = 1;
export const PF_W = 2;
export const PF_U = 4;
export const PF_RSVD = 8;
export const PF_I = 16;

const CR0_WP = 0x10000;
const CR4_SMEP = 1 << 20;
const CR4_SMAP = 1 << 21;
const PAGE = 0x1000;
/** Free linear addresses for tests. */
const HIGH = 0xffff_8800_0000_0000n;
const LOW = 0x50000000;
/** RET as a byte, for pages that are executed. */
const RET = 0xc3;
/** Of a loop: enough for it to be compiled. */
const SMAP_TURNS = 200_000;

export const pf = (
  error: number,
  cr2: bigint | number,
  note: string,
): { vector: number; error: number; cr2: bigint; note: string } => ({
  vector: PF,
  error,
  cr2: BigInt(cr2),
  note,
});

/** Reads, writes, sets bits of a control register through RAX. */
export function setBits(a: Assembler, register: typeof cr4, set: number, clear = 0): void {
  a.movSystem(rax, register).or(rax, set);
  if (clear !== 0) a.and(rax, ~clear);
  a.movSystem(register, rax);
}

function pageSizes(g: GuestBuilder): void {
  prologue(g.a);
  const { a } = g;
  g.words(0x450000 + 0x123000, 0x4444n);
  g.words(0x2a0000, 0x1111n);
  g.tables.map(HIGH, 0, P | RW, 3);
  g.tables.map(HIGH + 0x4000_0000n, 0x400000, P | RW, 2);
  g.tables.map(HIGH + 0x8000_0000n + 0x5000n, 0x2a0000, P | RW, 1);
  a.mov(rbx, HIGH + 0x573000n).mov(rax, qword(rbx));
  g.expect(rax, 0x4444, "1 GiB page");
  a.mov(rbx, HIGH + 0x4000_0000n + 0x173000n).mov(rax, qword(rbx));
  g.expect(rax, 0x4444, "2 MiB page");
  a.mov(rbx, HIGH + 0x8000_5000n).mov(rax, qword(rbx));
  g.expect(rax, 0x1111, "4 KiB page");
  a.mov(qword(rbx, 8), rax);
  g.expectAt(0x2a0008, 8, 0x1111n, "a write through a 4 KiB page");
  g.fault(pf(0, HIGH + 0x8000_4ff8n, "the page below is not present"), () => a.mov(rax, qword(rbx, -8)));
  g.fault(pf(PF_W, HIGH + 0x8000_6000n, "a write that starts in the page and ends behind it"), () =>
    a.mov(qword(rbx, 0xffc), rax),
  );
  g.expectAt(0x2a0ffc, 4, 0n, "leaves the first part unwritten");
  a.mov(rbx, HIGH + 0xc000_0000n);
  g.fault(pf(0, HIGH + 0xc000_0000n, "no page directory"), () => a.mov(al, byte(rbx)));
  a.mov(rbx, HIGH + 0x80_0000_0000n);
  g.fault(pf(PF_W, HIGH + 0x80_0000_0000n, "no PML4 entry"), () => a.mov(byte(rbx), al));
  g.exit();
}

/** Supervisor and user rights, with and without CR0.WP. */
function rights(g: GuestBuilder): void {
  prologue(g.a);
  const { a, tables } = g;
  const readOnly = LOW;
  const userReadOnly = LOW + PAGE;
  const supervisor = LOW + 2 * PAGE;
  const userWritable = LOW + 3 * PAGE;
  const upper = LOW + 0x200000;
  tables.map(readOnly, 0x280000, P, 1, P | RW | US);
  tables.map(userReadOnly, 0x281000, P | US);
  tables.map(supervisor, 0x282000, P | RW);
  tables.map(userWritable, 0x283000, P | RW | US);
  // Rights are the AND of all levels: here the page directory entry denies.
  tables.map(upper, 0x284000, P | RW | US, 1, P);
  a.mov(al, byte(readOnly));
  g.fault(pf(PF_P | PF_W, readOnly, "supervisor write, read-only page, WP=1"), () =>
    a.mov(byte(readOnly), 1),
  );
  g.fault(pf(PF_P | PF_W, userReadOnly, "supervisor write, user read-only page, WP=1"), () =>
    a.mov(byte(userReadOnly), 1),
  );
  g.fault(pf(PF_P | PF_W, upper, "supervisor write, upper level read-only"), () => a.mov(byte(upper), 1));
  g.user(() => {
    a.mov(al, byte(userReadOnly)).mov(byte(userWritable, 1), 0x77);
    g.fault(pf(PF_P | PF_W | PF_U, userReadOnly + 5, "user write, read-only page"), () =>
      a.mov(byte(userReadOnly + 5), 1),
    );
    g.fault(pf(PF_P | PF_U, supervisor, "user read, supervisor page"), () => a.mov(al, byte(supervisor)));
    g.fault(pf(PF_P | PF_W | PF_U, supervisor, "user write, supervisor page"), () =>
      a.mov(byte(supervisor), al),
    );
    g.fault(pf(PF_P | PF_U, upper, "user read, upper level supervisor"), () => a.mov(al, byte(upper)));
    g.fault(pf(PF_U, LOW + 4 * PAGE, "user read, not present"), () => a.mov(al, byte(LOW + 4 * PAGE)));
    g.fault(pf(PF_P | PF_U | PF_W, userReadOnly, "a locked add to a read-only page"), () =>
      a.lock().add(dword(userReadOnly), eax),
    );
    g.fault(pf(PF_P | PF_U | PF_W, userReadOnly, "so does XCHG"), () => a.xchg(dword(userReadOnly), eax));
    a.mov(eax, 0x5555);
    g.fault(pf(PF_P | PF_U | PF_W, userReadOnly, "and CMPXCHG that would not store"), () =>
      a.cmpxchg(dword(userReadOnly), ecx),
    );
  });
  g.expectAt(0x283001, 1, 0x77n, "user write to a user page");
  setBits(a, cr0, 0, CR0_WP);
  a.mov(byte(readOnly), 0x66).mov(byte(upper), 0x67);
  g.expectAt(0x280000, 1, 0x66n, "supervisor write to a read-only page with WP=0");
  g.expectAt(0x284000, 1, 0x67n, "and where an upper level is read-only");
  setBits(a, cr0, CR0_WP);
  g.fault(pf(PF_P | PF_W, readOnly, "WP=1 again: no stale right remains"), () => a.mov(byte(readOnly), 1));
  g.exit();
}

function noExecute(g: GuestBuilder): void {
  prologue(g.a);
  const { a, tables } = g;
  const page = LOW;
  tables.map(page, 0x280000, P | RW | NX);
  tables.map(page + PAGE, 0x280000, P | RW);
  g.data(0x280000, [RET]);
  const jumpTo = (address: number, event: ReturnType<typeof pf>): void => {
    const behind = a.fresh("nx");
    g.resumeAt(behind);
    g.expectEvent({ ...event, rip: BigInt(address) });
    a.mov(rbx, address).jmpAt(rbx);
    g.expectSkipped(event.note);
    a.label(behind);
  };
  a.mov(rbx, page + PAGE)
    .callAt(rbx)
    .mov(al, byte(page));
  g.expect(al, RET, "NX does not forbid reading");
  jumpTo(page, pf(PF_P | PF_I, page, "execution of a NX page"));
  jumpTo(page + 2 * PAGE, pf(PF_I, page + 2 * PAGE, "execution of an absent page sets I/D while NXE=1"));
  // Without EFER.NXE bit 63 is reserved and I/D is not reported.
  a.mov(ecx, 0xc0000080).rdmsr().and(eax, ~0x800).wrmsr();
  jumpTo(page + 2 * PAGE, pf(0, page + 2 * PAGE, "with NXE=0 and SMEP=0 I/D is not set"));
  g.exit();
}

function reservedBits(g: GuestBuilder): void {
  prologue(g.a);
  const { a, tables } = g;
  tables.map(LOW, 0x280000, P | RW);
  tables.map(LOW + 0x200000, 0x400000, P | RW | (1n << 13n), 2);
  tables.map(HIGH, 0, P | RW | (1n << 13n), 3);
  const far = HIGH + 0x80_0000_0000n;
  tables.map(far, 0x280000, P | RW);
  tables.amend(far, 4, PS);
  const disabled = LOW + 2 * PAGE;
  tables.map(disabled, 0x280000, P | RW | NX);
  const beyond = LOW + PAGE;
  tables.map(beyond, 0x280000n | (1n << 50n), P | RW);
  g.fault(pf(PF_P | PF_RSVD, LOW + 0x200000, "bit 13 of a 2 MiB entry"), () =>
    a.mov(al, byte(LOW + 0x200000)),
  );
  a.mov(rbx, HIGH);
  g.fault(pf(PF_P | PF_W | PF_RSVD, HIGH, "bit 13 of a 1 GiB entry, writing"), () => a.mov(byte(rbx), al));
  a.mov(rbx, far);
  g.fault(pf(PF_P | PF_RSVD, far, "PS in a PML4 entry"), () => a.mov(al, byte(rbx)));
  g.fault(pf(PF_P | PF_RSVD, beyond, "an address bit beyond MAXPHYADDR"), () => a.mov(al, byte(beyond)));
  a.mov(ecx, 0xc0000080).rdmsr().and(eax, ~0x800).wrmsr();
  g.fault(pf(PF_P | PF_RSVD, disabled, "bit 63 is reserved with NXE=0"), () => a.mov(al, byte(disabled)));
  g.exit();
}

function accessedAndDirty(g: GuestBuilder): void {
  prologue(g.a);
  const { a, tables } = g;
  const flagsOf = (entry: number, set: bigint, clear: bigint, note: string): void => {
    a.mov(rax, qword(entry));
    g.expect(rax, set, note, set | clear);
  };
  const pte = tables.map(HIGH, 0x280000, P | RW);
  const uppers = [4, 3, 2].map((level) => tables.entry(HIGH, level));
  flagsOf(pte, 0n, A | D, "untouched: neither A nor D");
  a.mov(rbx, HIGH).mov(al, byte(rbx));
  flagsOf(pte, A, D, "a read sets A only");
  for (const [i, entry] of uppers.entries())
    flagsOf(entry, A, D, `a read sets A at level ${4 - i}, D is ignored there`);
  a.mov(byte(rbx), 1);
  flagsOf(pte, A | D, 0n, "a write sets D, though the TLB knew the page");
  const large = tables.map(HIGH + 0x4000_0000n, 0x400000, P | RW, 2);
  a.mov(rbx, HIGH + 0x4000_0000n).mov(byte(rbx), 1);
  flagsOf(large, A | D, 0n, "a write sets A and D of a 2 MiB page");
  const readOnly = tables.map(HIGH + 0x1000n, 0x281000, P);
  a.mov(rbx, HIGH + 0x1000n);
  g.fault(pf(PF_P | PF_W, HIGH + 0x1000n, "a write that faults"), () => a.mov(byte(rbx), 1));
  flagsOf(readOnly, 0n, D, "does not set D");
  const fetched = tables.map(LOW, 0x282000, P);
  g.data(0x282000, [RET]);
  a.mov(rbx, LOW).callAt(rbx);
  flagsOf(fetched, A, D, "a fetch sets A");
  // Software clears A and D and invalidates: the next use sets them again.
  a.mov(rbx, HIGH)
    .and(qword(pte), Number(~(A | D)))
    .invlpg(at(rbx));
  flagsOf(pte, 0n, A | D, "cleared");
  a.mov(byte(rbx), 2);
  flagsOf(pte, A | D, 0n, "set again after INVLPG");
  const both = tables.map(HIGH + 0x2000n, 0x283000, P | RW);
  a.mov(rbx, HIGH + 0x2000n)
    .lock()
    .add(dword(rbx), eax);
  flagsOf(both, A | D, 0n, "a read-modify-write sets both");
  g.exit();
}

function supervisorModePrevention(g: GuestBuilder): void {
  prologue(g.a);
  const { a } = g;
  const userPage = layout.USER_DATA;
  g.data(userPage, [RET]);
  a.mov(rbx, userPage).callAt(rbx).mov(al, byte(userPage));
  setBits(a, cr4, CR4_SMEP);
  g.resumeAt("smep");
  g.expectEvent({
    ...pf(PF_P | PF_I, userPage, "SMEP: supervisor fetch from a user page"),
    rip: BigInt(userPage),
  });
  a.mov(rbx, userPage).jmpAt(rbx);
  g.expectSkipped("SMEP");
  a.label("smep").mov(al, byte(userPage));
  g.expect(al, RET, "SMEP does not concern data");
  setBits(a, cr4, CR4_SMAP);
  g.fault(pf(PF_P, userPage, "SMAP: supervisor read of a user page"), () => a.mov(al, byte(userPage)));
  g.fault(pf(PF_P | PF_W, userPage, "SMAP: supervisor write"), () => a.mov(byte(userPage), al));
  a.stac().mov(al, byte(userPage)).mov(byte(userPage, 8), 0x44).clac();
  g.expectAt(userPage + 8, 1, 0x44n, "SMAP with AC=1 allows it");
  g.fault(pf(PF_P, userPage, "after CLAC it is forbidden again"), () => a.mov(al, byte(userPage)));
  // Compiled loops keep what they have translated, which CLAC has to end.
  g.resumeAt("behind the turns");
  g.expectEvent({ ...pf(PF_P, userPage, "the last turn reads it behind CLAC"), rip: "read" });
  a.mov(ecx, SMAP_TURNS).mov(rdi, userPage).mov(rsi, layout.LOG_RESUME);
  a.label("turn").mov(rbx, rdi).stac().mov(al, byte(rbx)).clac();
  a.mov(rbx, rsi).cmp(ecx, 1).cmov("e", rbx, rdi);
  a.label("read").mov(al, byte(rbx)).dec(ecx).jcc("ne", "turn");
  g.expectSkipped("the last turn reads it behind CLAC");
  a.label("behind the turns");
  g.user(() => {
    a.mov(al, byte(userPage, 8));
    g.expect(al, 0x44, "user mode is not concerned by SMAP");
    g.fault({ vector: 6, note: "STAC at CPL 3" }, () => a.stac());
  });
  setBits(a, cr4, 0, CR4_SMAP | CR4_SMEP);
  a.mov(rbx, userPage).callAt(rbx);
  g.exit();
}

export function pagingGuests(): Guest[] {
  return [
    guest(
      "pages of 4 KiB, 2 MiB and 1 GiB",
      { cites: "SDM vol. 3A §4.5", needs: ["1 GiB pages"] },
      pageSizes,
    ),
    guest("U/S, R/W and CR0.WP", { cites: "SDM vol. 3A §4.6.1" }, rights),
    guest("execute-disable", { cites: "SDM vol. 3A §4.6.1, §4.7" }, noExecute),
    guest(
      "reserved bits",
      {
        cites: "SDM vol. 3A §4.5, §4.7",
        notOnQemu: "QEMU 7.2 reports RSVD without P; the SDM says that RSVD is only set where P is",
      },
      reservedBits,
    ),
    guest("accessed and dirty bits are set exactly", { cites: "SDM vol. 3A §4.8" }, accessedAndDirty),
    guest("SMEP and SMAP", { cites: "SDM vol. 3A §4.6.1" }, supervisorModePrevention),
  ];
}
