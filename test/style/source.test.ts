/**
 * Rules of style that can be checked are checked: file headers, names, unexplained notes to self, and that
 * the import rule of `tools/layers.mjs` really bites.
 */
import assert from "node:assert/strict";
import path from "node:path";
import { pathToFileURL } from "node:url";
import test from "node:test";
import { repositoryFiles, repositoryRoot, repositoryText } from "../support/repository.js";

const JUNK_DRAWERS = /(^|\/)(utils?|helpers?|misc|common|stuff|lib|tools?)\.[cm]?[jt]s$/i;
const NOTE_TO_SELF = new RegExp(
  `\\b(${["TO", "FIX"].map((start, i) => start + ["DO", "ME"][i]).join("|")})\\b(?!\\([^)]+\\): \\S)`,
);

const code = repositoryFiles().filter((file) => /\.[cm]?[jt]s$/.test(file));

interface Layers {
  LAYERS: { folders: string[] }[];
  importFault(file: string, specifier: string): string | undefined;
}

async function layers(): Promise<Layers> {
  return (await import(pathToFileURL(path.join(repositoryRoot, "tools/layers.mjs")).href)) as Layers;
}

test("style: every source file opens with a comment that says what it is for", () => {
  const bare = code.filter((file) => !/^(#![^\n]*\n)?(\/\*\*?|\/\/)\s*\S/.test(repositoryText(file)));
  assert.deepEqual(bare, []);
});

test("style: every exported function of src/ says what it does", () => {
  const silent = repositoryFiles("src")
    .filter((file) => file.endsWith(".ts"))
    .flatMap((file) => {
      const lines = repositoryText(file).split("\n");
      const undocumented = (line: string, at: number): boolean =>
        /^export (async )?function/.test(line) && !/\*\/$|^\/\/ eslint/.test(lines[at - 1]);
      return lines.filter(undocumented).map((line) => `${file}: ${line}`);
    });
  assert.deepEqual(silent, []);
});

test("style: no file is a junk drawer", () => {
  assert.deepEqual(
    code.filter((file) => JUNK_DRAWERS.test(file)),
    [],
  );
});

test("style: a note to self names its reason", () => {
  assert.deepEqual(
    code.filter((file) => NOTE_TO_SELF.test(repositoryText(file))),
    [],
  );
});

test("style: every folder of src/ is in the layer table", async () => {
  const { LAYERS } = await layers();
  const known = new Set(LAYERS.flatMap((layer) => layer.folders));
  const folders = new Set(repositoryFiles("src").map((file) => file.split("/")[1]));
  assert.deepEqual(
    [...folders].filter((folder) => !known.has(folder)),
    [],
  );
});

test("style: the layer rule refuses an import that goes up, aside or to Node, and passes one that goes down", async () => {
  const { importFault } = await layers();
  const refused: [string, string][] = [
    ["boot/linux.ts", "../engine/contract.js"],
    ["engine/wasm/run.ts", "../../devices/device.js"],
    ["engine/contract.ts", "../boot/plan.js"],
    ["formats/elf/reader.ts", "../../boot/plan.js"],
    ["devices/uart.ts", "../boot/plan.js"],
    ["bytes/reader.ts", "../../test/support/requires.js"],
    ["machine/machine.ts", "node:fs"],
    ["host/browser/terminal.ts", "node:fs"],
    ["nowhere/file.ts", "../bytes/reader.js"],
  ];
  for (const [file, specifier] of refused) assert.equal(typeof importFault(file, specifier), "string", file);
  const passed: [string, string][] = [
    ["boot/linux.ts", "../x86/cpu-state.js"],
    ["engine/wasm/run.ts", "../contract.js"],
    ["engine/x86/decoder.ts", "../../x86/cpu-state.js"],
    ["host/node/files.ts", "node:fs"],
    ["guests/apt/program.ts", "node:child_process"],
    ["cli/main.ts", "../api/index.js"],
  ];
  for (const [file, specifier] of passed) assert.equal(importFault(file, specifier), undefined, file);
});
