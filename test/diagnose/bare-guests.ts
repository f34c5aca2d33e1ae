/** Guests of a few instructions that are stuck as kernels are: in interrupts that do not come, and in each other's locks. */
import { al, dword, dx, eax, ecx, type Assembler } from "../support/asm/index.js";
import { guestOf } from "../support/two-cpu-guests.js";

const LAPIC = 0xfee00000;
const [LVT_TIMER, INITIAL, DIVIDE] = [LAPIC + 0x320, LAPIC + 0x380, LAPIC + 0x3e0];
const PERIODIC = 0x20000;
const APIC_VECTOR = 0x40;
/** Ticks of the local APIC's clock between two interrupts. */
const PERIOD = 1_000_000;
/** Where the 8259s deliver their inputs 0 and 4 until a kernel moves them. */
const [TIMER_VECTOR, SERIAL_VECTOR] = [8, 12];
const [MASTER_MASK, SLAVE_MASK] = [0x21, 0xa1];
const [ALL, ALL_BUT_TIMER, ALL_BUT_SERIAL] = [0xff, 0xfe, 0xef];
const [PIT_COUNT, PIT_MODE, RATE_GENERATOR] = [0x40, 0x43, 0x34];
const [SERIAL_INTERRUPTS, SERIAL_LINES, INTERRUPTS_OUT, WHEN_EMPTY] = [0x3f9, 0x3fc, 8, 2];
const [FIRST_LOCK, SECOND_LOCK] = [0x201000, 0x201040];

function write(a: Assembler, port: number, value: number): void {
  a.mov(dx, port).mov(al, value).out(8, "dx");
}

function sleep(a: Assembler): void {
  a.sti().label("sleep").hlt().jmp("sleep");
}

/** Sleeps until its serial port can send; `mask`: of the first 8259. The handler has the port ask again. */
function serialGuest(mask: number, acknowledge: boolean): Uint8Array {
  return guestOf({
    handlers: { [SERIAL_VECTOR]: "handler" },
    first: (a) => {
      write(a, SLAVE_MASK, ALL);
      write(a, MASTER_MASK, mask);
      write(a, SERIAL_LINES, INTERRUPTS_OUT);
      write(a, SERIAL_INTERRUPTS, WHEN_EMPTY);
      sleep(a);
    },
    routines: (a) => {
      a.label("handler");
      write(a, SERIAL_INTERRUPTS, 0);
      if (acknowledge) write(a, 0x20, 0x20);
      else write(a, SERIAL_INTERRUPTS, WHEN_EMPTY);
      a.iret();
    },
  });
}

/** Its serial port asks for an interrupt that the 8259 masks. */
export const maskedSerial = (): Uint8Array => serialGuest(ALL, true);
/** The first interrupt of its serial port is never acknowledged. */
export const unendedSerial = (): Uint8Array => serialGuest(ALL_BUT_SERIAL, false);
/** The same, as it has to be: one interrupt, after which it waits for input. */
export const soundSerial = (): Uint8Array => serialGuest(ALL_BUT_SERIAL, true);

/** The 8254's handler acknowledges its interrupts, or never does. */
export function tickGuest(acknowledge: boolean): Uint8Array {
  return guestOf({
    handlers: { [TIMER_VECTOR]: "handler" },
    first: (a) => {
      write(a, SLAVE_MASK, ALL);
      write(a, MASTER_MASK, ALL_BUT_TIMER);
      write(a, PIT_MODE, RATE_GENERATOR);
      write(a, PIT_COUNT, 0);
      write(a, PIT_COUNT, 0x10);
      sleep(a);
    },
    routines: (a) => {
      a.label("handler");
      if (acknowledge) write(a, 0x20, 0x20);
      a.iret();
    },
  });
}

/** The handler of the local APIC's timer writes no end of interrupt. */
export function unendedApic(): Uint8Array {
  return guestOf({
    handlers: { [APIC_VECTOR]: "handler" },
    first: (a) => {
      a.mov(dword(LVT_TIMER), PERIODIC | APIC_VECTOR).mov(dword(DIVIDE), 0xb);
      a.mov(dword(INITIAL), PERIOD);
      sleep(a);
    },
    routines: (a) => a.label("handler").iret(),
  });
}

/** Resets the machine by its keyboard controller. */
export function resettingGuest(): Uint8Array {
  return guestOf({
    first: (a) => {
      write(a, 0x64, 0xfe);
      a.label("wait").hlt().jmp("wait");
    },
  });
}

/** Each of two CPUs takes one lock, and then waits for the other's. */
export function lockedGuest(): Uint8Array {
  const take = (a: Assembler, lock: number, name: string): void => {
    a.mov(eax, 1).xchg(dword(lock), eax);
    a.mov(ecx, 300_000).label(`${name}Later`).dec(ecx).jcc("ne", `${name}Later`);
  };
  const wait = (a: Assembler, lock: number, name: string): void => {
    a.label(name).pause().cmp(dword(lock), 0).jcc("ne", name);
  };
  return guestOf({
    first: (a) => {
      take(a, FIRST_LOCK, "one");
      wait(a, SECOND_LOCK, "first-waits");
    },
    second: (a) => {
      take(a, SECOND_LOCK, "two");
      wait(a, FIRST_LOCK, "second-waits");
    },
  });
}
