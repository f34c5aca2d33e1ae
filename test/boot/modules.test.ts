// Boot modules (R1.3): as data of a plan, in PVH's module list, and refused where a protocol has none.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { BootError, OptionError } from "../../src/boot/index.js";
import { PT } from "../../src/spec/elf.js";
import { makeBzImage, makeElf, makeNotes, makePvhNote } from "../support/images.js";
import { memoryAt, planOf, RBX, region, register } from "./plan-text.js";

const KERNEL = makeElf({
  entry: 0x1000000,
  segments: [
    { vaddr: 0x1000000, bytes: new Uint8Array(512).fill(0xf4) },
    { type: PT.NOTE, bytes: makeNotes([makePvhNote(0x1000100)]) },
  ],
});
const INITRD = { name: "initrd", bytes: new Uint8Array(5000).fill(9) };
const MODULES = [
  { name: "one", bytes: new Uint8Array(4097).fill(1), commandLine: "first -v" },
  { name: "two", bytes: Uint8Array.of(2) },
];

/** start_info's module list: contents' first byte, size, command line. */
function moduleList(plan: ReturnType<typeof planOf>): [number, number, string | undefined][] {
  const info = memoryAt(plan, register(plan, RBX));
  return Array.from({ length: info.u32(12) }, (_, index) => {
    const entry = memoryAt(plan, Number(info.u64(16)) + index * 32);
    const text = Number(entry.u64(16));
    assert.equal(Number(entry.u64(0)) % 4096, 0);
    return [
      memoryAt(plan, Number(entry.u64(0))).u8(0),
      Number(entry.u64(8)),
      text === 0 ? undefined : memoryAt(plan, text).cString(0, 100),
    ];
  });
}

describe("R1.3 boot modules", () => {
  it("R2.1 pvh hands them over in order, the initrd first, each with its command line", () => {
    const plan = planOf(KERNEL, { initrd: INITRD, modules: MODULES });
    assert.deepEqual(moduleList(plan), [
      [9, 5000, undefined],
      [1, 4097, "first -v"],
      [2, 1, undefined],
    ]);
    assert.deepEqual(plan.modules, [
      { name: "one", commandLine: "first -v", size: 4097 },
      { name: "two", commandLine: "", size: 1 },
    ]);
    assert.equal(region(plan, "module 0").size, 4097);
  });

  it("R2.1 pvh keeps module command lines with start_info wherever that goes, also when they fill many pages", () => {
    const behind = planOf(KERNEL, { modules: MODULES, loader: { start_info: "after-kernel" } });
    assert.deepEqual(moduleList(behind)[0], [1, 4097, "first -v"]);
    const many = Array.from({ length: 300 }, (_, i) => ({
      name: `m${i}`,
      bytes: Uint8Array.of(i & 255),
      commandLine: `module-${i}`,
    }));
    const plan = planOf(KERNEL, { modules: many });
    assert.ok(register(plan, RBX) >= 0x30000);
    assert.deepEqual(moduleList(plan)[299], [299 & 255, 1, "module-299"]);
  });

  it("R1.3 loaders whose protocol has no modules refuse them with the reason", () => {
    for (const [kernel, name] of [
      [makeBzImage(), "linux"],
      [KERNEL, "elf64"],
    ] as const) {
      assert.throws(
        () => planOf(kernel, { modules: MODULES, loader: { name } }),
        new RegExp(
          `option module: found 2 boot module\\(s\\); expected none: the ${name} loader's protocol has no`,
        ),
      );
    }
  });

  it("R1.3 an empty module and a NUL in a command line are refused", () => {
    const empty = [{ name: "nothing", bytes: new Uint8Array(0) }];
    assert.throws(
      () => planOf(KERNEL, { modules: empty }),
      /load the module 0 "nothing": .*found an empty file/,
    );
    assert.throws(() => planOf(KERNEL, { modules: empty }), BootError);
    const nul = [{ name: "nul", bytes: Uint8Array.of(1), commandLine: "a\0b" }];
    assert.throws(() => planOf(KERNEL, { modules: nul }), OptionError);
  });
});
