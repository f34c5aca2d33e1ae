/** R5.1 Debian's ARM kernels and Xen's hypervisors: what their headers say, and who boots them. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import test from "node:test";
import { recognise } from "../../src/formats/index.js";
import { unpackZImage } from "../../src/formats/zimage/payload.js";
import { verdicts } from "../../src/verdicts/index.js";
import { requireGuest } from "../support/requires.js";

async function guestImage(t: test.TestContext, name: string) {
  const guest = await requireGuest(t, name);
  return guest && recognise(new Uint8Array(await readFile(guest.files["kernel"])));
}

function takenBy(image: ReturnType<typeof recognise>): string[] {
  return verdicts(image).flatMap(({ outcome, loader }) => (outcome === "takes" ? [loader.name] : []));
}

test("R5.1 debian-armmp: a zImage with an extension table whose unpacked size is true", async (t) => {
  const image = await guestImage(t, "debian-armmp");
  if (image === undefined) return;
  assert.ok(image.format === "zimage");
  assert.deepEqual([image.start, image.problems, image.payload?.codec], [0, [], "xz"]);
  const size = image.table?.kernelSize;
  assert.equal(unpackZImage(image, { maxOutput: 1 << 27 }).length, size?.unpackedSize);
  assert.deepEqual(takenBy(image), ["xen-arm64", "xen-armhf", "xl", "qemu-arm", "u-boot-bootz"]);
});

test("R5.1 debian-cloud-arm64: an Image that is an EFI program too", async (t) => {
  const image = await guestImage(t, "debian-cloud-arm64");
  if (image === undefined) return;
  assert.ok(image.format === "arm64-image");
  assert.ok(image.peOffset !== undefined && image.anywhere && image.pageSize === 4);
  assert.deepEqual(image.problems, []);
  assert.deepEqual(takenBy(image), [
    "xen-arm64",
    "xl",
    "qemu-aarch64",
    "u-boot-booti",
    "firecracker-aarch64",
  ]);
});

test("R5.1 Xen's own images: an Image; a zImage whose end counts its bss, without a kernel packed inside", async (t) => {
  const [wide, narrow] = [await guestImage(t, "xen-arm64"), await guestImage(t, "xen-armhf")];
  if (wide === undefined || narrow === undefined) return;
  assert.equal(wide.format, "arm64-image");
  assert.ok(narrow.format === "zimage");
  assert.equal(narrow.payload, undefined);
  assert.equal(narrow.problems[0].offset, 0x2c);
});
