/**
 * Checks 7 to 9: the command line as the BSDs parse it, the BIOS data area, and the MP table as three systems look for
 * it.
 *
 * Sources: FreeBSD virtio_mmio_cmdline.c, mptable.c; NetBSD xen_parse_cmdline, mpbios.c; MP specification 1.4 §4.
 */
import * as o from "../../support/asm/index.js";
import type { Frame } from "./frame.js";

const { dword, word, byte, qword } = o;
const [NETBSD_PARSED, NETBSD_STORED] = [255, 1023];
const eight = (text: string): bigint => Buffer.from(text, "latin1").readBigUInt64LE();

export function tableChecks(f: Frame): void {
  f.check(7, () => commandLine(f));
  f.sayValue("virtio", "virtioDevices");
  f.check(8, () => biosData(f));
  f.check(9, () => mpTable(f));
  f.sayValue("cpus", "cpus");
}

/** RSI walks, RBP counts virtio devices, R8 says whether a console was seen in time. */
function commandLine(f: Frame): void {
  const { a } = f;
  a.mov(o.eax, dword("startInfo")).mov(o.rsi, qword(o.rax, 24)).mov(o.rdi, o.rsi);
  a.xor(o.ebp, o.ebp).xor(o.r8d, o.r8d).label("walk").cmp(byte(o.rsi), 0).jcc("e", "walked");
  a.mov(o.rcx, o.rsi).sub(o.rcx, o.rdi).movabs(o.rax, eight("console=")).cmp(qword(o.rsi), o.rax);
  a.jcc("ne", "noConsole")
    .cmp(o.ecx, NETBSD_PARSED - 8)
    .jcc("a", "noConsole")
    .mov(o.r8d, 1);
  a.label("noConsole").movabs(o.rax, eight("virtio_m")).cmp(qword(o.rsi), o.rax).jcc("ne", "step");
  a.call("device").test(o.eax, o.eax);
  f.require("e", 1);
  a.inc(o.ebp).cmp(byte(o.rsi), 0).jcc("e", "walked");
  // Nothing but more devices may follow: a line that is cut off loses them first.
  a.movabs(o.rax, eight("virtio_m")).cmp(qword(o.rsi, 1), o.rax);
  f.require("e", 2);
  a.label("step").inc(o.rsi).jmp("walk").label("walked").mov(dword("virtioDevices"), o.ebp);
  a.mov(o.rax, o.rsi).sub(o.rax, o.rdi).cmp(o.eax, NETBSD_STORED);
  f.require("be", 3);
  a.test(o.r8d, o.r8d);
  f.require("ne", 4);
}

/** Routines: a device argument at RSI (either dialect), and a number. EAX is 0, or why not. */
export function tableRoutines({ a }: Frame): void {
  const refuse = (when: o.Condition, why: number): void => {
    const fine = a.fresh("fine");
    a.mov(o.eax, why).jcc(when, fine).ret().label(fine);
  };
  a.label("device").movabs(o.rax, eight("mio.devi")).cmp(qword(o.rsi, 8), o.rax);
  refuse("e", 1);
  a.cmp(word(o.rsi, 16), 0x6563);
  refuse("e", 2);
  // FreeBSD: device, device_1, device_2 …; Linux and NetBSD: device again and again.
  a.add(o.rsi, 18).cmp(byte(o.rsi), 0x5f).jcc("ne", "plain").inc(o.rsi).call("number").cmp(o.eax, o.ebp);
  refuse("e", 3);
  a.label("plain").cmp(byte(o.rsi), 0x3d);
  refuse("e", 4);
  a.inc(o.rsi).call("number").test(o.rax, o.rax);
  refuse("ne", 5);
  a.mov(o.cl, byte(o.rsi)).cmp(o.cl, 0x40).jcc("e", "size").inc(o.rsi);
  a.cmp(o.cl, 0x4b).jcc("e", "size").cmp(o.cl, 0x4d).jcc("e", "size").cmp(o.cl, 0x47);
  refuse("e", 6);
  a.label("size").cmp(byte(o.rsi), 0x40);
  refuse("e", 7);
  a.inc(o.rsi).call("number").test(o.ebp, o.ebp).jcc("ne", "later").mov(qword("virtioBase"), o.rax);
  a.label("later").cmp(byte(o.rsi), 0x3a);
  refuse("e", 8);
  a.inc(o.rsi).call("number").test(o.eax, o.eax);
  refuse("ne", 9);
  a.cmp(byte(o.rsi), 0x3a).jcc("ne", "noId").inc(o.rsi).call("number");
  a.label("noId").test(byte(o.rsi), 0xdf);
  refuse("e", 10);
  a.xor(o.eax, o.eax).ret();

  a.label("number").xor(o.eax, o.eax).mov(o.r9d, 10).cmp(word(o.rsi), 0x7830).jcc("ne", "digits");
  a.mov(o.r9d, 16).add(o.rsi, 2).label("digits").movzx(o.ecx, byte(o.rsi)).sub(o.ecx, 0x30);
  a.cmp(o.ecx, 10).jcc("b", "take").sub(o.ecx, 0x31).cmp(o.ecx, 6).jcc("ae", "noDigit").add(o.ecx, 10);
  a.label("take").cmp(o.ecx, o.r9d).jcc("ae", "noDigit").imul(o.rax, o.r9).add(o.rax, o.rcx);
  a.inc(o.rsi).jmp("digits").label("noDigit").ret();

  // The MP floating pointer in [RDI, RDI + RCX): RAX, or 0.
  a.label("search").cmp(dword(o.rdi), 0x5f50_4d5f).jcc("ne", "searchNext");
  a.xor(o.edx, o.edx)
    .mov(o.r9d, 16)
    .label("sum")
    .add(o.dl, byte({ base: o.rdi, index: o.r9, scale: 1, disp: -1 }));
  a.dec(o.r9d).jcc("ne", "sum").test(o.dl, o.dl).jcc("ne", "searchNext").mov(o.rax, o.rdi).ret();
  a.label("searchNext").add(o.rdi, 16).sub(o.ecx, 16).jcc("a", "search").xor(o.eax, o.eax).ret();
}

/** EBDA and base memory agree; the warm reset vector and the page of NetBSD's trampoline can be written. */
function biosData(f: Frame): void {
  const { a } = f;
  a.movzx(o.eax, word(0x40e)).shl(o.eax, 4).lea(o.ecx, o.at(o.rax, -0x8_0000)).cmp(o.ecx, 0x2_0000);
  f.require("b", 1);
  a.movzx(o.ecx, word(0x413)).shl(o.ecx, 10).cmp(o.ecx, o.eax);
  f.require("e", 2);
  for (const [index, address] of [0x467, 0x2000, 0x2ffc].entries()) {
    a.mov(o.ecx, dword(address)).mov(dword(address), 0x5aa5_1234).mov(o.eax, dword(address));
    a.mov(dword(address), o.ecx).cmp(o.eax, 0x5aa5_1234);
    f.require("e", 3 + index);
  }
}

type Place = "ebda" | "base" | "bios" | "low" | "639K";

function mpTable(f: Frame): void {
  const { a } = f;
  const searches: Place[][] = [
    ["ebda", "base", "bios"],
    ["ebda", "base", "bios", "639K"],
    ["low", "639K", "bios", "ebda"],
  ];
  searches.forEach((places, index) => {
    const found = a.fresh("found");
    for (const place of places) {
      where(f, place);
      a.call("search").test(o.eax, o.eax).jcc("ne", found);
    }
    a.label(found).test(o.eax, o.eax);
    f.require("ne", 1 + index);
    if (index === 0) a.mov(dword("mp"), o.eax);
    a.cmp(o.eax, dword("mp"));
    f.require("e", 4);
  });
  a.mov(o.eax, dword("mp")).mov(o.ebx, dword(o.rax, 4)).cmp(dword(o.rbx), 0x504d_4350);
  f.require("e", 5);
  a.movzx(o.ecx, word(o.rbx, 4)).xor(o.eax, o.eax).label("tableSum");
  a.add(o.al, byte({ base: o.rbx, index: o.rcx, scale: 1, disp: -1 }))
    .dec(o.ecx)
    .jcc("ne", "tableSum");
  a.test(o.al, o.al);
  f.require("e", 6);
  mpEntries(f);
}

function where({ a }: Frame, place: Place): void {
  if (place === "ebda") a.movzx(o.edi, word(0x40e)).shl(o.edi, 4);
  else if (place === "base") a.movzx(o.edi, word(0x413)).shl(o.edi, 10).sub(o.edi, 0x400);
  else a.mov(o.edi, { bios: 0xf_0000, low: 0, "639K": 0x9_fc00 }[place]);
  a.mov(o.ecx, place === "bios" ? 0x1_0000 : 0x400);
}

/** No unknown entry, one I/O APIC, interrupts from known buses only; R8 CPUs, R9 buses, R10 the boot CPU. */
function mpEntries(f: Frame): void {
  const { a } = f;
  a.movzx(o.ecx, word(o.rbx, 34)).mov(o.eax, o.ecx).test(o.eax, o.eax);
  f.require("ne", 7);
  a.xor(o.r8d, o.r8d).xor(o.r9d, o.r9d).xor(o.r10d, o.r10d).xor(o.r11d, o.r11d).add(o.rbx, 44);
  a.label("mpEntry").movzx(o.eax, byte(o.rbx)).cmp(o.eax, 4);
  f.require("be", 8);
  a.cmp(o.eax, 0).jcc("ne", "noCpu").test(byte(o.rbx, 3), 1).jcc("e", "cpuOff").inc(o.r8d);
  a.test(byte(o.rbx, 3), 2).jcc("e", "another").inc(o.r10d).jmp("cpuOff").label("another");
  a.movzx(o.edx, byte(o.rbx, 1)).mov(dword("otherCpu"), o.edx);
  a.label("cpuOff").add(o.rbx, 20).jmp("mpNext");
  a.label("noCpu").movzx(o.edx, byte(o.rbx, 1)).cmp(o.eax, 1).jcc("ne", "noBus").bts(o.r9, o.rdx);
  a.label("noBus").cmp(o.eax, 2).jcc("ne", "noIoApic").inc(o.r11d).mov(o.eax, dword(o.rbx, 4));
  a.cmp(o.eax, 0xfec0_0000);
  f.require("e", 9);
  a.label("noIoApic").cmp(o.eax, 3).jcc("ne", "shortEntry").movzx(o.edx, byte(o.rbx, 4)).bt(o.r9, o.rdx);
  f.require("b", 10);
  a.label("shortEntry").add(o.rbx, 8).label("mpNext").dec(o.ecx).jcc("ne", "mpEntry");
  a.mov(dword("cpus"), o.r8d).mov(o.eax, o.r10d).cmp(o.eax, 1);
  f.require("e", 11);
  a.mov(o.eax, o.r11d).cmp(o.eax, 1);
  f.require("e", 12);
}
