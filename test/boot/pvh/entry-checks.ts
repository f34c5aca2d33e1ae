/**
 * Checks 1 to 6: what a BSD kernel's first instructions take for granted, up to long mode.
 *
 * Sources: Xen docs/misc/pvh.pandoc; what FreeBSD (hammer_time_xen) and NetBSD (start_pvh) rely on.
 */
import * as o from "../../support/asm/index.js";
import { MARKER, PLACE, SELECTOR, type Frame } from "./frame.js";

const { dword, word, byte, qword, addressOf } = o;
const START_INFO_MAGIC = 0x336e_c578;
/** VM, DF, IF, TF. */
const FLAGS_CLEAR = 0x2_0700;
const CR0_ET = 0x10;
const FIRST_GIB = 0x4000_0000;
const COPY_ROOM = 0x1000;
const AP_TRAMPOLINE = 0x2000;
const [IMAGE_TOP, ISA_HOLE, HIGH_MEMORY] = [PLACE.IMAGE_END + COPY_ROOM, 0xa_0000, 0x10_0000];

export function entryChecks(f: Frame): void {
  f.check(1, () => registers(f));
  f.check(2, () => image(f));
  f.check(3, () => startInfo(f));
  f.check(4, () => copyOut(f));
  f.check(5, () => cpuid(f));
}

/** Registers as the protocol says; segments by use, because the GDT need not be there. */
function registers(f: Frame): void {
  const { a } = f;
  a.mov(o.eax, dword("flags")).test(o.eax, FLAGS_CLEAR);
  f.require("e", 1);
  a.movSystem(o.eax, o.cr0).and(o.eax, ~CR0_ET).cmp(o.eax, 1);
  f.require("e", 2);
  a.movSystem(o.eax, o.cr4).test(o.eax, o.eax);
  f.require("e", 3);
  for (const segment of [o.es, o.cs, o.ss, o.ds]) {
    a.mov(o.eax, dword({ label: "pattern", segment })).cmp(o.eax, MARKER);
    f.require("e", 4);
    a.mov(o.eax, dword({ disp: 0xffff_fffc, segment }));
    if (segment === o.cs) continue;
    a.mov(dword({ label: "value", segment }), segment.code).cmp(dword("value"), segment.code);
    f.require("e", 5);
  }
  a.mov(o.eax, dword("startInfo")).test(o.eax, o.eax);
  f.require("ne", 6);
}

/** bss is zero although the kernel does not clear it; segments lie at p_paddr. */
function image(f: Frame): void {
  const { a } = f;
  a.mov(o.edi, PLACE.PROBE)
    .mov(o.ecx, PLACE.PROBE_SIZE / 4)
    .xor(o.eax, o.eax)
    .repe()
    .scas(32);
  f.require("e", 1);
  a.call("here").label("here").pop(o.eax).cmp(o.eax, addressOf("here"));
  f.require("e", 2);
  a.mov(o.eax, dword(PLACE.MARKER)).cmp(o.eax, MARKER);
  f.require("e", 3);
}

function startInfo(f: Frame): void {
  const { a } = f;
  const at = (offset: number): void => void a.mov(o.eax, dword(o.ebx, offset));
  a.mov(o.ebx, dword("startInfo"));
  at(0);
  a.cmp(o.eax, START_INFO_MAGIC);
  f.require("e", 1);
  at(4);
  a.cmp(o.eax, 1);
  f.require("ae", 2);
  for (const [low, rule] of [
    [24, 3],
    [40, 5],
  ]) {
    at(low);
    a.test(o.eax, o.eax);
    f.require("ne", rule);
    at(low + 4);
    a.test(o.eax, o.eax);
    f.require("e", rule + 1);
  }
  a.mov(o.eax, o.ebx);
  placed(f, 10);
  at(24);
  placed(f, 20);
  at(40);
  placed(f, 30);
  rsdp(f);
  at(48);
  a.lea(o.ecx, o.at(o.eax, -1)).cmp(o.ecx, 127);
  f.require("be", 7);
  memoryMap(f);
}

/** Where none of the BSDs overwrites it before reading it. */
function placed(f: Frame, rule: number): void {
  const { a } = f;
  a.cmp(o.eax, 0x500);
  f.require("ae", rule);
  a.cmp(o.eax, FIRST_GIB);
  f.require("b", rule + 1);
  a.mov(o.edx, o.eax).and(o.edx, 0xffff_f000).cmp(o.edx, AP_TRAMPOLINE);
  f.require("ne", rule + 2);
  a.lea(o.edx, o.at(o.eax, -PLACE.IMAGE)).cmp(o.edx, IMAGE_TOP - PLACE.IMAGE);
  f.require("ae", rule + 3);
}

function rsdp(f: Frame): void {
  const { a } = f;
  a.mov(o.eax, dword(o.ebx, 32)).test(o.eax, o.eax).jcc("e", "noRsdp");
  a.cmp(dword(o.eax), 0x2044_5352);
  f.require("e", 8);
  a.cmp(dword(o.eax, 4), 0x2052_5450);
  f.require("e", 9);
  a.label("noRsdp");
}

/** Ascending, with types, RAM from 0 and under the image, none in the ISA hole. */
function memoryMap(f: Frame): void {
  const { a } = f;
  a.mov(o.edi, dword(o.ebx, 40)).mov(o.ecx, dword(o.ebx, 48)).xor(o.ebp, o.ebp);
  a.mov(dword("low"), 0).mov(dword("high"), 0).label("mapEntry");
  a.mov(o.eax, dword(o.edi)).mov(o.edx, dword(o.edi, 4));
  a.mov(o.esi, o.edx).cmp(o.eax, dword("low")).sbb(o.esi, dword("high"));
  f.require("ae", 40);
  a.mov(o.esi, dword(o.edi, 8)).or(o.esi, dword(o.edi, 12));
  f.require("ne", 41);
  a.cmp(dword(o.edi, 20), 0);
  f.require("e", 42);
  a.cmp(dword(o.edi, 16), 0);
  f.require("ne", 43);
  a.cmp(dword(o.edi, 16), 1).jcc("ne", "notRam").test(o.edx, o.edx).jcc("ne", "notRam");
  a.mov(o.esi, dword(o.edi, 8)).add(o.esi, o.eax);
  a.cmp(o.eax, HIGH_MEMORY).jcc("ae", "aboveHole").cmp(o.esi, ISA_HOLE);
  f.require("be", 44);
  a.label("aboveHole").cmp(o.eax, 0).jcc("ne", "notZero").cmp(o.esi, 0x3000).jcc("b", "notZero").or(o.ebp, 1);
  a.label("notZero").cmp(o.eax, PLACE.IMAGE).jcc("a", "notRam");
  a.cmp(dword(o.edi, 12), 0).jcc("ne", "holds").cmp(o.esi, IMAGE_TOP).jcc("b", "notRam");
  a.label("holds").or(o.ebp, 2).label("notRam");
  a.mov(o.eax, dword(o.edi)).add(o.eax, dword(o.edi, 8)).mov(dword("low"), o.eax);
  a.mov(o.eax, dword(o.edi, 4)).adc(o.eax, dword(o.edi, 12)).mov(dword("high"), o.eax);
  a.add(o.edi, 24).dec(o.ecx).jcc("ne", "mapEntry").mov(o.eax, o.ebp).cmp(o.ebp, 3);
  f.require("e", 45);
}

/** As NetBSD does: start_info, command line and memory map into one page behind the kernel, without CLD. */
function copyOut(f: Frame): void {
  const { a } = f;
  a.mov(o.ebx, dword("startInfo")).mov(o.edi, PLACE.IMAGE_END);
  a.mov(o.esi, o.ebx).mov(o.ecx, 14).rep().movs(32).mov(o.esi, dword(o.ebx, 24));
  a.label("copyText").lods(8).stos(8).test(o.al, o.al).jcc("ne", "copyText");
  a.mov(o.esi, dword(o.ebx, 40)).imul3(o.ecx, dword(o.ebx, 48), 24).rep().movs(8);
  a.lea(o.eax, o.at(o.edi, -PLACE.IMAGE_END)).cmp(o.eax, COPY_ROOM);
  f.require("be", 1);
  a.mov(o.esi, o.ebx).mov(o.edi, PLACE.IMAGE_END).mov(o.ecx, 14).repe().cmps(32);
  f.require("e", 2);
  a.mov(o.esi, dword(o.ebx, 24)).label("compareText").lods(8).cmp(o.al, byte(o.edi));
  f.require("e", 3);
  a.inc(o.edi).test(o.al, o.al).jcc("ne", "compareText");
  a.mov(o.esi, dword(o.ebx, 40)).imul3(o.ecx, dword(o.ebx, 48), 24).repe().cmps(8);
  f.require("e", 4);
}

function cpuid(f: Frame): void {
  const { a } = f;
  const leaf = (number: number): void => void a.mov(o.eax, number).xor(o.ecx, o.ecx).cpuid();
  const bits = (register: typeof o.edx, mask: number, rule: number): void => {
    a.mov(o.eax, register).and(o.eax, mask).cmp(o.eax, mask);
    f.require("e", rule);
  };
  leaf(0);
  a.cmp(o.eax, 1);
  f.require("ae", 1);
  a.cmp(o.ebx, 0x756e_6547).jcc("e", "vendor").cmp(o.ebx, 0x6874_7541);
  f.require("e", 2);
  a.label("vendor");
  leaf(1);
  a.mov(dword("features"), o.ecx);
  // FPU PSE TSC MSR PAE CX8 APIC PGE CMOV FXSR SSE SSE2; hypervisor.
  bits(o.edx, 0x0700_a379, 3);
  bits(o.ecx, 0x8000_0000, 4);
  leaf(0x8000_0001);
  bits(o.edx, 0x2010_0800, 5);
  leaf(0x4000_0000);
  a.cmp(o.eax, 0x4000_0000);
  f.require("ae", 6);
  a.cmp(o.ebx, 0x566e_6558);
  f.require("ne", 7);
  // True values or zeros, whatever the highest leaf is said to be: kHz of the TSC and of the APIC's bus.
  leaf(0x4000_0010);
  a.test(o.eax, o.eax).jcc("e", "noRates");
  for (const register of [o.eax, o.ebx]) {
    a.lea(o.ecx, o.at(register, -10_000)).cmp(o.ecx, 10_000_000);
    f.require("b", 8);
  }
  a.mov(dword("toldKhz"), o.eax).label("noRates");
  leaf(0x8000_0007);
  bits(o.edx, 0x100, 9);
}

/** Check 6 leaves the CPU in 64-bit mode, with everything below 4 GiB mapped by identity. */
export function longModeCheck(f: Frame, gates: readonly [vector: number, handler: string][]): void {
  const { a } = f;
  pageTables(f);
  for (const [vector, handler] of gates) {
    const gate = PLACE.IDT + vector * 16;
    a.mov(o.eax, addressOf(handler))
      .mov(word(gate), o.ax)
      .mov(word(gate + 2), SELECTOR.CODE64);
    a.mov(word(gate + 4), 0x8e00)
      .shr(o.eax, 16)
      .mov(word(gate + 6), o.ax);
  }
  a.lidt(o.at("idtr")).lgdt(o.at("gdtr"));
  a.mov(o.eax, 0x20).movSystem(o.cr4, o.eax).mov(o.eax, PLACE.PAGE_TABLES).movSystem(o.cr3, o.eax);
  // EFER: SCE, LME, NXE. CR0: PG, WP, ET, PE.
  a.mov(o.ecx, 0xc000_0080).xor(o.edx, o.edx).mov(o.eax, 0x901).wrmsr();
  a.mov(o.eax, 0x8001_0011).movSystem(o.cr0, o.eax).jmpFar(SELECTOR.CODE64, addressOf("long"));
  a.bits(64).label("long").mov(o.eax, SELECTOR.DATA);
  for (const segment of [o.ds, o.es, o.ss]) a.movToSegment(segment, o.eax);
  f.resetStack();
  f.check(6, () => {
    a.mov(o.ecx, 0xc000_0080).rdmsr().and(o.eax, 0xf01).cmp(o.eax, 0xd01);
    f.require("e", 1);
    f.requireFault(14, 0x11, 2, () => void a.mov(o.eax, PLACE.FAULT_PAGES).callAt(o.rax));
    a.mov(o.eax, dword("faultAddress")).cmp(o.eax, PLACE.FAULT_PAGES);
    f.require("e", 4);
    f.requireFault(14, 3, 5, () => void a.mov(byte(PLACE.FAULT_PAGES + 0x1000), o.al));
    a.mov(o.rax, qword("faultAddress")).cmp(o.rax, PLACE.FAULT_PAGES + 0x1000);
    f.require("e", 7);
  });
}

/** 4 GiB in 2 MiB pages; one of them in 4 KiB pages, of which one must not be executed, one not written. */
function pageTables({ a }: Frame): void {
  const [pml4, pdpt, directories] = [0, 0x1000, 0x2000].map((offset) => PLACE.PAGE_TABLES + offset);
  const table = directories + 0x4000;
  a.mov(dword(pml4), pdpt | 7);
  for (let i = 0; i < 4; i++) a.mov(dword(pdpt + i * 8), (directories + i * 0x1000) | 7);
  a.mov(o.edi, directories).mov(o.eax, 0x87).mov(o.ecx, 2048);
  a.label("directory").mov(dword(o.edi), o.eax).add(o.edi, 8).add(o.eax, 0x20_0000).loop("directory");
  a.mov(dword(directories + (PLACE.FAULT_PAGES >> 21) * 8), table | 7);
  a.mov(o.edi, table)
    .mov(o.eax, PLACE.FAULT_PAGES | 7)
    .mov(o.ecx, 512);
  a.label("pages").mov(dword(o.edi), o.eax).add(o.edi, 8).add(o.eax, 0x1000).loop("pages");
  a.mov(dword(table + 4), 0x8000_0000).mov(dword(table + 8), (PLACE.FAULT_PAGES + 0x1000) | 1);
}
