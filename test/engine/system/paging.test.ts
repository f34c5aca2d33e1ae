/** Page walks, access rights, error codes, accessed and dirty bits, TLB contents, devices, pages with code. */
import assert from "node:assert/strict";
import test from "node:test";
import {
  PF_FETCH,
  PF_PRESENT,
  PF_RESERVED,
  PF_USER,
  PF_WRITE,
  VECTOR_GP as GP,
  VECTOR_PF as PF,
} from "../../../src/spec/x86-privileged.js";
import type { CpuContext } from "../../../src/engine/x86/cpu-context.js";
import * as L from "../../../src/engine/x86/layout.js";
import { refreshMode } from "../../../src/engine/x86/mode.js";
import {
  commitPending,
  READ,
  READ_MODIFY_WRITE,
  resolveAccess,
  WRITE,
} from "../../../src/engine/x86/system/access.js";
import { codePageAdded } from "../../../src/engine/x86/system/calls.js";
import { loadPdptes } from "../../../src/engine/x86/system/pdptes.js";
import { translateFetchPage } from "../../../src/engine/x86/system/translate.js";
import { createBench, longMode, PD, PDPT, PML4, protectedMode, PT, type Bench } from "./bench.js";

const PAGE = 0x1000;
const USER = L.ACCESS_USER;
const KERNEL = L.ACCESS_SUPERVISOR_USER;
const KERNEL_SMAP = L.ACCESS_SUPERVISOR;

function ready(): Bench {
  const bench = createBench();
  longMode(bench);
  return bench;
}

/** Guest-physical address that an access reaches, or the error code of its page fault as a negative number − 1. */
function reach(cpu: CpuContext, linear: number, access = READ, mode = KERNEL): number {
  const host = resolveAccess(cpu, linear, 4, access, mode);
  if (host >= 0) return host - cpu.services.ramBase;
  assert.equal(cpu.faultVector, PF);
  assert.equal(cpu.faultLinear, linear);
  return -1 - cpu.faultCode;
}

function fault(code: number): number {
  return -1 - code;
}

function setPte(bench: Bench, page: number, value: number | bigint): void {
  bench.poke(PT + page * 8, 8, value);
  bench.cpu.tlb.flushAll();
}

test("SDM vol. 3A §4.5: 4 KiB, 2 MiB and 1 GiB pages of 4-level paging", () => {
  const bench = ready();
  setPte(bench, 0x20, 0x77000 | 7);
  bench.poke(PD + 8, 8, 0x200000 | 0x87);
  bench.poke(PDPT + 8, 8, 0x87);
  bench.poke(PML4 + 511 * 8, 8, PDPT | 7);
  const { cpu } = bench;
  assert.equal(reach(cpu, 0x20123), 0x77123);
  assert.equal(reach(cpu, 0x200000 + 0x123456), 0x323456);
  assert.equal(reach(cpu, 0x40000000 + 0x234567), 0x234567);
  assert.equal(reach(cpu, -(2 ** 39) + 0x40000000 + 0x1234), 0x1234, "negative half of the address space");
});

test("SDM vol. 3A §4.7: error codes of entries that are not present, at each level", () => {
  for (const table of [PML4, PDPT, PD, PT]) {
    const bench = ready();
    bench.poke(table, 8, 0);
    assert.equal(reach(bench.cpu, 8), fault(0));
    assert.equal(reach(bench.cpu, 8, WRITE, USER), fault(PF_WRITE | PF_USER));
  }
});

test("SDM vol. 3A §4.6: user and write rights combine over all levels", () => {
  for (const table of [PML4, PDPT, PD, PT]) {
    const bench = ready();
    const { cpu } = bench;
    const entry = bench.peek(table, 8);
    bench.poke(table, 8, entry & ~2n);
    assert.equal(reach(cpu, 8, READ, USER), 8);
    assert.equal(reach(cpu, 8, WRITE, USER), fault(PF_PRESENT | PF_WRITE | PF_USER));
    assert.equal(reach(cpu, 8, WRITE, KERNEL), fault(PF_PRESENT | PF_WRITE), "CR0.WP is set");
    bench.poke(table, 8, entry & ~4n);
    cpu.tlb.flushAll();
    assert.equal(reach(cpu, 8, READ, USER), fault(PF_PRESENT | PF_USER));
    assert.equal(reach(cpu, 8, WRITE, KERNEL), 8);
  }
});

test("SDM vol. 3A §4.6.1: without CR0.WP the supervisor writes read-only pages", () => {
  const bench = ready();
  setPte(bench, 0, 5);
  bench.cpu.set32(L.CR0, bench.cpu.get32(L.CR0) & ~(1 << 16));
  assert.equal(reach(bench.cpu, 8, WRITE, KERNEL), 8);
  assert.equal(reach(bench.cpu, 8, WRITE, USER), fault(PF_PRESENT | PF_WRITE | PF_USER));
});

test("SDM vol. 3A §4.6.1: SMAP keeps the supervisor from user pages", () => {
  const bench = ready();
  assert.equal(reach(bench.cpu, 8, READ, KERNEL_SMAP), fault(PF_PRESENT));
  setPte(bench, 0, 3);
  assert.equal(reach(bench.cpu, 8, READ, KERNEL_SMAP), 8);
});

test("SDM vol. 3A §4.5: reserved bits raise page faults with RSVD", () => {
  const cases: [table: number, value: bigint][] = [
    [PML4, BigInt(PDPT) | 0x87n], // PS in a PML4 entry
    [PT, 7n | (1n << 40n)], // above MAXPHYADDR (36)
    [PDPT, 0x87n | (1n << 13n)], // low bits of a 1 GiB page
    [PD, 0x87n | (1n << 13n)], // low bits of a 2 MiB page
  ];
  for (const [table, value] of cases) {
    const bench = ready();
    bench.poke(table, 8, value);
    assert.equal(reach(bench.cpu, 8, WRITE), fault(PF_PRESENT | PF_WRITE | PF_RESERVED), value.toString(16));
  }
});

test("SDM vol. 3A §4.6.2: XD forbids fetches, and is reserved without EFER.NXE", () => {
  const bench = ready();
  const { cpu } = bench;
  setPte(bench, 0, 7n | (1n << 63n));
  assert.equal(reach(cpu, 8), 8);
  assert.equal(translateFetchPage(cpu, 8), -1);
  assert.equal(cpu.faultCode, PF_PRESENT | PF_FETCH);
  cpu.set32(L.EFER, cpu.get32(L.EFER) & ~0x800);
  cpu.tlb.flushAll();
  assert.equal(reach(cpu, 8), fault(PF_PRESENT | PF_RESERVED));
});

test("SDM vol. 3A §4.6.2: SMEP forbids supervisor fetches from user pages", () => {
  const bench = ready();
  const { cpu } = bench;
  assert.equal(translateFetchPage(cpu, 0x5010), 0x5000);
  cpu.set32(L.CR4, cpu.get32(L.CR4) | (1 << 20));
  assert.equal(translateFetchPage(cpu, 0x5010), -1);
  assert.equal(cpu.faultCode, PF_PRESENT | PF_FETCH);
  setPte(bench, 5, 0x5003);
  assert.equal(translateFetchPage(cpu, 0x5010), 0x5000);
  longMode(bench, 3);
  setPte(bench, 5, 0x5003);
  assert.equal(translateFetchPage(cpu, 0x5010), -1);
  assert.equal(cpu.faultCode, PF_PRESENT | PF_USER | PF_FETCH);
});

test("the instruction TLB holds linear page and privilege, and the RAM offset", () => {
  const bench = ready();
  const { cpu } = bench;
  setPte(bench, 0x123, 0x77000 | 7);
  translateFetchPage(cpu, 0x123456);
  const word = cpu.tlb.codeEntry(0x123);
  assert.deepEqual([...cpu.i32.subarray(word, word + 3)], [0x123000, 0, 0x77000]);
  longMode(bench, 3);
  translateFetchPage(cpu, 0x123456);
  assert.equal(cpu.i32[word], 0x123001);
});

test("SDM vol. 3A §4.8: reads set A at every level, writes D in the leaf only", () => {
  const bench = ready();
  reach(bench.cpu, 8);
  for (const table of [PML4, PDPT, PD, PT]) assert.equal(bench.peek(table, 1), 0x27n);
  reach(bench.cpu, 8, WRITE);
  assert.deepEqual(
    [PML4, PDPT, PD, PT].map((table) => bench.peek(table, 1)),
    [0x27n, 0x27n, 0x27n, 0x67n],
  );
  const refused = ready();
  refused.poke(PT, 8, 5);
  reach(refused.cpu, 8, WRITE);
  assert.equal(refused.peek(PT, 1), 5n, "a refused access marks nothing");
});

test("a clean page gets its write tag with the first write, a dirty one at once", () => {
  const bench = ready();
  const { cpu } = bench;
  const word = cpu.tlb.dataEntry(3, KERNEL);
  reach(cpu, 0x3000);
  assert.equal(cpu.i32[word], 0x3000);
  assert.equal(cpu.i32[word + 2], L.TLB_EMPTY);
  reach(cpu, 0x3000, WRITE);
  assert.equal(cpu.i32[word + 2], 0x3000);
  assert.equal((cpu.i32[word + 4] + 0x3000) >>> 0, cpu.services.ramBase + 0x3000);
  cpu.tlb.flushAll();
  assert.equal(cpu.i32[word], L.TLB_EMPTY);
  reach(cpu, 0x3000);
  assert.equal(cpu.i32[word + 2], 0x3000);
});

test("SDM vol. 3A §4.10.2.4: global pages survive a flush of the others while CR4.PGE is set", () => {
  const bench = ready();
  const { cpu } = bench;
  cpu.set32(L.CR4, cpu.get32(L.CR4) | (1 << 7));
  setPte(bench, 4, 0x4000 | 0x107);
  reach(cpu, 0x4000);
  reach(cpu, 0x6000);
  cpu.tlb.flushNonGlobal();
  bench.poke(PT + 4 * 8, 8, 0);
  bench.poke(PT + 6 * 8, 8, 0);
  assert.equal(reach(cpu, 0x4000), 0x4000);
  assert.equal(reach(cpu, 0x6000), fault(0));
  cpu.tlb.flushPage(4);
  assert.equal(reach(cpu, 0x4000), fault(0));
});

test("SDM vol. 3A §4.10.4.1: invalidating one address of a large page drops all of it", () => {
  const bench = ready();
  bench.poke(PD + 8, 8, 0x200000 | 0x87);
  const { cpu } = bench;
  reach(cpu, 0x200000);
  reach(cpu, 0x2ff000);
  bench.poke(PD + 8, 8, 0);
  cpu.tlb.flushPage(0x210);
  assert.equal(reach(cpu, 0x200000), fault(0));
  assert.equal(reach(cpu, 0x2ff000), fault(0));
});

test("an access across two pages is gathered, and written to both", () => {
  const bench = ready();
  const { cpu } = bench;
  setPte(bench, 0x21, 0x90000 | 7);
  bench.poke(0x20ffe, 2, 0x1122);
  bench.poke(0x90000, 2, 0x3344);
  const host = resolveAccess(cpu, 0x20ffe, 4, READ_MODIFY_WRITE, KERNEL);
  assert.equal(host, cpu.base + L.SCRATCH);
  assert.equal(cpu.view.getUint32(host, true), 0x33441122);
  cpu.view.setUint32(host, 0xaabbccdd, true);
  commitPending(cpu);
  assert.equal(bench.peek(0x20ffe, 2), 0xccddn);
  assert.equal(bench.peek(0x90000, 2), 0xaabbn);
  setPte(bench, 0x21, 0);
  assert.equal(resolveAccess(cpu, 0x20ffe, 4, READ, KERNEL), -1);
  assert.equal(cpu.faultLinear, 0x21000, "CR2 is the first byte that faults");
});

test("devices are accessed in pieces of at most four bytes, low half first", () => {
  const bench = ready();
  const { cpu, seen } = bench;
  setPte(bench, 0x30, 0xfee00007);
  const host = resolveAccess(cpu, 0x30010, 8, READ, KERNEL);
  assert.equal(cpu.view.getBigUint64(host, true), 0x1122334411223344n);
  resolveAccess(cpu, 0x30020, 8, WRITE, KERNEL);
  cpu.view.setBigUint64(host, 0x0102030405060708n, true);
  commitPending(cpu);
  assert.deepEqual(seen.reads, [
    { address: 0xfee00010, size: 4 },
    { address: 0xfee00014, size: 4 },
  ]);
  assert.deepEqual(seen.writes, [
    { address: 0xfee00020, size: 4, value: 0x05060708 },
    { address: 0xfee00024, size: 4, value: 0x01020304 },
  ]);
  assert.equal(cpu.i32[cpu.tlb.dataEntry(0x30, KERNEL)], L.TLB_EMPTY, "generated code keeps missing");
});

test("a write to a page with code invalidates it and gets no write tag until then", () => {
  const bench = ready();
  const { cpu, codePages, seen } = bench;
  reach(cpu, 0x7000, WRITE);
  const word = cpu.tlb.dataEntry(7, KERNEL);
  assert.equal(cpu.i32[word + 2], 0x7000);
  codePages.add(0x7000);
  codePageAdded([cpu], 7);
  assert.equal(cpu.i32[word + 2], L.TLB_EMPTY);
  assert.equal(cpu.i32[word], 0x7000, "reads stay fast");
  assert.equal(reach(cpu, 0x7123, WRITE), 0x7123);
  assert.deepEqual(seen.invalidated, [{ offset: 0x7123, length: 4 }]);
  assert.equal(cpu.i32[word + 2], 0x7000, "the page holds no code any more");
});

test("SDM vol. 3A §3.3.7.1: addresses that are not canonical are refused, also at the last byte", () => {
  const { cpu } = ready();
  for (const linear of [2 ** 47, 2 ** 47 - 2, -(2 ** 47) - 1, 2 ** 63]) {
    assert.equal(resolveAccess(cpu, linear, 4, READ, KERNEL), -1);
    assert.equal(cpu.faultVector, GP);
  }
});

function pae(bench: Bench): void {
  protectedMode(bench);
  bench.poke(PDPT, 8, PD | 1);
  bench.poke(PDPT + 24, 8, PD | 1);
  bench.poke(PD, 8, PT | 7);
  bench.poke(PD + 8, 8, 0x200000 | 0x87);
  for (let page = 0; page < 512; page++) bench.poke(PT + page * 8, 8, (page << 12) | 7);
  const { cpu } = bench;
  cpu.setAddress(L.CR3, PDPT);
  cpu.set32(L.CR4, 1 << 5);
  cpu.set32(L.CR0, 0x80010011);
  assert.equal(loadPdptes(cpu, PDPT), true);
  refreshMode(cpu);
  cpu.tlb.flushAll();
}

test("SDM vol. 3A §4.4: PAE paging in 32-bit mode", () => {
  const bench = createBench();
  pae(bench);
  const { cpu } = bench;
  assert.equal(reach(cpu, 0x3010), 0x3010);
  assert.equal(reach(cpu, 0x2abcde), 0x2abcde);
  assert.equal(reach(cpu, 0xc0003010), 0x3010);
  assert.equal(reach(cpu, 0x40000000), fault(0));
  bench.poke(PDPT, 8, 0);
  cpu.tlb.flushAll();
  assert.equal(reach(cpu, 0x3010), 0x3010, "pointer entries were loaded with CR3");
  bench.poke(PDPT, 8, PD | 3);
  assert.equal(loadPdptes(cpu, PDPT), false, "reserved bits");
  bench.poke(PDPT, 8, 0);
  assert.equal(loadPdptes(cpu, PDPT), true);
  assert.equal(reach(cpu, 0x3010), 0x3010, "the TLB still holds it");
  cpu.tlb.flushAll();
  assert.equal(reach(cpu, 0x3010), fault(0));
});

test("SDM vol. 3A §4.3: 32-bit paging, with 4 MiB pages", () => {
  const bench = createBench();
  protectedMode(bench);
  const { cpu } = bench;
  bench.poke(PD, 4, PT | 7);
  bench.poke(PD + 4, 4, 0x87);
  bench.poke(PT + 4 * 5, 4, 0x77000 | 5);
  cpu.setAddress(L.CR3, PD);
  cpu.set32(L.CR4, 1 << 4);
  cpu.set32(L.CR0, 0x80010011);
  refreshMode(cpu);
  assert.equal(reach(cpu, 0x5123), 0x77123);
  assert.equal(reach(cpu, 0x5123, WRITE, USER), fault(PF_PRESENT | PF_WRITE | PF_USER));
  assert.equal(reach(cpu, 0x400000 + 0x212345), 0x212345);
  assert.equal(bench.peek(PD + 4, 1), 0xa7n);
  cpu.set32(L.CR4, 0);
  cpu.tlb.flushAll();
  assert.notEqual(reach(cpu, 0x400000 + 0x212345), 0x212345, "without PSE bit 7 is ignored");
  bench.poke(PD + 4, 4, 0x200087);
  cpu.set32(L.CR4, 1 << 4);
  cpu.tlb.flushAll();
  assert.equal(reach(cpu, 0x400000), fault(PF_PRESENT | PF_RESERVED));
});

test("outside 64-bit mode an access wraps at 4 GiB", () => {
  const bench = createBench();
  protectedMode(bench);
  const { cpu, seen } = bench;
  bench.poke(0, 2, 0x7788);
  const host = resolveAccess(cpu, 0xfffffffe, 4, READ, KERNEL);
  assert.equal(cpu.view.getUint16(host + 2, true), 0x7788);
  assert.deepEqual(seen.reads, [{ address: 0xfffffffe, size: 2 }]);
});

test("tables outside RAM read as all ones: a reserved-bit fault, not an engine error", () => {
  const bench = ready();
  bench.cpu.setAddress(L.CR3, 0x80000000);
  bench.cpu.tlb.flushAll();
  assert.equal(reach(bench.cpu, 8), fault(PF_PRESENT | PF_RESERVED));
});

test("pages are one thing, bytes another: 64-bit linear page numbers do not alias", () => {
  const bench = ready();
  const { cpu } = bench;
  bench.poke(PML4 + 256 * 8, 8, PDPT | 7);
  setPte(bench, 1, 0);
  assert.equal(reach(cpu, -(2 ** 47)), 0);
  assert.equal(reach(cpu, 0), 0);
  assert.equal(reach(cpu, -(2 ** 47) + PAGE), fault(0));
  const word = cpu.tlb.dataEntry(0, KERNEL);
  assert.deepEqual([cpu.i32[word], cpu.i32[word + 1]], [0, 0]);
  reach(cpu, -(2 ** 47));
  assert.deepEqual([cpu.i32[word], cpu.i32[word + 1]], [0, -0x8000]);
});

test("pages a power of two apart have entries of their own, in the lower half and in the upper", () => {
  const { cpu } = ready();
  for (const page of [0x400, 0x800, 0xfffffffff - 0x7fff_ffff, -0x80000]) {
    const entries = [0, 1 << 10, 1 << 11, 1 << 12, 1 << 15, 1 << 19].map((distance) =>
      cpu.tlb.dataEntry(page + distance, KERNEL),
    );
    assert.equal(new Set(entries).size, entries.length, page.toString(16));
  }
});
