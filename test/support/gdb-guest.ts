/**
 * A guest to be debugged: 32-bit code on two CPUs, without paging, with frame pointers. The first calls `work` in a loop, which counts
 * at `COUNTER`, and is interrupted by its local APIC's timer, whose handler calls `tick`; the second counts at `SPINS`, which nobody
 * else writes. After `rounds` calls it ends with 0.
 */
import { dword, eax, ebp, esi, esp, type Assembler } from "./asm/index.js";
import { guestOf } from "./two-cpu-guests.js";

const LAPIC = 0xfee00000;
const [EOI, LVT_TIMER, INITIAL, DIVIDE] = [LAPIC + 0xb0, LAPIC + 0x320, LAPIC + 0x380, LAPIC + 0x3e0];
const PERIODIC = 0x20000;
const DIVIDE_BY_1 = 0xb;
export const TIMER_VECTOR = 0x40;
/** Ticks of the local APIC's clock between two interrupts. */
const PERIOD = 30_000;

/** Words that the guest counts in. */
export const COUNTER = 0x200000;
export const TICKS = 0x200040;
export const SPINS = 0x200080;

const LABELS = ["first", "again", "work", "counted", "timer", "tick", "rest", "second"] as const;

export interface DebuggedGuest {
  /** A kernel that is entered by PVH. */
  bytes: Uint8Array;
  /** Where its code is. */
  at: Readonly<Record<(typeof LABELS)[number], number>>;
}

function framed(a: Assembler, name: string, body: () => void): void {
  a.label(name).push(ebp).mov(ebp, esp);
  body();
  a.pop(ebp);
}

export function debuggedGuest(rounds: number): DebuggedGuest {
  let code: Assembler | undefined;
  const bytes = guestOf({
    handlers: { [TIMER_VECTOR]: "timer" },
    first: (a) => {
      code = a;
      a.mov(dword(LVT_TIMER), PERIODIC | TIMER_VECTOR).mov(dword(DIVIDE), DIVIDE_BY_1);
      a.mov(dword(INITIAL), PERIOD).mov(ebp, 0).mov(esi, rounds).sti();
      a.label("again").call("work").dec(esi).jcc("ne", "again").cli().mov(eax, 0);
    },
    second: (a) => a.label("rest").inc(dword(SPINS)).pause().jmp("rest"),
    routines: (a) => {
      framed(a, "work", () => a.inc(dword(COUNTER)).label("counted").nop());
      a.ret();
      framed(a, "timer", () => a.push(eax).call("tick").mov(dword(EOI), 0).pop(eax));
      a.iret();
      framed(a, "tick", () => a.inc(dword(TICKS)));
      a.ret();
    },
  });
  const at = Object.fromEntries(LABELS.map((label) => [label, code!.address(label)])) as DebuggedGuest["at"];
  return { bytes, at };
}
