/** R2.3 R4.3 the same of large images, of images from more packages of Debian, and of the ELF kernels inside bzImages. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import assert from "node:assert/strict";
import test from "node:test";
import { decompressPayload } from "../../src/formats/bzimage/payload.js";
import { recognise } from "../../src/formats/index.js";
import { requireImages } from "../support/debian-images.js";
import { requireLibkrunfw } from "../support/libkrunfw.js";
import { requireGuest } from "../support/requires.js";
import { assertGolden, assertGuestGolden, LARGE_IMAGES, PACKAGED_IMAGES, VMLINUX_OF } from "./real-images.js";

const LARGEST = 2 ** 28;

for (const name of LARGE_IMAGES) test(`R2.3 R4.3 ${name}`, (t) => assertGuestGolden(t, "full", name));

for (const wanted of PACKAGED_IMAGES) {
  const from = `${wanted.package} ${wanted.release} ${wanted.architecture}`;
  for (const name of Object.keys(wanted.files)) {
    test(`R2.3 R4.3 ${from}: ${name}`, async (t) => {
      const files = await requireImages(t, wanted);
      if (files !== undefined) await assertGolden("full", `${from} ${name}`, files[name]);
    });
  }
}

for (const name of VMLINUX_OF) {
  test(`R2.3 the ELF kernel inside ${name}`, async (t) => {
    const guest = await requireGuest(t, name);
    if (guest === undefined) return;
    const image = recognise(new Uint8Array(readFileSync(guest.files["kernel"])));
    assert.equal(image.format, "bzimage");
    const folder = mkdtempSync(path.join(tmpdir(), "locore-vmlinux-"));
    t.after(() => rmSync(folder, { recursive: true }));
    const file = path.join(folder, "vmlinux");
    writeFileSync(file, decompressPayload(image, { maxOutput: LARGEST }));
    await assertGolden("full", `${name} vmlinux`, file);
  });
}

test("R2.3 libkrunfw's kernel, from npm", async (t) => {
  const file = await requireLibkrunfw(t);
  if (file !== undefined) await assertGolden("full", "libkrunfw vmlinux", file);
});
