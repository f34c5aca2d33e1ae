/** A guest of the catalogue where a file is expected. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import test, { type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { withGuestFiles } from "../../src/cli/guest-files.js";
import { locore } from "../support/cli.js";
import { requireGuest } from "../support/requires.js";

const PROGRAM = fileURLToPath(new URL("../../src/cli/main.js", import.meta.url));

async function emptyFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(path.join(tmpdir(), "locore-test-"));
  t.after(() => rm(folder, { recursive: true }));
  return folder;
}

function inFolder(cwd: string, ...args: string[]): { status: number | null; out: string; err: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [PROGRAM, ...args], {
    cwd,
    input: "",
    encoding: "utf8",
  });
  return { status, out: stdout, err: stderr };
}

test("R1.5 a guest's name is a kernel for inspect, plan and boot; its firmware, where it has no kernel", async (t) => {
  const seabios = await requireGuest(t, "seabios");
  if (seabios === undefined) return;
  const folder = await emptyFolder(t);
  const { bios } = seabios.files;
  assert.ok(inFolder(folder, "inspect", "seabios").out.startsWith(`${bios}: `));
  const plan = inFolder(folder, "plan", "seabios", "--summary");
  assert.equal(plan.status, 0, plan.err);
  assert.ok(plan.out.includes(bios));
  const run = inFolder(folder, "boot", "-bios", "seabios", "--timeout", "60");
  assert.match(run.out, /No bootable device/);
  assert.equal(run.status, 0, run.err);
});

test("R1.5 a file of that name comes before the guest, a folder does not", async (t) => {
  if ((await requireGuest(t, "seabios")) === undefined) return;
  const folder = await emptyFolder(t);
  await mkdir(path.join(folder, "seabios"));
  assert.equal(inFolder(folder, "inspect", "seabios").status, 0);
  await rm(path.join(folder, "seabios"), { recursive: true });
  await writeFile(path.join(folder, "seabios"), "# A heading\n");
  assert.match(inFolder(folder, "inspect", "seabios").err, /text, which begins "# A heading"/);
});

test("R1.5 guests are found as kernel, module, BIOS and VGA BIOS; paths and switches stay as they are", async (t) => {
  const cloud = await requireGuest(t, "debian-cloud");
  const seabios = await requireGuest(t, "seabios");
  if (cloud === undefined || seabios === undefined) return;
  const asked = {
    kernel: "debian-cloud",
    initrd: "./debian-cloud",
    modules: [{ path: "debian-cloud", commandLine: "console=hvc0" }],
    bios: "seabios",
    vgaRom: "seabios",
    loader: {},
    clock: {},
  };
  const { kernel } = cloud.files;
  assert.deepEqual(await withGuestFiles(asked, {}), {
    ...asked,
    kernel,
    modules: [{ path: kernel, commandLine: "console=hvc0" }],
    bios: seabios.files["bios"],
    vgaRom: seabios.files["vgabios"],
  });
  const switches = { kernel, bios: "on", vgaRom: "off", loader: {}, clock: {} };
  assert.deepEqual(await withGuestFiles(switches, {}), switches);
});

test("R1.5 a guest that has no such file says what it has", async (t) => {
  if ((await requireGuest(t, "seabios")) === undefined) return;
  const folder = await emptyFolder(t);
  const { err } = inFolder(folder, "plan", "/dev/null", "--initrd", "seabios");
  assert.match(err, /initrd seabios: the guest seabios has no initrd: it has .*bios/);
});

test("R1.5 a misspelt guest is guessed, by boot and by guests pull", async () => {
  const boot = await locore("boot", "debian-clud");
  assert.match(
    boot.err,
    /kernel debian-clud: no such file or folder, .*\n +did you mean the guest debian-cloud\?\n/,
  );
  assert.notEqual(boot.status, 0);
  const pull = await locore("guests", "pull", "busybox", "debian-clud");
  assert.equal(pull.status, 2);
  assert.match(pull.err, /^locore: there is no guest debian-clud\n +did you mean debian-cloud\?\n/);
  assert.match((await locore("guests", "pull", "zzz")).err, /the catalogue has debian-cloud, /);
});
