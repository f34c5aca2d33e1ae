/**
 * A guest that has nothing in mind but harm: it writes random values to random ports, device registers, holes and
 * model-specific registers, with every instruction that reaches them, until something ends it. One program in
 * 32-bit protected mode without paging, entered by PVH; its seed is on its command line (eight hexadecimal digits).
 *
 * Every exception drops what was going on; interrupts are acknowledged everywhere and mostly return.
 *
 * Specification: SDM vol. 2 (IN, OUT, INS, OUTS, REP), vol. 3A §6.11 (IDT), §11.4 (local APIC); PVH start_info v1.
 */
import { CR4_OSFXSR } from "../../src/spec/x86-privileged.js";
import { GENERATION_MMIO, IOAPIC_MMIO, LAPIC_MMIO } from "../../src/memory/layout.js";
import { PC_PORTS } from "../../src/spec/pc-ports.js";
import { everyPort, portsOf as rangeOf } from "../support/usual-machine.js";
import { APIC_MSR, LAPIC } from "../../src/spec/apic.js";
import {
  addressOf,
  Assembler,
  at,
  CODE_READABLE,
  DATA_WRITABLE,
  dword,
  gate32,
  oword,
  qword,
  segmentDescriptor,
  TYPE_INTERRUPT_GATE,
  word,
} from "../support/asm/index.js";
import * as o from "../support/asm/index.js";
import { pvhElf } from "../support/qemu/pvh-elf.js";

const LOAD = 0x100000;
const STACK = 0x180000;
const BUFFER = 0x190000;
const VECTORS = 256;
/** Vectors below come from the CPU; the local APIC takes 16 and up too. */
const EXCEPTIONS = 32;
const START_INFO_COMMAND_LINE = 24;
const SEED_DIGITS = 8;

/** What a single write may end the machine with; rarely written, or no life would last. */
const WAYS_OUT = [
  PC_PORTS.systemControlA,
  PC_PORTS.debugExit,
  PC_PORTS.debugExitAlias,
  PC_PORTS.resetControl,
  rangeOf("acpi-pm", 1),
  PC_PORTS.keyboardCommand,
] as const;

const portsOf = (spans: readonly { start: number; size: number }[]): number[] =>
  spans.flatMap(({ start, size }) => Array.from({ length: size }, (_, i) => start + i));

/** Every port of every device. */
export const DEVICE_PORTS: readonly number[] = everyPort();
const WAY_OUT_PORTS = portsOf(WAYS_OUT);
const SAFE_PORTS = DEVICE_PORTS.filter((port) => !WAY_OUT_PORTS.includes(port));

/** Model-specific registers with meanings of their own; the local APIC's are among them. */
export const GUEST_MSRS: readonly number[] = [
  APIC_MSR.base,
  APIC_MSR.tscDeadline,
  ...Array.from({ length: 0x40 }, (_, i) => APIC_MSR.x2apicFirst + i),
  ...[0x10, 0x3a, 0x3b, 0x48, 0x49, 0x8b, 0xfe, 0x10a, 0x174, 0x175, 0x176, 0x179, 0x1a0, 0x1d9],
  ...[0x200, 0x201, 0x20f, 0x250, 0x258, 0x26f, 0x277, 0x2ff, 0x400, 0x401, 0xda0],
  ...[0xc0000080, 0xc0000081, 0xc0000082, 0xc0000083, 0xc0000084, 0xc0000100, 0xc0000101, 0xc0000102],
  0xc0000103,
];

/** Addresses that are no RAM, and the edges of what is. */
const HOLES = [
  ...[0xa0000, 0xbfffe, 0xc8000, 0xdfffd, 0x3ffffe, 0x400000, 0x1000000, 0x7ffffffd, 0xbffffffe, 0xc0000000],
  ...[IOAPIC_MMIO.start - 2, IOAPIC_MMIO.start + IOAPIC_MMIO.size - 2, 0xfed00000, LAPIC_MMIO.start - 3],
  ...[GENERATION_MMIO.start - 2, GENERATION_MMIO.start + 14],
  ...[LAPIC_MMIO.start + LAPIC_MMIO.size - 1, 0xfffffffc, 0xfffffffe, 0xffffffff],
];

/** The guest in the making: shared routines, then one routine an operation, then the table that chooses. */
class HostileProgram {
  readonly a = new Assembler(LOAD, 32);
  private readonly operations: string[] = [];

  build(): void {
    const { a } = this;
    a.label("entry").mov(o.esp, STACK).lgdt(at("gdtr")).jmpFar(8, addressOf("flat"));
    a.label("flat").mov(o.eax, 16);
    for (const segment of [o.ds, o.es, o.ss, o.fs, o.gs]) a.movToSegment(segment, o.ax);
    a.lidt(at("idtr")).mov(o.eax, CR4_OSFXSR).movSystem(o.cr4, o.eax);
    this.readSeed();
    a.label("loop").mov(o.esp, STACK).cld().call("random").and(o.eax, 63);
    a.mov(o.eax, dword({ index: o.eax, scale: 4, disp: 0, label: "table" }))
      .callAt(o.eax)
      .jmp("loop");
    this.random();
    this.handlers();
    this.portOperations();
    this.memoryOperations();
    this.processorOperations();
    this.tables();
  }

  /** Eight hexadecimal digits at the start of the command line. */
  private readSeed(): void {
    const { a } = this;
    a.mov(o.esi, dword(o.ebx, START_INFO_COMMAND_LINE)).xor(o.edx, o.edx).mov(o.ecx, SEED_DIGITS);
    a.label("digit").lods(8).sub(o.al, 0x30).cmp(o.al, 9).jcc("be", "decimal").sub(o.al, 0x27);
    a.label("decimal").and(o.eax, 15).shl(o.edx, 4).or(o.edx, o.eax).loop("digit");
    a.or(o.edx, 1).mov(dword("state"), o.edx);
  }

  /** EAX = the next number of xorshift32; clobbers EDX. */
  private random(): void {
    const { a } = this;
    a.label("random").mov(o.eax, dword("state"));
    a.mov(o.edx, o.eax).shl(o.edx, 13).xor(o.eax, o.edx);
    a.mov(o.edx, o.eax).shr(o.edx, 17).xor(o.eax, o.edx);
    a.mov(o.edx, o.eax).shl(o.edx, 5).xor(o.eax, o.edx);
    a.mov(dword("state"), o.eax).ret();
  }

  /** Exceptions begin the loop again; interrupts are acknowledged and return three times out of four. */
  private handlers(): void {
    const { a } = this;
    a.label("exception").inc(dword("exceptions")).jmp("loop");
    a.label("interrupt").push(o.eax).push(o.edx).inc(dword("interrupts"));
    a.mov(dword(LAPIC_MMIO.start + LAPIC.endOfInterrupt), 0);
    a.mov(o.al, 0x20).out(8, PC_PORTS.picSlave.start).out(8, PC_PORTS.picMaster.start);
    a.call("random").test(o.al, 3).jcc("e", "loop").pop(o.edx).pop(o.eax).iret();
  }

  private operation(weight: number, body: (a: Assembler) => void): void {
    const name = this.a.fresh("operation");
    for (let i = 0; i < weight; i++) this.operations.push(name);
    this.a.label(name);
    body(this.a);
    this.a.ret();
  }

  /** EAX = one of the dwords at `table`; clobbers EDX. */
  private pick(table: string, count: number): void {
    const { a } = this;
    a.call("random").xor(o.edx, o.edx).push(o.ebx).mov(o.ebx, count).div(o.ebx).pop(o.ebx);
    a.mov(o.eax, dword({ index: o.edx, scale: 4, disp: 0, label: table }));
  }

  /** Branches to one of the bodies. */
  private oneOf(bodies: readonly ((a: Assembler) => void)[]): void {
    const { a } = this;
    const end = a.fresh("end");
    const names = bodies.map(() => a.fresh("case"));
    a.call("random")
      .shr(o.eax, 8)
      .and(o.eax, 0xffffff)
      .xor(o.edx, o.edx)
      .push(o.ecx)
      .mov(o.ecx, bodies.length);
    a.div(o.ecx).pop(o.ecx);
    names.forEach((name, i) => a.cmp(o.edx, i).jcc("e", name));
    bodies.forEach((body, i) => {
      a.label(names[i]);
      body(a);
      a.jmp(end);
    });
    a.label(end);
  }

  /** A port access of any size, plain or by a string instruction; the port is in EDI. */
  private access(): void {
    const { a } = this;
    const value = (): void => void a.call("random").mov(o.edx, o.edi);
    const string = (): void =>
      void a
        .call("random")
        .mov(o.ecx, o.eax)
        .and(o.ecx, 15)
        .mov(o.edx, o.edi)
        .mov(o.esi, BUFFER)
        .mov(o.edi, BUFFER);
    this.oneOf([
      (x) => (value(), x.out(8, "dx")),
      (x) => (value(), x.out(8, "dx")),
      (x) => (value(), x.out(16, "dx")),
      (x) => (value(), x.out(32, "dx")),
      (x) => x.mov(o.edx, o.edi).in(8, "dx"),
      (x) => x.mov(o.edx, o.edi).in(8, "dx"),
      (x) => x.mov(o.edx, o.edi).in(16, "dx"),
      (x) => x.mov(o.edx, o.edi).in(32, "dx"),
      (x) => (string(), x.rep().outs(8)),
      (x) => (string(), x.rep().outs(16)),
      (x) => (string(), x.outs(32)),
      (x) => (string(), x.rep().ins(8)),
      (x) => (string(), x.ins(16)),
      (x) => (string(), x.rep().ins(32)),
    ]);
  }

  private portOperations(): void {
    this.operation(
      20,
      (a) => (this.pick("safePorts", SAFE_PORTS.length), a.mov(o.edi, o.eax), this.access()),
    );
    this.operation(4, (a) => (a.call("random").movzx(o.edi, o.ax), this.access()));
    // Index and data: CMOS, and the divisor latch of the serial port.
    this.operation(3, (a) => {
      a.call("random").out(8, PC_PORTS.rtc.start);
      this.oneOf([
        (x) => x.in(8, PC_PORTS.rtc.start + 1),
        (x) => x.call("random").out(8, PC_PORTS.rtc.start + 1),
      ]);
    });
    this.operation(2, (a) => {
      const line = PC_PORTS.com1.start + 3;
      a.call("random").or(o.al, 0x80).mov(o.edx, line).out(8, "dx");
      a.call("random").mov(o.edi, o.eax).and(o.edi, 1).add(o.edi, PC_PORTS.com1.start);
      this.access();
      a.mov(o.edx, line).mov(o.al, 3).out(8, "dx");
    });
    this.operation(1, (a) => {
      const skip = a.fresh("skip");
      this.pick("waysOut", WAY_OUT_PORTS.length);
      a.mov(o.edi, o.eax).mov(o.edx, o.eax).in(8, "dx").call("random").test(o.eax, 0x0f00).jcc("ne", skip);
      this.access();
      a.label(skip);
    });
  }

  /** EDI = an address that is no RAM: a device's register, anywhere in its page, a hole, an edge. */
  private address(): void {
    const offset = (mask: number) => (a: Assembler) => a.call("random").mov(o.edi, o.eax).and(o.edi, mask);
    this.oneOf([
      (a) => offset(0x3f0)(a).add(o.edi, LAPIC_MMIO.start),
      (a) => offset(0x3f0)(a).add(o.edi, LAPIC_MMIO.start),
      (a) => offset(0xfff)(a).add(o.edi, LAPIC_MMIO.start),
      (a) => offset(0x50)(a).add(o.edi, IOAPIC_MMIO.start),
      (a) => offset(0xfff)(a).add(o.edi, IOAPIC_MMIO.start),
      (a) => (this.pick("holes", HOLES.length), a.mov(o.edi, o.eax)),
      (a) => a.call("random").or(o.eax, 0xc0000000).mov(o.edi, o.eax),
    ]);
  }

  private memoryOperations(): void {
    this.operation(12, (a) => {
      this.address();
      a.call("random");
      this.oneOf([
        (x) => x.call("random").mov(dword(o.edi), o.eax),
        (x) => x.call("random").mov(dword(o.edi), o.eax),
        (x) => x.call("random").mov(dword(o.edi), o.eax),
        (x) => x.mov(o.eax, dword(o.edi)),
        (x) => x.mov(o.eax, dword(o.edi)),
        (x) => x.call("random").mov(word(o.edi), o.ax),
        (x) => x.mov(o.ax, word(o.edi)),
        (x) => x.call("random").mov(o.memory(8, o.edi), o.al),
        (x) => x.lock().xchg(dword(o.edi), o.eax),
        (x) => x.lock().cmpxchg8b(qword(o.edi)),
        (x) => x.fld80(o.tword(o.edi)),
        (x) => x.movdqu(o.xmm1, oword(o.edi)),
        (x) => x.movdqu(oword(o.edi), o.xmm1),
      ]);
    });
    const string = (): void => void this.a.call("random").mov(o.ecx, o.eax).and(o.ecx, 31).mov(o.esi, BUFFER);
    this.operation(4, () => {
      this.address();
      string();
      this.oneOf([
        (x) => x.call("random").rep().stos(32),
        (x) => x.rep().stos(8),
        (x) => x.rep().movs(32),
        (x) => x.rep().movs(16),
        (x) => x.xchg(o.esi, o.edi).rep().movs(32),
        (x) => x.mov(o.esi, o.edi).std().rep().movs(8).cld(),
        (x) => x.mov(o.esi, o.edi).rep().lods(32),
        (x) => x.repne().scas(16),
      ]);
    });
    // The I/O APIC's registers behind its index.
    this.operation(6, (a) => {
      a.call("random").and(o.eax, 0x3f).mov(dword(IOAPIC_MMIO.start), o.eax);
      this.oneOf([
        (x) => x.mov(o.eax, dword(IOAPIC_MMIO.start + 0x10)),
        (x) => x.call("random").mov(dword(IOAPIC_MMIO.start + 0x10), o.eax),
      ]);
    });
  }

  private processorOperations(): void {
    const wrmsr = (a: Assembler): unknown =>
      a.call("random").push(o.eax).call("random").mov(o.edx, o.eax).and(o.edx, 0xff).pop(o.eax).wrmsr();
    this.operation(5, (a) => {
      this.pick("msrs", GUEST_MSRS.length);
      a.mov(o.ecx, o.eax);
      this.oneOf([(x) => x.rdmsr(), wrmsr, (x) => x.call("random").xor(o.edx, o.edx).wrmsr()]);
    });
    this.operation(1, (a) => {
      a.call("random").mov(o.ecx, o.eax);
      this.oneOf([(x) => x.rdmsr(), wrmsr]);
    });
    // The local APIC comes back enabled, in xAPIC mode as a rule, or the rest of a life would not see it.
    this.operation(2, (a) => {
      a.mov(o.ecx, APIC_MSR.base).xor(o.edx, o.edx);
      this.oneOf([
        (x) =>
          x
            .mov(o.eax, LAPIC_MMIO.start | 0x100)
            .wrmsr()
            .mov(o.eax, LAPIC_MMIO.start | 0x900)
            .wrmsr(),
        (x) => x.mov(o.eax, LAPIC_MMIO.start | 0xd00).wrmsr(),
      ]);
      a.mov(dword(LAPIC_MMIO.start + LAPIC.spurious), 0x1ff);
    });
    this.operation(4, (a) => {
      const skip = a.fresh("skip");
      this.oneOf([
        (x) => x.sti(),
        (x) => x.sti().db(0x90).db(0x90).cli(),
        (x) => x.cli(),
        (x) => x.call("random").test(o.al, 0xf0).jcc("ne", skip).sti().hlt(),
        (x) => x.rdtsc().cpuid().pause(),
        (x) => x.call("random").int(EXCEPTIONS),
        (x) => x.ud2(),
      ]);
      a.label(skip);
    });
  }

  private tables(): void {
    const { a } = this;
    if (this.operations.length !== 64)
      throw new Error(`${this.operations.length} operations, the mask takes 64`);
    const dwords = (name: string, values: readonly number[]): unknown =>
      a
        .align(16)
        .label(name)
        .dd(...values);
    a.align(16)
      .label("table")
      .dd(...this.operations.map((name) => addressOf(name)));
    dwords("safePorts", SAFE_PORTS);
    dwords("waysOut", WAY_OUT_PORTS);
    dwords("holes", HOLES);
    dwords("msrs", GUEST_MSRS);
    a.label("state").dd(1).label("exceptions").dd(0).label("interrupts").dd(0);
    const flat = { base: 0, limit: 0xfffff };
    a.align(16)
      .label("gdt")
      .dq(0, segmentDescriptor({ ...flat, type: CODE_READABLE, big: true }));
    a.dq(segmentDescriptor({ ...flat, type: DATA_WRITABLE, big: true }));
    a.label("gdtr").dw(23).dd(addressOf("gdt")).align(16).label("idt");
    for (let vector = 0; vector < VECTORS; vector++) {
      const offset = a.address(vector < EXCEPTIONS ? "exception" : "interrupt");
      a.dq(gate32({ selector: 8, offset, type: TYPE_INTERRUPT_GATE }));
    }
    a.label("idtr")
      .dw(VECTORS * 8 - 1)
      .dd(addressOf("idt"));
  }
}

/** The guest as a PVH kernel, and where it counts what it survived. */
export function hostileGuest(): { kernel: Uint8Array; exceptions: number; interrupts: number } {
  const program = new HostileProgram();
  program.build();
  const [{ bytes }] = program.a.link();
  return {
    kernel: pvhElf(LOAD, bytes, program.a.address("entry")),
    exceptions: program.a.address("exceptions"),
    interrupts: program.a.address("interrupts"),
  };
}

/** The command line that carries a seed. */
export function seedText(seed: number): string {
  return (seed >>> 0).toString(16).padStart(SEED_DIGITS, "0");
}
