/** R6.2 snapshots as a person has them: a run is cut in two by --snapshot-at and `locore restore`, and is the run it would have been. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { Arguments } from "../../src/cli/args.js";
import { restoredNet } from "../../src/cli/commands/restore.js";
import { al, Assembler, ecx, edx, eax } from "../support/asm/index.js";
import { locore } from "../support/cli.js";
import { assertRestored, NO_TERMINAL, nodeOnTerminal } from "../support/pseudo-terminal.js";
import { pvhElf } from "../support/qemu/pvh-elf.js";

const PROGRAM = fileURLToPath(new URL("../../src/cli/main.js", import.meta.url));
const LIMIT = { timeout: 60_000 };
const LOAD = 0x100000;
const COM1 = 0x3f8;
const SMALL = ["-m", "8M"];
const folder = mkdtempSync(path.join(tmpdir(), "locore-restore-"));
const at = (name: string): string => path.join(folder, name);
after(() => rmSync(folder, { recursive: true }));

/** A guest that prints words with some work between them. */
function printing(name: string, words: readonly string[], finish: (a: Assembler) => void): string {
  const a = new Assembler(LOAD, 32);
  for (const [i, word] of words.entries()) {
    a.mov(edx, COM1);
    for (const letter of word) a.mov(al, letter.charCodeAt(0)).out(8, "dx");
    a.mov(ecx, 20_000).label(`work${i}`).rdtsc().dec(ecx).jcc("ne", `work${i}`);
  }
  finish(a);
  const file = at(name);
  writeFileSync(file, pvhElf(LOAD, a.link()[0].bytes, LOAD));
  return file;
}

const WORDS = ["one\r\n", "two\r\n", "three\r\n", "four\r\n"];
const kernel = printing("words", WORDS, (a) => a.mov(eax, 3).out(32, 0xf4).cli().hlt());
/** Prints, then echoes what it is sent, until that is an x. */
const echo = printing("echo", ["ready\r\n"], (a) => {
  a.label("poll")
    .mov(edx, COM1 + 5)
    .in(8, "dx")
    .test(al, 1)
    .jcc("e", "poll");
  a.mov(edx, COM1).in(8, "dx").out(8, "dx").cmp(al, "x".charCodeAt(0)).jcc("ne", "poll");
  a.mov(eax, 0).out(32, 0xf4).cli().hlt();
});
const panicking = printing(
  "panics",
  ["Kernel panic - not syncing: a test\r\n", "---[ end Kernel panic - not syncing: a test ]---\r\n"],
  (a) => a.label("here").inc(eax).jmp("here"),
);

interface Ended {
  status: number | null;
  out: string;
  err: string;
}

/** The program in a process of its own. */
function run(...args: string[]): Ended {
  const { status, stdout, stderr } = spawnSync(process.execPath, [PROGRAM, ...args], { input: "" });
  return { status, out: stdout.toString(), err: stderr.toString() };
}

/** The last line, which tells the end. */
const endOf = ({ err }: Ended): string => err.trim().split("\n").at(-1)!;
const jsonEnd = (ended: Ended): Record<string, unknown> =>
  JSON.parse(endOf(ended)) as Record<string, unknown>;

for (const [guest, file, cuts] of [
  ["a guest that ends", kernel, [["61234", "--compress"], ["two"], ["0.5ms"]]],
  ["a kernel that panics", panicking, [["50000"], ["Kernel"]]],
] as const) {
  const whole = run("boot", file, "--deterministic", ...SMALL);
  for (const [point, ...more] of cuts)
    test(
      `R6.2 ${guest}, cut at ${point}${more.join(" ")}: both outputs joined are the whole one, and it ends alike`,
      LIMIT,
      () => {
        const snapshot = at("cut.snap");
        const first = run(
          "boot",
          file,
          "--deterministic",
          ...SMALL,
          "--snapshot-at",
          point,
          "--snapshot",
          snapshot,
          ...more,
        );
        assert.equal(first.status, 0, first.err);
        assert.match(first.err, /locore: saved to .*cut\.snap/);
        assert.notEqual(first.out, whole.out);
        const second = run("restore", snapshot);
        assert.equal(first.out + second.out, whole.out);
        assert.equal(endOf(second), endOf(whole));
        assert.equal(second.status, whole.status);
        // And once more: a snapshot is not used up.
        assert.deepEqual(run("restore", snapshot), second);
      },
    );
}

test("R3.7 the network of a machine that was saved knows how long the packets of its card are", LIMIT, () => {
  const snapshot = at("net.snap");
  for (const [net, mtu] of [
    [["--net", "user,mtu=9000"], 9000],
    [["--net", "user"], 1500],
    [[], 2000],
  ] as const) {
    const saved = run("boot", kernel, ...SMALL, ...net, "--snapshot", snapshot, "--snapshot-at", "two");
    assert.equal(saved.status, 0, saved.err);
    const asked = new Arguments([snapshot], new Map([["net", ["user,mtu=2000"]]]));
    assert.equal(restoredNet(snapshot, asked)!.mtu, mtu);
    const restored = run("restore", snapshot, "--net", "user,mtu=2000");
    assert.equal(restored.out, "\r\nthree\r\nfour\r\n", restored.err);
  }
});

test(
  "R6.2 --snapshot-at TEXT saves right behind the text, also where that looks like a number",
  LIMIT,
  () => {
    const snapshot = at("text.snap");
    const args = ["boot", kernel, "--deterministic", ...SMALL, "--snapshot", snapshot, "--snapshot-at"];
    assert.equal(run(...args, "thr").out, "one\r\ntwo\r\nthr");
    assert.equal(run("restore", snapshot).out, "ee\r\nfour\r\n");
    assert.equal(run(...args, "text:two").out, "one\r\ntwo");
    const numbers = printing("numbers", ["10 20 30\r\n"], (a) => a.mov(eax, 0).out(32, 0xf4));
    assert.equal(
      run("boot", numbers, "--snapshot", snapshot, ...SMALL, "--snapshot-at", "text:20").out,
      "10 20",
    );
  },
);

test(
  "R6.2 --snapshot-at N saves after exactly N instructions, and --json says where and how it ended",
  LIMIT,
  () => {
    const snapshot = at("exact.snap");
    const args = [
      "boot",
      kernel,
      "--deterministic",
      ...SMALL,
      "--json",
      "--snapshot-at",
      "12345",
      "--snapshot",
      snapshot,
    ];
    const saved = jsonEnd(run(...args));
    assert.deepEqual([saved["kind"], saved["instructions"]], ["saved", 12345]);
    const whole = run("boot", kernel, "--deterministic", ...SMALL, "--json");
    assert.deepEqual(jsonEnd(run("restore", snapshot, "--json")), jsonEnd(whole));
  },
);

test("R6.2 --then go saves and goes on: the run is what it would have been", LIMIT, () => {
  const snapshot = at("go.snap");
  const whole = run("boot", kernel, "--deterministic", ...SMALL);
  const going = run(
    "boot",
    kernel,
    "--deterministic",
    ...SMALL,
    "--snapshot-at",
    "two",
    "--snapshot",
    snapshot,
    "--then",
    "go",
  );
  assert.equal(going.out, whole.out);
  assert.equal(endOf(going), endOf(whole));
  assert.equal(run("restore", snapshot).out, "\r\nthree\r\nfour\r\n");
});

test(
  "R6.2 a point that is never come to is said, in words and as JSON, and nothing is written",
  LIMIT,
  () => {
    const snapshot = at("never.snap");
    const args = [
      "boot",
      kernel,
      "--deterministic",
      ...SMALL,
      "--snapshot",
      snapshot,
      "--snapshot-at",
      "five",
    ];
    const words = run(...args);
    assert.equal(words.status, 7);
    assert.match(words.err, /no snapshot was written: the machine ended before/);
    assert.equal(jsonEnd(run(...args, "--json"))["neverSaved"], true);
    assert.ok(!existsSync(snapshot));
  },
);

test("R6.2 a guest in real time goes on too, with what it is sent then", LIMIT, () => {
  const snapshot = at("real.snap");
  assert.equal(run("boot", echo, ...SMALL, "--snapshot-at", "ready", "--snapshot", snapshot).status, 0);
  for (const clock of ["jump", "hold"]) {
    const input = { input: "helloxy" };
    const { status, stdout } = spawnSync(
      process.execPath,
      [PROGRAM, "restore", snapshot, "--clock", clock],
      input,
    );
    assert.equal(stdout.toString(), "\r\nhellox");
    assert.equal(status, 1);
  }
});

test(
  "R6.2 on a terminal Ctrl-A s saves and the machine goes on; the snapshot is what it was then",
  { ...LIMIT, skip: NO_TERMINAL },
  async (t) => {
    const snapshot = at("key.snap");
    const shell = nodeOnTerminal([PROGRAM, "boot", echo, ...SMALL, "--snapshot", snapshot]).during(t);
    await shell.shows("ready");
    shell.child.stdin.write("ab");
    await shell.shows("ab");
    shell.child.stdin.write("\x01s");
    await shell.shows("saved to");
    shell.child.stdin.write("cx");
    assertRestored((await shell.ended).out, 1);
    assert.match(shell.out, /key\.snap/);
    const again = nodeOnTerminal([PROGRAM, "restore", snapshot]).during(t);
    await again.shows("Ctrl-A x quits");
    again.child.stdin.write("dx");
    const { out } = await again.ended;
    assertRestored(out, 1);
    assert.match(out, /dx/);
    assert.doesNotMatch(out, /ab/);
  },
);

test(
  "R6.2 inspect says of a snapshot which machine, when and which kernel, as text and as JSON",
  LIMIT,
  async () => {
    const snapshot = at("inspected.snap");
    run(
      "boot",
      kernel,
      "--deterministic",
      ...SMALL,
      "--cpus",
      "2",
      "--snapshot-at",
      "5000",
      "--snapshot",
      snapshot,
    );
    const text = await locore("inspect", snapshot);
    assert.equal(text.status, 0, text.err);
    assert.match(text.out, /snapshot of a machine; locore restore goes on with it/);
    for (const line of [
      /kernel +.*words/,
      /machine +2 CPUs, 8 MiB/,
      /instructions +5,000/,
      /time +deterministic/,
      /saved +20\d\d-/,
    ])
      assert.match(text.out, line);
    const json = JSON.parse((await locore("inspect", snapshot, "--json")).out) as Record<string, unknown>;
    assert.deepEqual(
      [json["format"], json["cpus"], json["memory"], json["instructions"], json["deterministic"]],
      ["snapshot", 2, 8 * 2 ** 20, 5000, true],
    );
  },
);

test("R6.2 a place where no snapshot can be written is refused before the guest runs", async () => {
  for (const [file, said] of [
    [at("nothing/x.snap"), /snapshot .*x\.snap: there is no folder /],
    [path.dirname(at("x.snap")), /snapshot .*: is a folder, not a file/],
  ] as const) {
    const { status, out, err } = await locore(
      "boot",
      kernel,
      ...SMALL,
      "--snapshot-at",
      "5000",
      "--snapshot",
      file,
    );
    assert.deepEqual([status, out], [74, ""]);
    assert.match(err, said);
  }
});

test("R6.2 a snapshot given as a kernel is refused with the way to go on with it", LIMIT, async () => {
  const snapshot = at("booted.snap");
  run("boot", kernel, "--deterministic", ...SMALL, "--snapshot-at", "5000", "--snapshot", snapshot);
  for (const command of ["boot", "plan"]) {
    const { status, err } = await locore(command, snapshot);
    assert.equal(status, 8);
    assert.match(err, /found a snapshot of a machine/);
    assert.match(err, /locore restore/);
  }
});

test(
  "R6.2 a damaged snapshot is refused with status 8 and the place, wherever the damage is",
  LIMIT,
  async () => {
    const snapshot = at("damaged.snap");
    run("boot", kernel, "--deterministic", ...SMALL, "--snapshot-at", "5000", "--snapshot", snapshot);
    const good = readFileSync(snapshot);
    const refused = async (bytes: Uint8Array, what: RegExp): Promise<void> => {
      writeFileSync(snapshot, bytes);
      const { status, out, err } = await locore("restore", snapshot);
      assert.equal(status, 8, err);
      assert.equal(out, "");
      assert.match(err, what);
    };
    for (const part of [0.001, 0.3, 0.999]) {
      const bad = Buffer.from(good);
      bad[Math.floor(bad.length * part)] ^= 0x10;
      await refused(bad, /snapshot( \S+)?: at 0x[0-9a-f]+: found /);
    }
    await refused(good.subarray(0, good.length - 100), /snapshot( \S+)?: (at 0x[0-9a-f]+: )?found /);
    await refused(
      Buffer.from("no snapshot at all"),
      /snapshot .*: at 0x0: found 6e 6f .* "no snaps"; expected .* This file is no snapshot/,
    );
    await refused(Buffer.from([]), /snapshot .*: at 0x0: found an empty file/);
    for (const [version, who] of [
      [1, "An older locore"],
      [3, "A newer locore"],
    ] as const) {
      const other = Buffer.from(good);
      other.writeUInt32LE(version, 8);
      await refused(
        other,
        new RegExp(`at 0x8: found version ${version}; expected version 2. ${who} wrote it`),
      );
    }
    const missing = await locore("restore", at("nothing.snap"));
    assert.equal(missing.status, 8);
    assert.match(missing.err, /snapshot .*nothing\.snap: no such file/);
  },
);

test(
  "R6.2 a snapshot that cannot be written ends a run that was to stop there with status 74, and leaves what was there",
  LIMIT,
  () => {
    const { status, err } = run(
      "boot",
      kernel,
      ...SMALL,
      "--snapshot-at",
      "two",
      "--snapshot",
      // What it is written under at first is longer than any name may be.
      at(`${"x".repeat(240)}.snap`),
    );
    assert.equal(status, 74, err);
    assert.match(err, /not saved to .*xx\.snap/);
  },
);

for (const [what, args, message] of [
  ["--then without a point", ["boot", kernel, "--then", "go"], /--then go: there is no --snapshot-at/],
  ["an empty text", ["boot", kernel, "--snapshot-at", "text:"], /--snapshot-at: found no text/],
  ["an empty name", ["boot", kernel, "--snapshot", ""], /--snapshot: found ""; expected the name of a file/],
  ["--then anything else", ["boot", kernel, "--snapshot-at", "5", "--then", "wait"], /--then/],
  ["restore without a file", ["restore"], /FILE/],
  ["--clock anything else", ["restore", kernel, "--clock", "stop"], /--clock/],
] as const)
  test(`R6.2 ${what} is a usage error`, async () => {
    const { status, err } = await locore(...args);
    assert.equal(status, 2, err);
    assert.match(err, message);
  });
