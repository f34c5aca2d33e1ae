/** Programs of pages that stand for themselves: docs/install.md's runs, docs/devices.md's compiles, docs/engine.md quotes the source. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import test, { type TestContext } from "node:test";
import { compile, SCRATCH } from "../support/compiled-example.js";
import { pvhElf } from "../support/qemu/pvh-elf.js";
import { pageFiles } from "../support/page-files.js";
import { repositoryText } from "../support/repository.js";

const LOAD = 0x10_0000;
const HLT = Uint8Array.of(0xf4);
const FRAGMENT = /^ *```ts\n(.*?)^ *```$/ms;

function fragmentOf(page: string): string {
  return FRAGMENT.exec(repositoryText(page))?.[1] ?? "";
}

function scratch(t: TestContext): string {
  mkdirSync(SCRATCH, { recursive: true });
  const folder = mkdtempSync(path.join(SCRATCH, "fragment-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

test("R1.10 the program of docs/install.md says what its kernel is and which loader takes it", (t) => {
  const folder = scratch(t);
  writeFileSync(path.join(folder, "first.mts"), fragmentOf("docs/install.md"));
  assert.deepEqual(compile(folder, ["first.mts"]), []);
  writeFileSync(path.join(folder, "vmlinuz"), pvhElf(LOAD, HLT, LOAD));
  const program = path.join(folder, "first.mjs");
  const { status, stdout, stderr } = spawnSync(process.execPath, [program], {
    cwd: folder,
    encoding: "utf8",
  });
  assert.equal(status, 0, stderr);
  assert.match(stdout, /^ELF32 i386 EXEC.*\npvh\n$/);
});

test("R1.1 the program of docs/devices.md compiles beside its device", (t) => {
  const folder = scratch(t);
  const [[name, device]] = [...pageFiles("docs/devices.md", "js")];
  writeFileSync(path.join(folder, name), device);
  const types =
    'import type { PartType } from "locore";\ndeclare const part: PartType;\nexport default part;\n';
  writeFileSync(path.join(folder, name.replace(/js$/, "d.ts")), types);
  const given = [
    'import type { BootOptions, ConsoleEnd, Engine } from "locore";',
    'declare const kernel: BootOptions["kernel"];\ndeclare const engine: Engine;\ndeclare const console: ConsoleEnd;',
    "declare const hostNow: () => number;\ndeclare const wait: () => void;\n",
  ].join("\n");
  writeFileSync(path.join(folder, "program.ts"), given + fragmentOf("docs/devices.md"));
  assert.deepEqual(compile(folder, ["program.ts"]), []);
});

test("documents: docs/engine.md quotes a semantic function as it stands", () => {
  const quoted = fragmentOf("docs/engine.md").replace(/^ {3}/gm, "");
  assert.ok(quoted.includes("flagsSub"));
  assert.ok(repositoryText("src/engine/x86/semantics/arithmetic.ts").includes(quoted));
});
