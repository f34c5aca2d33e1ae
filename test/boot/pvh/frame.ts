/**
 * The frame of the BSD-like conformance guest: numbered checks, each ending in one line on the serial port, and what
 * checks need: an output routine for 32-bit and 64-bit code, faults that are expected.
 *
 * ```
 *  check 05 ok
 *  check 19 absent
 *  check 12 fail 00000003 0001e240     the rule that failed, and EAX then
 *  end
 * ```
 */
import * as o from "../../support/asm/index.js";
import { Assembler } from "../../support/asm/index.js";
import type { Condition } from "../../support/asm/operands.js";

export const COM1 = 0x3f8;
const [LSR, LSR_THRE] = [COM1 + 5, 0x20];
/** Where the image, its second segment, its bss and two pages for faults lie, guest-physical. */
export const PLACE = {
  IMAGE: 0x20_0000,
  MARKER: 0x28_0000,
  BSS: 0x30_0000,
  PROBE: 0x30_0000,
  PROBE_SIZE: 0x1_0000,
  PAGE_TABLES: 0x31_0000,
  IDT: 0x31_8000,
  STACK: 0x31_a000,
  IMAGE_END: 0x31_b000,
  FAULT_PAGES: 0x40_0000,
} as const;
export const MARKER = 0x4253_4421;
export const SELECTOR = { CODE64: 0x08, DATA: 0x10, USER_BASE: 0x18, TSS: 0x30 } as const;
const ABSENT = 0xff;
const { dword, qword, addressOf } = o;

export class Frame {
  readonly a = new Assembler(PLACE.IMAGE, 32);
  readonly #texts = new Map<string, string>();
  #end = "";

  /** One numbered check. What its body leaves on the stack is dropped. */
  check(number: number, body: () => void): void {
    const { a } = this;
    const end = `check${number}`;
    this.#end = end;
    a.mov(dword("result"), 0);
    body();
    a.label(end);
    this.resetStack();
    this.say(`check ${String(number).padStart(2, "0")} `);
    a.call(this.#routine("verdict"));
  }

  resetStack(): void {
    this.a.mov(this.a.mode === 64 ? o.rsp : o.esp, PLACE.STACK);
  }

  /** The check fails by this rule unless the condition holds. */
  require(condition: Condition, rule: number): void {
    const { a } = this;
    const fine = a.fresh("fine");
    a.jcc(condition, fine).mov(dword("value"), o.eax).mov(dword("result"), rule).jmp(this.#end).label(fine);
  }

  /** What the check is about does not exist when the condition holds. */
  absentIf(condition: Condition): void {
    const { a } = this;
    const there = a.fresh("there");
    a.mov(dword("result"), ABSENT).jcc(condition, this.#end).mov(dword("result"), 0).label(there);
  }

  /** 64-bit code that is to fault, and with which vector and error code. EAX is the error code afterwards. */
  requireFault(vector: number, error: number, rule: number, body: () => void): void {
    const { a } = this;
    const after = a.fresh("after");
    a.mov(dword("faultVector"), 0).mov(qword("recover"), addressOf(after));
    body();
    a.label(after).mov(o.eax, dword("faultError")).cmp(dword("faultVector"), vector);
    this.require("e", rule);
    a.cmp(o.eax, error);
    this.require("e", rule + 1);
  }

  say(text: string): void {
    const label = this.#texts.get(text) ?? this.a.fresh("text");
    this.#texts.set(text, label);
    this.a.mov(o.esi, addressOf(label)).call(this.#routine("puts"));
  }

  /** `name xxxxxxxx` */
  sayValue(name: string, variable: string): void {
    this.say(`${name} `);
    this.a.mov(o.ebx, dword(variable)).call(this.#routine("hex"));
    this.say("\n");
  }

  outb(port: number, value: number): void {
    this.a.mov(o.al, value);
    if (port < 0x100) this.a.out(8, port);
    else this.a.mov(o.edx, port).out(8, "dx");
  }

  inb(port: number): void {
    if (port < 0x100) this.a.in(8, port);
    else this.a.mov(o.edx, port).in(8, "dx");
  }

  #routine(name: string): string {
    return `${name}${this.a.mode}`;
  }

  /** Output routines for the mode that follows; they use EAX, EBX, ECX, EDX and ESI. */
  routines(mode: 32 | 64): void {
    const { a } = this;
    const my = (name: string): string => `${name}${mode}`;
    a.bits(mode).label(my("putc")).mov(o.ah, o.al).mov(o.edx, LSR);
    a.label(my("busy")).in(8, "dx").test(o.al, LSR_THRE).jcc("e", my("busy"));
    a.mov(o.al, o.ah).mov(o.edx, COM1).out(8, "dx").ret();
    a.label(my("puts"))
      .cld()
      .label(my("next"))
      .lods(8)
      .test(o.al, o.al)
      .jcc("e", my("done"))
      .call(my("putc"))
      .jmp(my("next"));
    a.label(my("done")).ret();
    a.label(my("hex")).mov(o.ecx, 8).label(my("digit")).rol(o.ebx, 4).mov(o.al, o.bl).and(o.al, 15);
    a.cmp(o.al, 10).jcc("b", my("decimal")).add(o.al, 0x27);
    a.label(my("decimal")).add(o.al, 0x30).call(my("putc")).loop(my("digit")).ret();
    const is = (value: number, text: string): void => {
      const other = a.fresh("other");
      a.cmp(dword("result"), value).jcc("ne", other);
      this.say(text);
      a.ret().label(other);
    };
    a.label(my("verdict"));
    is(0, "ok\n");
    is(ABSENT, "absent\n");
    this.say("fail ");
    a.mov(o.ebx, dword("result")).call(my("hex"));
    this.say(" ");
    a.mov(o.ebx, dword("value")).call(my("hex"));
    this.say("\n");
    a.ret();
  }

  texts(): void {
    for (const [text, label] of this.#texts) this.a.label(label).bytes(new TextEncoder().encode(`${text}\0`));
  }

  variables(names: readonly string[]): void {
    this.a.align(16);
    for (const name of names) this.a.label(name).dq(0);
  }
}
