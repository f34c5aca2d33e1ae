/**
 * Guests that run one instruction over a table of operands: RAX, RDX, RCX and flags in; RAX, RDX and flags out.
 * Thousands of corner cases cost one guest.
 */
import { dword, ebp, qword, rax, rbx, rcx, rdi, rdx, rsi } from "../../support/asm/index.js";
import type { Assembler } from "../../support/asm/index.js";
import { prologue } from "./environments.js";
import { guest } from "./guest.js";
import type { Guest, GuestBuilder } from "./guest.js";
import * as layout from "./layout.js";

/** One row: values are 64 bits. */
export interface Row {
  rax: bigint;
  rdx?: bigint;
  rcx?: bigint;
  flags: bigint;
  want: { rax?: bigint; raxMask?: bigint; rdx?: bigint; flags: bigint; defined: bigint };
}

export interface Block {
  title: string;
  emit(a: Assembler): unknown;
  rows: Row[];
}

const INPUT_STRIDE = 32;
const OUTPUT_STRIDE = 32;
const OUTPUT = 0x400000;
const RESERVED_FLAG = 2n;

function emitBlock(g: GuestBuilder, block: Block, input: number, output: number): void {
  const { a } = g;
  const top = a.fresh("row");
  a.mov(rsi, input).mov(rdi, output).mov(ebp, block.rows.length);
  a.label(top)
    .mov(rax, qword(rsi))
    .mov(rdx, qword(rsi, 8))
    .mov(rcx, qword(rsi, 16))
    .push(qword(rsi, 24))
    .popf();
  block.emit(a);
  a.pushf().pop(rbx);
  a.mov(qword(rdi), rax).mov(qword(rdi, 8), rdx).mov(qword(rdi, 16), rbx);
  a.add(rsi, INPUT_STRIDE).add(rdi, OUTPUT_STRIDE).dec(ebp).jcc("ne", top);
}

function expectRow(g: GuestBuilder, title: string, row: Row, output: number): void {
  const name = `${title} of rax=${row.rax.toString(16)} rdx=${(row.rdx ?? 0n).toString(16)} rcx=${(row.rcx ?? 0n).toString(16)} flags=${row.flags.toString(16)}`;
  if (row.want.rax !== undefined) g.expectAt(output, 8, row.want.rax, `${name}: rax`, row.want.raxMask);
  if (row.want.rdx !== undefined) g.expectAt(output + 8, 8, row.want.rdx, `${name}: rdx`);
  g.expectAt(output + 16, 8, row.want.flags, `${name}: flags`, row.want.defined);
}

/** A guest that runs every block over its rows. */
export function tableGuest(name: string, cites: string, blocks: Block[]): Guest {
  return guest(name, { cites }, (g) => {
    prologue(g.a);
    let input = layout.DATA;
    let output = OUTPUT;
    for (const block of blocks) {
      g.words(
        input,
        ...block.rows.flatMap((r) => [r.rax, r.rdx ?? 0n, r.rcx ?? 0n, r.flags | RESERVED_FLAG]),
      );
      emitBlock(g, block, input, output);
      block.rows.forEach((row, i) => expectRow(g, block.title, row, output + i * OUTPUT_STRIDE));
      input += block.rows.length * INPUT_STRIDE;
      output += block.rows.length * OUTPUT_STRIDE;
    }
    if (input > layout.PAGE_TABLE_POOL || output > layout.USER_CODE)
      throw new Error(`${name}: too many rows`);
    g.a.mov(dword(layout.DATA), 0);
    g.exit();
  });
}
