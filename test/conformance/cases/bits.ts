/**
 * Bit tests and scans, conditions, widening moves, exchanges: everything that is neither arithmetic nor a shift.
 */
import {
  CONDITIONS,
  GPRS,
  ah,
  al,
  at,
  ax,
  byte,
  dword,
  eax,
  ecx,
  edx,
  esi,
  oword,
  qword,
  r8,
  rax,
  rbx,
  rcx,
  rdx,
  rsi,
  word,
} from "../../support/asm/index.js";
import type { Assembler, Condition } from "../../support/asm/index.js";
import { CF, OF, PF, SF, STATUS, ZF, alu, mask, merge } from "../../support/model/flags.js";
import type { Size } from "../../support/model/flags.js";
import { prologue } from "../support/environments.js";
import { guest } from "../support/guest.js";
import type { Guest, GuestBuilder } from "../support/guest.js";
import * as layout from "../support/layout.js";
import { tableGuest } from "../support/table.js";
import type { Block, Row } from "../support/table.js";
import { JUNK, SIZES, corners, dirty } from "./alu.js";

type Wide = 16 | 32 | 64;
const WIDE: Wide[] = [16, 32, 64];

function bitTestBlocks(op: "bt" | "bts" | "btr" | "btc", size: Wide): Block[] {
  const row = (value: bigint, index: number): Row => {
    const at = BigInt(index % size);
    const was = (value >> at) & 1n;
    const now = { bt: was, bts: 1n, btr: 0n, btc: 1n - was }[op];
    const rax = dirty(size, value);
    const result = (value & ~(1n << at)) | (now << at);
    // ZF is unaffected, the others are undefined; BT writes nothing.
    const after = op === "bt" ? rax : merge(size, rax, result);
    return {
      rax,
      rdx: BigInt(index),
      flags: ZF,
      want: { rax: after, flags: (was ? CF : 0n) | ZF, defined: CF | ZF },
    };
  };
  const [destination, , source] = GPRS[size];
  const rows = corners(size).flatMap((v) => [0, 1, size - 1, size, size + 3, 255].map((i) => row(v, i)));
  const immediate = [0, 5, size - 1, size + 1].map((i) => ({
    title: `${op}${size}, ${i}`,
    emit: (a: Assembler) => a[op](destination, i),
    rows: corners(size).map((v) => row(v, i)),
  }));
  return [{ title: `${op}${size} r, r`, emit: (a) => a[op](destination, source), rows }, ...immediate];
}

function scanBlock(op: "bsf" | "bsr", size: Wide): Block {
  const rows = [...corners(size), 0x0100n, 0xa800n].map((value): Row => {
    const digits = value.toString(2);
    const found = op === "bsr" ? digits.length - 1 : digits.length - 1 - digits.lastIndexOf("1");
    const rax = JUNK;
    // With a zero source the destination is undefined (SDM), so only ZF is looked at.
    const want =
      value === 0n
        ? { flags: ZF, defined: ZF }
        : { rax: merge(size, rax, BigInt(found)), flags: 0n, defined: ZF };
    return { rax, rdx: dirty(size, value), flags: value === 0n ? 0n : ZF, want };
  });
  return { title: `${op}${size}`, emit: (a) => a[op](GPRS[size][0], GPRS[size][2]), rows };
}

function popcntBlock(size: Wide): Block {
  const rows = corners(size).map((value): Row => {
    const ones = [...value.toString(2)].filter((d) => d === "1").length;
    const want = { rax: merge(size, JUNK, BigInt(ones)), flags: value === 0n ? ZF : 0n, defined: STATUS };
    return { rax: JUNK, rdx: dirty(size, value), flags: STATUS, want };
  });
  return { title: `popcnt${size}`, emit: (a) => a.popcnt(GPRS[size][0], GPRS[size][2]), rows };
}

/** SDM vol. 2D table B-10, written out. */
function holds(condition: Condition, flags: bigint): boolean {
  const [c, z, s, o, p] = [CF, ZF, SF, OF, PF].map((f) => (flags & f) !== 0n);
  const positive: Record<string, boolean> = {
    o,
    b: c,
    e: z,
    be: c || z,
    s,
    p,
    l: s !== o,
    le: z || s !== o,
  };
  const opposite: Record<string, string> = {
    no: "o",
    ae: "b",
    ne: "e",
    a: "be",
    ns: "s",
    np: "p",
    ge: "l",
    g: "le",
  };
  return condition in positive ? positive[condition] : !positive[opposite[condition]];
}

const COMBINATIONS = Array.from({ length: 32 }, (_, i) =>
  [CF, ZF, SF, OF, PF].reduce((flags, f, bit) => flags | (((i >> bit) & 1) === 1 ? f : 0n), 0n),
);

function conditionBlocks(condition: Condition): Block[] {
  const block = (title: string, emit: Block["emit"], yes: bigint, no: bigint): Block => ({
    title: `${title}${condition}`,
    emit,
    rows: COMBINATIONS.map((flags) => ({
      rax: JUNK,
      rdx: 0x123456789abcdef0n,
      flags,
      want: { rax: holds(condition, flags) ? yes : no, flags, defined: STATUS },
    })),
  });
  return [
    block("set", (a) => a.set(condition, al), merge(8, JUNK, 1n), merge(8, JUNK, 0n)),
    block("cmov16 ", (a) => a.cmov(condition, ax, GPRS[16][2]), merge(16, JUNK, 0xdef0n), JUNK),
    // A 32-bit CMOV clears the upper half even when the condition is false.
    block("cmov32 ", (a) => a.cmov(condition, eax, edx), 0x9abcdef0n, JUNK & mask(32)),
    block("cmov64 ", (a) => a.cmov(condition, rax, rdx), 0x123456789abcdef0n, JUNK),
    block("j", (a) => jump(a, condition, false), 1n, 0n),
    block("short j", (a) => jump(a, condition, true), 1n, 0n),
  ];
}

function jump(a: Assembler, condition: Condition, short: boolean): void {
  const taken = a.fresh("taken");
  a.mov(eax, 1);
  if (short) a.jccShort(condition, taken);
  else a.jcc(condition, taken);
  a.mov(eax, 0).label(taken);
}

function exchangeBlocks(size: Size): Block[] {
  const clean = (v: bigint): bigint => (size === 32 ? v : dirty(size, v));
  const pairs = corners(size).flatMap((a) =>
    corners(size).map((b): [bigint, bigint] => [clean(a), clean(b)]),
  );
  const xadd = pairs.map(([rax, rdx]): Row => {
    const sum = alu("add", size, rax, rdx, 0n);
    const want = {
      rax: merge(size, rax, sum.value),
      rdx: merge(size, rdx, rax & mask(size)),
      flags: sum.flags,
      defined: STATUS,
    };
    return { rax, rdx, flags: 0n, want };
  });
  const cmpxchg = pairs.map(([rax, rdx]): Row => {
    const compared = alu("cmp", size, rax, rdx, 0n);
    const equal = (compared.flags & ZF) !== 0n;
    const rcx = clean(0x5an);
    const want = {
      rax: equal ? rax : merge(size, rax, rdx & mask(size)),
      rdx: equal ? merge(size, rdx, rcx & mask(size)) : rdx,
      flags: compared.flags,
      defined: STATUS,
    };
    return { rax, rdx, rcx, flags: 0n, want };
  });
  const [accumulator, source, destination] = GPRS[size];
  return [
    { title: `xadd${size}`, emit: (a) => a.xadd(accumulator, destination), rows: xadd },
    { title: `cmpxchg${size}`, emit: (a) => a.cmpxchg(destination, source), rows: cmpxchg },
  ];
}

/** Bit strings in memory reach below and above the operand (SDM vol. 2A, BT). */
function bitStrings(g: GuestBuilder): void {
  prologue(g.a);
  const base = layout.DATA + 0x800;
  g.words(base - 16, 0n, 0x8000000000000000n, 0x1n, 0x100000000n);
  g.a.mov(rsi, base);
  const probe = (offset: bigint, expected: number, note: string): void => {
    g.a.mov(rcx, offset).xor(eax, eax).bt(qword(rsi), rcx).set("b", al);
    g.expect(al, expected, note);
  };
  probe(0n, 1, "bit 0");
  probe(-1n, 1, "bit -1 is the top bit of the word before");
  probe(96n, 1, "bit 96 is in the next word");
  probe(95n, 0, "bit 95");
  g.a.mov(ecx, -128).bts(dword(rsi), ecx);
  g.expectAt(base - 16, 8, 1n, "BTS m32 with bit -128");
  g.a.mov(rcx, -1n).btr(word(rsi), GPRS[16][1]);
  g.expectAt(base - 8, 8, 0n, "BTR m16 with bit -1");
  g.a.btc(dword(rsi), 33);
  g.expectAt(base, 8, 3n, "BTC m32 with immediate 33 stays inside the operand: bit 1");
  g.exit();
}

function wideningMoves(g: GuestBuilder): void {
  prologue(g.a);
  g.a.mov(rbx, 0x80f1n).mov(rax, JUNK).movzx(eax, GPRS[8][3]);
  g.expect(rax, 0xf1, "MOVZX r32, r8 clears the upper half");
  g.a.mov(rax, JUNK).movsx(ax, GPRS[8][3]);
  g.expect(rax, merge(16, JUNK, 0xfff1n), "MOVSX r16, r8 keeps the rest");
  g.a.movsx(rax, GPRS[16][3]);
  g.expect(rax, 0xffffffffffff80f1n, "MOVSX r64, r16");
  g.a.mov(ecx, 0x80000000).movsxd(rax, ecx);
  g.expect(rax, 0xffffffff80000000n, "MOVSXD");
  g.a.mov(rax, 0xffff8000ffff8080n).cbw();
  g.expect(rax, 0xffff8000ffffff80n, "CBW");
  g.a.cwde();
  g.expect(rax, 0x00000000ffffff80n, "CWDE clears the upper half");
  g.a.cdqe();
  g.expect(rax, 0xffffffffffffff80n, "CDQE");
  g.a.mov(rdx, JUNK).cwd();
  g.expect(rdx, merge(16, JUNK, 0xffffn), "CWD");
  g.a.mov(rdx, JUNK).cdq();
  g.expect(rdx, 0xffffffff, "CDQ clears the upper half");
  g.a.mov(rax, 1).cqo();
  g.expect(rdx, 0, "CQO");
  g.a.mov(rax, 0x1122334455667788n).bswap(rax);
  g.expect(rax, 0x8877665544332211n, "BSWAP r64");
  g.a.bswap(eax);
  g.expect(rax, 0x11223344, "BSWAP r32");
  g.a.mov(rax, 0x1234n).xchg(ah, al);
  g.expect(rax, 0x3412, "XCHG AH, AL");
  g.exit();
}

function memoryExchanges(g: GuestBuilder): void {
  prologue(g.a);
  const { a } = g;
  g.words(layout.DATA, 10n, 20n, 0x1111n, 0x2222n, 0x3333n, 0x4444n);
  a.mov(rsi, layout.DATA).mov(eax, 5).lock().xadd(qword(rsi), rax);
  g.expect(rax, 10, "XADD gives the old value");
  g.expectAt(layout.DATA, 8, 15n, "XADD stores the sum");
  a.mov(eax, 20).mov(ecx, 99).lock().cmpxchg(qword(rsi, 8), rcx);
  g.expectFlags(ZF, 0n, "CMPXCHG equal sets ZF");
  g.expectAt(layout.DATA + 8, 8, 99n, "CMPXCHG stores");
  a.mov(eax, 20).lock().cmpxchg(qword(rsi, 8), rcx);
  g.expectFlags(0n, ZF, "CMPXCHG unequal clears ZF");
  g.expect(rax, 99, "CMPXCHG loads the accumulator");
  a.mov(eax, 0x1111).mov(edx, 0x2222).mov(rbx, 0xaaaan).mov(rcx, 0xbbbbn);
  a.mov(rax, 0x1111n).mov(rdx, 0x2222n).lock().cmpxchg16b(oword(rsi, 16));
  g.expectFlags(ZF, 0n, "CMPXCHG16B equal");
  g.expectAt(layout.DATA + 16, 8, 0xaaaan, "CMPXCHG16B low");
  g.expectAt(layout.DATA + 24, 8, 0xbbbbn, "CMPXCHG16B high");
  a.mov(rax, 1).mov(rdx, 2).cmpxchg8b(qword(rsi, 32));
  g.expectFlags(0n, ZF, "CMPXCHG8B unequal");
  g.expect(rax, 0x3333, "CMPXCHG8B loads EAX");
  g.expect(rdx, 0, "CMPXCHG8B loads EDX");
  g.fault({ vector: 13, error: 0, note: "CMPXCHG16B unaligned" }, () => a.cmpxchg16b(oword(rsi, 40)));
  a.mov(rax, 0x55n).xchg(byte(rsi, 32), al);
  g.expect(rax, 0x33, "XCHG m8");
  a.lea(r8, at({ base: rsi, index: rax, scale: 4, disp: -4 })).lea(esi, at(rsi, -1));
  g.expect(r8, layout.DATA + 0x33 * 4 - 4, "LEA computes base + index × 4 + displacement");
  g.expect(rsi, layout.DATA - 1, "LEA r32");
  g.exit();
}

export function bitGuests(): Guest[] {
  const tests = (["bt", "bts", "btr", "btc"] as const).map((op) =>
    tableGuest(
      `${op.toUpperCase()} with register and immediate index`,
      "SDM vol. 2A, BT",
      WIDE.flatMap((s) => bitTestBlocks(op, s)),
    ),
  );
  const half = CONDITIONS.length / 2;
  return [
    ...tests,
    guest(
      "bit strings in memory reach below and above the operand",
      { cites: "SDM vol. 2A, BT" },
      bitStrings,
    ),
    tableGuest(
      "BSF and BSR",
      "SDM vol. 2A, BSF",
      WIDE.flatMap((s) => [scanBlock("bsf", s), scanBlock("bsr", s)]),
    ),
    tableGuest("POPCNT", "SDM vol. 2B, POPCNT", WIDE.map(popcntBlock)),
    tableGuest(
      "SETcc, CMOVcc, Jcc: the first eight conditions",
      "SDM vol. 2D table B-10",
      CONDITIONS.slice(0, half).flatMap(conditionBlocks),
    ),
    tableGuest(
      "SETcc, CMOVcc, Jcc: the other eight conditions",
      "SDM vol. 2D table B-10",
      CONDITIONS.slice(half).flatMap(conditionBlocks),
    ),
    tableGuest(
      "XADD and CMPXCHG between registers",
      "SDM vol. 2, XADD and CMPXCHG",
      SIZES.flatMap(exchangeBlocks),
    ),
    guest(
      "widening moves and byte swaps",
      { cites: "SDM vol. 2, MOVZX, MOVSX, CBW, CWD, BSWAP" },
      wideningMoves,
    ),
    guest(
      "exchanges with memory, alignment of CMPXCHG16B",
      { cites: "SDM vol. 2, CMPXCHG8B" },
      memoryExchanges,
    ),
  ];
}
