/**
 * The program that is process 1 of a run's guest once its modules are loaded, ours to the last byte. It carries out steps, which are data
 * (`step-list.ts`): system calls mostly, and where to go on by what they came to. A shell would have to start a process for each of them,
 * which takes a kernel some hundred thousand instructions; and it can neither set a clock to the nanosecond nor have a kernel make its
 * random numbers anew.
 *
 * A step is twelve words of 64 bits:
 *
 *    0  number of a system call (arch/x86/entry/syscalls/syscall_64.tbl of Linux), or one of `OWN`
 *    8  its six arguments
 *   56  where its result is stored; 0: nowhere
 *   64  the step that follows a result from -4095 to -1, an error
 *   72  a result that counts before that, and
 *   80  the step that follows it
 *   88  the step that follows every other one
 *
 * No step uses the stack, so that threads and children may go on in the same memory.
 */
import { ByteWriter } from "../../../bytes/byte-writer.js";

/** Calls that are the program's own. */
export const OWN = {
  /** Word at an address, mask: the word's bits that the mask has. */
  load: -1,
  /** Address, number, factor: adds the product to the word there, which is the result. */
  add: -2,
  /**
   * Address, source, beginnings, number: copies addresses of texts up to a 0, at most so many and a 0, but for texts that begin like any of
   * those whose addresses the third argument's list has, which ends with a 0.
   */
  copy: -3,
} as const;

/** Bytes of a word. */
export const WORD = 8;
export const STEP_BYTES = 96;
/** Offset of a step's first argument. */
export const ARGUMENTS_AT = 8;
export const VALUE_AT = 72;

/** Bytes of a number as the kernel stores one, a C `int`, and the word's bits that it has. */
export const INT = 4;
export const INT_MASK = 0xffff_ffff;

/** Where things are in its memory. */
export const PLACES = {
  code: 0x40_0000,
  /** A word: where its environment is. */
  environment: 0x50_0000,
  /** Before steps that come later: their length in bytes, seconds and nanoseconds since 1970; a word each. */
  head: 0x51_0000,
  /** For whoever carries bytes, `BUFFER_BYTES` each. */
  buffers: 0x60_0000,
  /** For steps that come later. */
  later: 0x80_0000,
  /** The first step. */
  first: 0x200_0000,
} as const;

/** Of `PLACES.head`. */
export const HEAD = { length: 0, time: 8, bytes: 24 } as const;

export const BUFFER_BYTES = 0x1_0000;
/** Most that there is room for. */
export const LATER_BYTES = PLACES.first - PLACES.later;

/** Machine code for x86-64 Linux, and what it says. */
const CODE: readonly (readonly [bytes: string, text: string])[] = [
  ["488b0c24", "mov rcx,QWORD PTR [rsp]"],
  ["488d4ccc10", "lea rcx,[rsp+rcx*8+0x10]"],
  ["48890c2500005000", "mov QWORD PTR ds:0x500000,rcx"],
  ["bb00000002", "mov ebx,0x2000000"],
  ["488b03", "step: mov rax,QWORD PTR [rbx]"],
  ["488b7b08", "mov rdi,QWORD PTR [rbx+0x8]"],
  ["488b7310", "mov rsi,QWORD PTR [rbx+0x10]"],
  ["488b5318", "mov rdx,QWORD PTR [rbx+0x18]"],
  ["4c8b5320", "mov r10,QWORD PTR [rbx+0x20]"],
  ["4c8b4328", "mov r8,QWORD PTR [rbx+0x28]"],
  ["4c8b4b30", "mov r9,QWORD PTR [rbx+0x30]"],
  ["4885c0", "test rax,rax"],
  ["782e", "js own"],
  ["0f05", "syscall"],
  ["488b4b38", "done: mov rcx,QWORD PTR [rbx+0x38]"],
  ["4885c9", "test rcx,rcx"],
  ["7403", "je compare"],
  ["488901", "mov QWORD PTR [rcx],rax"],
  ["483b4348", "compare: cmp rax,QWORD PTR [rbx+0x48]"],
  ["740e", "je equal"],
  ["483d01f0ffff", "cmp rax,0xfffffffffffff001"],
  ["730c", "jae failed"],
  ["488b5b58", "mov rbx,QWORD PTR [rbx+0x58]"],
  ["ebbe", "jmp step"],
  ["488b5b50", "equal: mov rbx,QWORD PTR [rbx+0x50]"],
  ["ebb8", "jmp step"],
  ["488b5b40", "failed: mov rbx,QWORD PTR [rbx+0x40]"],
  ["ebb2", "jmp step"],
  ["48ffc0", "own: inc rax"],
  ["744c", "je load"],
  ["48ffc0", "inc rax"],
  ["7452", "je add"],
  ["488b06", "copy: mov rax,QWORD PTR [rsi]"],
  ["4883c608", "add rsi,0x8"],
  ["4885c0", "test rax,rax"],
  ["7434", "je copied"],
  ["4989d0", "mov r8,rdx"],
  ["4d8b08", "name: mov r9,QWORD PTR [r8]"],
  ["4983c008", "add r8,0x8"],
  ["4d85c9", "test r9,r9"],
  ["7417", "je keep"],
  ["4989c3", "mov r11,rax"],
  ["418a09", "same: mov cl,BYTE PTR [r9]"],
  ["84c9", "test cl,cl"],
  ["74db", "je copy"],
  ["413a0b", "cmp cl,BYTE PTR [r11]"],
  ["75e5", "jne name"],
  ["49ffc1", "inc r9"],
  ["49ffc3", "inc r11"],
  ["ebec", "jmp same"],
  ["49ffca", "keep: dec r10"],
  ["7809", "js copied"],
  ["488907", "mov QWORD PTR [rdi],rax"],
  ["4883c708", "add rdi,0x8"],
  ["ebc0", "jmp copy"],
  ["31c0", "copied: xor eax,eax"],
  ["488907", "mov QWORD PTR [rdi],rax"],
  ["eb83", "jmp done"],
  ["488b07", "load: mov rax,QWORD PTR [rdi]"],
  ["4821f0", "and rax,rsi"],
  ["e978ffffff", "jmp done"],
  ["480faff2", "add: imul rsi,rdx"],
  ["480137", "add QWORD PTR [rdi],rsi"],
  ["488b07", "mov rax,QWORD PTR [rdi]"],
  ["e969ffffff", "jmp done"],
];

/** An ELF file's head (System V ABI, "Object files") and its program headers. */
const ELF_HEADER = 64;
const PROGRAM_HEADER = 56;
const ELF_MAGIC = [0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, 0];
const EXECUTABLE = 2;
const X86_64 = 62;
const LOADED = 1;
const READ_AND_EXECUTE = 5;
const READ_AND_WRITE = 6;
const PAGE = 0x1000;

interface Segment {
  flags: number;
  offset: number;
  address: number;
  bytes: number;
  inMemory: number;
}

/** The program as a file, whose first steps are these: they lie at `PLACES.first`. */
export function stepProgram(steps: Uint8Array): Uint8Array {
  const code = Buffer.concat(CODE.map(([bytes]) => Buffer.from(bytes, "hex")));
  const entry = ELF_HEADER + 3 * PROGRAM_HEADER;
  const own = entry + code.length;
  const segments: Segment[] = [
    { flags: READ_AND_EXECUTE, offset: 0, address: PLACES.code, bytes: own, inMemory: own },
    {
      flags: READ_AND_WRITE,
      offset: PAGE,
      address: PLACES.environment,
      bytes: 0,
      inMemory: PLACES.first - PLACES.environment,
    },
    {
      flags: READ_AND_WRITE,
      offset: PAGE,
      address: PLACES.first,
      bytes: steps.length,
      inMemory: steps.length,
    },
  ];
  const file = new ByteWriter();
  file.bytes(Uint8Array.from(ELF_MAGIC)).u64(0);
  file.u16(EXECUTABLE).u16(X86_64).u32(1);
  file
    .u64(PLACES.code + entry)
    .u64(ELF_HEADER)
    .u64(0)
    .u32(0);
  file.u16(ELF_HEADER).u16(PROGRAM_HEADER).u16(segments.length).u16(0).u16(0).u16(0);
  for (const { flags, offset, address, bytes, inMemory } of segments) {
    file.u32(LOADED).u32(flags).u64(offset).u64(address).u64(address);
    file.u64(bytes).u64(inMemory).u64(PAGE);
  }
  file.bytes(code);
  return file
    .zeros(PAGE - own)
    .bytes(steps)
    .finish();
}
