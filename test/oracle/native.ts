/**
 * Runs a batch on the host's own CPU: a static ELF file of our making, without a compiler, in a process of its own.
 * Every case ends in a signal; the handler copies what the kernel saved and goes on with the next case, without
 * returning. Linux on x86-64 only.
 *
 * Specification: System V gABI chapters 4–5; psABI for x86-64 §3.4; the Linux signal frame of
 * arch/x86/include/uapi/asm/{sigcontext,ucontext}.h.
 */
import { spawnSync } from "node:child_process";
import { chmodSync, closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import path from "node:path";
import {
  Assembler,
  GPRS,
  addressOf,
  at,
  ds,
  eax,
  ecx,
  edi,
  edx,
  es,
  esi,
  fs,
  gs,
  qword,
  r10,
  r10d,
  r8,
  r9d,
  rax,
  rbp,
  rbx,
  rdi,
  rdx,
  rsi,
} from "../support/asm/index.js";
import { Batch } from "./batch.js";
import type { Runnable } from "./batch.js";
import { Case } from "./case.js";
import type { Form } from "./form.js";
import { hostVendor } from "./vendor.js";
import { emitCollect, emitNext, emitVariables } from "./harness.js";
import {
  BATCH,
  CODE,
  CODE_PAGES,
  CODE_STRIDE,
  FX_AT,
  INPUT,
  LDT,
  NATIVE_BASE,
  OUTPUT,
  PAGE,
  RECORD_BYTES,
  RESULT,
  SELECTOR,
  VIEWS,
  viewAddress,
} from "./layout.js";

const HEADER = 120;
const ALTERNATE_STACK = NATIVE_BASE + 0x100000;
const ALTERNATE_STACK_BYTES = 0x20000;
const NOP = 0x90;
const TIMEOUT_MS = 60_000;

/** Linux system calls and constants, arch/x86/entry/syscalls/syscall_64.tbl and uapi headers. */
const SYS = {
  WRITE: 1,
  MMAP: 9,
  SIGACTION: 13,
  EXIT: 60,
  FTRUNCATE: 77,
  SIGALTSTACK: 131,
  MODIFY_LDT: 154,
  MEMFD: 319,
} as const;
/** modify_ldt: write, with the fields of struct user_desc as they are now; bits of its flags. */
const LDT_WRITE = 0x11;
const USER_DESC_BYTES = 16;
const DESC = { BIG: 1, EXPAND_DOWN: 2, CODE: 4, RESTRICTED: 8 } as const;
const SIGNALS = { SIGILL: 4, SIGTRAP: 5, SIGBUS: 7, SIGFPE: 8, SIGSEGV: 11 } as const;
const SA_SIGINFO = 0x4;
const SA_RESTORER = 0x04000000;
const SA_ONSTACK = 0x08000000;
const SA_NODEFER = 0x40000000;
const SIGSET_BYTES = 8;
const PROT = { READ: 1, WRITE: 2, EXEC: 4 } as const;
const MAP = { SHARED: 1, PRIVATE: 2, FIXED: 0x10, ANONYMOUS: 0x20, POPULATE: 0x8000 } as const;
/** struct ucontext: the order of `greg` in uc_mcontext, which starts at 40. */
const CONTEXT = 40;
const CONTEXT_ORDER = [8, 9, 10, 11, 12, 13, 14, 15, 7, 6, 5, 3, 2, 0, 1, 4];
const AT = { RIP: 16, RFLAGS: 17, CS: 18, ERROR: 19, TRAPNO: 20, CR2: 22, FPSTATE: 23 } as const;
const FX_BYTES = 512;

/** Why there is no native run here, or undefined. */
export function nativeMissing(): string | undefined {
  if (process.platform !== "linux" || process.arch !== "x64") return "the host is not x86-64 Linux";
  // The harness itself uses these.
  for (const feature of ["fsgsbase", "fxsr"])
    if (!hostHas(feature)) return `the host's CPU has no ${feature}`;
  if (hostVendor() === undefined) return "the host's CPU is neither AMD's nor Intel's";
  return undefined;
}

/** Linux's names of features that are called otherwise in the table. */
const LINUX_NAMES: Readonly<Record<string, string>> = { sse3: "pni" };
let hostFlags: Set<string> | undefined;

/** Whether Linux announces a feature of the host's CPU in /proc/cpuinfo. */
export function hostHas(feature: string): boolean {
  hostFlags ??= new Set(/^flags\s*: (.*)$/m.exec(readFileSync("/proc/cpuinfo", "latin1"))?.[1].split(" "));
  return hostFlags.has(LINUX_NAMES[feature] ?? feature);
}

/** The host's CPU as it calls itself. */
export const nativeCpu = (): string => cpus()[0]?.model ?? "unknown";

function systemCall(a: Assembler, number: number): void {
  a.mov(eax, number).syscall();
}

/** mmap(address, length, protection, flags, RBP or no file, R9). */
function map(a: Assembler, address: number, length: number, protection: number, flags: number): void {
  a.mov(rdi, address)
    .mov(esi, length)
    .mov(edx, protection)
    .mov(r10d, flags | MAP.FIXED | MAP.POPULATE);
  if (flags & MAP.ANONYMOUS) a.mov(r8, -1);
  else a.mov(r8, rbp);
  systemCall(a, SYS.MMAP);
  a.cmp(rax, rdi).jcc("ne", "failed");
}

/** Maps `input` as file descriptor 0 has it: the instructions page by page, then the records. */
function emitMaps(a: Assembler, batch: Runnable): void {
  a.xor(GPRS[32][rbp.code], GPRS[32][rbp.code]).xor(r9d, r9d);
  for (let page = 0; page < CODE_PAGES; page++) {
    a.mov(r9d, page * PAGE);
    map(a, CODE + page * CODE_STRIDE, PAGE, PROT.READ | PROT.EXEC, MAP.PRIVATE);
  }
  a.mov(r9d, CODE_PAGES * PAGE);
  map(a, INPUT, batch.cases * RECORD_BYTES, PROT.READ, MAP.PRIVATE);
  map(a, OUTPUT, BATCH * RECORD_BYTES, PROT.READ | PROT.WRITE, MAP.PRIVATE | MAP.ANONYMOUS);
  map(a, ALTERNATE_STACK, ALTERNATE_STACK_BYTES, PROT.READ | PROT.WRITE, MAP.PRIVATE | MAP.ANONYMOUS);
  emitViews(a);
}

/** The two pages of the memory window, shared by all views. */
function emitViews(a: Assembler): void {
  a.mov(rdi, addressOf("name")).xor(esi, esi);
  systemCall(a, SYS.MEMFD);
  a.mov(rbp, rax)
    .mov(edi, eax)
    .mov(esi, 2 * PAGE);
  systemCall(a, SYS.FTRUNCATE);
  VIEWS.forEach((pair, view) =>
    pair.forEach((access, page) => {
      if (access === "-") return;
      const protection = access === "rw" ? PROT.READ | PROT.WRITE : PROT.READ;
      a.mov(r9d, page * PAGE);
      map(a, viewAddress(view) + page * PAGE, PAGE, protection, MAP.SHARED);
    }),
  );
}

/** The local descriptor table, entry by entry from the list at `descriptors`. */
function emitLdt(a: Assembler): void {
  LDT.forEach((_, i) => {
    a.mov(edi, LDT_WRITE)
      .mov(rsi, addressOf("descriptors", i * USER_DESC_BYTES))
      .mov(edx, USER_DESC_BYTES);
    systemCall(a, SYS.MODIFY_LDT);
    a.test(eax, eax).jcc("ne", "failed");
  });
}

/** struct user_desc of arch/x86/include/uapi/asm/ldt.h. */
function emitDescriptors(a: Assembler): void {
  a.label("descriptors");
  LDT.forEach(({ base, limit, kind, big }, i) => {
    let flags = big ? DESC.BIG : 0;
    if (kind === "expand-down") flags |= DESC.EXPAND_DOWN;
    if (kind === "code") flags |= DESC.CODE;
    if (kind === "read-only") flags |= DESC.RESTRICTED;
    a.dd(i, base, limit, flags);
  });
}

function emitSignals(a: Assembler): void {
  a.mov(rdi, addressOf("stack")).xor(esi, esi);
  systemCall(a, SYS.SIGALTSTACK);
  for (const signal of Object.values(SIGNALS)) {
    a.mov(edi, signal).mov(rsi, addressOf("action")).xor(edx, edx).mov(r10, SIGSET_BYTES);
    systemCall(a, SYS.SIGACTION);
  }
}

/** handler(signal, siginfo, RDX = ucontext): into the result record. The flags it starts with are the case's. */
function emitHandler(a: Assembler): void {
  const context = (index: number): ReturnType<typeof qword> => qword(rdx, CONTEXT + 8 * index);
  a.label("handler").push(2).popf().mov(rbx, qword("resultPointer"));
  CONTEXT_ORDER.forEach((register, i) => a.mov(rax, context(i)).mov(qword(rbx, 8 * register), rax));
  for (const [from, to] of [
    [AT.RIP, RESULT.RIP],
    [AT.RFLAGS, RESULT.RFLAGS],
    [AT.TRAPNO, RESULT.VECTOR],
    [AT.ERROR, RESULT.ERROR],
    [AT.CR2, RESULT.CR2],
  ])
    a.mov(rax, context(from)).mov(qword(rbx, to), rax);
  a.mov(rax, context(AT.CS)).and(eax, 0xffff).mov(qword(rbx, RESULT.CS), rax);
  a.mov(rsi, context(AT.FPSTATE))
    .lea(rdi, at(rbx, FX_AT))
    .mov(ecx, FX_BYTES / 8)
    .rep()
    .movs(64);
  emitCollect(a);
}

function program(batch: Runnable): Uint8Array {
  const a = new Assembler(NATIVE_BASE + HEADER, 64);
  a.label("entry").mov(eax, SELECTOR.DATA);
  for (const segment of [ds, es, fs, gs]) a.movToSegment(segment, eax);
  emitMaps(a, batch);
  if (batch.segmented) emitLdt(a);
  emitSignals(a);
  a.jmp("next");
  emitNext(a);
  emitHandler(a);
  a.label("done")
    .mov(rsi, OUTPUT)
    .mov(edx, batch.cases * RECORD_BYTES);
  a.label("write").mov(edi, 1);
  systemCall(a, SYS.WRITE);
  a.test(rax, rax)
    .jcc("le", "failed")
    .add(rsi, rax)
    .sub(rdx, rax)
    .jcc("ne", "write")
    .xor(edi, edi)
    .jmp("exit");
  a.label("failed").mov(edi, 1).label("exit");
  systemCall(a, SYS.EXIT);
  a.align(8)
    .label("action")
    .dq(addressOf("handler"), SA_SIGINFO | SA_RESTORER | SA_ONSTACK | SA_NODEFER);
  a.dq(addressOf("failed"), 0).label("stack").dq(ALTERNATE_STACK, 0, ALTERNATE_STACK_BYTES);
  a.label("name").dq(0x77);
  emitDescriptors(a);
  emitVariables(a, INPUT, OUTPUT, batch.cases);
  return a.link()[0].bytes;
}

/** ELF64 with one PT_LOAD, readable, writable and executable. */
function elf64(code: Uint8Array): Uint8Array {
  const file = new Uint8Array(HEADER + code.length);
  const view = new DataView(file.buffer);
  file.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  [2, 62].forEach((v, i) => view.setUint16(16 + 2 * i, v, true));
  view.setUint32(20, 1, true);
  [NATIVE_BASE + HEADER, 64, 0].forEach((v, i) => view.setBigUint64(24 + 8 * i, BigInt(v), true));
  [64, 56, 1].forEach((v, i) => view.setUint16(52 + 2 * i, v, true));
  view.setUint32(64, 1, true);
  view.setUint32(68, 7, true);
  [0, NATIVE_BASE, NATIVE_BASE, file.length, file.length, PAGE].forEach((v, i) =>
    view.setBigUint64(72 + 8 * i, BigInt(v), true),
  );
  file.set(code, HEADER);
  return file;
}

/** A folder for the native program and its files; `remove` it in the end. */
export class NativeRunner {
  private readonly folder = mkdtempSync(path.join(tmpdir(), "locore-oracle-"));

  /** The result records of a batch. */
  run(batch: Runnable): Uint8Array {
    const [program_, input, output] = ["oracle", "in", "out"].map((name) => path.join(this.folder, name));
    rmSync(program_, { force: true });
    writeFileSync(program_, elf64(program(batch)));
    chmodSync(program_, 0o755);
    writeFileSync(input, Buffer.concat([batch.pages(), batch.records()]));
    const files = [openSync(input, "r"), openSync(output, "w")];
    try {
      const run = spawnSync(program_, [], { stdio: [files[0], files[1], "inherit"], timeout: TIMEOUT_MS });
      if (run.status !== 0)
        throw new Error(`the native run ended with status ${run.status}, signal ${run.signal}`);
    } finally {
      files.forEach((f) => closeSync(f));
    }
    const results = new Uint8Array(readFileSync(output));
    if (results.length !== batch.cases * RECORD_BYTES)
      throw new Error(`the native run wrote ${results.length} bytes`);
    return results;
  }

  /** Whether the kernel lets a process have segments of its own (CONFIG_MODIFY_LDT_SYSCALL, seccomp). */
  takesLocalSegments(): boolean {
    const nop: Form = {
      ...{ name: "nop", mnemonic: "nop", covers: [], mode: 32, segmented: true },
      build: (c) => void c.code.push(NOP),
    };
    const batch = new Batch();
    batch.add(nop, 0, new Case(), 0);
    try {
      this.run(batch);
      return true;
    } catch {
      return false;
    }
  }

  remove(): void {
    rmSync(this.folder, { recursive: true });
  }
}
