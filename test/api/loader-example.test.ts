/**
 * The third-party loader of docs/loaders.md: taken from the page, compiled with the types that the package ships, run
 * as a program of its own that imports nothing but "locore".
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { after, before, describe, it } from "node:test";
import { pathToFileURL } from "node:url";
import { BootError, buildPlan, LoaderRegistry, NoLoaderError, type Loader } from "../../src/api/index.js";
import { compile, SCRATCH } from "../support/compiled-example.js";
import { makeElf } from "../support/images.js";
import { pageFiles } from "../support/page-files.js";

const LOAD = 0x200000;

/** A TOY1 image of one HLT. */
function toyImage(entry: number): Uint8Array {
  const image = new Uint8Array(13).fill(0xf4);
  image.set(new TextEncoder().encode("TOY1"));
  new DataView(image.buffer).setUint32(4, LOAD, true);
  new DataView(image.buffer).setUint32(8, entry, true);
  return image;
}

describe("R1.1 the loader of docs/loaders.md", () => {
  let folder = "";
  let toy: Loader;

  before(async () => {
    mkdirSync(SCRATCH, { recursive: true });
    folder = mkdtempSync(path.join(SCRATCH, "loader-"));
    const files = pageFiles("docs/loaders.md", "ts");
    assert.deepEqual([...files.keys()], ["toy-loader.ts", "boot-toy.ts"]);
    for (const [name, text] of files) writeFileSync(path.join(folder, name), text);
    assert.deepEqual(compile(folder, [...files.keys()]), []);
    const loaded = (await import(pathToFileURL(path.join(folder, "toy-loader.js")).href)) as {
      toyLoader: Loader;
    };
    toy = loaded.toyLoader;
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  const plan = (bytes: Uint8Array, name?: string) => {
    const registry = new LoaderRegistry();
    registry.register(toy);
    return buildPlan({ kernel: { name: "toy.img", bytes }, loader: { name } }, { loaders: registry });
  };

  it("R1.1 boots a guest whose format nobody else knows", () => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [path.join(folder, "boot-toy.js")], {
      encoding: "utf8",
    });
    assert.equal(status, 0, stderr);
    assert.equal(stdout, "toy: toy entry at 0x200000, because it begins with TOY1\nhello, toy\nhalted\n");
  });

  it("R1.1 loader.name and the loader's own options", () => {
    const registry = new LoaderRegistry();
    registry.register(toy);
    const loader = { name: "toy", stack: "0x9000" };
    const made = buildPlan(
      { kernel: { name: "toy.img", bytes: toyImage(LOAD) }, loader },
      { loaders: registry },
    );
    assert.equal(made.bootCpu.gpr[4], 0x9000n);
    assert.match(made.loader.why, /^asked for by name: it begins with TOY1$/);
    const image = { name: "toy.img", format: "foreign" };
    assert.deepEqual({ name: made.image.name, format: made.image.format }, image);
    assert.throws(
      () =>
        buildPlan(
          { kernel: { name: "k", bytes: toyImage(LOAD) }, loader: { stick: "1" } },
          { loaders: registry },
        ),
      /loader\.stick: found an option that the toy loader does not have; expected loader\.stack/,
    );
  });

  it("R1.1 its refusals are told with their offsets; loaders that cannot read the format stay silent", () => {
    assert.throws(
      () => plan(toyImage(0x100)),
      (error) => {
        assert.ok(error instanceof NoLoaderError);
        assert.deepEqual(
          error.refusals.map(({ loader }) => loader),
          ["toy"],
        );
        assert.match(error.message, /toy: file offset 0x8: found entry point 0x100; expected an address in/);
        return true;
      },
    );
  });

  it("R1.1 a foreign file is refused by a built-in loader that is asked by name, and by everyone without a reader", () => {
    const reading = /^read "toy.img": file offset 0x0: found/;
    assert.throws(() => plan(toyImage(LOAD), "pvh"), { name: "BootError", message: reading });
    assert.throws(() => buildPlan({ kernel: { name: "toy.img", bytes: toyImage(LOAD) } }), {
      name: "BootError",
      message: reading,
    });
  });

  it("R1.1 it is asked about files of known formats too, after the built-in loaders", () => {
    assert.throws(
      () => plan(makeElf({ segments: [] })),
      (error) => error instanceof BootError && /toy: file offset 0x0: found ".ELF"/s.test(error.message),
    );
  });

  it("R1.1 a name that is taken cannot be registered twice; the order of a registry is the caller's", () => {
    const registry = new LoaderRegistry([toy, ...new LoaderRegistry().all()]);
    assert.equal(registry.all()[0].name, "toy");
    assert.throws(() => registry.register(toy), /there is a loader "toy" already/);
  });
});
