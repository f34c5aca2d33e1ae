/**
 * The program that runs instruction forms over rows of operands: the same bytes run as a Linux process on the
 * host's CPU and as a guest on an engine. Only the frame differs: how #DE comes back and how it ends.
 *
 * R8: next row, R9: next result, R10: rows left, R11: memory operand, R15: where #DE goes on.
 */
import {
  addressOf,
  at,
  oword,
  qword,
  r10,
  r11,
  r15,
  r8,
  r9,
  rax,
  rcx,
  rdi,
  rdx,
  rsi,
  xmm0,
  xmm1,
} from "../support/asm/index.js";
import type { Assembler } from "../support/asm/index.js";
import type { Form } from "./forms.js";
import { RAISED, RESULT_WORDS, ROW_WORDS } from "./rows.js";

const MEMORY_AT = 32;
const XMM_AT = 96;

function loadRow(a: Assembler): void {
  for (let i = 0; i < 8; i++) a.mov(rax, qword(r8, MEMORY_AT + 8 * i)).mov(qword(r11, 8 * i), rax);
  a.movdqu(xmm0, oword(r8, XMM_AT)).movdqu(xmm1, oword(r8, XMM_AT + 16));
  a.mov(rsi, r11).mov(rdi, r11).mov(rax, qword(r8)).mov(rcx, qword(r8, 8)).mov(rdx, qword(r8, 16));
  a.push(qword(r8, 24)).popf();
}

function storeResult(a: Assembler): void {
  a.pushf().pop(qword(r9, 24)).mov(qword(r9), rax).mov(qword(r9, 8), rcx).mov(qword(r9, 16), rdx);
  a.sub(rsi, r11).sub(rdi, r11).mov(qword(r9, 32), rsi).mov(qword(r9, 40), rdi).movdqu(oword(r9, 48), xmm0);
  for (let i = 0; i < 8; i++) a.mov(rax, qword(r11, 8 * i)).mov(qword(r9, 64 + 8 * i), rax);
}

/** Emits the loop of one form. `rows` follow each other in the input, across forms. */
function emitForm(a: Assembler, form: Form, rows: number): void {
  const [top, raised, next] = ["top", "raised", "next"].map((stem) => a.fresh(stem));
  a.mov(r10, rows).mov(r15, addressOf(raised));
  a.label(top);
  loadRow(a);
  form.emit(a);
  storeResult(a);
  a.jmp(next);
  a.label(raised).cld().mov(rax, RAISED).mov(qword(r9, 24), rax);
  a.label(next)
    .lea(r8, at(r8, 8 * ROW_WORDS))
    .lea(r9, at(r9, 8 * RESULT_WORDS))
    .dec(r10)
    .jcc("ne", top);
}

/** Emits all forms; R8, R9 and R11 are set here. */
export function emitForms(
  a: Assembler,
  forms: readonly Form[],
  rows: number,
  input: number,
  output: number,
  cell: number,
): void {
  a.mov(r8, input).mov(r9, output).mov(r11, cell);
  for (const form of forms) emitForm(a, form, rows);
}
