/**
 * `locore inspect` on ARM kernels, text against golden files and JSON by its shape. LOCORE_UPDATE_GOLDEN=1 rewrites the
 * golden file.
 */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import test from "node:test";
import { gzipSync } from "node:zlib";
import { locore } from "../support/cli.js";
import {
  krnlSizeTable,
  makeArm64Image,
  makeFit,
  makeFreeBsdArm,
  makeUImage,
  makeZImage,
} from "../support/arm-images.js";
import { makeBzImage, makeElf } from "../support/images.js";
import { EM, PT } from "../../src/spec/elf.js";
import { packedSamples } from "../codecs/sample.js";
import { repositoryRoot } from "../support/repository.js";

const GOLDEN = path.join(repositoryRoot, "test/fixtures/inspect-arm.txt");

function samples(): [name: string, bytes: Uint8Array][] {
  const gzip = packedSamples().find(({ codec }) => codec === "gzip")?.bytes ?? new Uint8Array(0);
  return [
    ["freebsd-arm.elf", makeFreeBsdArm()],
    ["zImage", makeZImage({ payload: gzip, table: krnlSizeTable(gzip.length) })],
    ["zImage-cut", makeZImage({ start: 0x4000_8000, end: 0x4100_8000 })],
    ["Image.gz", gzipSync(makeArm64Image({ textOffset: 0x80000, flags: 2 }))],
    ["uImage", makeUImage({ data: makeZImage() })],
    ["kernel.itb", makeFit(makeArm64Image())],
  ];
}

test("R5.1 locore inspect: ARM kernels, their facts and who boots them", async () => {
  const folder = mkdtempSync(path.join(tmpdir(), "locore-inspect-"));
  try {
    let text = "";
    for (const [name, bytes] of samples()) {
      const file = path.join(folder, name);
      writeFileSync(file, bytes);
      const { status, out, err } = await locore("inspect", file);
      assert.deepEqual([status, err], [0, ""]);
      text += `${out.replaceAll(`${folder}/`, "")}\n`;
      const json = JSON.parse((await locore("inspect", file, "--json")).out) as {
        verdicts: { loader: { name: string; source: string }; outcome: string; prints: string[] }[];
      };
      assert.equal(json.verdicts.length, 9);
      assert.ok(json.verdicts.every(({ loader }) => loader.source.length > 0));
    }
    if (process.env["LOCORE_UPDATE_GOLDEN"] === "1") writeFileSync(GOLDEN, text);
    assert.equal(text, readFileSync(GOLDEN, "utf8"));
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("R5.1 locore inspect shows control characters of a file, and does not send them to the terminal", async () => {
  const folder = mkdtempSync(path.join(tmpdir(), "locore-inspect-"));
  const evil = "x\n\x1b[2J\x9b1m";
  const interpreter = { type: PT.INTERP, bytes: new TextEncoder().encode("/red\n\x1b[2J\0") };
  const files = [
    makeBzImage({ version: evil }),
    makeUImage({ name: evil }),
    makeFit(makeArm64Image(), { description: evil, arch: evil }),
    makeElf({ machine: EM.ARM, elfClass: 32, segments: [{ bytes: new Uint8Array(64) }, interpreter] }),
  ];
  const refused = Uint8Array.from(makeFit(makeArm64Image(), { type: evil, data: "" }));
  try {
    for (const bytes of [...files, refused, new TextEncoder().encode(`#!${evil}`)]) {
      const file = path.join(folder, "kernel");
      writeFileSync(file, bytes);
      const { out, err } = await locore("inspect", file);
      assert.doesNotMatch(out + err, /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/);
      if (files.includes(bytes)) assert.match(out, /\\x0a\\x1b\[2J/);
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});
