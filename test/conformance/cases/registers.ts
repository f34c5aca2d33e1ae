/**
 * Model-specific registers, CPUID, time-stamp counter, descriptor-table registers, flags that can and cannot change.
 *
 * Specification: SDM vol. 2 (RDMSR, WRMSR, CPUID, RDTSC, SGDT, POPF), vol. 4 (MSRs), vol. 3A §2.5.
 */
import {
  at,
  cr0,
  cr4,
  dword,
  eax,
  ebx,
  ecx,
  edi,
  edx,
  esi,
  qword,
  r8,
  rax,
  rbx,
  rcx,
  rdx,
  word,
} from "../../support/asm/index.js";
import { lookUpCpuid } from "../../../src/x86/cpuid-table.js";
import { conformanceCpuid, PROBE_LEAF } from "../support/cpuid.js";
import { prologue } from "../support/environments.js";
import { guest } from "../support/guest.js";
import type { Guest, GuestBuilder } from "../support/guest.js";
import * as layout from "../support/layout.js";

const GP = 13;
const MSR_PAT = 0x277;
const MSR_EFER = 0xc0000080;
const MSR_TSC_AUX = 0xc0000103;
const MSR_ABSENT = 0x12345678;
const PAT_RESET = 0x0007040600070406n;
const CR4_TSD = 4;
const CR4_UMIP = 1 << 11;
const FLAG_ID = 1n << 21n;
const FLAG_AC = 1n << 18n;
const FLAG_NT = 1n << 14n;
const FLAG_IF = 1n << 9n;
const FLAG_IOPL = 3n << 12n;

function modelSpecific(g: GuestBuilder): void {
  prologue(g.a);
  const { a } = g;
  a.mov(ecx, MSR_PAT).mov(rax, -1).mov(rdx, -1).rdmsr();
  g.expect(rax, PAT_RESET & 0xffffffffn, "RDMSR clears the upper half of RAX");
  g.expect(rdx, PAT_RESET >> 32n, "and of RDX");
  a.mov(eax, 0x01040506).mov(edx, 0x00010406).wrmsr().xor(eax, eax).rdmsr();
  g.expect(eax, 0x01040506, "IA32_PAT is remembered");
  a.mov(ecx, MSR_TSC_AUX).mov(eax, 0x1234).xor(edx, edx).wrmsr().rdtscp();
  g.expect(rcx, 0x1234, "RDTSCP gives IA32_TSC_AUX");
  a.mov(ecx, MSR_EFER).rdmsr();
  g.expect(eax, 0xd01, "EFER: SCE, LME, LMA, NXE");
  a.and(eax, ~0x400).wrmsr().rdmsr();
  g.expect(eax, 0xd01, "LMA cannot be written");
  g.exit();
}

function absentMsr(g: GuestBuilder): void {
  prologue(g.a);
  const { a } = g;
  a.mov(ecx, MSR_ABSENT).mov(eax, 7).mov(edx, 8);
  g.fault({ vector: GP, error: 0, note: "RDMSR of an MSR that is not there" }, () => a.rdmsr());
  g.expect(rax, 7, "changes nothing");
  g.fault({ vector: GP, error: 0, note: "WRMSR to it" }, () => a.wrmsr());
  a.mov(ecx, MSR_PAT).mov(eax, 0x02).xor(edx, edx);
  g.fault({ vector: GP, error: 0, note: "a reserved memory type in IA32_PAT" }, () => a.wrmsr());
  a.mov(ecx, MSR_EFER).mov(eax, 0xd01).mov(edx, 1);
  g.fault({ vector: GP, error: 0, note: "a reserved bit of EFER" }, () => a.wrmsr());
  g.exit();
}

function identification(g: GuestBuilder): void {
  prologue(g.a);
  const { a } = g;
  a.mov(rax, 0xffffffff00000000n | BigInt(PROBE_LEAF.leaf))
    .mov(rbx, -1)
    .xor(ecx, ecx)
    .cpuid();
  g.expect(rax, PROBE_LEAF.eax, "EAX from the table, upper half cleared");
  g.expect(rbx, PROBE_LEAF.ebx, "EBX");
  g.expect(rcx, PROBE_LEAF.ecx, "ECX");
  g.expect(rdx, PROBE_LEAF.edx, "EDX");
  a.mov(eax, 7).xor(ecx, ecx).cpuid();
  g.expect(ebx, lookUpCpuid(conformanceCpuid(), 7, 0).ebx, "a leaf with sub-leaves");
  a.mov(eax, 7).mov(ecx, 1).cpuid();
  g.expect(ebx, 0, "an absent sub-leaf reads 0");
  a.mov(eax, 1).cpuid().mov(esi, edx).shr(ecx, 27).and(ecx, 1);
  g.expect(ecx, 0, "OSXSAVE follows CR4.OSXSAVE: clear");
  a.movSystem(rax, cr4).bts(rax, 18).movSystem(cr4, rax).mov(eax, 1).cpuid().shr(ecx, 27).and(ecx, 1);
  g.expect(ecx, 1, "and set");
  g.user(() => {
    a.mov(eax, PROBE_LEAF.leaf).cpuid();
    g.expect(eax, PROBE_LEAF.eax, "CPUID in user mode");
  });
  g.exit();
}

function timeStamps(g: GuestBuilder): void {
  prologue(g.a);
  const { a } = g;
  const stamp = (): void => {
    a.rdtsc().shl(rdx, 32).or(rax, rdx);
  };
  stamp();
  a.mov(r8, rax).mov(edi, 100).xor(ebx, ebx).label("loop");
  stamp();
  a.cmp(rax, r8)
    .set("b", { kind: "gpr", name: "cl", code: 1, size: 8 })
    .movzx(ecx, { kind: "gpr", name: "cl", code: 1, size: 8 });
  a.add(ebx, ecx).mov(r8, rax).dec(edi).jcc("ne", "loop");
  g.expect(ebx, 0, "RDTSC never goes back");
  a.mov(rax, -1).rdtsc().shr(rax, 32);
  g.expect(rax, 0, "RDTSC clears the upper half of RAX");
  a.movSystem(rax, cr4).or(rax, CR4_TSD).movSystem(cr4, rax).rdtsc();
  g.user(() => {
    g.fault({ vector: GP, note: "RDTSC at CPL 3 with CR4.TSD" }, () => a.rdtsc());
    g.fault({ vector: GP, note: "RDTSCP too" }, () => a.rdtscp());
  });
  g.exit();
}

function tables(g: GuestBuilder): void {
  prologue(g.a);
  const { a } = g;
  a.sgdt(at(layout.DATA)).sidt(at(layout.DATA + 16));
  g.expectAt(layout.DATA, 2, BigInt(layout.GDT_LIMIT), "SGDT limit");
  g.expectAt(layout.DATA + 2, 8, BigInt(layout.GDT), "SGDT base");
  g.expectAt(layout.DATA + 16, 2, 0xfffn, "SIDT limit");
  g.expectAt(layout.DATA + 18, 8, BigInt(layout.IDT), "SIDT base");
  g.user(() => {
    a.sgdt(at(layout.USER_DATA));
    g.expectAt(layout.USER_DATA, 2, BigInt(layout.GDT_LIMIT), "SGDT in user mode");
  });
  a.mov(rax, 0x0000_8000_0000_0000n)
    .mov(word(layout.DATA + 32), 0xfff)
    .mov(qword(layout.DATA + 34), rax);
  g.exit();
}

function nonCanonicalTable(g: GuestBuilder): void {
  prologue(g.a);
  const { a } = g;
  a.mov(rax, 0x0000_8000_0000_0000n)
    .mov(word(layout.DATA), 0xfff)
    .mov(qword(layout.DATA + 2), rax);
  g.fault({ vector: GP, error: 0, note: "LGDT" }, () => a.lgdt(at(layout.DATA)));
  g.fault({ vector: GP, error: 0, note: "LIDT" }, () => a.lidt(at(layout.DATA)));
  a.movSystem(rax, cr4).or(rax, CR4_UMIP);
  g.fault({ vector: GP, error: 0, note: "CR4.UMIP, which CPUID does not offer" }, () =>
    a.movSystem(cr4, rax),
  );
  g.exit();
}

function flags(g: GuestBuilder): void {
  prologue(g.a);
  const { a } = g;
  const writable = FLAG_ID | FLAG_AC | FLAG_NT | FLAG_IOPL;
  a.push(Number(writable | 2n)).popf();
  g.expectFlags(FLAG_NT | FLAG_IOPL, 1n, "NT and IOPL can be set at CPL 0");
  a.pushf().pop(rax);
  g.expect(rax, writable | 2n, "so can ID and AC; bit 1 reads 1");
  a.push(-1 & ~0x100 & ~0x200)
    .popf()
    .pushf()
    .pop(rax)
    .push(2)
    .popf();
  g.expect(
    rax,
    0x247cd7n,
    "reserved bits read 0, bit 1 reads 1, VM and RF cannot be set by POPF",
    0xfffff7d7n & ~0x180000n,
  );
  g.user(() => {
    a.push(Number(FLAG_IF | FLAG_IOPL | FLAG_AC | 3n))
      .popf()
      .pushf()
      .pop(rax)
      .push(2)
      .popf();
    g.expect(rax, FLAG_AC | 3n, "POPF at CPL 3 > IOPL changes neither IF nor IOPL, silently");
  });
  a.push(0x3002).popf();
  g.exit();
}

/** #AC: alignment checks at CPL 3 with CR0.AM and RFLAGS.AC. */
function alignment(g: GuestBuilder): void {
  prologue(g.a);
  const { a } = g;
  a.movSystem(rax, cr0).bts(rax, 18).movSystem(cr0, rax);
  g.user(() => {
    a.mov(eax, dword(layout.USER_DATA + 1))
      .push(Number(FLAG_AC | 2n))
      .popf();
    a.mov(eax, dword(layout.USER_DATA + 4));
    g.fault({ vector: 17, error: 0, note: "#AC" }, () => a.mov(eax, dword(layout.USER_DATA + 1)));
    a.push(2).popf();
  });
  a.push(Number(FLAG_AC | 2n))
    .popf()
    .mov(eax, dword(layout.DATA + 1))
    .push(2)
    .popf();
  g.exit();
}

export function registerGuests(): Guest[] {
  return [
    guest("MSRs that are there", { cites: "SDM vol. 4, table 2-2" }, modelSpecific),
    guest(
      "MSRs that are not there, reserved bits of others",
      {
        cites: "SDM vol. 2B, RDMSR, WRMSR",
        notOnQemu: "QEMU 7.2 ignores unknown MSRs and reserved bits; the SDM is right",
      },
      absentMsr,
    ),
    guest(
      "CPUID answers from the table",
      { cites: "SDM vol. 2A, CPUID", notOnQemu: "QEMU has a CPUID table of its own" },
      identification,
    ),
    guest("the time-stamp counter", { cites: "SDM vol. 2B, RDTSC; vol. 3B §17.17" }, timeStamps),
    guest("SGDT and SIDT", { cites: "SDM vol. 2B, SGDT" }, tables),
    guest(
      "descriptor-table bases must be canonical",
      { cites: "SDM vol. 2A, LGDT", notOnQemu: "QEMU 7.2 does not check; the SDM is right" },
      nonCanonicalTable,
    ),
    guest("which flags POPF can change", { cites: "SDM vol. 2B, POPF, table 4-16" }, flags),
    guest(
      "alignment checks in user mode",
      { cites: "SDM vol. 3A §6.15, #AC", notOnQemu: "QEMU 7.2 raises no #AC; the SDM is right" },
      alignment,
    ),
  ];
}
