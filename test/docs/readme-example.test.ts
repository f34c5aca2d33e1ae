/** The README's library example: taken from the page, compiled with the types that the package ships, run as a program. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import test from "node:test";
import { compile, SCRATCH } from "../support/compiled-example.js";
import { pageFiles } from "../support/page-files.js";
import { pvhElf } from "../support/qemu/pvh-elf.js";

const LOAD = 0x10_0000;
/** mov dx, 0x3f8; mov al, '!'; out dx, al; cli; hlt */
const BANG = Uint8Array.of(0x66, 0xba, 0xf8, 0x03, 0xb0, 0x21, 0xee, 0xfa, 0xf4);

test("R3.1 the README's program boots the kernel in its folder and says how it ended", (t) => {
  mkdirSync(SCRATCH, { recursive: true });
  const folder = mkdtempSync(path.join(SCRATCH, "readme-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const [[name, text], ...others] = [...pageFiles("README.md", "ts")];
  assert.deepEqual(others, []);
  writeFileSync(path.join(folder, name), text);
  assert.deepEqual(compile(folder, [name]), []);
  writeFileSync(path.join(folder, "vmlinuz"), pvhElf(LOAD, BANG, LOAD));
  const program = path.join(folder, name.replace(/ts$/, "js"));
  const { status, stdout, stderr } = spawnSync(process.execPath, [program], {
    cwd: folder,
    encoding: "utf8",
  });
  assert.equal(status, 0, stderr);
  assert.equal(stdout, "!halted\n");
});
