/**
 * Debian's own kernels: their facts against golden files, their payloads against what Linux's tools unpack, and
 * the file cut at every sector. What changes with every build (versions, sizes, offsets) is kept out of the golden
 * files `test/fixtures/inspect-*.txt`; LOCORE_UPDATE_GOLDEN=1 rewrites them.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import test from "node:test";
import type { TestContext } from "node:test";
import type { BzImage } from "../../src/formats/bzimage/bzimage.js";
import { decompressPayload } from "../../src/formats/bzimage/payload.js";
import { loadSegments } from "../../src/formats/elf/segments.js";
import { FormatError } from "../../src/formats/format-error.js";
import type { Fact } from "../../src/formats/image.js";
import { recognise } from "../../src/formats/index.js";
import type { Image } from "../../src/formats/index.js";
import { requireGuest, requireTool } from "../support/requires.js";
import { repositoryRoot } from "../support/repository.js";

const MAX_OUTPUT = 1 << 28;
/** Names of facts that change with every build of a kernel. */
const BUILD_FACTS =
  /^(kernel|efi_stub|pe\..*|setup\.size|code\..*|setup_sects|syssize|kernel_version|heap_end_ptr|payload.*_(offset|length|size)|payload\.(offset|size|claimed_size)|init_size|handover_offset|kernel_info_offset|checksum|trailing|e_shnum|load\.range|pvh\.entry|program\[.*|note.*(GNU|Linux|ENTRY).*)$/;

/** Facts that every build shares, without their offsets. */
function golden(image: Image): string {
  const lines = image.facts
    .filter((fact) => !BUILD_FACTS.test(fact.name))
    .map(({ name, value }: Fact) => `${name} = ${String(value)}`);
  return `${lines.join("\n")}\n`;
}

function compare(name: string, actual: string): void {
  const file = path.join(repositoryRoot, "test/fixtures", `inspect-${name}.txt`);
  if (process.env["LOCORE_UPDATE_GOLDEN"] === "1") writeFileSync(file, actual);
  assert.equal(actual, readFileSync(file, "utf8"));
}

async function kernel(t: TestContext, name: string): Promise<BzImage | undefined> {
  const guest = await requireGuest(t, name);
  if (!guest) return undefined;
  const image = recognise(new Uint8Array(readFileSync(guest.files["kernel"])));
  assert.equal(image.format, "bzimage");
  return image as BzImage;
}

const KERNELS = [
  { name: "debian-cloud", codec: "lz4-legacy", tool: ["lz4", "-dc"], arch: "x86-64" },
  { name: "debian-amd64", codec: "xz", tool: ["xz", "-dc", "--single-stream"], arch: "x86-64" },
  { name: "debian-686-pae", codec: "xz", tool: ["xz", "-dc", "--single-stream"], arch: "i386" },
] as const;

for (const { name, codec, tool, arch } of KERNELS) {
  test(`R1.2, R2.1 ${name}: the facts of the image and of the kernel inside`, async (t) => {
    const image = await kernel(t, name);
    if (!image) return;
    assert.equal(image.arch, arch);
    assert.equal(image.payload?.codec, codec);
    assert.match(image.version ?? "", /^6\.1\..*Debian/);
    const inside = recognise(decompressPayload(image, { maxOutput: MAX_OUTPUT }));
    assert.ok(inside.format === "elf");
    assert.ok(inside.pvh && inside.pvh.address >= 0x100_0000, "a PVH entry");
    const loads = loadSegments(inside);
    const last = loads[loads.length - 1];
    assert.ok(last.paddr + last.memsz <= image.preferredAddress + image.header.init_size);
    compare(name, golden(image) + golden(inside));
  });

  test(`R4.4 ${name}: its payload unpacks to what the packer's own tool makes of it`, async (t) => {
    const [program, ...words] = tool;
    const [image, command] = [await kernel(t, name), requireTool(t, program)];
    if (!image?.payload || command === undefined) return;
    // The last four bytes are the size that Linux's build appends; the tools do not know them.
    const packed = image.payload.bytes.subarray(0, -4);
    const { stdout } = spawnSync(command, words, { input: packed, maxBuffer: MAX_OUTPUT });
    const ours = decompressPayload(image, { maxOutput: MAX_OUTPUT });
    assert.ok(stdout.length > 1 << 23 && Buffer.compare(stdout, ours) === 0);
  });
}

test("R1.2 debian-cloud cut at every sector is refused with an offset", async (t) => {
  const image = await kernel(t, "debian-cloud");
  if (!image) return;
  const whole = image.setup.length + image.kernel.length;
  for (let size = 0; size < whole; size += 512) {
    assert.throws(
      () => recognise(image.bytes.subarray(0, size)),
      (error) => error instanceof FormatError && error.offset <= size,
    );
  }
  assert.equal(recognise(image.bytes.subarray(0, whole)).format, "bzimage");
});
