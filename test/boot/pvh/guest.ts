/**
 * The BSD-like conformance guest: one PVH kernel that checks in order what FreeBSD and NetBSD need from a monitor,
 * and reports each check by its number (frame.ts). The entry in the ELF header leads nowhere: only the note's counts.
 */
import { XEN_ELFNOTE, XEN_NOTE_OWNER } from "../../../src/spec/xen-notes.js";
import { PT } from "../../../src/spec/elf.js";
import * as o from "../../support/asm/index.js";
import { makeElf, makeNotes, makePvhNote } from "../../support/images.js";
import { LAPIC, VECTOR } from "./apic-checks.js";
import { deviceChecks, deviceRoutines } from "./device-checks.js";
import { entryChecks, longModeCheck } from "./entry-checks.js";
import { Frame, MARKER, PLACE, SELECTOR } from "./frame.js";
import { faultRoutines, kernelChecks } from "./kernel-checks.js";
import { tableChecks, tableRoutines } from "./table-checks.js";

const { dword, addressOf } = o;
const FAULTS = [6, 8, 13, 14];
const VARIABLES = [
  ...["result", "value", "flags", "startInfo", "low", "high", "features", "toldKhz", "tscKhz", "recover"],
  ...["faultVector", "faultError", "faultCs", "faultAddress", "virtioDevices", "virtioBase", "mp", "cpus"],
  ...["otherCpu", "ticks", "uartTicks", "redirection", "x2apic"],
];

function assemble(): { bytes: Uint8Array; entry: number } {
  const f = new Frame();
  const { a } = f;
  a.label("badEntry").hlt().jmp("badEntry").label("entry");
  a.mov(dword("startInfo"), o.ebx).mov(o.esp, addressOf("stackTop")).pushf().pop(dword("flags"));
  f.say("begin\n");
  entryChecks(f);
  longModeCheck(f, [
    ...FAULTS.map((vector): [number, string] => [vector, `fault${vector}`]),
    [VECTOR.TIMER, "onTimer"],
    [VECTOR.UART, "onUart"],
    [VECTOR.SPURIOUS, "onSpurious"],
  ]);
  a.mov(o.r13d, LAPIC);
  tableChecks(f);
  deviceChecks(f);
  kernelChecks(f);
  tableRoutines(f);
  deviceRoutines(f);
  faultRoutines(f, FAULTS);
  f.routines(64);
  f.routines(32);
  f.texts();
  descriptors(f);
  f.variables(VARIABLES);
  a.label("pattern").dd(MARKER);
  a.org(PLACE.STACK).label("stackTop");
  const [{ bytes }] = a.link();
  return { bytes, entry: a.address("entry") };
}

function descriptors({ a }: Frame): void {
  a.align(16).label("gdt").dq(0);
  a.dq(o.segmentDescriptor({ type: o.CODE_READABLE, long: true }));
  a.dq(o.segmentDescriptor({ type: o.DATA_WRITABLE, big: true }));
  // SYSRET's three: 32-bit code, data, 64-bit code.
  a.dq(o.segmentDescriptor({ type: o.CODE_READABLE, dpl: 3, big: true }));
  a.dq(o.segmentDescriptor({ type: o.DATA_WRITABLE, dpl: 3, big: true }));
  a.dq(o.segmentDescriptor({ type: o.CODE_READABLE, dpl: 3, long: true }));
  a.label("tssDescriptor").dq(
    o.segmentDescriptor({ type: o.TYPE_TSS_AVAILABLE, limit: 0x67, granular: false }),
    0,
  );
  a.label("gdtEnd")
    .label("gdtr")
    .dw(SELECTOR.TSS + 15)
    .dd(addressOf("gdt"));
  a.align(16).label("idtr").dw(0xfff).dd(PLACE.IDT).dd(0);
  a.align(16).label("noIdt").dw(0).dq(0);
  a.align(16).label("tss").dd(0).dq(PLACE.STACK);
  for (let i = 0; i < 12; i++) a.dq(0);
}

/** The guest as an ELF file, with virtual addresses that are not the physical ones. */
export function bsdGuest(elfClass: 32 | 64): Uint8Array {
  const { bytes, entry } = assemble();
  const virtual = elfClass === 64 ? 0xffff_ffff_8000_0000n : 0xc000_0000n;
  const marker = new Uint8Array(Uint32Array.of(MARKER).buffer);
  const guestOs = {
    name: XEN_NOTE_OWNER,
    type: XEN_ELFNOTE.GUEST_OS,
    desc: new TextEncoder().encode("bsd\0"),
  };
  const notes = [makePvhNote(entry, elfClass === 64 ? 8 : 4), guestOs];
  return makeElf({
    elfClass,
    entry: virtual + BigInt(PLACE.IMAGE),
    segments: [
      { vaddr: virtual + BigInt(PLACE.IMAGE), paddr: PLACE.IMAGE, bytes, memsz: 0x4_0000 },
      { vaddr: virtual + BigInt(PLACE.MARKER), paddr: PLACE.MARKER, bytes: marker },
      {
        vaddr: virtual + BigInt(PLACE.BSS),
        paddr: PLACE.BSS,
        bytes: Uint8Array.of(0),
        memsz: PLACE.IMAGE_END - PLACE.BSS,
      },
      { type: PT.NOTE, bytes: makeNotes(notes), vaddr: 0 },
    ],
  });
}
