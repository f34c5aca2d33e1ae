/**
 * The program of a run's guest that waits for the command and takes it, ours to the last byte: a shell can neither set a clock to the
 * nanosecond nor have a kernel make its random numbers anew. It is in place before a machine is kept, so that nothing has to be loaded
 * by one that goes on.
 *
 * It says on descriptor 9 that it waits, and whether its kernel could be told to reseed (`waiting`) or not (`waiting alike`). Then it reads
 * a head of 64 bytes, and as much text as that says, which it writes to its standard output:
 *
 *   0    8   bytes of the text
 *   8   16   seconds and nanoseconds since 1970 that its clock is set to; seconds 0: neither clock nor random numbers are touched
 *   24   8   256 and 32: bits and bytes of what follows (struct rand_pool_info of Linux)
 *   32  32   a seed
 *
 * It ends with 0 once all that was done, with 1 where any of it was not: a text that has no room is not begun with.
 */
import { ByteWriter } from "../../bytes/byte-writer.js";

/** Bytes of a head. */
const HEAD = 64;
const SEED = 32;
const BITS_A_BYTE = 8;
const MS_PER_SECOND = 1000;
const NS_PER_MS = 1_000_000;

/** Machine code for x86-64 Linux, and what it says; system calls by their numbers in arch/x86/entry/syscalls/syscall_64.tbl. */
const CODE: readonly (readonly [bytes: string, text: string])[] = [
  ["4881ec40100000", "sub rsp,0x1040"],
  ["b802000000", "mov eax,0x2"],
  ["488d3dff000000", "lea rdi,[rip+0xff]"],
  ["be01000000", "mov esi,0x1"],
  ["0f05", "syscall"],
  ["4989c4", "mov r12,rax"],
  ["b810000000", "mov eax,0x10"],
  ["4c89e7", "mov rdi,r12"],
  ["be07520000", "mov esi,0x5207"],
  ["0f05", "syscall"],
  ["488d35f4000000", "lea rsi,[rip+0xf4]"],
  ["ba0e000000", "mov edx,0xe"],
  ["85c0", "test eax,eax"],
  ["750c", "jne say"],
  ["488d35dc000000", "lea rsi,[rip+0xdc]"],
  ["ba08000000", "mov edx,0x8"],
  ["b801000000", "say: mov eax,0x1"],
  ["bf09000000", "mov edi,0x9"],
  ["0f05", "syscall"],
  ["31db", "xor ebx,ebx"],
  ["31c0", "head: xor eax,eax"],
  ["bf09000000", "mov edi,0x9"],
  ["488d341c", "lea rsi,[rsp+rbx*1]"],
  ["ba40000000", "mov edx,0x40"],
  ["29da", "sub edx,ebx"],
  ["0f05", "syscall"],
  ["4885c0", "test rax,rax"],
  ["7e6f", "jle fail"],
  ["01c3", "add ebx,eax"],
  ["83fb40", "cmp ebx,0x40"],
  ["72e0", "jb head"],
  ["4c8b2c24", "mov r13,QWORD PTR [rsp]"],
  ["48837c240800", "cmp QWORD PTR [rsp+0x8],0x0"],
  ["7419", "je copy"],
  ["b8e3000000", "mov eax,0xe3"],
  ["31ff", "xor edi,edi"],
  ["488d742408", "lea rsi,[rsp+0x8]"],
  ["0f05", "syscall"],
  ["89c3", "mov ebx,eax"],
  ["e853000000", "call seed"],
  ["85db", "test ebx,ebx"],
  ["7543", "jne fail"],
  ["4d85ed", "copy: test r13,r13"],
  ["743a", "je done"],
  ["31c0", "xor eax,eax"],
  ["bf09000000", "mov edi,0x9"],
  ["488d742440", "lea rsi,[rsp+0x40]"],
  ["ba00100000", "mov edx,0x1000"],
  ["4939d5", "cmp r13,rdx"],
  ["490f42d5", "cmovb rdx,r13"],
  ["0f05", "syscall"],
  ["4885c0", "test rax,rax"],
  ["7e1f", "jle fail"],
  ["4929c5", "sub r13,rax"],
  ["4889c2", "mov rdx,rax"],
  ["b801000000", "mov eax,0x1"],
  ["89c7", "mov edi,eax"],
  ["488d742440", "lea rsi,[rsp+0x40]"],
  ["0f05", "syscall"],
  ["4839d0", "cmp rax,rdx"],
  ["7506", "jne fail"],
  ["ebc1", "jmp copy"],
  ["31ff", "done: xor edi,edi"],
  ["eb05", "jmp quit"],
  ["bf01000000", "fail: mov edi,0x1"],
  ["b83c000000", "quit: mov eax,0x3c"],
  ["0f05", "syscall"],
  ["b810000000", "seed: mov eax,0x10"],
  ["4c89e7", "mov rdi,r12"],
  ["be03520840", "mov esi,0x40085203"],
  ["488d542420", "lea rdx,[rsp+0x20]"],
  ["0f05", "syscall"],
  ["09c3", "or ebx,eax"],
  ["b810000000", "mov eax,0x10"],
  ["4c89e7", "mov rdi,r12"],
  ["be07520000", "mov esi,0x5207"],
  ["0f05", "syscall"],
  ["09c3", "or ebx,eax"],
  ["c3", "ret"],
];
const TEXTS = "/dev/urandom\0waiting\nwaiting alike\n";

/** Where it is in the guest's memory, and an ELF file's head (System V ABI, "Object files") and its one program header. */
const ADDRESS = 0x400000;
const ELF_HEADER = 64;
const PROGRAM_HEADER = 56;
const ELF_MAGIC = [0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, 0];
const EXECUTABLE = 2;
const X86_64 = 62;
const LOADED = 1;
const READ_AND_EXECUTE = 5;
const PAGE = 0x1000;

/** The program as a file. */
export function takeProgram(): Uint8Array {
  const code = Buffer.concat([
    ...CODE.map(([bytes]) => Buffer.from(bytes, "hex")),
    Buffer.from(TEXTS, "latin1"),
  ]);
  const start = ELF_HEADER + PROGRAM_HEADER;
  const file = new ByteWriter();
  file.bytes(Uint8Array.from(ELF_MAGIC)).u64(0);
  file
    .u16(EXECUTABLE)
    .u16(X86_64)
    .u32(1)
    .u64(ADDRESS + start)
    .u64(ELF_HEADER)
    .u64(0)
    .u32(0);
  file.u16(ELF_HEADER).u16(PROGRAM_HEADER).u16(1).u16(0).u16(0).u16(0);
  file.u32(LOADED).u32(READ_AND_EXECUTE).u64(0).u64(ADDRESS).u64(ADDRESS);
  file
    .u64(start + code.length)
    .u64(start + code.length)
    .u64(PAGE);
  return file.bytes(code).finish();
}

/** What a machine that goes on is told beside its command. */
export interface Renewal {
  /** Ms since 1970. */
  nowMs: number;
  /** 32 random bytes. */
  seed: Uint8Array;
}

/** What the program is sent. Without `renewal` the guest's clock and random numbers stay as they are. */
export function commandBytes(text: string, renewal?: Renewal): Uint8Array {
  const bytes = Buffer.from(text);
  const { nowMs, seed } = renewal ?? { nowMs: 0, seed: new Uint8Array(SEED) };
  const head = new ByteWriter();
  head.u64(bytes.length);
  head.u64(Math.floor(nowMs / MS_PER_SECOND)).u64((nowMs % MS_PER_SECOND) * NS_PER_MS);
  head
    .u32(SEED * BITS_A_BYTE)
    .u32(SEED)
    .bytes(seed.subarray(0, SEED));
  return Buffer.concat([head.finish(), bytes]).subarray(0, HEAD + bytes.length);
}
