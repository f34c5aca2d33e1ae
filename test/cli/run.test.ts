/** `locore run` without a guest: its words, what a run came to by what was seen of it, and what a guest may say (R1.10). */
import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { parseArguments } from "../../src/cli/args.js";
import { guestControl, signalByte } from "../../src/cli/run/guest-control.js";
import { KernelLog } from "../../src/cli/run/kernel-log.js";
import { outcomeOf, type RunFacts } from "../../src/cli/run/outcome.js";
import {
  parseShare,
  readRunRequest,
  RUN_COMMAND_OPTIONS,
  type RunRequest,
} from "../../src/cli/run/request.js";
import { findKernel, modulesNotFound } from "../../src/cli/run/kernel.js";
import { machineEnd } from "../../src/machine/end.js";
import { scratch } from "../support/built-tree.js";
import { locore } from "../support/cli.js";
import { makeBzImage } from "../support/images.js";

function request(...words: string[]): RunRequest {
  return readRunRequest(parseArguments(words, RUN_COMMAND_OPTIONS));
}

test("R1.10 run: the kernel stands before --, the command behind it with words of its own", () => {
  const { kernel, command } = request("bzImage", "--smp", "2", "--", "make", "-j2", "--", "test");
  assert.deepEqual([kernel, command], ["bzImage", ["make", "-j2", "--", "test"]]);
  assert.equal(request("--", "true").kernel, undefined);
  assert.deepEqual(request().command, []);
  assert.deepEqual(request("--exec", "a; b").command, ["sh", "-c", "a; b"]);
});

test("R1.10 run: the kernel may stand behind --kernel instead, but there is one", () => {
  assert.equal(request("--kernel", "bzImage", "--", "true").kernel, "bzImage");
  assert.throws(() => request("bzImage", "--kernel", "vmlinux"), /two kernels/);
});

test("R1.10 run: virtme-ng's words mean the same", () => {
  const ours = request("--smp", "2", "-m", "1G", "--share", "/a,rw", "--append", "x y", "--append", "z");
  const theirs = request("--cpus", "2", "--memory", "1G", "--rwdir", "/a", "-a", "x y", "-a", "z");
  assert.deepEqual(theirs, ours);
  assert.deepEqual([ours.cpus, ours.memory, ours.append], [2, 2 ** 30, "x y z"]);
  assert.deepEqual(ours.shares, [{ from: "/a", writable: true }]);
});

test("R1.10 run: folders, roots and variables as they are written", () => {
  assert.deepEqual(parseShare("--share", "a:b:/c,rw"), { from: "a:b", at: "/c", writable: true });
  assert.deepEqual(parseShare("--share", "../x"), { from: "../x", writable: false });
  assert.throws(() => parseShare("--share", "src:work"), {
    name: "UsageError",
    message: /^--share src:work: expected an absolute path in the guest/,
    hint: "--share src:/work",
  });
  assert.deepEqual(request("--root", "host").root, { kind: "folder", from: "/" });
  assert.deepEqual(request("--root", "debian:gcc,make").root, {
    kind: "packages",
    packages: ["gcc", "make"],
  });
  assert.deepEqual(request("--env", "A=b=c", "--env", "LOCORE_NOT_SET").environment, [
    ["A", "b=c"],
    ["LOCORE_NOT_SET", ""],
  ]);
  for (const words of [
    ["--share", ",rw"],
    ["--root", "debian:"],
    ["--env", "a.b=c"],
    ["a", "b"],
    ["--exec", "a", "--", "b"],
  ])
    assert.throws(() => request(...words), { name: "UsageError" }, words.join(" "));
});

test("R1.10 run: a network that there is not, an unknown option, a missing kernel: a wrong command line is 125, which no command's status is", async () => {
  for (const [words, said] of [
    [["--net", "bridge", "--", "true"], /--net bridge: expected none or user first/],
    [["--nosuch", "--", "true"], /unknown option --nosuch/],
    [["/no/such/kernel", "--", "true"], /kernel \/no\/such\/kernel: no such file/],
  ] as const) {
    const { status, err, out } = await locore("run", ...words);
    assert.equal(status, 125, err);
    assert.match(err, said);
    assert.equal(out, "");
  }
});

test("R1.10 run: a kernel whose modules were looked for and not found is told where they belong", async (t) => {
  const folder = scratch(t);
  const file = path.join(folder, "boot/bzImage");
  mkdirSync(path.dirname(file));
  writeFileSync(file, makeBzImage({ version: "9.9.9-own (a) #1" }));
  const { modulesMissed, modules } = await findKernel(file, {});
  assert.equal(modules, undefined);
  const said = modulesNotFound(modulesMissed) ?? "";
  const places = [path.join(folder, "boot"), folder, "/"].map((place) =>
    path.join(place, "lib/modules/9.9.9-own"),
  );
  assert.deepEqual(modulesMissed, places);
  for (const place of places) assert.ok(said.includes(place), said);
  // Found in the second place, they are missed nowhere, whatever else the kernel lacks.
  mkdirSync(places[1], { recursive: true });
  writeFileSync(path.join(places[1], "modules.dep"), "");
  const found = await findKernel(file, {});
  assert.equal(modulesNotFound(found.modulesMissed), undefined);
});

test("R1.10 run: a command without -- before it is answered with the line that was meant", async () => {
  for (const [words, said] of [
    [["uname"], /kernel uname: no such file .*\n(.*\n)?.* locore run -- uname\n/],
    [["uname", "-a"], /--append needs a value.*\n.* locore run -- uname -a\n/],
    [["debian-13", "ls", "-la"], /unknown option -la\n.* locore run debian-13 -- ls -la\n/],
    [["echo", "a b", "--x"], /unknown option --x\n.* locore run -- COMMAND…\n/],
  ] as const) {
    const { status, err } = await locore("run", ...words);
    assert.equal(status, 125, err);
    assert.match(err, said);
  }
  // A kernel that is not there, and an option that is wrong, are about no command.
  for (const words of [["./vmlinuz"], ["nosuchkernel", "--", "true"], ["--nosuch"]])
    assert.doesNotMatch((await locore("run", ...words)).err, /stands behind/);
});

const RESET = machineEnd("reset", "port-cf9");
const facts = (about: Partial<RunFacts>): RunFacts => ({
  ending: undefined,
  failed: undefined,
  started: true,
  end: RESET,
  lines: [],
  ...about,
});

test("R1.10 run: what it came to, from the command's status, the kernel's words and the machine's end", () => {
  const table: [Partial<RunFacts>, status: number, reason: string][] = [
    [{ ending: { status: 0 } }, 0, "exited"],
    [{ ending: { status: 127 }, lines: ["Kernel panic - not syncing: x"] }, 127, "exited"],
    [{ ending: { signal: 11 } }, 139, "signal"],
    [{ ending: { status: 139 } }, 139, "exited"],
    [{ ending: { status: 255 } }, 255, "exited"],
    [
      { ending: { signal: 9 }, lines: ["[ 1.0] Out of memory: Killed process 42 (tail)"] },
      137,
      "out-of-memory",
    ],
    [
      { ending: { status: 137 }, lines: ["[ 1.0] Out of memory: Killed process 42 (tail)"] },
      137,
      "out-of-memory",
    ],
    [{ lines: ["[ 1.0] Kernel panic - not syncing: sysrq triggered crash"] }, 125, "panic"],
    [
      {
        lines: [
          "BUG: kernel NULL pointer dereference, address: 0",
          "Kernel panic - not syncing: Fatal exception",
        ],
      },
      125,
      "oops",
    ],
    [
      {
        lines: [
          "watchdog: BUG: soft lockup - CPU#0 stuck for 61s!",
          "Kernel panic - not syncing: softlockup: hung tasks",
        ],
      },
      125,
      "lockup",
    ],
    [{ lines: ["Kernel panic - not syncing: Attempted to kill init! exitcode=0x00007f00"] }, 125, "no-init"],
    [{ lines: ["Kernel panic - not syncing: System is deadlocked on memory"] }, 125, "out-of-memory"],
    [{ failed: "virtio: this kernel has no virtio" }, 125, "no-virtio"],
    [{ failed: "module 3-fuse.ko: the kernel does not take it" }, 125, "no-module"],
    [{ failed: "user: there is no user x" }, 125, "setup"],
    [{ end: machineEnd("timeout", "time limit", "5 ms") }, 124, "timeout"],
    [{ end: machineEnd("interrupted", "Ctrl-A x") }, 130, "interrupted"],
    [{ end: { ...machineEnd("interrupted", "signal SIGTERM"), status: 143 } }, 143, "interrupted"],
    [{ end: machineEnd("off", "acpi-s5") }, 125, "machine-off"],
    [{ end: machineEnd("stuck", "halted without interrupts") }, 125, "lockup"],
    [{ end: machineEnd("crashed", "triple-fault") }, 125, "machine-error"],
  ];
  for (const [about, status, reason] of table) {
    const outcome = outcomeOf(facts(about));
    assert.deepEqual([outcome.status, outcome.reason], [status, reason], JSON.stringify(about));
    // What is not the command's own affair is said.
    assert.equal(outcome.message !== undefined, !["exited", "signal"].includes(reason));
  }
});

test("R1.10 run: what a guest says on the control port is heard in pieces, and nonsense is not", async () => {
  const heard: unknown[] = [];
  const take = guestControl({
    waiting: (alike) => heard.push(`waiting ${alike}`),
    booted: () => heard.push("booted"),
    ready: () => heard.push("ready"),
    failed: (why) => heard.push(why),
    ended: (ending) => heard.push(ending),
  });
  const say = (text: string): Promise<void> => take(new TextEncoder().encode(text));
  await say("booted\nrea");
  await say("dy\nstatus 1x\nstatus 9999\nstatus -1\nfailed no ro");
  await say(`ot\n${"x".repeat(1e6)}`);
  await say("\nready now\nstatus 42\nsignal 009\nstatus 256\nsignal 128\n");
  assert.deepEqual(heard, ["booted", "ready", "no root", { status: 42 }, { signal: 9 }]);
  assert.deepEqual([...signalByte("INT"), ...signalByte("USR2")], [2, 12]);
});

test("R1.10 run: of the kernel's messages the last lines are kept, however long they are", () => {
  const log = new KernelLog(undefined);
  for (let line = 0; line < 1000; line++) log.take(new TextEncoder().encode(`line ${line}\r\n`));
  assert.equal(log.lines.length, 120);
  assert.equal(log.lines.at(-1), "line 999");
  log.take(new Uint8Array(1e6).fill(0x41));
  assert.ok((log.lines.at(-1) ?? "").length <= 2048);
});

test("R1.10 run: what /init says that it cannot do is found among the kernel's messages", () => {
  const log = new KernelLog(undefined);
  const take = (text: string): void => log.take(new TextEncoder().encode(text));
  take("[    1.0] Run /init as init process\r\n");
  assert.equal(log.failed, undefined);
  take("[    1.1] locore: failed module virtio_net: no such file\r\nlocore: failed again\r\n");
  assert.equal(log.failed, "module virtio_net: no such file");
});
