/**
 * A tiny Multiboot kernel that tells over the serial port what it was given: registers and flags, what each segment
 * can do, the A20 gate, and every byte of the information structure and what it points to. It judges nothing: the
 * test does, so the same guest shows what our loaders, QEMU and GRUB do.
 *
 * ```
 *  name=text           one line each; numbers are eight hex digits
 *  name@address=hex…   bytes of memory
 *  done
 * ```
 */
import { ByteView } from "../../../src/bytes/byte-view.js";
import * as o from "../../support/asm/index.js";
import { Assembler } from "../../support/asm/index.js";
import { header1, header2, type TagParts } from "./images.js";

const COM1 = 0x3f8;
const LINE_STATUS = COM1 + 5;
const TRANSMITTER_EMPTY = 0x20;
const DEBUG_EXIT = 0xf4;
const STACK_SIZE = 0x400;
/** Free on a machine of ours: below everything that loaders place. */
const LOW_STACK = 0x5000;
const PATTERN = 0x4d42_6f6f;
const { dword, byte, addressOf } = o;

export interface GuestParts {
  version: 1 | 2;
  /** Linked here. */
  address: number;
  /** Load addresses in the header instead of ELF program headers. */
  flat?: boolean;
  /** More flags (version 1) or tags (version 2). */
  flags?: number;
  tags?: readonly TagParts[];
  /** Runs wherever it is put. */
  independent?: boolean;
}

export interface Guest {
  /** From the header on. */
  bytes: Uint8Array;
  address: number;
  entry: number;
  /** With its bss. */
  size: number;
}

/** A memory operand that follows the code: EBP holds how far the guest was moved. */
function data(label: string, disp = 0): o.Memory {
  return dword({ base: o.ebp, label, disp });
}

class GuestCode {
  readonly a: Assembler;
  readonly #texts = new Map<string, string>();

  constructor(readonly parts: GuestParts) {
    this.a = new Assembler(parts.address, 32);
  }

  /** Prints text. */
  say(text: string): void {
    const label = this.#texts.get(text) ?? this.a.fresh("text");
    this.#texts.set(text, label);
    this.a.lea(o.esi, o.at({ base: o.ebp, label }));
    this.a.call("puts");
  }

  /** `name=` and EAX. */
  sayEax(name: string): void {
    this.a.push(o.eax);
    this.say(`${name}=`);
    this.a.pop(o.eax);
    this.a.call("hex32").call("newline");
  }

  /** `name@address=` and ECX bytes from ESI. */
  dump(name: string): void {
    this.a.push(o.esi).push(o.ecx);
    this.say(`${name}@`);
    this.a.mov(o.eax, dword(o.esp, 4)).call("hex32");
    this.say("=");
    this.a.pop(o.ecx).pop(o.esi).call("bytes").call("newline");
  }

  /** The same for a text that ends with a NUL; ESI is its address. */
  dumpText(name: string): void {
    const next = this.a.fresh("next");
    this.a.mov(o.ecx, 0).label(next).inc(o.ecx);
    this.a.cmp(byte({ base: o.esi, index: o.ecx, scale: 1, disp: -1 }), 0).jcc("ne", next);
    this.dump(name);
  }

  texts(): void {
    for (const [text, label] of this.#texts) this.a.label(label).bytes(new TextEncoder().encode(`${text}\0`));
  }
}

/** Assembles the guest. */
export function makeGuest(parts: GuestParts): Guest {
  const first = assemble(parts, 0, 0);
  return assemble(parts, first.entry, first.size);
}

/** The header needs to know the entry and the size, which do not depend on their own values. */
function assemble(parts: GuestParts, entryAddress: number, size: number): Guest {
  const code = new GuestCode(parts);
  const { a } = code;
  a.bytes(headerOf(parts, entryAddress, size));
  a.align(16).label("entry");
  start(code);
  registers(code);
  segments(code);
  gateA20(code);
  if (parts.version === 1) information1(code);
  else information2(code);
  code.say("done\n");
  a.mov(o.al, 0).out(8, DEBUG_EXIT).db(0xfa, 0xf4);
  subroutines(a);
  code.texts();
  a.align(16).label("pattern").dd(PATTERN).label("scratch").dd(0);
  const saved = ["eax", "ebx", "flags"];
  for (const name of saved) a.label(name).dd(0);
  const end = a.here;
  a.align(16);
  const [{ bytes }] = a.link();
  const total = end - parts.address + STACK_SIZE;
  return { bytes, address: parts.address, entry: a.address("entry"), size: (total + 15) & ~15 };
}

function headerOf({ version, address, flat, flags = 3, tags = [] }: GuestParts, entry: number, size: number) {
  const end = address + size;
  if (version === 1) {
    return flat === true ? header1(flags | 0x10000, [address, address, 0, end, entry]) : header1(flags);
  }
  const places: TagParts[] = [
    { type: 2, words: [address, address, 0, end] },
    { type: 3, words: [entry] },
  ];
  return header2({ tags: [...tags, ...(flat === true ? places : [])] });
}

/** Where it runs, a stack of its own, and what it was entered with. */
function start({ a, parts }: GuestCode): void {
  if (parts.independent === true) {
    a.mov(o.esp, LOW_STACK).call("where").label("where").pop(o.ebp).sub(o.ebp, addressOf("where"));
  } else a.mov(o.ebp, 0);
  a.mov(data("eax"), o.eax).mov(data("ebx"), o.ebx);
  a.lea(o.esp, o.at({ base: o.ebp, label: "ebx", disp: STACK_SIZE }));
  a.pushf().pop(data("flags"));
}

function registers(code: GuestCode): void {
  const { a } = code;
  code.say("begin\n");
  for (const name of ["eax", "ebx", "flags"]) {
    a.mov(o.eax, data(name));
    code.sayEax(name);
  }
  a.movSystem(o.eax, o.cr0);
  code.sayEax("cr0");
  a.mov(o.eax, o.ebp);
  code.sayEax("moved");
}

/** Base 0 and readable, up to the top of 4 GiB, writable: by use, because the GDT need not be there. */
function segments(code: GuestCode): void {
  const { a } = code;
  for (const segment of [o.es, o.cs, o.ss, o.ds, o.fs, o.gs]) {
    a.mov(o.eax, dword({ base: o.ebp, label: "pattern", segment }));
    code.sayEax(`${segment.name}.base`);
    a.mov(o.eax, dword({ disp: 0xffff_fffc, segment }));
    code.say(`${segment.name}.top=read\n`);
    if (segment === o.cs) continue;
    a.mov(data("scratch"), 0).inc(dword({ base: o.ebp, label: "scratch", segment }));
    a.mov(o.eax, data("scratch"));
    code.sayEax(`${segment.name}.write`);
  }
  // A push through a 16-bit stack segment would go below 64 KiB.
  a.mov(o.eax, 0)
    .mov(data("ebx", STACK_SIZE - 4), o.eax)
    .push(PATTERN)
    .pop(o.ecx);
  a.mov(o.eax, dword(o.esp, -4));
  code.sayEax("ss.big");
}

/** Whether an address and the one 1 MiB below are one byte. */
function gateA20(code: GuestCode): void {
  const { a } = code;
  a.lea(o.edi, o.at({ base: o.ebp, label: "scratch" }))
    .mov(o.edx, o.edi)
    .xor(o.edx, 0x10_0000);
  a.mov(o.ebx, dword(o.edx)).not(o.ebx).mov(dword(o.edi), o.ebx).mov(o.eax, dword(o.edx));
  a.sub(o.eax, o.ebx).set("ne", o.al).movzx(o.eax, o.al);
  code.sayEax("a20");
}

/** Every structure of version 1 that is there. */
function information1(code: GuestCode): void {
  const { a } = code;
  const info = (offset: number): o.Memory => dword(o.ebx, offset);
  const when = (flag: number, then: () => void): void => {
    const skip = a.fresh("skip");
    a.test(info(0), 1 << flag).jcc("e", skip);
    then();
    a.label(skip);
  };
  a.mov(o.ebx, data("ebx")).mov(o.esi, o.ebx).mov(o.ecx, 120);
  code.dump("info");
  when(2, () => {
    a.mov(o.esi, info(16));
    code.dumpText("cmdline");
  });
  when(3, () => modules1(code));
  when(5, () => {
    a.mov(o.esi, info(36)).mov(o.ecx, info(28)).imul(o.ecx, info(32));
    code.dump("sections");
  });
  when(6, () => {
    a.mov(o.esi, info(48)).mov(o.ecx, info(44));
    code.dump("mmap");
  });
  when(9, () => {
    a.mov(o.esi, info(64));
    code.dumpText("name");
  });
}

function modules1(code: GuestCode): void {
  const { a } = code;
  a.mov(o.esi, dword(o.ebx, 24)).mov(o.ecx, dword(o.ebx, 20)).shl(o.ecx, 4);
  code.dump("modules");
  a.mov(o.edi, dword(o.ebx, 24)).mov(o.edx, dword(o.ebx, 20));
  a.label("module").test(o.edx, o.edx).jcc("e", "modulesEnd").push(o.edx);
  a.mov(o.esi, dword(o.edi)).mov(o.ecx, dword(o.edi, 4)).sub(o.ecx, o.esi);
  code.dump("module");
  a.mov(o.esi, dword(o.edi, 8));
  code.dumpText("string");
  a.pop(o.edx).dec(o.edx).add(o.edi, 16).jmp("module").label("modulesEnd");
}

/** The boot information of version 2, and the modules it names. */
function information2(code: GuestCode): void {
  const { a } = code;
  a.mov(o.ebx, data("ebx")).mov(o.esi, o.ebx).mov(o.ecx, dword(o.ebx));
  code.dump("info");
  a.lea(o.edi, o.at(o.ebx, 8)).label("tag").cmp(dword(o.edi), 0).jcc("e", "tagsEnd");
  a.cmp(dword(o.edi), 3).jcc("ne", "noModule");
  a.mov(o.esi, dword(o.edi, 8)).mov(o.ecx, dword(o.edi, 12)).sub(o.ecx, o.esi);
  code.dump("module");
  a.label("noModule").mov(o.eax, dword(o.edi, 4)).add(o.eax, 7).and(o.eax, 0xffff_fff8).add(o.edi, o.eax);
  a.jmp("tag").label("tagsEnd");
}

/** Output. All keep EBX, EBP, EDI. */
function subroutines(a: Assembler): void {
  a.label("putc").push(o.edx).push(o.eax).mov(o.edx, LINE_STATUS);
  a.label("busy").in(8, "dx").test(o.al, TRANSMITTER_EMPTY).jcc("e", "busy").pop(o.eax);
  a.mov(o.edx, COM1).out(8, "dx").pop(o.edx).ret();
  a.label("newline").mov(o.al, 10).jmp("putc");
  a.label("puts")
    .lods(8)
    .test(o.al, o.al)
    .jcc("e", "putsEnd")
    .call("putc")
    .jmp("puts")
    .label("putsEnd")
    .ret();
  a.label("hex32").mov(o.ecx, 8).label("digit").rol(o.eax, 4).call("nibble").loop("digit").ret();
  a.label("nibble").push(o.eax).and(o.al, 15).cmp(o.al, 10).jcc("b", "decimal").add(o.al, 0x27);
  a.label("decimal").add(o.al, 0x30).call("putc").pop(o.eax).ret();
  a.label("bytes").test(o.ecx, o.ecx).jcc("e", "bytesEnd").lods(8).rol(o.al, 4).call("nibble");
  a.rol(o.al, 4).call("nibble").dec(o.ecx).jmp("bytes").label("bytesEnd").ret();
}

/** Memory that the guest dumped. */
export interface Dump {
  address: number;
  bytes: Uint8Array;
}

/** What a guest said. */
export class Report {
  readonly #values = new Map<string, string>();
  readonly #dumps: { name: string; dump: Dump }[] = [];

  constructor(readonly text: string) {
    const lines = text.replaceAll("\r", "").split("\n");
    const begin = lines.lastIndexOf("begin");
    for (const line of lines.slice(begin + 1)) {
      const [, name, , address, value] = /^([\w.]+)(@([0-9a-f]{8}))?=(.*)$/.exec(line) ?? [];
      if (name === undefined) continue;
      if (address === undefined) this.#values.set(name, value);
      else {
        const bytes = Uint8Array.from(value.match(/../g) ?? [], (pair) => parseInt(pair, 16));
        this.#dumps.push({ name, dump: { address: parseInt(address, 16), bytes } });
      }
    }
    if (begin < 0 || !lines.includes("done")) throw new Error(`the guest did not finish:\n${text}`);
  }

  /** A number the guest printed. */
  number(name: string): number {
    return parseInt(this.value(name), 16);
  }

  value(name: string): string {
    const value = this.#values.get(name);
    if (value === undefined) throw new Error(`the guest did not say ${name}`);
    return value;
  }

  /** Every dump of that name. */
  dumps(name: string): Dump[] {
    return this.#dumps.filter((one) => one.name === name).map(({ dump }) => dump);
  }

  /** The only dump of that name. */
  view(name: string): ByteView {
    const [dump, more] = this.dumps(name);
    if (dump === undefined || more !== undefined) throw new Error(`not exactly one dump of ${name}`);
    return new ByteView(dump.bytes, dump.address);
  }

  /** A dumped text, without its NUL. */
  texts(name: string): string[] {
    return this.dumps(name).map(({ bytes }) => new TextDecoder().decode(bytes.subarray(0, -1)));
  }
}

export { PATTERN };
