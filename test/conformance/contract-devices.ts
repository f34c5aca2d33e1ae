/**
 * How an engine reaches devices: ports and MMIO with exact sizes, order and values, interrupts raised inside an
 * access, MSRs of the local APIC, the time-stamp counter.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Engine } from "../../src/engine/contract.js";
import {
  at,
  ax,
  byte,
  dword,
  dx,
  eax,
  ebx,
  ecx,
  edi,
  edx,
  esi,
  qword,
  rax,
  rdx,
  rsp,
  ss,
  word,
} from "../support/asm/index.js";
import { prologue } from "./support/environments.js";
import { guest } from "./support/guest.js";
import type { Guest, GuestBuilder } from "./support/guest.js";
import { SCRATCH_MMIO, SCRATCH_PORT } from "./support/host.js";
import * as layout from "./support/layout.js";
import { finish, load } from "./support/on-engine.js";
import type { Session } from "./support/on-engine.js";
import { differences } from "./support/outcome.js";
import { P, PCD, RW } from "./support/page-tables.js";

const CITES = "src/engine/contract.ts";
const VECTOR = 0x40;
/** Where guests map the scratch device. */
const DEVICE = 0x50000000;
const GP = 13;

function make(write: (g: GuestBuilder) => void): Guest {
  return guest("devices", { cites: CITES }, (g) => {
    g.tables.map(DEVICE, SCRATCH_MMIO, P | RW | PCD);
    prologue(g.a);
    write(g);
    g.exit();
  });
}

function runs(
  engine: Engine,
  made: Guest,
  prepare: (session: Session) => void,
  check: (session: Session) => void,
): void {
  const session = load(engine, made);
  try {
    prepare(session);
    assert.deepEqual(differences(made, finish(session)), []);
    check(session);
  } finally {
    session.vm.dispose();
  }
}

const nothing = (): void => undefined;
const listed = (session: Session): string[] =>
  session.host.accesses.map(
    (a) => `${a.kind}${8 * a.size} ${(a.address & 0xffff).toString(16)} ${a.value.toString(16)}`,
  );

function ports(engine: Engine): void {
  test("ports are reached with the instruction's size, in order", () => {
    const made = make(({ a }) => {
      a.mov(edx, SCRATCH_PORT).mov(eax, 0x89abcdef).out(32, "dx").in(32, "dx").mov(ebx, eax);
      a.out(16, "dx").in(16, "dx").out(8, "dx").in(8, "dx");
      a.mov(edi, layout.DATA).mov(ecx, 2).rep().ins(8).mov(esi, layout.DATA).mov(ecx, 3).rep().outs(16);
    });
    runs(engine, made, nothing, (s) =>
      assert.deepEqual(listed(s), [
        "out32 500 89abcdef",
        "in32 500 89abcdef",
        "out16 500 cdef",
        "in16 500 cdef",
        "out8 500 ef",
        "in8 500 ef",
        "in8 500 ef",
        "in8 500 ef",
        "out16 500 efef",
        "out16 500 0",
        "out16 500 0",
      ]),
    );
  });

  test("IN writes its register as a register write does, absent ports read all ones", () => {
    const made = make((g) => {
      g.a.mov(rax, -1).mov(dx, 0x700).in(32, "dx");
      g.expect(rax, 0xffffffff, "IN EAX clears the upper half");
      g.a.mov(rax, 0).in(16, "dx");
      g.expect(rax, 0xffff, "IN AX keeps the rest");
    });
    runs(engine, made, nothing, nothing);
  });
}

function memoryMapped(engine: Engine): void {
  test("MMIO is reached with the instruction's size; 8 bytes are two accesses, low half first", () => {
    const made = make(({ a }) => {
      a.mov(eax, DEVICE).mov(byte(eax), 0x11).mov(word(eax, 2), 0x2222).mov(dword(eax, 4), 0x33333333);
      a.mov(rdx, 0x1122334455667788n).mov(qword(eax, 8), rdx).mov(rdx, qword(eax, 8)).mov(dx, word(eax, 2));
      a.add(dword(eax, 4), 1);
    });
    runs(engine, made, nothing, (s) =>
      assert.deepEqual(listed(s), [
        "write8 0 11",
        "write16 2 2222",
        "write32 4 33333333",
        "write32 8 55667788",
        "write32 c 11223344",
        "read32 8 55667788",
        "read32 c 11223344",
        "read16 2 2222",
        "read32 4 33333333",
        "write32 4 33333334",
      ]),
    );
  });

  test("string instructions reach MMIO element by element", () => {
    const made = make((g) => {
      g.a.mov(edi, DEVICE).mov(eax, 0x5a).mov(ecx, 3).rep().stos(32);
      g.a.mov(esi, DEVICE).mov(edi, layout.DATA).mov(ecx, 3).rep().movs(32);
      g.expectAt(layout.DATA + 8, 4, 0x5an, "the last word");
    });
    runs(engine, made, nothing, (s) => assert.equal(s.host.accesses.length, 6));
  });

  test("MMIO takes part in no instruction that faults before its access", () => {
    const made = make((g) => {
      g.a.mov(eax, DEVICE);
      g.fault({ vector: 14, error: 0, cr2: BigInt(DEVICE + 0x1000) }, (a) => a.mov(rdx, qword(eax, 0xffc)));
    });
    runs(engine, made, nothing, (s) => assert.deepEqual(listed(s), []));
  });
}

function raised(engine: Engine): void {
  test("an interrupt raised inside a port access comes before the next instruction", () => {
    const made = make((g) => {
      g.a.mov(edx, SCRATCH_PORT).sti().nop().out(8, "dx").label("next").nop().cli();
      g.expectEvent({ vector: VECTOR, rip: "next" });
    });
    const prepare = ({ host }: Session): void => {
      host.onScratch = () => {
        host.raise(VECTOR);
        return undefined;
      };
    };
    runs(engine, made, prepare, (s) => assert.deepEqual(s.host.acknowledged, [VECTOR]));
  });

  test("SDM vol. 3A §6.8.3: after MOV SS interrupts, NMIs too, wait for one more instruction", () => {
    for (const kind of ["interrupt", "nmi"] as const) {
      const made = make((g) => {
        g.a
          .mov(ebx, DEVICE)
          .sti()
          .nop()
          .movToSegment(ss, word(ebx))
          .mov(rsp, layout.STACK_TOP - 64)
          .label("next");
        const vector = kind === "nmi" ? 2 : VECTOR;
        g.expectEvent({ vector, rip: "next", rsp: BigInt(layout.STACK_TOP - 64), note: kind });
        g.a.nop().cli();
      });
      const prepare = ({ host, cpu }: Session): void => {
        host.onScratch = () => {
          if (kind === "nmi") cpu.raiseNmi();
          else host.raise(VECTOR);
          return layout.KERNEL_DATA;
        };
      };
      runs(engine, made, prepare, nothing);
    }
  });

  test("a budget that ends in the shadow of STI keeps the shadow", () => {
    const made = make((g) => {
      g.a.cli().label("sti").sti().inc(ebx).label("next").nop().cli();
      g.expectEvent({ vector: VECTOR, rip: "next" });
    });
    const prepare = (session: Session): void => {
      const sti = BigInt(made.label("sti"));
      while (session.cpu.readState().rip !== sti) session.run(1);
      session.host.raise(VECTOR);
      session.run(1);
    };
    runs(engine, made, prepare, nothing);
  });

  test("a device may write to the code that accesses it", () => {
    const made = make((g) => {
      g.a.mov(edx, SCRATCH_PORT).out(8, "dx").label("next").mov(ebx, 1);
      g.expect(ebx, 7, "the immediate that the device wrote");
    });
    const prepare = ({ host, memory }: Session): void => {
      host.onScratch = () => {
        memory.write(made.label("next") + 1, Uint8Array.of(7));
        return undefined;
      };
    };
    runs(engine, made, prepare, nothing);
  });
}

function registers(engine: Engine): void {
  test("MSRs of the local APIC are the host's", () => {
    const made = make((g) => {
      g.a.mov(ecx, 0x1b).rdmsr();
      g.expect(eax, 0xfee00900, "IA32_APIC_BASE");
      g.a.mov(ecx, 0x80b).mov(eax, 5).xor(edx, edx).wrmsr();
      g.a.mov(ecx, 0x802).rdmsr();
      g.expect(eax, 0x77, "an x2APIC register");
      g.a.mov(ecx, 0x803);
      g.fault({ vector: GP, error: 0, note: "one the host refuses to read" }, (a) => a.rdmsr());
      g.fault({ vector: GP, error: 0, note: "or to write" }, (a) => a.wrmsr());
    });
    const written: string[] = [];
    const prepare = ({ host }: Session): void => {
      host.readApicMsr = (_cpu, index) =>
        index === 0x1b ? 0xfee00900n : index === 0x802 ? 0x77n : undefined;
      host.writeApicMsr = (_cpu, index, value) => {
        written.push(`${index.toString(16)}=${value}`);
        return index !== 0x803;
      };
    };
    runs(engine, made, prepare, () => assert.deepEqual(written, ["80b=5", "803=119"]));
  });

  test("R3.2 RDTSC is the host's counter at exactly this instruction, plus IA32_TSC_ADJUST", () => {
    const made = make((g) => {
      g.a.rdtsc().mov(ebx, eax).nop().nop().nop().rdtsc().sub(eax, ebx);
      g.expect(eax, 10, "five instructions of two ticks");
      g.a.mov(ecx, 0x3b).mov(eax, 1000).xor(edx, edx).wrmsr().rdtsc().mov(ebx, eax);
      g.a.mov(ecx, 0x3b).xor(eax, eax).xor(edx, edx).wrmsr().rdtsc().sub(ebx, eax);
      g.expect(ebx, 1000 - 12, "the adjustment is part of the value");
      g.a.mov(ecx, 0x10).rdmsr().mov(ebx, eax).rdtsc().sub(eax, ebx);
      g.expect(eax, 4, "RDMSR of IA32_TIME_STAMP_COUNTER reads the same");
      g.a
        .mov(ax, 0)
        .lgdt(at("gdtr$"))
        .jmp("over$")
        .label("gdtr$")
        .dw(layout.GDT_LIMIT)
        .dq(layout.GDT)
        .label("over$");
    });
    runs(engine, made, nothing, nothing);
  });
}

/** Declares the part of the suite that concerns devices. */
export function defineDeviceTests(engine: Engine, skip: string | false): void {
  const title = (what: string): string => `conformance of the ${engine.name} engine: ${what}`;
  describe(title("ports"), { skip }, () => ports(engine));
  describe(title("MMIO"), { skip }, () => memoryMapped(engine));
  describe(title("interrupts raised by devices"), { skip }, () => raised(engine));
  describe(title("registers that are the host's"), { skip }, () => registers(engine));
}
