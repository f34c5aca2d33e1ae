/**
 * What the two specifications promise a kernel, checked on what a conformance guest reported. Holds for any loader:
 * ours, QEMU, GRUB. Written from the specifications, without the project's own numbers.
 *
 * Specifications: Multiboot 0.6.96 §3.2, §3.3; Multiboot2 2.0 §3.4, §3.6.
 */
import assert from "node:assert/strict";
import type { ByteView } from "../../../src/bytes/byte-view.js";
import { PATTERN, type Dump, type Report } from "./guest.js";

/** A module that was handed over, and the text that must belong to it. */
export interface Expected {
  commandLine: string;
  modules: readonly { bytes: Uint8Array; text: string }[];
}

const PG = 0x8000_0000;
const PE = 1;
const IF = 1 << 9;
const VM = 1 << 17;
const MIB = 0x10_0000;

/** §3.2, §3.4: registers, segments, CR0, EFLAGS, A20. */
export function checkMachine(report: Report, magic: number): void {
  assert.equal(report.number("eax"), magic, "EAX");
  assert.equal(report.number("cr0") & PE, PE, "CR0.PE");
  assert.equal((report.number("cr0") & PG) >>> 0, 0, "CR0.PG");
  assert.equal(report.number("flags") & (IF | VM), 0, "EFLAGS.IF and VM");
  assert.equal(report.number("a20"), 1, "the A20 gate is open");
  assert.equal(report.number("ss.big"), PATTERN, "SS is a 32-bit segment");
  for (const segment of ["cs", "ds", "es", "fs", "gs", "ss"]) {
    assert.equal(report.number(`${segment}.base`), PATTERN, `${segment}: base 0, readable`);
    assert.equal(report.value(`${segment}.top`), "read", `${segment}: limit 0xffffffff`);
    if (segment !== "cs") assert.equal(report.number(`${segment}.write`), 1, `${segment}: writable`);
  }
}

/** One range of a memory map. */
export interface Range {
  start: number;
  size: number;
  type: number;
}

/** What the amounts of memory must agree with: the map. */
function checkAmounts(lower: number, upper: number, map: readonly Range[]): void {
  const ram = map.filter(({ type }) => type === 1);
  const low = ram.find(({ start }) => start === 0);
  const high = ram.find(({ start, size }) => start <= MIB && MIB < start + size);
  assert.ok(low && high, "memory at 0 and at 1 MiB");
  assert.equal(lower, Math.min(640, Math.floor(low.size / 1024)), "mem_lower");
  assert.ok(upper <= (high.start + high.size - MIB) / 1024, "mem_upper ends at the first hole");
}

/** Everything lies in RAM that the map calls available, clear of the rest. */
function checkPlaces(map: readonly Range[], places: readonly Dump[]): void {
  for (const { address, bytes } of places) {
    const inside = map.some(
      ({ start, size, type }) => type === 1 && address >= start && address + bytes.length <= start + size,
    );
    assert.ok(inside, `${bytes.length} bytes at 0x${address.toString(16)} in available memory`);
  }
  const sorted = [...places].sort((a, b) => a.address - b.address);
  sorted.slice(1).forEach(({ address }, i) => {
    assert.ok(sorted[i].address + sorted[i].bytes.length <= address, "nothing overlaps");
  });
}

function checkModules(report: Report, expected: Expected): Dump[] {
  const modules = report.dumps("module");
  assert.deepEqual(
    modules.map(({ bytes }) => bytes),
    expected.modules.map(({ bytes }) => bytes),
  );
  for (const { address } of modules) assert.equal(address % 4096, 0, "modules are page-aligned");
  return modules;
}

/** §3.3. Returns the flags. */
export function checkInformation1(report: Report, expected: Expected): number {
  const info = report.view("info");
  assert.equal(info.base, report.number("ebx"));
  const flags = info.u32(0);
  for (const bit of [0, 2, 3, 6, 9]) assert.ok((flags & (1 << bit)) !== 0, `flag ${bit}`);
  assert.equal(flags & ((1 << 4) | (1 << 5)), flags & (1 << 5), "a.out and ELF symbols exclude each other");
  assert.deepEqual(report.texts("cmdline"), [expected.commandLine]);
  const map = map1(report.view("mmap"));
  checkAmounts(info.u32(4), info.u32(8), map);
  const modules = checkModules(report, expected);
  assert.equal(info.u32(20), modules.length, "mods_count");
  const list = report.view("modules");
  modules.forEach(({ address, bytes }, i) => {
    assert.equal(list.u32(i * 16), address);
    assert.equal(list.u32(i * 16 + 4), address + bytes.length);
    assert.equal(list.u32(i * 16 + 12), 0, "reserved");
  });
  assert.deepEqual(
    report.texts("string"),
    expected.modules.map(({ text }) => text),
  );
  checkPlaces(map, modules);
  return flags;
}

/** Entries by their own size, which does not count itself. */
function map1(view: ByteView): Range[] {
  const map: Range[] = [];
  let at = 0;
  while (at < view.length) {
    const size = view.u32(at);
    assert.ok(size >= 20, "size of a map entry");
    map.push({ start: Number(view.u64(at + 4)), size: Number(view.u64(at + 12)), type: view.u32(at + 20) });
    at += size + 4;
  }
  assert.equal(at, view.length, "the map ends with an entry");
  return map;
}

/** A tag of the boot information: type, offset of its body, bytes of it. */
export interface Tag {
  type: number;
  body: ByteView;
}

/** §3.6.1, §3.6.2: the tags, and their structure. */
export function tagsOf(report: Report): Tag[] {
  const info = report.view("info");
  assert.equal(info.base, report.number("ebx"));
  assert.equal(info.base % 8, 0, "8-byte aligned");
  assert.equal(info.u32(0), info.length, "total_size");
  const tags: Tag[] = [];
  for (let at = 8; ;) {
    const [type, size] = [info.u32(at), info.u32(at + 4)];
    assert.ok(size >= 8 && at + size <= info.length, `tag ${type} within the structure`);
    if (type === 0) {
      assert.deepEqual([size, at + size], [8, info.length], "the end tag ends it");
      return tags;
    }
    tags.push({ type, body: info.view(at + 8, size - 8) });
    at = Math.ceil((at + size) / 8) * 8;
  }
}

function only(tags: readonly Tag[], type: number): ByteView {
  const [tag, more] = tags.filter((one) => one.type === type);
  assert.ok(tag !== undefined && more === undefined, `one tag of type ${type}`);
  return tag.body;
}

function text(body: ByteView, at = 0): string {
  const bytes = body.bytes.subarray(at);
  assert.equal(bytes.indexOf(0), bytes.length - 1, "one NUL, at the end");
  return new TextDecoder().decode(bytes.subarray(0, -1));
}

/** §3.6. Returns the tags. */
export function checkInformation2(report: Report, expected: Expected): Tag[] {
  const tags = tagsOf(report);
  assert.equal(text(only(tags, 1)), expected.commandLine);
  assert.ok(text(only(tags, 2)).length > 0, "the loader's name");
  const mmap = only(tags, 6);
  assert.deepEqual([mmap.u32(0), mmap.u32(4), (mmap.length - 8) % 24], [24, 0, 0], "entry size, version");
  const map = Array.from({ length: (mmap.length - 8) / 24 }, (_, i): Range => {
    const at = 8 + i * 24;
    assert.equal(mmap.u32(at + 20), 0, "reserved");
    return { start: Number(mmap.u64(at)), size: Number(mmap.u64(at + 8)), type: mmap.u32(at + 16) };
  });
  const basic = only(tags, 4);
  checkAmounts(basic.u32(0), basic.u32(4), map);
  const modules = checkModules(report, expected);
  const told = tags.filter(({ type }) => type === 3).map(({ body }) => body);
  assert.deepEqual(
    told.map((body) => [body.u32(0), body.u32(4) - body.u32(0), text(body, 8)]),
    modules.map(({ address, bytes }, i) => [address, bytes.length, expected.modules[i].text]),
  );
  const [info] = report.dumps("info");
  checkPlaces(map, [info, ...modules]);
  for (const { type, body } of tags) if (type === 14 || type === 15) checkRsdp(type, body);
  return tags;
}

function checkRsdp(type: number, body: ByteView): void {
  const sum = (size: number): number =>
    body.bytes.subarray(0, size).reduce((total, value) => (total + value) & 0xff, 0);
  assert.equal(body.latin1(0, 8), "RSD PTR ");
  assert.equal(sum(20), 0, "checksum of ACPI 1.0");
  if (type === 14) assert.equal(body.length, 20);
  else assert.deepEqual([body.u8(15) >= 2, sum(body.u32(20))], [true, 0], "revision 2 and its checksum");
}
