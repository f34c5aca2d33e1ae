/** A kernel's modules: found by their names, unpacked, in the order of their dependencies (R1.10). */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { test, type TestContext } from "node:test";
import { gzipSync } from "node:zlib";
import { moduleFolder, moduleSet, type ModuleSource } from "../../src/guests/index.js";
import { moduleName, withoutTypes } from "../../src/guests/kernel-modules/module-file.js";

const HEADER = 64;
const SECTION = 64;
const NAMES = "\0.modinfo\0.shstrtab\0.BTF\0";

/** An ELF file with a section .modinfo that names what the module needs, and one of types. */
function module(depends: string): Buffer {
  const parts = [
    Buffer.from(`license=GPL\0depends=${depends}\0name=x\0`),
    Buffer.from(NAMES),
    Buffer.from("types"),
  ];
  const names = [".modinfo", ".shstrtab", ".BTF"];
  const file = Buffer.alloc(HEADER + SECTION * 4 + 512);
  file.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  file.writeUInt16LE(1, 16);
  file.writeUInt16LE(62, 18);
  file.writeUInt32LE(1, 20);
  file.writeBigUInt64LE(BigInt(HEADER), 40);
  for (const [at, value] of [
    [52, HEADER],
    [58, SECTION],
    [60, 4],
    [62, 2],
  ])
    file.writeUInt16LE(value, at);
  let offset = HEADER + SECTION * 4;
  parts.forEach((bytes, index) => {
    const at = HEADER + SECTION * (index + 1);
    file.writeUInt32LE(NAMES.indexOf(`${names[index]}\0`), at);
    file.writeUInt32LE(index === 1 ? 3 : 1, at + 4);
    file.writeBigUInt64LE(BigInt(offset), at + 24);
    file.writeBigUInt64LE(BigInt(bytes.length), at + 32);
    bytes.copy(file, offset);
    offset += bytes.length;
  });
  return file;
}

function source(modules: Record<string, string>, builtIn?: readonly string[]): ModuleSource {
  return {
    where: "test",
    seen: [],
    builtIn: builtIn && new Set(builtIn),
    read: (name) => Promise.resolve(Object.hasOwn(modules, name) ? module(modules[name]) : undefined),
  };
}

const loaded = async (from: ModuleSource, ...wanted: string[]): Promise<[string[], string[]]> => {
  const { modules, missing } = await moduleSet(from, wanted);
  return [modules.map(({ name }) => name), missing];
};

test("R1.10 modules: each behind what it needs, once; what is built in is left out", async () => {
  const from = source({ console: "virtio,ring", mmio: "virtio,ring", virtio: "ring", ring: "" }, ["core"]);
  assert.deepEqual(await loaded(from, "mmio", "core", "console"), [
    ["ring", "virtio", "mmio", "console"],
    [],
  ]);
});

test("R1.10 modules: what is neither a module nor built in is named; where nobody says what is built in, all of it may be", async () => {
  assert.deepEqual(await loaded(source({}, ["core"]), "core", "fuse"), [[], ["fuse"]]);
  assert.deepEqual(await loaded(source({}), "fuse"), [[], []]);
});

test("R1.10 modules: what is no module, is cut short or needs itself is refused", async () => {
  const bad = (bytes: Uint8Array): ModuleSource => ({
    where: "",
    seen: [],
    builtIn: undefined,
    read: () => Promise.resolve(bytes),
  });
  for (const bytes of [
    Buffer.from("text"),
    module("").subarray(0, 100),
    gzipSync(module("")).subarray(0, 50),
    Buffer.alloc(0),
  ])
    await assert.rejects(moduleSet(bad(bytes), ["x"]), { name: "GuestError", fault: "damaged" });
  const deep = (name: string): string => `${name}x`;
  const endless: ModuleSource = {
    where: "",
    seen: [],
    builtIn: undefined,
    read: (name) => Promise.resolve(module(deep(name))),
  };
  await assert.rejects(moduleSet(endless, ["x"]), { name: "GuestError", fault: "damaged" });
});

function folder(t: TestContext, files: Record<string, string | Uint8Array>): string {
  const made = mkdtempSync(path.join(tmpdir(), "locore-modules-"));
  t.after(() => rmSync(made, { recursive: true }));
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(path.dirname(path.join(made, name)), { recursive: true });
    writeFileSync(path.join(made, name), content);
  }
  return made;
}

test("R1.10 modules of a folder: by modules.dep, by a tree's modules.order, or wherever .ko files lie, packed or not", async (t) => {
  const kinds: Record<string, Record<string, string | Uint8Array>> = {
    installed: {
      "modules.builtin": "kernel/lib/core.ko\n",
      "modules.dep": "kernel/a-b.ko.gz: kernel/c.ko\nkernel/c.ko:\n",
      "kernel/a-b.ko.gz": gzipSync(module("c")),
      "kernel/c.ko": module(""),
    },
    tree: {
      "modules.builtin": "lib/core.ko\n",
      "modules.order": "drivers/a-b.o\ndrivers/c.o\n",
      "drivers/a-b.ko": module("c"),
      "drivers/c.ko": module(""),
    },
    "other lists": { "modules.builtin": "lib/core.ko\n", "deep/er/a-b.ko": module("c"), "c.ko": module("") },
    "no list": { "deep/er/a-b.ko": module("c"), "c.ko": module("") },
  };
  for (const [kind, files] of Object.entries(kinds)) {
    const found = await moduleFolder(folder(t, files));
    assert.ok(found, kind);
    assert.deepEqual(await loaded(found, "a_b", "core"), [["c", "a_b"], []], kind);
  }
  assert.equal(await moduleFolder(folder(t, { README: "" })), undefined);
  assert.equal(moduleName("kernel/drivers/virtio-rng.ko.xz"), "virtio_rng");
});

test("R1.10 modules: one without its types is the same but for the name of a section and its signature", () => {
  const plain = module("a");
  const signature = Buffer.concat([
    Buffer.alloc(7, 0x55),
    Buffer.alloc(8),
    Buffer.from([0, 0, 0, 7]),
    Buffer.from("~Module signature appended~\n"),
  ]);
  const bare = withoutTypes("x", Buffer.concat([plain, signature]));
  assert.equal(bare.length, plain.length);
  const differing = plain.findIndex((byte, at) => byte !== bare[at]);
  assert.equal(differing, HEADER + SECTION * 3);
  assert.equal(plain.filter((byte, at) => byte !== bare[at]).length, 1);
});
