/**
 * A program for Linux: threads in a ring, of which each sleeps in a futex until the one before it wakes it. Nothing but system
 * calls, wake-ups and, with several CPUs, interrupts from one to another. It ends with status 0 once the last round is done.
 *
 * Specification: futex(2), clone(2); System V gABI, chapters 4–5.
 */
import { Assembler, dword, eax, ebx, edi, edx, esi, r10d, rax, rsi } from "../test/support/asm/index.js";

const CODE = 0x400000;
const DATA = 0x500000;
const DATA_BYTES = 0x10000;
const HEADER_BYTES = 0x1000;
const STACK_BYTES = 0x1000;
const LINE = 64;
const SYSTEM_CALL = { clone: 56, exitGroup: 231, futex: 202 } as const;
/** CLONE_VM, _FS, _FILES, _SIGHAND, _THREAD, _SYSVSEM. */
const THREAD = 0x50f00;
const [WAIT_PRIVATE, WAKE_PRIVATE] = [128, 129];
const [PT_LOAD, ALL_RIGHTS] = [1, 7];

/** A static ELF program of one segment, with zeros behind it. */
function staticElf(code: Uint8Array, entry: number): Uint8Array {
  const file = new Uint8Array(HEADER_BYTES + code.length);
  const view = new DataView(file.buffer);
  file.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  [2, 62].forEach((value, i) => view.setUint16(16 + 2 * i, value, true));
  view.setUint32(20, 1, true);
  [entry, 64, 0].forEach((value, i) => view.setBigUint64(24 + 8 * i, BigInt(value), true));
  [64, 56, 1].forEach((value, i) => view.setUint16(52 + 2 * i, value, true));
  [PT_LOAD, ALL_RIGHTS].forEach((value, i) => view.setUint32(64 + 4 * i, value, true));
  const memory = DATA + DATA_BYTES - CODE;
  [HEADER_BYTES, CODE, CODE, code.length, memory, 0x1000].forEach((value, i) =>
    view.setBigUint64(72 + 8 * i, BigInt(value), true),
  );
  file.set(code, HEADER_BYTES);
  return file;
}

/** futex(word at RSI's address, operation, 1 or the expected value). Clobbers what system calls do. */
function futex(a: Assembler, word: number, operation: number, value: number): void {
  a.mov(edi, word).mov(esi, operation).mov(edx, value).mov(r10d, 0).mov(eax, SYSTEM_CALL.futex).syscall();
}

/** The program: `threads` of them, the token goes round `rounds` times. */
export function futexProgram(threads: number, rounds: number): Uint8Array {
  const a = new Assembler(CODE, 64);
  const word = (thread: number): number => DATA + thread * LINE;
  const stackEnd = (thread: number): number => DATA + DATA_BYTES - thread * STACK_BYTES;
  a.label("entry");
  for (let thread = 1; thread < threads; thread++) {
    a.mov(edi, THREAD)
      .mov(rsi, BigInt(stackEnd(thread)))
      .mov(edx, 0)
      .mov(r10d, 0);
    a.mov(eax, SYSTEM_CALL.clone).syscall().test(rax, rax).jcc("e", `thread${thread}`);
  }
  for (let thread = 0; thread < threads; thread++) {
    const next = (thread + 1) % threads;
    if (thread === 0) a.mov(ebx, rounds + 1).jmp("give0");
    a.label(`thread${thread}`)
      .label(`check${thread}`)
      .cmp(dword(word(thread)), 1)
      .jcc("e", `take${thread}`);
    futex(a, word(thread), WAIT_PRIVATE, 0);
    a.jmp(`check${thread}`)
      .label(`take${thread}`)
      .mov(dword(word(thread)), 0)
      .label(`give${thread}`);
    if (thread === 0) a.dec(ebx).jcc("e", "done");
    a.mov(dword(word(next)), 1);
    futex(a, word(next), WAKE_PRIVATE, 1);
    a.jmp(`check${thread}`);
  }
  a.label("done").mov(edi, 0).mov(eax, SYSTEM_CALL.exitGroup).syscall();
  const [{ bytes }] = a.link();
  return staticElf(bytes, a.address("entry"));
}
