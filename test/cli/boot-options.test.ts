/** From the command line's request to what is planned: files are read, all else is the same. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, test } from "node:test";
import { bootOptions } from "../../src/cli/boot-options.js";
import type { BootRequest } from "../../src/cli/boot-request.js";

const folder = mkdtempSync(path.join(tmpdir(), "locore-test-"));
after(() => rmSync(folder, { recursive: true }));

function file(name: string): string {
  const place = path.join(folder, name);
  writeFileSync(place, name);
  return place;
}

function read(place: string): { name: string; bytes: Uint8Array } {
  return { name: place, bytes: new TextEncoder().encode(path.basename(place)) };
}

const words = {
  commandLine: "quiet",
  memory: 2 ** 26,
  cpus: 2,
  features: { aes: false },
  testdev: true,
  screen: true,
  loader: { entry: "32" },
  clock: { deterministic: { nsPerInstruction: 10 }, rtcStart: 5 },
} as const;

test("R1.5 files of a request are read, every other field is what it was, and what is only the command line's is left out", async () => {
  const [kernel, initrd, module, bios, vgaRom] = ["kernel", "initrd", "module", "bios", "vga"].map(file);
  const request: BootRequest = {
    ...words,
    kernel,
    initrd,
    modules: [{ path: module, commandLine: "-v" }],
    bios,
    vgaRom,
    plugIns: { devices: [], loaders: [] },
    rtcNow: true,
    digests: new Map(),
  };
  const options = await bootOptions(request);
  const bytes = ({ name, bytes }: { name: string; bytes: Uint8Array }): object => ({
    name,
    bytes: new Uint8Array(bytes),
  });
  assert.deepEqual(
    {
      ...options,
      kernel: bytes(options.kernel),
      initrd: options.initrd && bytes(options.initrd),
      modules: options.modules?.map((one) => ({ ...one, ...bytes(one) })),
      bios: options.bios && bytes(options.bios),
      vgaRom: options.vgaRom && bytes(options.vgaRom),
    },
    {
      ...words,
      kernel: read(kernel),
      initrd: read(initrd),
      modules: [{ ...read(module), commandLine: "-v" }],
      bios: read(bios),
      vgaRom: read(vgaRom),
    },
  );
});

test("R1.5 edited parts are all there are: no test device is added to them", async () => {
  const devices = [{ type: "uart16550" }];
  const { testdev, devices: parts } = await bootOptions({ ...words, kernel: file("kernel"), devices });
  assert.equal(testdev, undefined);
  assert.deepEqual(parts, devices);
});
