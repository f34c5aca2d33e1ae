/** The program of steps, as a process of this host where that is one of its kind (R1.10). */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import type { Duplex } from "node:stream";
import { test, type TestContext } from "node:test";
import { pipe, relay, whole } from "../../src/guests/initramfs/steps/carry.js";
import { child, waitFor } from "../../src/guests/initramfs/steps/child.js";
import { STATUS_BYTES, statusTable } from "../../src/guests/initramfs/steps/status-table.js";
import { Label, Step, StepList } from "../../src/guests/initramfs/steps/step-list.js";
import { LATER_BYTES, PLACES, stepProgram } from "../../src/guests/initramfs/steps/step-program.js";
import { O_CREAT, O_WRONLY } from "../../src/guests/initramfs/steps/system-calls.js";
import { commandBytes, setHandOverTime, type RunCommandOptions } from "../../src/guests/index.js";
import { scratch } from "../support/built-tree.js";

const CONTROL = 9;
const EXECUTABLE = 0o755;
const skip = process.platform !== "linux" || process.arch !== "x64";

interface Ended {
  status: number | null;
  out: string;
  control: string;
}

/** Runs steps as a process, with text on its standard input, and its control port a pipe. */
async function run(t: TestContext, list: StepList, input = ""): Promise<Ended> {
  const program = path.join(scratch(t), "run");
  writeFileSync(program, stepProgram(list.finish()), { mode: EXECUTABLE });
  const stdio = Array.from({ length: CONTROL + 1 }, (_, at) =>
    at < 2 || at === CONTROL ? "pipe" : "ignore",
  );
  const process = spawn(program, { stdio: stdio as "pipe"[], env: { A: "1", B: "2", C: "3", D: "4" } });
  const texts = { out: "", control: "" };
  const control = (process.stdio as readonly unknown[])[CONTROL] as Duplex;
  process.stdout.on("data", (bytes: Buffer) => (texts.out += bytes.toString("latin1")));
  control.on("data", (bytes: Buffer) => (texts.control += bytes.toString("latin1")));
  process.stdin.on("error", () => undefined).end(input);
  const [status] = (await once(process, "close")) as [number | null];
  return { status, ...texts };
}

test(
  "R1.10 steps: a result that counts, an error, and every other one go their own ways",
  { skip },
  async (t) => {
    const list = new StepList(PLACES.first);
    const [error, found, wrong] = [new Label(), new Label(), new Label()];
    list.call("chdir", [list.text("/no/such/folder")], { failed: error, next: wrong });
    list.place(error);
    const sum = list.words([40]);
    list.call("add", [sum, 1, 2], { value: 42, equal: found, next: wrong });
    list.place(found);
    const masked = list.words([0]);
    list.call("load", [list.words([0x1234_5678]), 0xff], { store: masked });
    list.call("load", [masked, -1], { value: 0x77, equal: wrong });
    list.call("exit_group", [7]);
    list.place(wrong);
    list.call("exit_group", [1]);
    assert.equal((await run(t, list)).status, 7);
  },
);

test(
  "R1.10 steps: a thread carries all that comes, however long, and says when it is over",
  { skip },
  async (t) => {
    const list = new StepList(PLACES.first);
    const heard = list.words([0]);
    const failed = new Label();
    pipe(list, { reads: 26, writes: 27 }, failed);
    relay(list, { from: 0, to: 1, buffer: 0, over: 27 });
    list.call("read", [26, heard, 1]);
    list.write(CONTROL, "over\n");
    list.call("exit_group", [0]);
    list.place(failed);
    list.call("exit_group", [1]);
    const input = "0123456789".repeat(100_000);
    const ended = await run(t, list, input);
    assert.equal(ended.out, input);
    assert.deepEqual([ended.status, ended.control], [0, "over\n"]);
  },
);

test(
  "R1.10 steps: a child has its environment and, beside that, as much as there is room for of what was inherited; how it ended is waited for",
  { skip },
  async (t) => {
    const list = new StepList(PLACES.first);
    const [wait, inherit] = [new Step(), new Step()];
    const status = list.words([-1]);
    const failed = new Label();
    child(list, {
      store: wait.value,
      failed,
      body: () => {
        const environment = list.texts(["OWN=yes"], 8);
        list.call("load", [PLACES.environment, -1], { store: inherit.argument(1) });
        const names = list.texts(["OWN=", "A="]);
        list.call("copy", [(layout) => environment(layout) + 8, 0, names, 2], { as: inherit });
        const words = list.texts(["sh", "-c", 'echo "$OWN $A $B $C $D"; exit 11']);
        list.call("execve", [list.text("/bin/sh"), words, environment]);
        list.call("exit_group", [127]);
      },
    });
    waitFor(list, status, wait);
    const eleven = new Label();
    list.call("load", [status, 0xffff], { value: 11 << 8, equal: eleven });
    list.place(failed);
    list.call("exit_group", [1]);
    list.place(eleven);
    list.call("exit_group", [0]);
    const ended = await run(t, list);
    assert.deepEqual([ended.status, ended.out], [0, "yes  2 3 \n"]);
  },
);

test("R1.10 steps: a disk without room loses what is written whole", { skip }, async (t) => {
  const file = path.join(scratch(t), "file");
  const written = async (to: string): Promise<number | null> => {
    const list = new StepList(PLACES.first);
    const lost = new Label();
    const write = new Step();
    const bytes = new TextEncoder().encode("x".repeat(100_000));
    list.call("open", [list.text(to), O_WRONLY | O_CREAT, 0o600], { store: write.argument(0) });
    whole(list, "write", [0, list.bytes(bytes), bytes.length], { as: write, lost });
    list.call("exit_group", [0]);
    list.place(lost);
    list.call("exit_group", [3]);
    return (await run(t, list)).status;
  };
  assert.equal(await written(file), 0);
  assert.equal(readFileSync(file).length, 100_000);
  assert.equal(await written("/dev/full"), 3);
});

test("R1.10 steps: the text of each status, and of each signal, is as long as the others", () => {
  const { byItself, bySignal } = statusTable();
  const at = (table: string, number: number): string =>
    table.slice(number * STATUS_BYTES, (number + 1) * STATUS_BYTES);
  assert.deepEqual([at(byItself, 0), at(byItself, 255)], ["status 000\n", "status 255\n"]);
  assert.deepEqual([at(bySignal, 9), at(bySignal, 0x80 | 11)], ["signal 009\n", "signal 011\n"]);
});

test("R1.10 steps: what is handed over says its length and the time; a command that has no room is refused", () => {
  const options: RunCommandOptions = {
    hostname: "host",
    command: ["true"],
    environment: [],
    folder: "/",
    folderMayMiss: false,
    user: undefined,
    root: { kind: "initramfs" },
    mounts: [],
    terminal: false,
    separateErrors: false,
  };
  const bytes = commandBytes(options, new Uint8Array(32));
  setHandOverTime(bytes, 1_234_567.25);
  const words = new BigUint64Array(bytes.buffer, 0, 3);
  assert.deepEqual([...words], [BigInt(bytes.length - 24), 1234n, 567_250_000n]);
  const long = { ...options, command: ["echo", "x".repeat(LATER_BYTES)] };
  assert.throws(() => commandBytes(long), /a command and its environment of \d+ bytes/);
});
