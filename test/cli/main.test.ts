/** The program as a whole, in this process: help, usage errors, refusals, statuses. */
import { test } from "node:test";
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { COMMANDS } from "../../src/cli/commands.js";
import { findCommand } from "../../src/cli/commands/help.js";
import { commandHelp, EXIT_STATUS_TEXT } from "../../src/cli/help-text.js";
import { launch } from "../../src/cli/launch.js";
import { pageWidth } from "../../src/cli/render/wrap.js";
import { EXIT_STATUS } from "../../src/machine/end.js";
import { PT } from "../../src/spec/elf.js";
import { capturedStreams, locore } from "../support/cli.js";
import { makeElf } from "../support/images.js";
import { pvhElf } from "../support/qemu/pvh-elf.js";

test("R3.1 help names every command, every option and every exit status", async () => {
  const { status, out } = await locore("help");
  assert.equal(status, 0);
  for (const { name } of COMMANDS) assert.match(out, new RegExp(`^  ${name} `, "m"));
  for (const code of ["0", "2", "4", "6", "8", "10", "70", "74", "124", "130"])
    assert.match(out, new RegExp(`^  ${code} `, "m"));
  for (const { name, load } of COMMANDS) {
    const command = await load();
    const help = await locore("help", name);
    const same = await locore(name, "--help");
    assert.equal(help.out, same.out);
    for (const option of command.options)
      assert.ok(help.out.includes(`-${option.name}`), `${name}: ${option.name}`);
    const wide = help.out.split("\n").filter((line) => line.length > 100 && line.startsWith("   "));
    assert.deepEqual(wide, [], name);
  }
});

test("help fits the terminal that it is shown on, and a page elsewhere", async () => {
  for (const { name } of COMMANDS) {
    const row = findCommand(name);
    const command = await row.load();
    for (const [stream, width] of [
      [{ isTTY: true, columns: 80 }, 80],
      [{ isTTY: true, columns: 300 }, 100],
      [{ isTTY: true, columns: 20 }, 60],
      [{}, 100],
    ] as const) {
      assert.equal(pageWidth(stream), width);
      // An option's own spelling, a command line and a long word are not broken.
      const wide = commandHelp(row, command, width).filter(
        (line) => line.length > width && !/^ {2}\S|^usage: /.test(line) && line.trim().includes(" "),
      );
      assert.deepEqual(wide, [], `${name} at ${width}`);
    }
  }
});

test("R3.8 the README's table of exit statuses is the help's, and every status of ours is in it", () => {
  const readme = readFileSync(new URL("../../../README.md", import.meta.url), "utf8");
  const table = readme.slice(readme.indexOf("| exit status |")).split("\n\n")[0];
  const statuses = table
    .split("\n")
    .slice(2)
    .map((row) => row.replaceAll("\\|", "¦").split("|")[1].replace(/[`\s]/g, "").replace("¦", "|"));
  assert.deepEqual(
    statuses,
    EXIT_STATUS_TEXT.map(([status]) => status),
  );
  for (const status of Object.values(EXIT_STATUS))
    assert.ok(statuses.includes(String(status)), String(status));
});

test("R2.3 a program is answered in one line, with the loaders' reasons below", async () => {
  const file = path.join(mkdtempSync(path.join(tmpdir(), "locore-test-")), "ls");
  const interpreter = { type: PT.INTERP, bytes: new TextEncoder().encode("/lib/ld.so\0") };
  writeFileSync(file, makeElf({ segments: [interpreter, { vaddr: 0x400000, bytes: new Uint8Array(64) }] }));
  const { status, err } = await locore("boot", file);
  assert.equal(status, EXIT_STATUS.imageRefused);
  const [answer, first, ...more] = err.trimEnd().split("\n");
  assert.match(
    answer,
    /^locore: boot ".*ls": this is a program for an operating system, not a kernel: put it into an initrd/,
  );
  assert.match(first, /^ {2}pvh, elf64, elf32: file offset 0x40: found a program header PT_INTERP/);
  for (const line of more) assert.match(line, /^ {2}[a-z0-9, ]+: file offset/);
});

test("R1.6 plan and boot refuse a machine that the engine cannot hold in the same words", async () => {
  const file = path.join(mkdtempSync(path.join(tmpdir(), "locore-test-")), "kernel");
  writeFileSync(file, pvhElf(0x100000, Uint8Array.of(0xfa, 0xf4), 0x100000));
  const words = ["-m", "4G"];
  const [plan, boot] = [await locore("plan", file, ...words), await locore("boot", file, ...words)];
  assert.deepEqual([plan.status, plan.err], [EXIT_STATUS.engineUnavailable, boot.err]);
  assert.equal(boot.status, plan.status);
  assert.match(plan.err, /the wasm engine/);
  assert.equal((await locore("plan", file, "-m", "3G", "--smp", "64")).status, 0);
});

test("a wrong command line exits 2 and says what was probably meant", async () => {
  assert.equal((await locore()).status, 2);
  const command = await locore("bot", "vmlinuz");
  assert.equal(command.status, 2);
  assert.match(command.err, /unknown command bot\n.*did you mean locore boot\?\n +locore help\n$/);
  const option = await locore("boot", "vmlinuz", "--intrd", "x");
  assert.equal(option.status, 2);
  assert.match(option.err, /did you mean --initrd\?\n.*locore help boot/);
  const early = await locore("--timeout", "5", "boot", "vmlinuz");
  assert.equal(early.status, 2);
  assert.match(
    early.err,
    /--timeout stands where a command is expected\n +options come behind it: locore boot --timeout/,
  );
  const action = await locore("guests", "pul");
  assert.equal(action.status, 2);
  assert.match(action.err, /did you mean locore guests pull/);
});

test("guests list fits a page, and says all of one that is named", async () => {
  const { out } = await locore("guests", "list");
  assert.match(out, /^debian-cloud +Debian's kernel for cloud machines/m);
  assert.deepEqual(
    out.split("\n").filter((line) => line.length > 100),
    [],
  );
  const one = await locore("guests", "list", "xen", "busybox");
  assert.match(one.out, /^busybox: .*\n(.*\n)* +licence +GPL-2\.0-only\n(.*\n)*xen: /m);
  assert.doesNotMatch(one.out, /debian-cloud:/);
  assert.match((await locore("guests", "list", "xenn")).err, /no guest xenn\n +did you mean xen\?/);
});

test("R2.3 a file that is no kernel exits 8 with what it is and what to do", async () => {
  const file = path.join(mkdtempSync(path.join(tmpdir(), "locore-test-")), "README.md");
  writeFileSync(file, "# A heading\n\nSome text.\n");
  for (const command of ["boot", "plan", "inspect", "convert --to elf", "export --to xl --out x"]) {
    const [name, ...options] = command.split(" ");
    const { status, err } = await locore(name, file, ...options);
    assert.equal(status, 8, command);
    assert.ok(err.includes(file), `${command}: ${err}`);
    assert.match(err, /[^,] ?offset 0x0: found/);
    assert.match(err, /text, which begins "# A heading"/);
    assert.match(err, /give the kernel file itself/);
  }
});

test("a kernel that is not there exits 8 and names it", async () => {
  const { status, err } = await locore("boot", "/nonexistent/vmlinuz");
  assert.equal(status, 8);
  assert.match(err, /kernel \/nonexistent\/vmlinuz: no such file/);
});

test("R6.1 an engine that there is not is refused, and those that there are named", async () => {
  for (const name of ["kvm", "qemu"]) {
    const { status, err } = await locore("boot", "k", "--engine", name);
    assert.equal(status, 2);
    assert.match(err, /auto.*wasm/);
  }
});

test("R6.1 doctor lists every engine with a verdict, also as JSON", async () => {
  const text = await locore("doctor");
  assert.match(text.out, /^wasm: works \(interpreter and compiler/m);
  const { out } = await locore("doctor", "--json");
  const { engines } = JSON.parse(out) as { engines: { name: string; verdict: { usable: boolean } }[] };
  assert.deepEqual(
    engines.map(({ name }) => name),
    ["wasm"],
  );
  assert.equal(engines[0].verdict.usable, true);
});

test("version is that of the package", async () => {
  const { out } = await locore("--version");
  assert.match(out, /^locore \d+\.\d+\.\d+ \(Node /);
});

test("R1.4 a signal while the plan is still being made ends the command with status 130", async () => {
  const streams = capturedStreams();
  const status = launch(
    {
      engine: "wasm",
      tripleFault: "crash",
      stats: false,
      json: true,
      input: false,
      source: (interrupted) =>
        new Promise((_, reject) => {
          interrupted.addEventListener("abort", () => reject(new Error("the download was broken off")));
          process.emit("SIGHUP", "SIGHUP");
        }),
    },
    streams,
  );
  assert.equal(await status, EXIT_STATUS.interrupted);
  const { kind, route } = JSON.parse(streams.stderr.text) as { kind: string; route: string };
  assert.deepEqual([kind, route], ["interrupted", "signal SIGHUP"]);
});
