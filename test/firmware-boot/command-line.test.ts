/** Firmware, screen and hand-over from the command line, in real time and in a thread of its own. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { test, type TestContext } from "node:test";
import { locore } from "../support/kernel-files.js";
import { realModeGuest } from "../support/real-mode-guest.js";
import { requireGuest } from "../support/requires.js";

/** Runs the program to its end. */
async function program(
  args: readonly string[],
): Promise<{ status: number | null; out: string; err: string }> {
  const { status, out, err } = await locore(args).ended;
  const utf8 = (text: string): string => Buffer.from(text, "latin1").toString("utf8");
  return { status, out: utf8(out), err: utf8(err) };
}

/** The conformance guest as a file, and SeaBIOS' files; undefined after the test was skipped. */
async function files(t: TestContext): Promise<{ kernel: string; bios: string; vgabios: string } | undefined> {
  const seabios = await requireGuest(t, "seabios");
  if (!seabios) return undefined;
  const folder = mkdtempSync(path.join(tmpdir(), "locore-bios-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const kernel = path.join(folder, "guest");
  writeFileSync(kernel, realModeGuest());
  return { kernel, bios: seabios.files["bios"], vgabios: seabios.files["vgabios"] };
}

test("R1.8 locore boot BIOS --screen --firmware-log: the screen on stdout, the log on stderr", async (t) => {
  const given = await files(t);
  if (!given) return;
  const { bios, vgabios } = given;
  const run = await program([
    "boot",
    bios,
    "--screen",
    "--firmware-log",
    "-o",
    `loader.vgabios=${vgabios}`,
    "--rtc",
    "2024-02-29",
  ]);
  assert.equal(run.status, 0, run.err);
  assert.match(run.out, /\nSeaBIOS \(version 1[\s\S]*\nNo bootable device\./);
  assert.match(run.err, /^firmware: SeaBIOS \(version 1[\s\S]*firmware: Found QEMU fw_cfg\n/);
  assert.match(run.err, /locore: reset by port-cf9 \(status 0, /);
});

test("R1.8 --json has the screen, row by row", async (t) => {
  const given = await files(t);
  if (!given) return;
  const { kernel, bios, vgabios } = given;
  const options = `loader.bios=${bios},loader.vgabios=${vgabios}`;
  const run = await program(["boot", kernel, "--screen", "--json", "-o", options]);
  const end = JSON.parse(run.err.trim()) as {
    route: string;
    screen: { columns: number; lines: string[] };
  };
  assert.equal(end.route, "debug-exit");
  assert.equal(end.screen.columns, 80);
  assert.match(end.screen.lines[0], /^SeaBIOS \(version 1.* {2}$/);
});

test("R1.8 locore plan shows what the BIOS is told and hands over to", async (t) => {
  const given = await files(t);
  if (!given) return;
  const { kernel, bios } = given;
  const run = await program(["plan", kernel, "-o", `loader.bios=${bios}`, "--hand-over", "--fw_cfg"]);
  assert.match(run.out, /000030000–00003ffff {2}set-up code/);
  assert.match(run.out, /cs {5}3020 code16 base=0x30200/);
  assert.match(run.out, /genroms\/locore\.bin {2}512 bytes/);
  const json = await program(["plan", kernel, "-o", `loader.bios=${bios}`, "--json"]);
  const plan = JSON.parse(json.out) as {
    handOver: { regions: { name: string }[] };
    fwCfg: { sha256: string }[];
  };
  assert.ok(plan.handOver.regions.some(({ name }) => name === "set-up code"));
  assert.ok(plan.fwCfg.every(({ sha256 }) => sha256.length === 64));
});
