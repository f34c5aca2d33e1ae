/**
 * Runs the program on the host's own CPU: a static ELF file of our making, without a compiler, whose signal
 * handler sends #DE to the address in R15. Linux on x86-64 only.
 *
 * Specification: System V gABI chapters 4–5; psABI for x86-64 §3.4; the Linux system-call and signal-frame layout
 * of arch/x86/include/uapi/asm/{sigcontext,ucontext}.h.
 */
import { spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { Assembler, addressOf, eax, edi, edx, qword, r10, rax, rdx, rsi } from "../support/asm/index.js";
import type { Form } from "./forms.js";
import { emitForms } from "./program.js";
import { RESULT_WORDS, ROW_WORDS, rowBytes } from "./rows.js";
import type { Row } from "./rows.js";

const BASE = 0x400000;
const HEADER = 120;
const INPUT = 0x10000000;
const OUTPUT = 0x20000000;
const CELL = 0x30000040;
const PAGE = 0x1000;

const SYS_WRITE = 1;
const SYS_SIGACTION = 13;
const SYS_SIGRETURN = 15;
const SYS_EXIT = 60;
const SIGFPE = 8;
const SA_SIGINFO_RESTORER = 0x4 | 0x04000000;
const SIGSET_BYTES = 8;
/** Offsets in ucontext: uc_mcontext at 40, its registers r15 (7th) and rip (16th). */
const UCONTEXT_R15 = 40 + 7 * 8;
const UCONTEXT_RIP = 40 + 16 * 8;

/** Why there is no native run here, or undefined. */
export function nativeMissing(): string | undefined {
  if (process.platform !== "linux" || process.arch !== "x64") return "the host is not x86-64 Linux";
  return undefined;
}

function text(forms: readonly Form[], rows: number): Uint8Array {
  const a = new Assembler(BASE + HEADER, 64);
  const total = forms.length * rows * RESULT_WORDS * 8;
  a.mov(eax, SYS_SIGACTION)
    .mov(edi, SIGFPE)
    .mov(rsi, addressOf("action"))
    .xor(edx, edx)
    .mov(r10, SIGSET_BYTES)
    .syscall();
  emitForms(a, forms, rows, INPUT, OUTPUT, CELL);
  a.mov(rsi, OUTPUT).mov(rdx, total);
  a.label("write").mov(eax, SYS_WRITE).mov(edi, 1).syscall();
  a.test(rax, rax).jcc("le", "done").add(rsi, rax).sub(rdx, rax).jcc("ne", "write");
  a.label("done").mov(eax, SYS_EXIT).xor(edi, edi).syscall();
  a.label("handler").mov(rax, qword(rdx, UCONTEXT_R15)).mov(qword(rdx, UCONTEXT_RIP), rax).ret();
  a.label("restorer").mov(eax, SYS_SIGRETURN).syscall();
  a.align(8).label("action").dq(addressOf("handler"), SA_SIGINFO_RESTORER, addressOf("restorer"), 0);
  return a.link()[0].bytes;
}

interface Segment {
  address: number;
  bytes: Uint8Array;
  /** Size in memory. */
  size: number;
}

/** ELF64 with one PT_LOAD a segment, all readable, writable and executable. */
function elf64(entry: number, segments: Segment[]): Uint8Array {
  const headerSize = 64 + 56 * segments.length;
  let offset = Math.ceil(headerSize / PAGE) * PAGE;
  const placed = segments.map((s) => {
    const at = offset + (s.address % PAGE);
    offset = Math.ceil((at + s.bytes.length) / PAGE) * PAGE;
    return { ...s, at };
  });
  const file = new Uint8Array(offset);
  const view = new DataView(file.buffer);
  file.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  [2, 62].forEach((v, i) => view.setUint16(16 + 2 * i, v, true));
  view.setUint32(20, 1, true);
  [entry, 64, 0].forEach((v, i) => view.setBigUint64(24 + 8 * i, BigInt(v), true));
  [64, 56, segments.length].forEach((v, i) => view.setUint16(52 + 2 * i, v, true));
  placed.forEach((s, i) => {
    const at = 64 + 56 * i;
    view.setUint32(at, 1, true);
    view.setUint32(at + 4, 7, true);
    [s.at, s.address, s.address, s.bytes.length, s.size, PAGE].forEach((v, j) =>
      view.setBigUint64(at + 8 + 8 * j, BigInt(v), true),
    );
    file.set(s.bytes, s.at);
  });
  return file;
}

/** The results of all forms over all rows, one after the other. */
export function runNative(forms: readonly Form[], rows: readonly Row[][]): Uint8Array {
  const each = rows[0].length;
  const input = rowBytes(rows);
  const code = text(forms, each);
  const total = forms.length * each * RESULT_WORDS * 8;
  if (input.length !== forms.length * each * ROW_WORDS * 8)
    throw new Error("every form needs the same number of rows");
  const elf = elf64(BASE + HEADER, [
    { address: BASE + HEADER, bytes: code, size: code.length },
    { address: INPUT, bytes: input, size: input.length },
    { address: OUTPUT, bytes: new Uint8Array(0), size: total },
    { address: CELL - 0x40, bytes: new Uint8Array(0), size: PAGE },
  ]);
  const folder = mkdtempSync(path.join(tmpdir(), "locore-oracle-"));
  try {
    const file = path.join(folder, "oracle");
    writeFileSync(file, elf);
    chmodSync(file, 0o755);
    const run = spawnSync(file, [], { maxBuffer: total + PAGE, timeout: 20_000 });
    if (run.status !== 0 || run.stdout.length !== total) {
      throw new Error(
        `the native run ended with status ${run.status}, signal ${run.signal}, ${run.stdout?.length} bytes`,
      );
    }
    return run.stdout;
  } finally {
    rmSync(folder, { recursive: true });
  }
}
