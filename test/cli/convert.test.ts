/** R5.2 `locore convert` as a person uses it: what it says, what it writes, what it leaves alone. */
import assert from "node:assert/strict";
import { lstat, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import test, { type TestContext } from "node:test";
import { makeGuest, UART } from "../convert/guest.js";
import { locore } from "../support/cli.js";

async function kernelIn(t: TestContext): Promise<{ folder: string; kernel: string }> {
  const folder = await mkdtemp(path.join(tmpdir(), "locore-test-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const kernel = path.join(folder, "kernel");
  await writeFile(kernel, makeGuest({ bits: 32, link: 0xc040_0000n, uart: UART.XEN, freebsd: true }).elf);
  return { folder, kernel };
}

test("R5.2 convert writes beside the kernel, and says where it will run and why", async (t) => {
  const { folder, kernel } = await kernelIn(t);
  const { status, out, err } = await locore("convert", kernel, "--to", "zimage");
  assert.deepEqual([status, err], [0, ""]);
  assert.match(out, /kernel\.zImage: zimage, \d+ bytes\n/);
  assert.match(out, /input +\S+: ELF32 arm EXEC.*\/red\/herring/);
  assert.match(
    out,
    /runs at +start of memory \+ 0x400000 to start of memory \+ 0x40\w+ \(\d+ bytes, of which \d+/,
  );
  assert.match(out, /entry +start of memory \+ 0x400028, ARM code/);
  assert.match(out, /why there +FreeBSD's linker scripts/);
  assert.deepEqual((await readdir(folder)).sort(), ["kernel", "kernel.zImage"]);
});

test("R5.2 convert --json gives the same as data, and --out names the file", async (t) => {
  const { folder, kernel } = await kernelIn(t);
  const output = path.join(folder, "out");
  const { out } = await locore(
    "convert",
    kernel,
    "--to=zimage",
    "--at",
    "0x41000000",
    "-o",
    output,
    "--json",
  );
  const facts = JSON.parse(out) as Record<string, unknown>;
  assert.deepEqual(facts["placement"], {
    kind: "absolute",
    address: 0x4100_0000,
    alignment: 0x800_0000,
    reason: "the address that was asked for",
  });
  assert.deepEqual(
    [facts["output"], facts["size"], facts["entry"]],
    [output, (await readFile(output)).length, 0x4100_0028],
  );
  const back = await locore("convert", output, "--to", "elf", "--json");
  const elf = JSON.parse(back.out) as Record<string, unknown>;
  assert.deepEqual([elf["target"], elf["address"], elf["output"]], ["elf", "0xc0400000", `${output}.elf`]);
});

test("R5.2 a refused kernel leaves no file behind and an older one as it was", async (t) => {
  const { folder, kernel } = await kernelIn(t);
  const output = path.join(folder, "out");
  await writeFile(output, "older");
  const { status, err } = await locore("convert", kernel, "--to", "arm64-image", "--out", output);
  assert.equal(status, 8);
  assert.match(err, /e_machine 40 \(arm\); expected a 64-bit ARM kernel.*ask for zimage/);
  assert.equal(await readFile(output, "utf8"), "older");
  assert.deepEqual((await readdir(folder)).sort(), ["kernel", "out"]);
});

test("R5.2 an output that cannot be written is named, and no part of it stays", async (t) => {
  const { folder, kernel } = await kernelIn(t);
  const missing = await locore("convert", kernel, "--to", "zimage", "-o", path.join(folder, "no", "out"));
  assert.equal(missing.status, 74);
  assert.match(missing.err, /output \S+no\/out: there is no folder \S+no\n/);
  await mkdir(path.join(folder, "taken"));
  const taken = await locore("convert", kernel, "--to", "zimage", "-o", path.join(folder, "taken"));
  assert.equal(taken.status, 74);
  assert.deepEqual((await readdir(folder)).sort(), ["kernel", "taken"]);
});

test("R5.2 the input is never the output, by any name", async (t) => {
  const { folder, kernel } = await kernelIn(t);
  const other = path.join(folder, "link");
  await symlink(kernel, other);
  for (const output of [kernel, other]) {
    const { status, err } = await locore("convert", kernel, "--to", "zimage", "--out", output);
    assert.equal(status, 2);
    assert.match(err, /is the input itself/);
  }
  assert.equal((await locore("inspect", kernel)).status, 0);
});

test("R5.2 a command line that cannot be meant is a usage error", async (t) => {
  const { kernel } = await kernelIn(t);
  const cases: [string[], RegExp][] = [
    [[], /--to KIND is missing/],
    [["--to", "bzimage"], /expected zimage, arm64-image, elf/],
    [["--to", "zimage", "--at", "nowhere"], /expected an address/],
    [["--to", "zimage", "--at", "0x40000004"], /a multiple of 16/],
    [["--to", "zimage", "--at", "0", "--relative"], /exclude each other/],
    [["--to", "elf", "--relative"], /a place for an ELF file/],
  ];
  for (const [words, wanted] of cases) {
    const { status, err } = await locore("convert", kernel, ...words);
    assert.equal(status, 2, err);
    assert.match(err, wanted);
  }
});

test("R5.2 an output that is a link stays one, and a device is written to, not replaced", async (t) => {
  const { folder, kernel } = await kernelIn(t);
  const [real, link] = [path.join(folder, "real"), path.join(folder, "link")];
  await writeFile(real, "older");
  await symlink(real, link);
  assert.equal((await locore("convert", kernel, "--to", "zimage", "--out", link)).status, 0);
  assert.ok((await lstat(link)).isSymbolicLink());
  assert.ok((await readFile(real)).length > "older".length);
  const full = "/dev/full";
  if (!(await stat(full).catch(() => undefined))?.isCharacterDevice()) return;
  const { status, err } = await locore("convert", kernel, "--to", "zimage", "--out", full);
  assert.equal(status, 74);
  assert.match(err, /output \/dev\/full: no space left/);
  assert.ok((await stat(full)).isCharacterDevice());
});
