/**
 * R4.3 a unified kernel image as distributions make them: objcopy puts Debian's kernel, an initrd and a line behind
 * systemd-boot's EFI stub. `locore inspect` lists what is in it, and `locore boot` boots it.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import test, { type TestContext } from "node:test";
import { readPe } from "../../src/formats/pe/pe.js";
import { INIT_LINE } from "../../src/guests/index.js";
import { locore as program } from "../support/cli.js";
import { requireImages } from "../support/debian-images.js";
import { WITHOUT_CRYPTO_TESTS } from "../support/kernel-boot.js";
import { kernelFiles, locore } from "../support/kernel-files.js";
import { makeCpio } from "../support/pe-images.js";
import { requireTool } from "../support/requires.js";

const STUB = {
  package: "systemd-boot-efi",
  release: "bookworm",
  architecture: "amd64",
  files: { stub: /\/linuxx64\.efi\.stub$/ },
};
/** Sections lie at multiples of this in memory. */
const ALIGNMENT = 0x1000;
/** Of a PE32+ file, from "PE": Microsoft PE/COFF §3.4.2. */
const IMAGE_BASE = 24 + 24;
const MICROCODE = "kernel/x86/microcode/GenuineIntel.bin";
const LINE = `console=ttyS0 panic=-1 ${WITHOUT_CRYPTO_TESTS} from=uki`;
const LIMIT_S = 120;

function aligned(address: number): number {
  return Math.ceil(address / ALIGNMENT) * ALIGNMENT;
}

/** Where the next section of a program may lie, behind all that it has, as objcopy counts: with the image's base. */
function endOf(stub: Uint8Array): number {
  const pe = readPe(stub);
  assert.ok(pe?.wide);
  const base = new DataView(stub.buffer, stub.byteOffset).getBigUint64(pe.offset + IMAGE_BASE, true);
  const ends = pe.sections.map(({ virtualAddress, virtualSize }) => virtualAddress + virtualSize);
  return Number(base) + aligned(Math.max(...ends));
}

/** Makes the image from files by their sections' names; undefined after the test was skipped. */
async function unifiedKernel(
  t: TestContext,
  folder: string,
  parts: readonly (readonly [section: string, file: string])[],
): Promise<string | undefined> {
  const [objcopy, images] = [requireTool(t, "objcopy"), await requireImages(t, STUB)];
  if (objcopy === undefined || images === undefined) return undefined;
  let at = endOf(readFileSync(images["stub"]));
  const words = parts.flatMap(([section, file]) => {
    const place = at;
    at = aligned(at + readFileSync(file).length);
    return [
      "--add-section",
      `${section}=${file}`,
      "--change-section-vma",
      `${section}=0x${place.toString(16)}`,
    ];
  });
  const image = path.join(folder, "uki.efi");
  execFileSync(objcopy, [...words, images["stub"], image]);
  return image;
}

test("R4.3 a unified kernel image made by objcopy from systemd-boot's stub: every section is listed, and it boots to its own line", async (t) => {
  const files = await kernelFiles(t, { command: "cat /proc/cmdline; echo answer=$((6*7))", end: "reboot" });
  if (files === undefined) return;
  const made = (name: string, contents: string | Uint8Array): string => {
    const file = path.join(files.folder, name);
    writeFileSync(file, contents);
    return file;
  };
  const parts = [
    [".osrel", made("os-release", 'ID=debian\nPRETTY_NAME="Debian GNU/Linux 12"\n')],
    [".uname", made("uname", "6.1.0-test")],
    [".cmdline", made("cmdline", `${LINE}\n\0`)],
    [".ucode", made("ucode", makeCpio(MICROCODE))],
    [".initrd", files.initrd],
    [".linux", files.kernel],
  ] as const;
  const image = await unifiedKernel(t, files.folder, parts);
  if (image === undefined) return;

  const { status, out, err } = await program("inspect", image);
  assert.deepEqual([status, err], [0, ""]);
  const [first, second, third] = out.split("\n");
  assert.match(first, /uki\.efi: unified kernel image for x86-64, Debian GNU\/Linux 12$/);
  assert.match(second, /^boots in +locore \(linux, /);
  assert.match(third, /^not in /);
  for (const [section] of [...parts, [".text"], [".sbat"]])
    assert.match(out, new RegExp(`pe\\.section\\[\\d+\\] +\\${section} +offset 0x`), section);
  assert.match(out, /uki\.cmdline +console=ttyS0 /);
  assert.match(out, /uki\.release +6\.1\.0-test/);
  assert.match(out, new RegExp(`uki\\.ucode cpio\\[0\\].*microcode: ${MICROCODE}`));
  assert.match(out, /uki\.initrd cpio\[0\].*has \/init/);
  assert.match(out, /section \.linux: Linux bzImage[^]*boots in +qemu \(microvm, pc\), firecracker/);
  assert.equal((await program("inspect", image, "--for", "locore")).status, 0);
  assert.equal((await program("inspect", image, "--for", "qemu")).status, 1);

  const { ended } = locore(["boot", image, "--timeout", `${LIMIT_S}`]).during(t);
  const { status: end, out: said, err: complained } = await ended;
  assert.equal(end, 0, complained);
  assert.match(said, new RegExp(`${INIT_LINE}[^]*from=uki[^]*answer=42`));
});
