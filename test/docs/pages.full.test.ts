/** docs/convert.md, docs/inspect-json.md and docs/plans.md: their `sh` blocks run as they stand, in a folder with the files that they name. */
import assert from "node:assert/strict";
import { copyFile, writeFile } from "node:fs/promises";
import path from "node:path";
import test, { type TestContext } from "node:test";
import { testFolder } from "../convert/machines.js";
import { PT } from "../../src/spec/elf.js";
import { makeElf, makeNotes, makePvhNote } from "../support/images.js";
import { repositoryText } from "../support/repository.js";
import { requireGuest, requireTool } from "../support/requires.js";
import { putProgram, runShell, shellBlocks } from "./pages.js";

const LIMIT_MS = 240_000;
const LOAD = 0x10_0000;

/** A PVH kernel whose note is followed by another PT_NOTE, so that not every loader finds it. */
function kernelToNote(): Uint8Array {
  const note = { type: PT.NOTE, bytes: makeNotes([makePvhNote(LOAD)]) };
  const last = {
    type: PT.NOTE,
    bytes: makeNotes([{ name: "Other", type: 1, desc: Uint8Array.of(1, 2, 3, 4) }]),
  };
  const code = { vaddr: LOAD, bytes: new Uint8Array(64).fill(0xf4), flags: 5 };
  return makeElf({ entry: LOAD, segments: [code, note, last] });
}

/** Runs a page's block; what it printed. */
async function run(folder: string, page: string, before = ""): Promise<string> {
  const [block, ...none] = shellBlocks(repositoryText(page));
  assert.deepEqual(none, []);
  const { output, status } = await runShell(before + block, { folder, limitMs: LIMIT_MS });
  assert.equal(status, 0, output);
  return output;
}

async function folderFor(t: TestContext): Promise<string> {
  const folder = await testFolder(t);
  await putProgram(folder, "locore");
  return folder;
}

test("R6.5 the commands of docs/convert.md", async (t) => {
  for (const guest of ["debian-cloud", "gnumach-amd64"])
    if ((await requireGuest(t, guest)) === undefined) return;
  const folder = await folderFor(t);
  await writeFile(path.join(folder, "kernel.elf"), kernelToNote());
  const output = await run(folder, "docs/convert.md");
  assert.match(output, /^vmlinux: vmlinux, \d+ bytes$/m);
  assert.match(output, /^gnumach: elf32, \d+ bytes$/m);
  assert.match(output, /pvh, \d+ bytes$/m);
});

test("R2.3 the commands of docs/inspect-json.md", async (t) => {
  const guest = await requireGuest(t, "debian-cloud");
  if (guest === undefined || requireTool(t, "jq") === undefined) return;
  const folder = await folderFor(t);
  await copyFile(guest.files["kernel"], path.join(folder, "vmlinuz"));
  const output = await run(folder, "docs/inspect-json.md");
  assert.match(output, /^QEMU/im);
  assert.match(output, /: .* at \d+$/m);
});

test("R1.6 the commands of docs/plans.md", async (t) => {
  for (const guest of ["debian-cloud", "busybox"]) if ((await requireGuest(t, guest)) === undefined) return;
  const folder = await folderFor(t);
  const output = await run(folder, "docs/plans.md", 'locore initramfs --command "uname -a" -o initrd.img\n');
  assert.match(output, /^Linux locore /m);
});
