/** R3.9: machines of the command line in which nothing is wrong, in real time, when their time is over: slow ones too. */
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { describe, test, type TestContext } from "node:test";
import { archiveBytes, initramfsEntries } from "../../src/guests/initramfs/initramfs.js";
import { locore } from "../support/kernel-files.js";
import { requireGuest } from "../support/requires.js";

const TIMEOUT_S = 40;
const TIMED_OUT = 124;
const DISK_BYTES = 2 ** 20;
/** A process that has a tenth of a CPU at most, once its kernel is there: so long it may run of each period. */
const [RUNS_MS, PERIOD_MS] = [10, 100];
const DIAGNOSIS = /^locore: diagnosis: .*$/gm;
const WELL = /: diagnosis: (nothing is known to be wrong; |the guest waits for input: )/;

const SHELL = { shell: true };
const BUSY = { command: "while :; do :; done", shell: false };
const SLEEPS = { command: "sleep 1000", shell: false };

interface Boot {
  name: string;
  inside: { command?: string; shell: boolean };
  words?: readonly string[];
  slow?: true;
}

const BOOTS: readonly Boot[] = [
  { name: "a shell", inside: SHELL },
  { name: "a shell on two CPUs", inside: SHELL, words: ["--smp", "2"] },
  { name: "a busy program on two CPUs", inside: BUSY, words: ["--smp", "2"] },
  { name: "a card on the user's network", inside: SLEEPS, words: ["--net", "user"] },
  { name: "a card on a switch on which nobody else is", inside: SLEEPS, words: ["--net", "switch=alone"] },
  { name: "a shared folder and a disk", inside: SLEEPS, words: ["--share", ".", "--disk", "disk"] },
  { name: "a tenth of a CPU", inside: SHELL, slow: true },
  {
    name: "a tenth of a CPU for two CPUs and a card",
    inside: BUSY,
    words: ["--smp", "2", "--net", "user"],
    slow: true,
  },
  { name: "a tenth of a CPU, compiled nothing", inside: SLEEPS, words: ["--jit", "off"], slow: true },
];

async function expectWell(t: TestContext, { inside, words = [], slow }: Boot): Promise<void> {
  const kernel = await requireGuest(t, "debian-cloud");
  const busybox = await requireGuest(t, "busybox");
  if (kernel === undefined || busybox === undefined) return;
  const folder = await mkdtemp(path.join(tmpdir(), "locore-healthy-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const entries = await initramfsEntries({ busybox: busybox.files["busybox"], ...inside });
  await writeFile(path.join(folder, "initrd"), await archiveBytes(entries));
  await writeFile(path.join(folder, "disk"), new Uint8Array(DISK_BYTES));
  const machine = ["boot", kernel.files["kernel"], "--initrd", "initrd", "--timeout", String(TIMEOUT_S)];
  const run = locore([...machine, "--append", "console=ttyS0", ...words], { cwd: folder }).during(t);
  const timers: NodeJS.Timeout[] = [];
  if (slow === true) {
    await run.shows("Linux version");
    const stop = (): void => {
      run.child.kill("SIGSTOP");
      timers.push(setTimeout(() => run.child.kill("SIGCONT"), PERIOD_MS - RUNS_MS));
    };
    timers.push(setInterval(stop, PERIOD_MS));
  }
  const { status, err } = await run.ended.finally(() => timers.forEach((timer) => clearInterval(timer)));
  assert.equal(status, TIMED_OUT, err);
  const said = err.match(DIAGNOSIS) ?? [];
  // A program that is stopped nine times out of ten may not come to an answer before its end.
  if (slow !== true) assert.equal(said.length, 1, err);
  for (const line of said) assert.match(line, WELL, err);
}

describe("R3.9 locore boot --timeout: a machine in which nothing is wrong", { concurrency: 3 }, () => {
  for (const boot of BOOTS)
    test(`R3.9 ${boot.name}: nothing is said but where it is`, { timeout: 300_000 }, (t) =>
      expectWell(t, boot),
    );
});
