/**
 * R5.1 R5.2 R5.3 docs/freebsd-arm-xen.md: its `sh` blocks run as they stand, in order, in one folder, until the guest has
 * reported on a real Xen. The kernel is a reporting guest of FreeBSD's shape.
 */
import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import test, { type TestContext } from "node:test";
import { checkReport, makeGuest, UART } from "../convert/guest.js";
import { testFolder } from "../convert/machines.js";
import { repositoryText } from "../support/repository.js";
import { requireGuest, requireTool } from "../support/requires.js";
import { putProgram, runShell, shellBlocks } from "./pages.js";

const PAGE = "docs/freebsd-arm-xen.md";
const LIMIT_MS = 60_000;
/** Where a guest's memory begins, and how far above it the kernel belongs. */
const PLACE = 0x4000_0000 + 0x40_0000;
/** A 64-bit one: modulo 2 MiB, at the start of memory. */
const PLACE_64 = 0x4000_0000;
const BLOCKS_OF_32_BITS = 5;
const LAST_WORD = /x=0+\r?\n/;

function blocks(): string[] {
  return shellBlocks(repositoryText(PAGE));
}

function shell(script: string, folder: string, until?: RegExp): ReturnType<typeof runShell> {
  return runShell(script, { folder, limitMs: LIMIT_MS, ...(until === undefined ? {} : { until }) });
}

/** A folder with the kernel and the program in it; undefined after the test was skipped. */
async function prepared(
  t: TestContext,
  { qemu, xen, name, kernel }: { qemu: string; xen: string; name: string; kernel: Uint8Array },
): Promise<string | undefined> {
  for (const tool of [qemu, "dtc", "fdtoverlay", "awk"])
    if (requireTool(t, tool) === undefined) return undefined;
  if ((await requireGuest(t, xen)) === undefined) return undefined;
  const folder = await testFolder(t);
  await writeFile(path.join(folder, name), kernel);
  await putProgram(folder, "locore");
  return folder;
}

/** The commands that `export` printed. */
function printedCommands(output: string): string[] {
  return [...output.matchAll(/^ {2}run {3}(.*)$/gm)].map(([, command]) => command);
}

test("R5.1 R5.2 R5.3 the page's commands, from the kernel file to a guest that runs on Xen", async (t) => {
  const guest = makeGuest({ bits: 32, link: 0xc040_0000n, uart: UART.XEN, freebsd: true });
  const machine = { qemu: "qemu-system-arm", xen: "xen-armhf", name: "kernel" };
  const folder = await prepared(t, { ...machine, kernel: guest.elf });
  if (folder === undefined) return;

  const [inspect, convert, exported, started, xl] = blocks();
  const first = await shell(inspect, folder);
  assert.equal(first.status, 0, first.output);
  assert.match(first.output, /ELF32 arm EXEC, interpreter \/red\/herring, FreeBSD kernel/);
  assert.match(first.output, /p_paddr +virtual/);
  assert.match(first.output, /xl +no .*\n.*\n +prints: xc_dom_find_loader: no loader found/);

  const second = await shell(convert, folder);
  assert.equal(second.status, 0, second.output);
  for (const loader of ["xen-armhf", "xen-arm64", "xl"]) {
    assert.match(second.output, new RegExp(`${loader} +yes `));
  }

  const third = await shell(exported, folder);
  assert.equal(third.status, 0, third.output);
  assert.deepEqual(
    printedCommands(third.output),
    started.trimEnd().split("\n"),
    "the page has the commands that export prints",
  );

  const console = await shell(started, folder, LAST_WORD);
  checkReport(console.output.replaceAll("(XEN) DOM1: ", ""), guest, PLACE);

  const last = await shell(xl, folder);
  assert.equal(last.status, 0, last.output);
  assert.match(
    await readFile(path.join(folder, "freebsd.cfg"), "utf8"),
    /kernel = "kernel.zImage"\nmemory = 256/,
  );
});

test("R5.1 R5.2 R5.3 the page's 64-bit commands, from the kernel file to a guest that runs on Xen", async (t) => {
  const guest = makeGuest({ bits: 64, link: 0xffff_0000_0040_0000n, uart: UART.XEN, freebsd: true });
  const machine = { qemu: "qemu-system-aarch64", xen: "xen-arm64", name: "kernel64" };
  const folder = await prepared(t, { ...machine, kernel: guest.elf });
  if (folder === undefined) return;
  const [made, started, ...none] = blocks().slice(BLOCKS_OF_32_BITS);
  assert.deepEqual(none, [], "every block of the page is run");

  const first = await shell(made, folder);
  assert.equal(first.status, 0, first.output);
  for (const loader of ["xen-arm64", "xl"]) assert.match(first.output, new RegExp(`${loader} +yes `));
  assert.match(await readFile(path.join(folder, "freebsd64.cfg"), "utf8"), /kernel = "kernel64.Image"/);
  const printed = printedCommands(first.output).filter((command) => !command.startsWith("xl "));
  assert.deepEqual(printed, started.trimEnd().split("\n"), "the page has the commands that export prints");

  const console = await shell(started, folder, LAST_WORD);
  checkReport(console.output.replaceAll("(XEN) DOM1: ", ""), guest, PLACE_64);
});
