/**
 * Small guests that go through what a snapshot may forget: what a CPU hides, what devices have begun, who has to run next.
 * 32-bit code entered by PVH. What they see they write to the console or keep in memory.
 */
import { FW_CFG_DMA } from "../../src/spec/fw-cfg.js";
import { RTC, RTC_A, RTC_B } from "../../src/spec/mc146818.js";
import { GENERATION_MMIO } from "../../src/memory/layout.js";
import * as o from "./asm/index.js";
import type { Assembler } from "./asm/index.js";
import { guestOf, print, SHARED, type Parts } from "./two-cpu-guests.js";

const { dword, word, eax, ebx, ecx, edx, esi, edi, al } = o;

const LAPIC = 0xfee00000;
const EOI = LAPIC + 0xb0;
const LVT_TIMER = LAPIC + 0x320;
const ICR_LOW = LAPIC + 0x300;
const ICR_HIGH = LAPIC + 0x310;
const TIMER_INITIAL = LAPIC + 0x380;
const TIMER_DIVIDE = LAPIC + 0x3e0;
const IOAPIC = 0xfec00000;
const PERIODIC = 1 << 17;
const BY_ONE = 0xb;
const NMI_TO_FIRST = 0x4400;
const COM1 = 0x3f8;
const DATA = 0x220000;
const TICKS = DATA;
const LOG = 0x230000;
/** Where handlers append what they saw. */
const LOG_END = DATA + 0x40;
const FOUND = DATA + 0x80;

export interface MovedGuest {
  name: string;
  bytes: Uint8Array;
  cpus: number;
  /** On a machine with every part that machines with firmware and a screen have. */
  everyPart?: true;
  /** How it ends. */
  status: number;
  /** Instructions before the first move. */
  from?: number;
  /** Moves, one instruction apart. */
  moves: number;
  /** Longest stretch between two moves, instructions: for what is over soon. */
  stride?: number;
  /** What comes on the console, by the number of the move. */
  input?: Readonly<Record<number, string>>;
  maxResets?: number;
}

/** Appends EAX to the log. Changes EDI. */
function note(a: Assembler): void {
  a.mov(edi, dword(LOG_END)).mov(dword(edi, LOG), eax).add(dword(LOG_END), 4);
}

/** Only the local APIC and the I/O APIC interrupt. */
function maskPair(a: Assembler): void {
  a.mov(al, 0xff).out(8, 0x21).out(8, 0xa1);
}

/** Unmasks an input of the I/O APIC as an edge to the first CPU. */
function route(a: Assembler, pin: number, vector: number, flags = 0): void {
  a.mov(dword(IOAPIC), 0x11 + 2 * pin).mov(dword(IOAPIC + 0x10), 0);
  a.mov(dword(IOAPIC), 0x10 + 2 * pin).mov(dword(IOAPIC + 0x10), vector | flags);
}

function setRtc(a: Assembler, register: number, value: number): void {
  a.mov(al, register).out(8, 0x70).mov(al, value).out(8, 0x71);
}

/** Every timer that interrupts, at once: local APIC, PIT, RTC; between them STI shadows, HLT, reads of every clock. */
const TIMERS: Parts = {
  handlers: { 0x40: "tick", 0x41: "pit", 0x42: "rtc" },
  first(a) {
    maskPair(a);
    route(a, 2, 0x41);
    route(a, 8, 0x42);
    a.mov(dword(TIMER_DIVIDE), BY_ONE).mov(dword(LVT_TIMER), PERIODIC | 0x40);
    a.mov(dword(TIMER_INITIAL), 5000);
    a.mov(al, 0x34).out(8, 0x43).mov(al, 71).out(8, 0x40).mov(al, 0).out(8, 0x40);
    setRtc(a, RTC.a, RTC_A.dividerNormal | 3);
    setRtc(a, RTC.b, RTC_B.hours24 | RTC_B.periodicEnable);
    a.mov(al, RTC.c).out(8, 0x70).in(8, 0x71);
    a.mov(esi, 0).label("again").sti().nop().nop().cli();
    a.mov(edx, 0x608).in(32, "dx");
    note(a);
    a.mov(al, 0).out(8, 0x43).in(8, 0x40).in(8, 0x40).in(8, 0x61);
    a.rdtsc();
    note(a);
    a.mov(eax, dword(LAPIC + 0x390));
    note(a);
    a.sti().hlt().inc(esi).cmp(esi, 12).jcc("ne", "again");
    a.cli();
    print(a, "timers");
    a.mov(eax, dword(TICKS));
  },
  routines(a) {
    a.label("tick").push(eax).push(edi).mov(eax, 0x40);
    note(a);
    a.mov(dword(EOI), 0).inc(dword(TICKS)).pop(edi).pop(eax).iret();
    a.label("pit").push(eax).push(edi).mov(eax, 0x41);
    note(a);
    a.mov(dword(EOI), 0).pop(edi).pop(eax).iret();
    a.label("rtc").push(eax).push(edi).mov(al, RTC.c).out(8, 0x70).in(8, 0x71);
    note(a);
    a.mov(dword(EOI), 0).pop(edi).pop(eax).iret();
  },
};

/** NMIs latched, blocked and in the shadow of a load of SS; interrupts within handlers; TF and data breakpoints. */
const HIDDEN: Parts = {
  handlers: { 1: "debug", 2: "nmi", 0x40: "tick" },
  first(a) {
    const nmi = (): void => void a.mov(dword(ICR_HIGH), 0).mov(dword(ICR_LOW), NMI_TO_FIRST);
    a.mov(dword(TIMER_DIVIDE), BY_ONE).mov(dword(LVT_TIMER), 0x40).mov(dword(TIMER_INITIAL), 400);
    nmi();
    // A second one waits until the handler of the first is over.
    nmi();
    a.movFromSegment(o.ax, o.ss).sti().movToSegment(o.ss, o.ax).nop().nop().cli();
    a.sti().nop().cli();
    // Data breakpoints: 4 bytes at FOUND, writes.
    a.mov(eax, FOUND).movSystem(o.dr0, eax).mov(eax, 0x000d0001).movSystem(o.dr7, eax);
    a.mov(dword(FOUND), 5).nop();
    a.movFromSegment(o.ax, o.ss).mov(word(FOUND), o.ax);
    // Reached under the shadow of a load of SS: the exception waits.
    a.movToSegment(o.ss, word(FOUND)).nop().nop();
    a.mov(eax, 0x000f0001).movSystem(o.dr7, eax);
    a.movToSegment(o.ss, word(FOUND)).nop().nop();
    // Single steps, over REP MOVS too.
    a.mov(eax, 0).movSystem(o.dr7, eax);
    a.pushf().or(dword(o.esp), 0x100).popf();
    a.mov(esi, LOG)
      .mov(edi, LOG + 0x8000)
      .mov(ecx, 5)
      .cld()
      .rep()
      .movs(32)
      .nop();
    a.pushf().and(dword(o.esp), ~0x100).popf();
    a.mov(esi, LOG)
      .mov(edi, LOG + 0x9000)
      .mov(ecx, 90)
      .rep()
      .movs(8);
    a.std()
      .mov(esi, LOG + 200)
      .mov(edi, LOG + 0x9200)
      .mov(ecx, 20)
      .rep()
      .movs(16)
      .cld();
    // x87 and SSE in the middle of things.
    a.fninit().db(0xd9, 0xe8, 0xd9, 0xeb).mov(eax, 0x600);
    a.db(0x0f, 0x22, 0xe0); // mov cr4, eax: OSFXSR
    a.db(0x0f, 0x28, 0xc1, 0x66, 0x0f, 0xef, 0xc9, 0x66, 0x0f, 0x76, 0xd2); // movaps, pxor, pcmpeqd
    a.db(0xd8, 0xc1, 0xd9, 0xfa); // fadd st1; fsqrt
    a.fxsave(o.at(DATA + 0x200));
    print(a, "hidden");
    a.mov(eax, 3);
  },
  routines(a) {
    const handler = (label: string, mark: number, body: () => void): void => {
      a.label(label).push(eax).push(edi).mov(eax, mark);
      note(a);
      body();
      a.pop(edi).pop(eax).iret();
    };
    handler("debug", 0x10, () => {
      a.movSystem(eax, o.dr6);
      note(a);
      a.mov(eax, 0).movSystem(o.dr6, eax);
    });
    handler("nmi", 0x20, () => a.nop().nop());
    handler("tick", 0x40, () => a.mov(dword(EOI), 0).mov(dword(TIMER_INITIAL), 400));
  },
};

/** Two CPUs whose timers end at the same time, twice in a row, each in another order of arming; and who waits by PAUSE. */
const RANKS: Parts = {
  handlers: { 0x40: "tick" },
  first(a) {
    a.mov(esi, 0).label("round");
    a.inc(esi).mov(dword(SHARED.turn), esi);
    a.call("arm")
      .label("sleep")
      .sti()
      .hlt()
      .cli()
      .cmp(dword(DATA + 0x100), esi)
      .jcc("b", "sleep");
    a.label("both")
      .pause()
      .cmp(dword(DATA + 0x110), esi)
      .jcc("b", "both");
    a.cmp(esi, 6).jcc("ne", "round");
    print(a, "ranks");
    a.mov(eax, 2);
  },
  second(a) {
    a.mov(esi, 1).label("other").pause().cmp(dword(SHARED.turn), esi).jcc("ne", "other");
    a.call("arm")
      .label("rest")
      .sti()
      .hlt()
      .cli()
      .cmp(dword(DATA + 0x110), esi)
      .jcc("b", "rest");
    a.inc(esi).jmp("other");
  },
  routines(a) {
    // Both arm for the next multiple of 2^15 ticks of the TSC, by its deadline mode.
    a.label("arm")
      .mov(dword(LVT_TIMER), (2 << 17) | 0x40)
      .rdtsc();
    a.and(eax, ~0x7fff).add(eax, 0x10000).mov(ecx, 0x6e0).wrmsr().ret();
    a.label("tick")
      .push(eax)
      .push(edi)
      .mov(eax, dword(LAPIC + 0x20))
      .shr(eax, 20);
    a.inc(dword(eax, DATA + 0x100));
    note(a);
    a.mov(dword(EOI), 0).pop(edi).pop(eax).iret();
  },
};

/** The second CPU sleeps in MWAIT and is written to. */
const WAITS: Parts = {
  handlers: { 0x40: "tick" },
  first(a) {
    a.mov(esi, 0).label("round").inc(esi);
    a.mov(ecx, 30).label("delay").pause().dec(ecx).jcc("ne", "delay");
    a.mov(dword(SHARED.turn), esi).label("answer").pause().cmp(dword(SHARED.answers), esi).jcc("b", "answer");
    a.cmp(esi, 3).jcc("ne", "round");
    print(a, "waits");
    a.mov(eax, 2);
  },
  second(a) {
    a.label("watch").mov(eax, SHARED.turn).xor(ecx, ecx).xor(edx, edx).monitor();
    a.mov(ebx, dword(SHARED.turn)).cmp(ebx, dword(SHARED.answers)).jcc("ne", "seen").mwait();
    a.label("seen").mov(ebx, dword(SHARED.turn)).mov(dword(SHARED.answers), ebx).jmp("watch");
  },
  routines: (a) => a.label("tick").iret(),
};

/** Reads the console by interrupts, more slowly than it comes, and echoes it. */
const INPUT: Parts = {
  handlers: { 0x44: "uart" },
  first(a) {
    maskPair(a);
    route(a, 4, 0x44);
    a.mov(edx, COM1 + 2)
      .mov(al, 0xc7)
      .out(8, "dx");
    a.mov(edx, COM1 + 4)
      .mov(al, 0x0b)
      .out(8, "dx");
    a.mov(edx, COM1 + 1)
      .mov(al, 1)
      .out(8, "dx");
    a.label("rest").sti().hlt().cli().cmp(dword(TICKS), 40).jcc("b", "rest");
    print(a, "input");
    a.mov(eax, 1);
  },
  routines(a) {
    a.label("uart")
      .push(eax)
      .push(edx)
      .mov(edx, COM1 + 2)
      .in(8, "dx")
      .mov(edx, COM1 + 5)
      .in(8, "dx");
    a.mov(ecx, 7).label("slow").dec(ecx).jcc("ne", "slow");
    a.label("more").mov(edx, COM1).in(8, "dx").inc(dword(TICKS)).out(8, "dx");
    a.mov(edx, COM1 + 5)
      .in(8, "dx")
      .test(al, 1)
      .jcc("ne", "more");
    a.mov(dword(EOI), 0).pop(edx).pop(eax).iret();
  },
};

/** A DMA of fw_cfg whose address has been given in halves; a screen, its cursor, its blanking; CMOS and 8042 in mid-command. */
const HALVES: Parts = {
  first(a) {
    // struct FWCfgDmaAccess: select and read the signature.
    const control = FW_CFG_DMA.SELECT | FW_CFG_DMA.READ;
    a.mov(dword(DATA + 0x300), control << 24).mov(dword(DATA + 0x304), 4 << 24);
    a.mov(dword(DATA + 0x308), 0)
      .mov(eax, DATA + 0x320)
      .bswap(eax)
      .mov(dword(DATA + 0x30c), eax);
    a.mov(edx, 0x514).mov(eax, 0).out(32, "dx").nop().nop();
    a.mov(eax, DATA + 0x300)
      .bswap(eax)
      .mov(edx, 0x518)
      .out(32, "dx");
    a.mov(eax, dword(DATA + 0x320));
    note(a);
    a.mov(edx, 0x510).mov(eax, 5).out(16, "dx").mov(edx, 0x511).in(8, "dx").in(8, "dx");
    note(a);
    for (const [i, letter] of [...Buffer.from("screen")].entries())
      a.mov(word(0xb8000 + 2 * i), 0x0700 | letter);
    a.mov(edx, 0x3d4).mov(al, 0x0f).out(8, "dx").mov(edx, 0x3d5).mov(al, 6).out(8, "dx").in(8, "dx");
    a.mov(edx, 0x3da).in(8, "dx").mov(edx, 0x3c0).mov(al, 0x30).out(8, "dx").mov(al, 8).out(8, "dx");
    a.mov(al, 0x20).out(8, 0x64).in(8, 0x60).mov(al, 0x60).out(8, 0x64).mov(al, 0x47).out(8, 0x60);
    a.mov(al, 0x20).out(8, 0x64).in(8, 0x60);
    note(a);
    // The halves of a count of the PIT, and of one that is read; a latched status.
    a.mov(al, 0xb6).out(8, 0x43).mov(al, 0x34).out(8, 0x42).nop().mov(al, 0x12).out(8, 0x42);
    a.in(8, 0x61).or(al, 1).out(8, 0x61).mov(al, 0xe8).out(8, 0x43).in(8, 0x42).nop().in(8, 0x42).in(8, 0x42);
    note(a);
    setRtc(a, 0x35, 0x99);
    a.mov(al, 0x35).out(8, 0x70).nop().in(8, 0x71);
    note(a);
    a.mov(eax, dword(GENERATION_MMIO.start));
    note(a);
    print(a, "halves");
    a.mov(eax, 0);
  },
};

/** Resets itself twice, each time another way, with timers armed and interrupts latched. */
const RESETS: Parts = {
  handlers: { 0x40: "tick" },
  first(a) {
    setRtc(a, RTC.a, RTC_A.dividerNormal | 6);
    a.mov(al, 0x36).out(8, 0x70).in(8, 0x71).inc(al).mov(ebx, eax);
    a.mov(al, 0x36).out(8, 0x70).mov(eax, ebx).out(8, 0x71);
    a.add(al, 0x30).mov(edx, COM1).out(8, "dx").sub(al, 0x30);
    a.mov(dword(TIMER_DIVIDE), BY_ONE).mov(dword(LVT_TIMER), 0x40).mov(dword(TIMER_INITIAL), 300);
    a.cmp(al, 1).jcc("e", "byPort").cmp(al, 2).jcc("e", "byFault");
    a.mov(eax, 4).jmp("over");
    a.label("byPort").mov(edx, 0xcf9).mov(al, 6).out(8, "dx").nop().hlt();
    a.label("byFault").lidt(o.at("nothing")).int3();
    a.label("nothing").dd(0, 0).label("over");
  },
  routines: (a) => a.label("tick").mov(dword(EOI), 0).iret(),
};

/** Jumps to itself with interrupts off: whoever looks whether it does looks after the same number of instructions. */
const STUCK: Parts = {
  first: (a) => a.cli().label("here").jmp("here"),
};

const [PAGE_DIRECTORY, PAGE_TABLE] = [0x240000, 0x241000];

/** Pages whose entries are changed with and without INVLPG: what a CPU remembers of them is its own. */
const PAGES: Parts = {
  first(a) {
    a.mov(edi, PAGE_TABLE).mov(eax, 3).mov(ecx, 1024);
    a.label("entry").mov(dword(edi), eax).add(eax, 0x1000).add(edi, 4).dec(ecx).jcc("ne", "entry");
    a.mov(dword(PAGE_DIRECTORY), PAGE_TABLE | 3)
      .mov(eax, PAGE_DIRECTORY)
      .movSystem(o.cr3, eax);
    a.movSystem(eax, o.cr0).or(eax, 0x80000000).movSystem(o.cr0, eax).jmp("paged").label("paged");
    const [one, two, entry] = [0x380000, 0x381000, PAGE_TABLE + 4 * 0x380];
    a.mov(dword(one), 0x11).mov(dword(two), 0x22).mov(esi, 0).label("again");
    a.mov(eax, dword(one)).mov(ebx, dword(two)).mov(edx, dword(0x382000));
    // Leads elsewhere from now on, which is seen only once the old way is forgotten.
    a.xor(dword(entry), 0x1000).mov(eax, dword(one));
    note(a);
    a.invlpg(o.at(one)).mov(eax, dword(0x383000)).mov(eax, dword(one));
    note(a);
    a.xor(dword(entry), 0x1000).mov(eax, dword(one)).movSystem(ecx, o.cr3).movSystem(o.cr3, ecx);
    note(a);
    a.inc(esi).cmp(esi, 3).jcc("ne", "again");
    print(a, "pages");
    a.mov(eax, 6);
  },
};

const [GENERAL_ENABLE, SCI_PIN] = [0x60e, 9];

/** Sleeps until a general-purpose event comes, says so and ends. */
const NEWS: Parts = {
  handlers: { 0x49: "event" },
  first(a) {
    maskPair(a);
    route(a, SCI_PIN, 0x49);
    a.mov(edx, GENERAL_ENABLE).mov(al, 1).out(8, "dx");
    print(a, "waits");
    a.label("rest").sti().hlt().jmp("rest");
  },
  routines(a) {
    a.label("event");
    print(a, "news");
    a.mov(edx, 0xf4).mov(eax, 0).out(32, "dx");
  },
};

/** A guest that waits for the event of another generation. */
export const newsGuest = (): Uint8Array => guestOf(NEWS);

export const MOVED_GUESTS: readonly MovedGuest[] = [
  { name: "timers pending in HLT and in handlers", bytes: guestOf(TIMERS), cpus: 1, status: 13, moves: 700 },
  { name: "NMIs, shadows, #DB, REP MOVS", bytes: guestOf(HIDDEN), cpus: 1, status: 7, moves: 700 },
  {
    name: "a start-up IPI, equal deadlines of two CPUs",
    bytes: guestOf(RANKS),
    cpus: 2,
    status: 5,
    from: 300_000,
    moves: 600,
  },
  { name: "INIT of another CPU", bytes: guestOf(WAITS), cpus: 2, status: 5, moves: 120 },
  { name: "MWAIT of another CPU", bytes: guestOf(WAITS), cpus: 2, status: 5, from: 300_000, moves: 600 },
  {
    name: "input in the FIFO and before it",
    bytes: guestOf(INPUT),
    cpus: 1,
    status: 3,
    moves: 900,
    input: { 40: "abcdefghijklmnopqrstuvwxyz", 200: "0123456789", 420: "last" },
  },
  { name: "halves of accesses", bytes: guestOf(HALVES), cpus: 1, everyPart: true, status: 1, moves: 300 },
  { name: "resets", bytes: guestOf(RESETS), cpus: 1, status: 9, moves: 200, maxResets: 2 },
  { name: "pages remembered", bytes: guestOf(PAGES), cpus: 1, status: 13, from: 5180, moves: 60, stride: 1 },
  { name: "a jump to itself", bytes: guestOf(STUCK), cpus: 1, status: 10, from: 1000, moves: 10 },
];
