/**
 * The test assembler against GNU as: every row is assembled by both and compared byte by byte. Where `as` is not
 * installed the comparison is skipped; label arithmetic and refusals are tested without it.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import { Assembler } from "./index.js";
import type { Mode } from "./index.js";
import * as o from "./index.js";

type Row = [mode: Mode, text: string, emit: (a: Assembler) => unknown];

const { byte, word, dword, qword, at, tword, oword } = o;

const INTEGER: Row[] = [
  [64, "add rax, rbx", (a) => a.add(o.rax, o.rbx)],
  [64, "add eax, 0x12345678", (a) => a.add(o.eax, 0x12345678)],
  [64, "add al, 5", (a) => a.add(o.al, 5)],
  [64, "or cx, 0x1234", (a) => a.or(o.cx, 0x1234)],
  [64, "or cx, -1", (a) => a.or(o.cx, 0xffff)],
  [64, "adc r9, -1", (a) => a.adc(o.r9, -1)],
  [64, "sbb byte ptr [r12+8], 0x80", (a) => a.sbb(byte(o.r12, 8), 0x80)],
  [
    64,
    "and qword ptr [rsp+rbp*4+0x1000], r15",
    (a) => a.and(qword({ base: o.rsp, index: o.rbp, scale: 4, disp: 0x1000 }), o.r15),
  ],
  [64, "sub dh, ah", (a) => a.sub(o.dh, o.ah)],
  [64, "xor sil, r10b", (a) => a.xor(o.sil, o.r10b)],
  [64, "cmp rdx, qword ptr [r13]", (a) => a.cmp(o.rdx, qword(o.r13))],
  [64, "cmp dword ptr [0x1000], 7", (a) => a.cmp(dword(0x1000), 7)],
  [32, "cmp dword ptr ds:0x1000, 7", (a) => a.cmp(dword(0x1000), 7)],
  [16, "cmp word ptr [bx+si+4], 7", (a) => a.cmp(word({ base: o.bx, index: o.si, disp: 4 }), 7)],
  [16, "mov eax, dword ptr [esp+ecx*2]", (a) => a.mov(o.eax, dword({ base: o.esp, index: o.ecx, scale: 2 }))],
  [16, "mov byte ptr [bp], 1", (a) => a.mov(byte(o.bp), 1)],
  [64, "mov rax, 5", (a) => a.mov(o.rax, 5)],
  [64, "mov rax, 0xffffffff80000000", (a) => a.mov(o.rax, 0xffffffff80000000n)],
  [64, "movabs r8, 0x123456789abcdef0", (a) => a.mov(o.r8, 0x123456789abcdef0n)],
  [64, "mov edi, 0xffffffff", (a) => a.mov(o.edi, 0xffffffff)],
  [64, "mov r11w, 0x1234", (a) => a.mov(o.r11w, 0x1234)],
  [64, "mov qword ptr [rbp], -1", (a) => a.mov(qword(o.rbp), -1)],
  [64, "mov dword ptr fs:[rax+1], ecx", (a) => a.mov(dword({ base: o.rax, disp: 1, segment: o.fs }), o.ecx)],
  [64, "mov dword ptr [eax], ecx", (a) => a.mov(dword(o.eax), o.ecx)],
  [64, "lea rax, [rcx*8+0x10]", (a) => a.lea(o.rax, at({ index: o.rcx, scale: 8, disp: 0x10 }))],
  [64, "test rbx, 0x100", (a) => a.test(o.rbx, 0x100)],
  [64, "test eax, 0x100", (a) => a.test(o.eax, 0x100)],
  [64, "test byte ptr [rdi], dl", (a) => a.test(byte(o.rdi), o.dl)],
  [64, "xchg rcx, rbx", (a) => a.xchg(o.rcx, o.rbx)],
  [64, "lock xadd dword ptr [rsi], eax", (a) => a.lock().xadd(dword(o.rsi), o.eax)],
  [64, "lock cmpxchg qword ptr [rsi], r9", (a) => a.lock().cmpxchg(qword(o.rsi), o.r9)],
  [64, "cmpxchg8b qword ptr [rsi]", (a) => a.cmpxchg8b(qword(o.rsi))],
  [64, "cmpxchg16b [rsi]", (a) => a.cmpxchg16b(oword(o.rsi))],
  [64, "inc eax", (a) => a.inc(o.eax)],
  [32, "inc eax", (a) => a.inc(o.eax)],
  [16, "dec cx", (a) => a.dec(o.cx)],
  [64, "dec byte ptr [rax]", (a) => a.dec(byte(o.rax))],
  [64, "not r8d", (a) => a.not(o.r8d)],
  [64, "neg bx", (a) => a.neg(o.bx)],
  [64, "mul rcx", (a) => a.mul(o.rcx)],
  [64, "imul cl", (a) => a.imul1(o.cl)],
  [64, "div dword ptr [rax]", (a) => a.div(dword(o.rax))],
  [64, "idiv r15", (a) => a.idiv(o.r15)],
  [64, "imul r10, r11", (a) => a.imul(o.r10, o.r11)],
  [64, "imul eax, ecx, 100", (a) => a.imul3(o.eax, o.ecx, 100)],
  [64, "imul ax, cx, 1000", (a) => a.imul3(o.ax, o.cx, 1000)],
  [64, "shl rax, 1", (a) => a.shl(o.rax, 1)],
  [64, "shr cx, cl", (a) => a.shr(o.cx, o.cl)],
  [64, "sar byte ptr [rax], 7", (a) => a.sar(byte(o.rax), 7)],
  [64, "rol edx, 31", (a) => a.rol(o.edx, 31)],
  [64, "ror r9b, cl", (a) => a.ror(o.r9b, o.cl)],
  [64, "rcl rax, 3", (a) => a.rcl(o.rax, 3)],
  [64, "rcr ax, 1", (a) => a.rcr(o.ax, 1)],
  [64, "shld rax, rbx, 5", (a) => a.shld(o.rax, o.rbx, 5)],
  [64, "shrd word ptr [rax], bx, cl", (a) => a.shrd(word(o.rax), o.bx, o.cl)],
  [64, "bt qword ptr [rax], rcx", (a) => a.bt(qword(o.rax), o.rcx)],
  [64, "bts eax, 31", (a) => a.bts(o.eax, 31)],
  [64, "btr r8w, r9w", (a) => a.btr(o.r8w, o.r9w)],
  [64, "btc qword ptr [rax], 63", (a) => a.btc(qword(o.rax), 63)],
  [64, "bsf rax, rcx", (a) => a.bsf(o.rax, o.rcx)],
  [64, "bsr ax, cx", (a) => a.bsr(o.ax, o.cx)],
  [64, "tzcnt r9, rcx", (a) => a.tzcnt(o.r9, o.rcx)],
  [64, "popcnt ax, cx", (a) => a.popcnt(o.ax, o.cx)],
  [64, "cmovle rax, qword ptr [rcx]", (a) => a.cmov("le", o.rax, qword(o.rcx))],
  [64, "setnp sil", (a) => a.set("np", o.sil)],
  [64, "movzx eax, r9b", (a) => a.movzx(o.eax, o.r9b)],
  [64, "movsx rax, word ptr [rcx]", (a) => a.movsx(o.rax, word(o.rcx))],
  [64, "movsxd rax, ecx", (a) => a.movsxd(o.rax, o.ecx)],
  [64, "bswap r12", (a) => a.bswap(o.r12)],
  [64, "push r12", (a) => a.push(o.r12)],
  [64, "push 0x1234", (a) => a.push(0x1234)],
  [64, "push -1", (a) => a.push(-1)],
  [16, "push 0x1234", (a) => a.push(0x1234)],
  [64, "push qword ptr [rax]", (a) => a.push(qword(o.rax))],
  [64, "pop ax", (a) => a.pop(o.ax)],
  [32, "pop dword ptr [eax]", (a) => a.pop(dword(o.eax))],
  [64, "cbw; cwde; cdqe; cwd; cdq; cqo", (a) => a.cbw().cwde().cdqe().cwd().cdq().cqo()],
  [
    64,
    "rep movsq; repe cmpsb; repne scasb; rep stosd; lodsb",
    (a) => a.rep().movs(64).repe().cmps(8).repne().scas(8).rep().stos(32).lods(8),
  ],
  [64, "call rax", (a) => a.callAt(o.rax)],
  [64, "jmp [rax+8]", (a) => a.jmpAt(qword(o.rax, 8))],
  [64, "ret 8; leave; enter 16, 1", (a) => a.ret(8).leave().enter(16, 1)],
];

const SYSTEM: Row[] = [
  [
    64,
    "lgdt [rax]; lidt [0x1000]; sgdt [rbx]; sidt [r8]",
    (a) => a.lgdt(at(o.rax)).lidt(at(0x1000)).sgdt(at(o.rbx)).sidt(at(o.r8)),
  ],
  [16, "lgdt [0x7000]", (a) => a.lgdt(at(0x7000))],
  [64, "invlpg [rax]; ltr cx; lldt ax", (a) => a.invlpg(at(o.rax)).ltr(o.cx).lldt(o.ax)],
  [
    64,
    "mov cr0, rax; mov r8, cr4; mov cr8, rdx",
    (a) => a.movSystem(o.cr0, o.rax).movSystem(o.r8, o.cr4).movSystem(o.cr8, o.rdx),
  ],
  [32, "mov cr3, eax; mov ecx, cr2", (a) => a.movSystem(o.cr3, o.eax).movSystem(o.ecx, o.cr2)],
  [64, "mov dr7, rax; mov rcx, dr6", (a) => a.movSystem(o.dr7, o.rax).movSystem(o.rcx, o.dr6)],
  [
    64,
    "mov ds, ax; mov ax, ss; mov cx, gs",
    (a) => a.movToSegment(o.ds, o.eax).movFromSegment(o.ax, o.ss).movFromSegment(o.cx, o.gs),
  ],
  [
    32,
    "push ds; pop ss; push fs; pop gs",
    (a) => a.pushSegment(o.ds).popSegment(o.ss).pushSegment(o.fs).popSegment(o.gs),
  ],
  [16, "ljmp 0x8, 0x1234", (a) => a.jmpFar(8, 0x1234)],
  [16, "data32 ljmp 0x8, 0x12345678", (a) => a.jmpFar(8, 0x12345678, 32)],
  [32, "ljmp 0x8, 0x12345678", (a) => a.jmpFar(8, 0x12345678)],
  [64, "jmp fword ptr [rax]", (a) => a.jmpFarAt(at(o.rax), 32)],
  [64, "rex.W ljmp [rax]", (a) => a.jmpFarAt(at(o.rax), 64)],
  [64, "rex.W lcall [rax]", (a) => a.callFarAt(at(o.rax), 64)],
  [64, "retf; rex.W retf", (a) => a.retf(32).retf(64)],
  [
    64,
    "in al, 0x60; in eax, dx; out 0xe9, al; out dx, ax",
    (a) => a.in(8, 0x60).in(32, "dx").out(8, 0xe9).out(16, "dx"),
  ],
  [64, "outsb; outsd; insw", (a) => a.outs(8).outs(32).ins(16)],
  [
    64,
    "wrmsr; rdmsr; rdtsc; cpuid; hlt; cli; sti; clts",
    (a) => a.wrmsr().rdmsr().rdtsc().cpuid().hlt().cli().sti().clts(),
  ],
  [
    64,
    "iretq; swapgs; syscall; sysretq; sysretd; sysenter; sysexitq",
    (a) => a.iretq().swapgs().syscall().sysret(64).sysret(32).sysenter().sysexit(64),
  ],
  [
    64,
    "int 0x80; int3; rdtscp; clac; stac; xgetbv; xsetbv",
    (a) => a.int(0x80).int3().rdtscp().clac().stac().xgetbv().xsetbv(),
  ],
  [64, "rdfsbase rax; wrgsbase r9", (a) => a.rdfsbase(o.rax).wrgsbase(o.r9)],
  [
    64,
    "fxsave [rax]; fxrstor64 [r9]; xsave [rbx]; xrstor [rcx]; xsaveopt [rcx]",
    (a) => a.fxsave(at(o.rax)).fxrstor64(at(o.r9)).xsave(at(o.rbx)).xrstor(at(o.rcx)).xsaveopt(at(o.rcx)),
  ],
  [
    64,
    "ldmxcsr [rax]; stmxcsr [rax]; clflush [rax]",
    (a) => a.ldmxcsr(dword(o.rax)).stmxcsr(dword(o.rax)).clflush(byte(o.rax)),
  ],
  [64, "invpcid rax, [rcx]", (a) => a.invpcid(o.rax, oword(o.rcx))],
  [
    64,
    "lar eax, ecx; lsl eax, ecx; verr cx; str ax; sldt cx; smsw eax; lmsw cx",
    (a) => a.lar(o.eax, o.ecx).lsl(o.eax, o.ecx).verr(o.cx).str(o.ax).sldt(o.cx).smsw(o.eax).lmsw(o.cx),
  ],
  [64, "lfs eax, [rbx]", (a) => a.loadFarPointer(o.fs, o.eax, at(o.rbx))],
  [
    64,
    "movdqu xmm1, [rax]; movdqa [r9], xmm8; movq xmm0, rax; movq r9, xmm9",
    (a) => a.movdqu(o.xmm1, oword(o.rax)).movdqa(oword(o.r9), o.xmm8).movq(o.xmm0, o.rax).movq(o.r9, o.xmm9),
  ],
  [
    64,
    "paddd xmm1, xmm9; pshufd xmm2, xmm3, 0x1b; psllq xmm4, 5; paddb mm1, mm2",
    (a) =>
      a
        .packed(0xfe, o.xmm1, o.xmm9)
        .packed(0x70, o.xmm2, o.xmm3, 0x1b)
        .packedShift(0x73, 6, o.xmm4, 5)
        .packed(0xfc, o.mm1, o.mm2),
  ],
  [
    64,
    "fld tbyte ptr [rax]; fstp qword ptr [rax]; fnstcw [rax]; fild qword ptr [rax]; addsd xmm0, xmm1",
    (a) =>
      a
        .fld80(tword(o.rax))
        .fstp64(qword(o.rax))
        .fnstcw(word(o.rax))
        .fild64(qword(o.rax))
        .scalarDouble(0x58, o.xmm0, o.xmm1),
  ],
];

/** Assembles all rows with GNU as and returns the bytes of each. */
function gnu(rows: Row[]): string[] {
  const folder = mkdtempSync(path.join(tmpdir(), "locore-asm-"));
  try {
    const source = [".intel_syntax noprefix", ".text"];
    rows.forEach(([mode, text], i) =>
      source.push(`.code${mode}`, `.ascii "<${i}>"`, ...text.split(";"), '.ascii "</>"'),
    );
    writeFileSync(path.join(folder, "t.s"), source.join("\n") + "\n");
    const object = path.join(folder, "t.o");
    const assembled = spawnSync("as", ["--64", "-o", object, path.join(folder, "t.s")], { encoding: "utf8" });
    assert.equal(assembled.status, 0, assembled.stderr);
    const flat = path.join(folder, "t.bin");
    const copied = spawnSync("objcopy", ["-O", "binary", "-j", ".text", object, flat], { encoding: "utf8" });
    assert.equal(copied.status, 0, copied.stderr);
    const bytes = readFileSync(flat).toString("latin1");
    return rows.map((_, i) => {
      const open = `<${i}>`;
      const start = bytes.indexOf(open) + open.length;
      return Buffer.from(bytes.slice(start, bytes.indexOf("</>", start)), "latin1").toString("hex");
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function ours([mode, , emit]: Row): string {
  const a = new Assembler(0, mode);
  emit(a);
  return Buffer.from(a.link()[0].bytes).toString("hex");
}

const hasGnu = process.platform === "linux" && spawnSync("as", ["--version"]).status === 0;

test(
  "the test assembler encodes as GNU as does",
  { skip: hasGnu ? false : "GNU as is not installed" },
  () => {
    const rows = [...INTEGER, ...SYSTEM];
    const expected = gnu(rows);
    const differences = rows.flatMap((row, i) =>
      ours(row) === expected[i] ? [] : [`${row[0]}-bit ${row[1]}: ours ${ours(row)}, as ${expected[i]}`],
    );
    assert.deepEqual(differences, []);
  },
);

test("labels resolve forwards and backwards, RIP-relative past an immediate", () => {
  const a = new Assembler(0x1000, 64);
  a.label("top").mov(dword("cell"), 7).jmpShort("top").label("cell").dd(0);
  a.dq(o.addressOf("cell", 4));
  const [chunk] = a.link();
  assert.equal(a.address("cell"), 0x100c);
  assert.equal(Buffer.from(chunk.bytes).toString("hex"), "c7050200000007000000ebf4000000001010000000000000");
});

test("the test assembler refuses what cannot be encoded", () => {
  const a = new Assembler(0, 64);
  assert.throws(() => a.sub(o.sil, o.ah), /cannot be encoded with REX/);
  assert.throws(() => a.mov(o.rax, o.ebx), /sizes do not agree/);
  assert.throws(() => a.add(o.rax, 0x123456789an), /does not fit/);
  assert.throws(() => new Assembler(0, 32).push(o.r9), /64-bit code/);
  assert.throws(() => a.jmp("nowhere").link(), /nowhere is not defined/);
  assert.throws(() => a.label("x").label("x"), /defined twice/);
});
