/**
 * Exceptions while another event is being delivered: every class of first event against every class of second
 * exception, with the EXT bit of the second's error code. Which pairs make a double fault is a table of this file.
 *
 * Specification: SDM vol. 3A §6.13 (EXT), §6.15 (#DF, tables 6-4 and 6-5).
 */
import {
  DATA_WRITABLE,
  TYPE_TSS_AVAILABLE,
  byte,
  cx,
  ds,
  eax,
  ecx,
  qword,
  rax,
  segmentDescriptor,
  ss,
  systemDescriptor64,
  word,
} from "../../support/asm/index.js";
import type { Assembler } from "../../support/asm/index.js";
import { prologue } from "../support/environments.js";
import { guest } from "../support/guest.js";
import type { ExpectedEvent, Guest, GuestBuilder } from "../support/guest.js";
import * as layout from "../support/layout.js";

const DF = 8;
const TS = 10;
const NP = 11;
const SS_FAULT = 12;
const GP = 13;
const PF = 14;
const EXT = 1;
const ERROR_IDT = 2;
const ABSENT = 0x50000000;
const NON_CANONICAL = 0x8000_0000_0000n;
const INTERRUPT_VECTOR = 0x82;
/** A TSS that ends behind IST 2: the stack of IST 1 is absent, that of IST 2 no address, IST 3 is not there. */
const SHORT_TSS = layout.DATA + 0x800;
const SHORT_TSS_LIMIT = 0x33;
const TSS_IST1 = 0x24;
// Bytes of a gate: selector, IST, type with P.
const GATE_SELECTOR = 2;
const GATE_IST = 4;
const GATE_TYPE = 5;

type Class = "benign" | "contributory" | "page fault";

interface First {
  name: string;
  vector: number;
  class: Class;
  /** INT n and INT3: not external to the program. */
  software: boolean;
  emit(a: Assembler): unknown;
}

interface Second {
  name: string;
  vector: number;
  /** Error code for the first event's vector, without EXT. */
  error(vector: number): number;
  /** Page faults have no EXT bit. */
  ext: boolean;
  /** Spoils the gate at this address. */
  emit(a: Assembler, gate: number): unknown;
  onQemu?: (vector: number, software: boolean) => Partial<ExpectedEvent>;
}

const gateError = (vector: number): number => vector * 8 + ERROR_IDT;
// QEMU 7.2 numbers gates of 16 bytes in steps of 2 and never sets EXT; the SDM is right.
const qemuGateError = (vector: number): Partial<ExpectedEvent> => ({ error: vector * 16 + ERROR_IDT });

const SECONDS: readonly Second[] = [
  {
    name: "a gate of no type",
    vector: GP,
    error: gateError,
    ext: true,
    emit: (a, gate) => a.mov(byte(gate + GATE_TYPE), 0xe0),
    onQemu: qemuGateError,
  },
  {
    name: "an absent gate",
    vector: NP,
    error: gateError,
    ext: true,
    emit: (a, gate) => a.mov(byte(gate + GATE_TYPE), 0x6e),
    onQemu: qemuGateError,
  },
  {
    name: "a null code segment",
    vector: GP,
    error: () => 0,
    ext: true,
    emit: (a, gate) => a.mov(word(gate + GATE_SELECTOR), 0),
    onQemu: () => ({ error: 0 }),
  },
  {
    name: "a stack beyond the TSS",
    vector: TS,
    error: () => layout.FREE_SELECTOR,
    ext: true,
    emit: (a, gate) => a.mov(byte(gate + GATE_IST), 3),
    onQemu: () => ({ error: layout.FREE_SELECTOR }),
  },
  {
    name: "a stack that is no address",
    vector: SS_FAULT,
    error: () => 0,
    ext: true,
    emit: (a, gate) => a.mov(byte(gate + GATE_IST), 2),
  },
  {
    name: "a stack that is absent",
    vector: PF,
    error: () => 2,
    ext: false,
    emit: (a, gate) => a.mov(byte(gate + GATE_IST), 1),
  },
];

/** Before each EAX names a segment that is absent, ECX is 0 or for #GP a selector beyond the table. */
function firsts(): First[] {
  const first = (
    name: string,
    vector: number,
    kind: Class,
    emit: First["emit"],
    software = false,
  ): First => ({
    name,
    vector,
    class: kind,
    software,
    emit,
  });
  return [
    first("#DE", 0, "contributory", (a) => a.div(ecx)),
    first("INT1", 1, "benign", (a) => a.db(0xf1)),
    first("INT3", 3, "benign", (a) => a.int3(), true),
    first("#UD", 6, "benign", (a) => a.ud2()),
    first("#NP", NP, "contributory", (a) => a.movToSegment(ds, eax)),
    first("#SS", SS_FAULT, "contributory", (a) => a.movToSegment(ss, eax)),
    first("#GP", GP, "contributory", (a) => a.movToSegment(ds, ecx)),
    first("#PF", PF, "page fault", (a) => a.mov(rax, qword(ABSENT))),
    first("INT n", INTERRUPT_VECTOR, "benign", (a) => a.int(INTERRUPT_VECTOR), true),
  ];
}

/** SDM vol. 3A table 6-5. */
function isDoubleFault(first: Class, second: number): boolean {
  if (first === "page fault") return true;
  return first === "contributory" && second !== PF;
}

function pairs(g: GuestBuilder, initial: readonly First[], seconds: readonly Second[]): void {
  g.gates.set(INTERRUPT_VECTOR, { selector: layout.KERNEL_CODE, offset: 0, type: 0xe, dpl: 3 });
  prologue(g.a);
  const { a } = g;
  const tss = g.descriptor(
    ...systemDescriptor64({ base: SHORT_TSS, limit: SHORT_TSS_LIMIT, type: TYPE_TSS_AVAILABLE }),
  );
  const absent = g.descriptor(segmentDescriptor({ type: DATA_WRITABLE, present: false }));
  g.data(SHORT_TSS, new Uint8Array(TSS_IST1));
  g.words(SHORT_TSS + TSS_IST1, BigInt(ABSENT), NON_CANONICAL);
  a.mov(ecx, tss).ltr(cx);
  for (const first of initial) {
    const gate = layout.IDT + 16 * first.vector;
    for (const second of seconds) {
      const double = isDoubleFault(first.class, second.vector);
      const ext = second.ext && !first.software ? EXT : 0;
      const event: ExpectedEvent = double
        ? { vector: DF, error: 0 }
        : { vector: second.vector, error: second.error(first.vector) | ext };
      const onQemu = double ? undefined : second.onQemu?.(first.vector, first.software);
      a.mov(rax, qword(gate)).mov(qword(layout.DATA), rax);
      second.emit(a, gate);
      a.mov(eax, absent).mov(ecx, first.vector === GP ? 0x3f8 : 0);
      const note = `${first.name}, then ${second.name}`;
      g.fault({ ...event, note, ...(onQemu ? { onQemu } : {}) }, () => first.emit(a));
      a.mov(rax, qword(layout.DATA)).mov(qword(gate), rax);
    }
  }
  g.exit();
}

export function doubleFaultGuests(): Guest[] {
  const cites = "SDM vol. 3A §6.13, table 6-5";
  const isAddress = (second: Second): boolean => second.vector !== SS_FAULT;
  const known = firsts().filter((first) => first.name !== "INT1");
  const stackFaults = SECONDS.filter((second) => !isAddress(second));
  return [
    guest("every first event with every second exception", { cites }, (g) =>
      pairs(g, known, SECONDS.filter(isAddress)),
    ),
    guest(
      "every first event with a stack that is no address",
      { cites, notOnQemu: "QEMU 7.2 does not set EXT; the SDM is right" },
      (g) => pairs(g, known, stackFaults),
    ),
    guest(
      "INT1 with every second exception",
      {
        cites: "SDM vol. 3A §6.13: EXT is clear for INT n, INT3 and INTO only",
        notOnQemu: "QEMU 7.2 does not know INT1",
      },
      (g) =>
        pairs(
          g,
          firsts().filter((first) => first.name === "INT1"),
          SECONDS,
        ),
    ),
  ];
}
