/**
 * Guests of two CPUs, 32-bit code entered by PVH: the second is started by INIT and start-up IPI as any kernel does. They
 * need no more than a local APIC and a debug exit, so that the same bytes run on every monitor.
 *
 * Specification: Intel SDM vol. 3A §9.4 (MP initialization), §11.6 (IPIs).
 */
import { Assembler, addressOf, al, at, dword, dx, eax, ebx, ecx, edi, edx, esi, esp } from "./asm/index.js";
import { pvhElf } from "./qemu/pvh-elf.js";

const CODE = 0x100000;
/** The second CPU's way to 32-bit mode, and the page number that its start-up IPI names. */
const TRAMPOLINE = 0x8000;
const TRAMPOLINE_PAGE = TRAMPOLINE / 0x1000;
const GDTR = 0x8040;
const GDT = 0x8048;
const IDT = 0x9000;
const IDTR = 0x8080;
const [FIRST_STACK, SECOND_STACK] = [0x300000, 0x310000];
/** Where the second CPU enters 32-bit code: behind the jump at the beginning. */
const SECOND_ENTRY = CODE + 0x10;
const [FLAT_CODE, FLAT_DATA] = [8, 16];

const LAPIC = 0xfee00000;
const EOI = LAPIC + 0xb0;
const SPURIOUS = LAPIC + 0xf0;
const ICR_LOW = LAPIC + 0x300;
const ICR_HIGH = LAPIC + 0x310;
const APIC_ENABLED = 0x1ff;
const [INIT, STARTUP, FIXED] = [0x4500, 0x4600, 0x4000];
const DEBUG_EXIT = 0xf4;
const COM1 = 0x3f8;
/** Pause loops between INIT and the start-up IPI. */
export const SETTLE = 100_000;

/** Variables of the guests, each in a line of its own. */
export const SHARED = {
  turn: 0x200000,
  stamp: 0x200040,
  /** How often a time stamp was below the one that the other CPU had taken before. */
  backwards: 0x200080,
  /** Exchanges, and the least time that one there and back took, ticks. */
  exchanges: 0x2000c0,
  leastRound: 0x200100,
  answers: 0x200140,
  left: 0x200180,
  before: 0x2001c0,
  ready: 0x200200,
} as const;

/** The trampoline: real mode to flat 32-bit code at `SECOND_ENTRY`, then the GDT and its register. */
function trampoline(): Uint8Array {
  const bytes = new Uint8Array(GDT + 24 - TRAMPOLINE);
  const view = new DataView(bytes.buffer);
  // cli; xor ax,ax; mov ds,ax; lgdt [GDTR]; mov eax,cr0; or al,1; mov cr0,eax; jmp dword code:entry
  bytes.set([0xfa, 0x31, 0xc0, 0x8e, 0xd8, 0x0f, 0x01, 0x16, GDTR & 0xff, GDTR >> 8]);
  bytes.set([0x0f, 0x20, 0xc0, 0x0c, 0x01, 0x0f, 0x22, 0xc0, 0x66, 0xea], 10);
  view.setUint32(20, SECOND_ENTRY, true);
  view.setUint16(24, FLAT_CODE, true);
  view.setUint16(GDTR - TRAMPOLINE, 23, true);
  view.setUint32(GDTR - TRAMPOLINE + 2, GDT, true);
  view.setBigUint64(GDT - TRAMPOLINE + 8, 0x00cf9a000000ffffn, true);
  view.setBigUint64(GDT - TRAMPOLINE + 16, 0x00cf92000000ffffn, true);
  return bytes;
}

/** mov ax, FLAT_DATA; mov ds, es, ss, ax. */
function loadSegments(a: Assembler): void {
  a.db(0x66, 0xb8, FLAT_DATA, 0, 0x8e, 0xd8, 0x8e, 0xc0, 0x8e, 0xd0);
}

function gate(a: Assembler, vector: number, handler: string): void {
  a.mov(eax, addressOf(handler))
    .mov(ebx, eax)
    .and(eax, 0xffff)
    .or(eax, FLAT_CODE << 16);
  a.mov(dword(IDT + 8 * vector), eax)
    .and(ebx, 0xffff0000)
    .or(ebx, 0x8e00);
  a.mov(dword(IDT + 8 * vector + 4), ebx);
}

export function print(a: Assembler, line: string): void {
  a.mov(dx, COM1);
  for (const character of `${line}\n`) a.mov(al, character.charCodeAt(0)).out(8, "dx");
}

export interface Parts {
  /** Interrupt handlers by vector; they are subroutines that end by IRET. */
  handlers?: Readonly<Record<number, string>>;
  first(a: Assembler): void;
  /** Absent: the first CPU is alone. */
  second?(a: Assembler): void;
  routines?(a: Assembler): void;
}

/** The guest around its parts. The first CPU's part ends with the exit's value in EAX. */
export function guestOf({ handlers = {}, first, second, routines }: Parts): Uint8Array {
  const a = new Assembler(CODE, 32);
  a.jmp("first")
    .align(SECOND_ENTRY - CODE)
    .label("second");
  loadSegments(a);
  a.mov(esp, SECOND_STACK).lidt(at(IDTR)).mov(dword(SPURIOUS), APIC_ENABLED).mov(dword(SHARED.ready), 1);
  second?.(a);
  a.label("first").mov(esp, FIRST_STACK);
  const bytes = trampoline();
  const words = new Uint32Array(bytes.buffer, 0, bytes.length / 4);
  words.forEach((word, i) => a.mov(dword(TRAMPOLINE + 4 * i), word));
  a.lgdt(at(GDTR)).jmpFar(FLAT_CODE, addressOf("flat")).label("flat");
  loadSegments(a);
  a.mov(dword(IDTR), ((IDT & 0xffff) << 16) | 0x7ff)
    .mov(dword(IDTR + 4), IDT >>> 16)
    .lidt(at(IDTR));
  for (const [vector, handler] of Object.entries(handlers)) gate(a, Number(vector), handler);
  a.mov(dword(SPURIOUS), APIC_ENABLED);
  if (second !== undefined) {
    a.mov(dword(ICR_HIGH), 1 << 24).mov(dword(ICR_LOW), INIT);
    a.mov(ecx, SETTLE).label("settle").pause().dec(ecx).jcc("ne", "settle");
    a.mov(dword(ICR_HIGH), 1 << 24).mov(dword(ICR_LOW), STARTUP | TRAMPOLINE_PAGE);
    a.label("await").pause().cmp(dword(SHARED.ready), 0).jcc("e", "await");
  }
  first(a);
  a.mov(edx, DEBUG_EXIT).out(32, "dx").label("stop").cli().hlt().jmp("stop");
  routines?.(a);
  const [{ bytes: code }] = a.link();
  return pvhElf(CODE, code, a.address("first"));
}

/**
 * Hands a line of memory to and fro `rounds` times. Whoever gets it compares its own time stamp with the one that lies in it.
 * What it found lies at `SHARED`; it ends with 0.
 */
export function timeStampGuest(rounds: number): Uint8Array {
  /** Waits for the line, judges the stamp in it, leaves one. Afterwards EAX and EDX are that. */
  const exchange = (a: Assembler, mine: number): void => {
    const name = (text: string): string => `${text}${mine}`;
    a.label(name("wait")).pause().cmp(dword(SHARED.turn), mine).jcc("ne", name("wait"));
    a.rdtsc().mov(esi, eax).mov(edi, edx);
    a.sub(eax, dword(SHARED.stamp))
      .sbb(edx, dword(SHARED.stamp + 4))
      .jcc("ae", name("later"));
    a.inc(dword(SHARED.backwards)).label(name("later"));
    a.mov(dword(SHARED.stamp), esi).mov(dword(SHARED.stamp + 4), edi);
    a.inc(dword(SHARED.exchanges)).mov(dword(SHARED.turn), 1 - mine);
  };
  return guestOf({
    first: (a) => {
      a.mov(dword(SHARED.leastRound), 0xffffffff)
        .mov(dword(SHARED.left), rounds)
        .mov(dword(SHARED.before), 0);
      a.label("again");
      exchange(a, 0);
      // From this CPU's stamp to its next one: the other's lies between them.
      a.mov(eax, esi).sub(eax, dword(SHARED.before)).mov(dword(SHARED.before), esi);
      a.cmp(dword(SHARED.left), rounds)
        .jcc("e", "least")
        .cmp(eax, dword(SHARED.leastRound))
        .jcc("ae", "least");
      a.mov(dword(SHARED.leastRound), eax).label("least").dec(dword(SHARED.left)).jcc("ne", "again");
      a.mov(eax, 0);
    },
    second: (a) => {
      a.label("bounce");
      exchange(a, 1);
      a.jmp("bounce");
    },
  });
}

/** Lines around the ping-pong, and its status where an answer was lost. */
export interface PingPong {
  begin: string;
  end: string;
  wrong: number;
}

/** The first CPU interrupts the second, which sleeps, and sleeps until that interrupts it: `rounds` times. Ends with 0. */
export function ipiGuest(rounds: number, { begin, end, wrong }: PingPong): Uint8Array {
  const [PING, PONG] = [0x40, 0x41];
  return guestOf({
    handlers: { [PING]: "ping", [PONG]: "pong" },
    first: (a) => {
      print(a, begin);
      a.mov(esi, 0)
        .label("round")
        .mov(dword(ICR_HIGH), 1 << 24)
        .mov(dword(ICR_LOW), FIXED | PING)
        .inc(esi);
      a.label("sleep").cli().cmp(dword(SHARED.answers), esi).jcc("ae", "answered").sti().hlt().jmp("sleep");
      a.label("answered").cmp(esi, rounds).jcc("ne", "round");
      print(a, end);
      a.mov(eax, 0).cmp(dword(SHARED.answers), rounds).jcc("e", "right").mov(eax, wrong).label("right");
    },
    second: (a) => a.label("rest").sti().hlt().jmp("rest"),
    routines: (a) => {
      a.label("ping")
        .mov(dword(EOI), 0)
        .mov(dword(ICR_HIGH), 0)
        .mov(dword(ICR_LOW), FIXED | PONG)
        .iret();
      a.label("pong").mov(dword(EOI), 0).inc(dword(SHARED.answers)).iret();
    },
  });
}
