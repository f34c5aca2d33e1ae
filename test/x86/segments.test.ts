// Descriptors, the boot GDT and entry states.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { bootGdt } from "../../src/x86/gdt.js";
import {
  applicationProcessorState,
  longMode64,
  protectedMode32,
  realMode16,
  resetState,
} from "../../src/x86/entry-states.js";
import {
  code64,
  decodeDescriptor,
  describeSegment,
  emptyTaskState,
  encodeDescriptor,
  flatCode32,
  flatData,
  realModeSegment,
  unusableSegment,
} from "../../src/x86/segments.js";

describe("R1.9 descriptors", () => {
  it("R1.9 flat segments have the bytes every boot loader uses", () => {
    assert.equal(encodeDescriptor(flatCode32(8)), 0x00cf9b000000ffffn);
    assert.equal(encodeDescriptor(flatData(8)), 0x00cf93000000ffffn);
    assert.equal(encodeDescriptor(code64(8)), 0x00af9b000000ffffn);
    assert.equal(encodeDescriptor(emptyTaskState(0x20)), 0x00008b0000000067n);
    assert.equal(encodeDescriptor(unusableSegment()), 0n);
  });

  it("R1.9 decoding gives back what was encoded", () => {
    const odd = { selector: 0x33, base: 0xfedc_ba98n, limit: 0x54321, access: 0x40f3 };
    for (const segment of [
      flatCode32(8),
      flatData(16),
      code64(24),
      emptyTaskState(32),
      realModeSegment(9, true),
      odd,
    ]) {
      const back = decodeDescriptor(encodeDescriptor(segment), segment.selector);
      assert.deepEqual(back, segment);
    }
  });

  it("R1.9 a limit that the granularity bit would change is refused", () => {
    assert.throws(() => encodeDescriptor({ ...flatData(8), limit: 0x1000 }), RangeError);
    assert.throws(() => encodeDescriptor({ ...realModeSegment(0, false), limit: 0x100000 }), RangeError);
  });

  it("R1.9 segments are described in words", () => {
    assert.equal(describeSegment(code64(16)), "code64 base=0x0 limit=0xffffffff dpl=0");
    assert.equal(describeSegment(realModeSegment(0x1000, false)), "data16 base=0x10000 limit=0xffff dpl=0");
    assert.equal(describeSegment(emptyTaskState(32)), "tss base=0x0 limit=0x67 dpl=0");
    assert.equal(describeSegment(unusableSegment()), "unusable");
  });
});

describe("R1.9 boot GDT", () => {
  it("R1.9 loading a selector from the table gives the register of the entry state", () => {
    for (const width of [32, 64] as const) {
      const gdt = bootGdt(width);
      const view = new DataView(gdt.bytes.buffer);
      for (const register of [gdt.code, gdt.data, gdt.task]) {
        const entry = view.getBigUint64(register.selector, true);
        assert.deepEqual(decodeDescriptor(entry, register.selector), register);
      }
      assert.equal(view.getBigUint64(0, true), 0n, "entry 0 is the null descriptor");
    }
  });
});

describe("R1.9 entry states", () => {
  it("R1.9 32-bit protected mode: only PE, flat segments, interrupts off, direction clear", () => {
    const state = protectedMode32({ entry: 0x100000n, gdtBase: 0x7000, registers: { rsi: 0x6000n } });
    assert.equal(state.cr0, 0x11n);
    assert.equal(state.cr4, 0n);
    assert.equal(state.efer, 0n);
    assert.equal(state.rflags, 2n);
    assert.equal(state.gpr[6], 0x6000n);
    assert.deepEqual(state.gdtr, { base: 0x7000n, limit: 47 });
    assert.equal(describeSegment(state.cs), "code32 base=0x0 limit=0xffffffff dpl=0");
    assert.equal(state.cs.selector, 0x10);
    assert.equal(state.ss.selector, 0x18);
  });

  it("R1.9 64-bit long mode: PAE, LME and LMA, PG, given CR3", () => {
    const state = longMode64({ entry: 0x100200n, gdtBase: 0x7000, registers: {} }, 0x9000n);
    assert.equal(state.cr0, 0x80000011n);
    assert.equal(state.cr3, 0x9000n);
    assert.equal(state.cr4, 0x20n);
    assert.equal(state.efer, 0x500n);
    assert.equal(describeSegment(state.cs), "code64 base=0x0 limit=0xffffffff dpl=0");
  });

  it("R1.9 real mode: base is selector × 16", () => {
    const state = realMode16(0x1020, 0, 0x1000, { rsp: 0xfff0n });
    assert.equal(state.cs.base, 0x10200n);
    assert.equal(state.ds.base, 0x10000n);
    assert.equal(state.idtr.limit, 0x3ff);
    assert.equal(state.cr0 & 1n, 0n);
  });

  it("R1.9 reset: SDM table 9-1", () => {
    const state = resetState(0x106ca);
    assert.equal(state.cs.base + state.rip, 0xffff_fff0n);
    assert.equal(state.cs.selector, 0xf000);
    assert.equal(state.cr0, 0x6000_0010n);
    assert.equal(state.gpr[2], 0x106can);
    assert.equal(state.dr[6], 0xffff0ff0n);
    assert.equal(state.dr[7], 0x400n);
    assert.equal(applicationProcessorState(1).waitForSipi, true);
  });

  it("R1.9 segment registers are separate objects", () => {
    const state = protectedMode32({ entry: 0n, gdtBase: 0, registers: {} });
    state.ds.base = 5n;
    assert.equal(state.es.base, 0n);
  });
});
