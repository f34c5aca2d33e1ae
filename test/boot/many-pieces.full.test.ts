// Kernels of very many segments and machines with very many modules: planned in time that grows with their number, not
// with its square, and refused with errors that a person can read. The bounds are generous: what they catch took minutes.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { gzipSync } from "node:zlib";
import { BootError } from "../../src/boot/index.js";
import { rangesText } from "../../src/boot/ranges-text.js";
import { planSections } from "../../src/cli/render/plan.js";
import { ELF64 } from "../../src/spec/elf.js";
import { FIRST_SEGMENT, manySegments, SEGMENT_SIZE, SEGMENT_STRIDE } from "../support/many-segments.js";
import { makeBzImage } from "../support/images.js";
import { header1, header2 } from "./multiboot/images.js";
import { memoryAt, planOf, RBX, region, register } from "./plan-text.js";

const MIB = 1024 * 1024;
/** What e_phnum holds, less a note. */
const SEGMENTS = 65_533;
const MODULES = 40_000;
const PATIENCE_MS = 15_000;

const KERNELS = {
  pvh: (count: number) => manySegments(count, { pvh: true }),
  elf64: (count: number) => manySegments(count),
  elf32: (count: number) => manySegments(count, { elfClass: 32 }),
  multiboot1: (count: number) => manySegments(count, { elfClass: 32, header: header1(0) }),
  multiboot2: (count: number) => manySegments(count, { header: header2() }),
} as const;
type Protocol = keyof typeof KERNELS;

function timed<T>(what: string, step: () => T): T {
  const start = performance.now();
  const result = step();
  const took = Math.round(performance.now() - start);
  assert.ok(took < PATIENCE_MS, `${what} took ${took} ms`);
  return result;
}

function refusal(step: () => unknown): BootError {
  try {
    step();
  } catch (error) {
    if (error instanceof BootError) return error;
    throw error;
  }
  throw new Error("not refused");
}

describe("R1.6 very many segments", () => {
  for (const protocol of Object.keys(KERNELS) as Protocol[]) {
    it(`R1.6 ${protocol}: ${SEGMENTS} PT_LOADs are planned and shown in time that is linear in them`, () => {
      const kernel = KERNELS[protocol](SEGMENTS);
      const plan = timed("the plan", () => planOf(kernel, { memory: 256 * MIB, loader: { name: protocol } }));
      const last = region(plan, `kernel segment ${SEGMENTS - 1}`);
      assert.equal(last.start, FIRST_SEGMENT + (SEGMENTS - 1) * SEGMENT_STRIDE);
      assert.equal(memoryAt(plan, last.start).u8(SEGMENT_SIZE - 1), 0xf4);
      const map = timed("its text", () => planSections(plan)).find(({ name }) => name === "map");
      assert.equal(map?.lines.length, plan.regions.length);
    });
  }

  it("R1.6 200,000 PT_LOADs, counted in section 0, are planned and shown", () => {
    const plan = timed("the plan", () => planOf(manySegments(200_000), { memory: 512 * MIB }));
    const map = timed("its text", () => planSections(plan)).find(({ name }) => name === "map");
    assert.ok((map?.lines.length ?? 0) > 200_000);
  });

  it("R1.6 an entry point outside is refused with the ends of the list of segments", () => {
    for (const [protocol, parts] of [
      ["elf64", {}],
      ["elf32", { elfClass: 32 }],
      ["multiboot2", { header: header2({ tags: [{ type: 3, words: [0x10] }] }) }],
    ] as const) {
      const kernel = manySegments(SEGMENTS, { ...parts, entry: 0x10 });
      const { message } = timed(protocol, () =>
        refusal(() => planOf(kernel, { loader: { name: protocol } })),
      );
      assert.match(
        message,
        /entry point 0x10; expected an address in .* \(physical 0x100000–0x100010, 0x100800–/,
      );
      assert.match(message, /, 65517 more, 0x80fe000–0x80fe010\)/);
      assert.ok(message.length < 1000, message);
    }
  });

  it("R1.6 a list of ranges is whole up to 16 of them", () => {
    const spans = Array.from({ length: 17 }, (_, i) => ({ start: i * 16, size: 1 }));
    assert.equal(rangesText(spans.slice(0, 2)), "0x0–0x1, 0x10–0x11");
    assert.equal(rangesText(spans.slice(0, 16)).split(", ").length, 16);
    assert.match(rangesText(spans), /0xe0–0xe1, 1 more, 0x100–0x101$/);
  });

  it("R1.6 one segment too many for the memory, and one in another's place, are refused by their names", () => {
    const outside = timed("too large", () => refusal(() => planOf(manySegments(SEGMENTS))));
    assert.match(
      outside.message,
      /"kernel segment \d+" of 16 bytes up to 0x4000010; expected a place inside RAM/,
    );
    const low = manySegments(SEGMENTS);
    // The last one goes where firmware has its tables.
    const last = ELF64.ehdr.size + (SEGMENTS - 1) * ELF64.phdr.size;
    new DataView(low.buffer).setBigUint64(last + ELF64.phdr.paddr, 0xe_0000n, true);
    const taken = timed("taken", () => refusal(() => planOf(low, { memory: 256 * MIB })));
    assert.match(taken.message, /"kernel segment 65532" of elf64 .* over "acpi tables" of firmware/);
  });

  /** Segments of one byte behind the first, `step` bytes apart, from right below 1 MiB downwards. */
  function belowOneMiB(count: number, step: number): Uint8Array {
    const kernel = manySegments(count);
    const view = new DataView(kernel.buffer);
    for (let i = 1; i < count; i++) {
      const header = ELF64.ehdr.size + i * ELF64.phdr.size;
      view.setBigUint64(header + ELF64.phdr.paddr, BigInt(MIB - step * i), true);
      for (const size of [ELF64.phdr.filesz, ELF64.phdr.memsz]) view.setBigUint64(header + size, 1n, true);
    }
    return kernel;
  }

  it("R1.6 segments between the tables below 1 MiB are planned in time that is linear in them", () => {
    const plan = timed("the plan", () => planOf(belowOneMiB(60_000, 1)));
    assert.equal(region(plan, "kernel segment 59999").start, MIB - 59_999);
  });

  it("R1.6 small segments there do not fill the memory map with what is between them", () => {
    const { e820 } = planOf(belowOneMiB(30_000, 2));
    assert.ok(e820.length < 2 * 32 + 8, `${e820.length} entries of 32 pages`);
    assert.deepEqual(e820.at(-1), { start: MIB, size: 63 * MIB, type: "ram" });
  });

  it("R1.8 more pieces than one option ROM can have copied are refused with the number that it can", () => {
    const bios = new Uint8Array(0x1_0000);
    bios.set([0xea, 0x5b, 0xe0, 0x00, 0xf0], bios.length - 16);
    const options = { bios: { name: "bios", bytes: bios }, memory: 256 * MIB };
    const pieces = (segments: number): number | undefined =>
      planOf(manySegments(segments), options).handOver?.regions.length;
    const { fault } = timed("the refusal", () => refusal(() => planOf(manySegments(SEGMENTS), options)));
    assert.deepEqual(fault.place, { kind: "option", name: "loader.bios" });
    const most = Number(/at most (\d+)/.exec(fault.expected)?.[1]);
    assert.ok(most > 4000 && most < 4096, fault.expected);
    const others = (pieces(1) ?? 0) - 1;
    assert.equal(pieces(most - others), most);
    assert.throws(() => pieces(most - others + 1), BootError);
  });
});

describe("R1.3 very many modules", () => {
  const sizes = {
    "of less than a page": (): number => 100,
    "each larger than the one before": (i: number): number => 1 + (i % 5000),
    "each smaller than the one before": (i: number): number => 5000 - (i % 5000),
  };
  for (const protocol of ["pvh", "multiboot1", "multiboot2"] as const) {
    // How they are placed is the same for all; the order of their sizes is shown by one.
    for (const [what, size] of Object.entries(sizes).slice(0, protocol === "pvh" ? undefined : 1)) {
      it(`R1.3 ${protocol}: ${MODULES} modules ${what} are placed in time that is linear in them`, () => {
        const modules = Array.from({ length: MODULES }, (_, i) => ({
          name: `m${i}`,
          bytes: new Uint8Array(size(i)),
          commandLine: `module-${i}`,
        }));
        const options = { modules, memory: 512 * MIB, loader: { name: protocol } };
        const plan = timed("the plan", () => planOf(KERNELS[protocol](1), options));
        assert.equal(plan.modules.length, MODULES);
        const last = region(plan, `module ${MODULES - 1}`);
        assert.equal(last.start % 4096, 0);
        assert.equal(last.size, size(MODULES - 1));
      });
    }
  }

  it("R2.1 a module list that base memory has no room for goes above 1 MiB", () => {
    const modules = Array.from({ length: MODULES }, (_, i) => ({
      name: `m${i}`,
      bytes: Uint8Array.of(i & 255),
    }));
    const plan = planOf(KERNELS.pvh(1), { modules, memory: 512 * MIB });
    const info = memoryAt(plan, register(plan, RBX));
    assert.ok(info.base >= MIB);
    assert.equal(info.u32(0), 0x336ec578);
    assert.equal(info.u32(12), MODULES);
    const entry = memoryAt(plan, Number(info.u64(16)) + 1234 * 32);
    assert.equal(memoryAt(plan, Number(entry.u64(0))).u8(0), 1234 & 255);
  });
});

describe("R4.4 a kernel that unpacks to more than the guest's memory", () => {
  it("R4.4 is unpacked once, however many loaders ask, and refused with the limit and what to do", () => {
    const kernel = makeBzImage({ payload: gzipSync(new Uint8Array(65 * MIB)) });
    const modules = [{ name: "m", bytes: Uint8Array.of(1) }];
    const before = process.memoryUsage().arrayBuffers;
    const { message } = refusal(() => planOf(kernel, { modules }));
    assert.ok(process.memoryUsage().arrayBuffers - before < 100 * MIB);
    assert.match(message, /file offset 0x[0-9a-f]+: found more than 67108864 bytes in the gzip payload/);
    assert.match(message, /must fit into the guest's memory: give it more \(-m\)/);
    assert.throws(
      () => planOf(Uint8Array.from(gzipSync(new Uint8Array(65 * MIB)))),
      /read "kernel": file offset 0x[0-9a-f]+: found more than 67108864 bytes; .*give it more \(-m\)/,
    );
  });
});
