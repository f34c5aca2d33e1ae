/**
 * R6.2 the generation id as kernels see it: a machine whose board is made again as part of another run says so, and the kernel
 * renews its random numbers; one that has only moved says nothing.
 */
import assert from "node:assert/strict";
import test from "node:test";
import { loadEngine } from "../../src/host/node/engines.js";
import { runToEnd } from "../../src/host/run.js";
import { exchangeableBoard } from "../support/exchangeable-board.js";
import { guestValue, kernelPlan, lastWords, WITHOUT_CRYPTO_TESTS } from "../support/kernel-boot.js";

const SIZE = 16;
const INSTRUCTION_LIMIT = 8e9;
/** Real time waits in steps that no guest notices. */
const LONGEST_WAIT_MS = 10;
/** Asks for another board, waits until the kernel has said so often that it was restored, and shows what came of it. */
const next = (step: string, often: number): string =>
  `echo 'board: ${step};'; for i in $(seq 50); do sleep 0.2; [ $(reseeded) -ge ${often} ] && break; done; ` +
  `echo "${step}=$(reseeded) $(events)"`;
const COMMAND = [
  "reseeded() { dmesg | grep -c 'crng reseeded due to virtual machine fork'; }",
  "events() { read count rest < /sys/firmware/acpi/interrupts/gpe00; echo $count $rest; }",
  // The driver is one of ACPI's bus, or since Linux 6.10 one of the platform's.
  'for bus in acpi platform; do readlink /sys/bus/$bus/devices/LOCO0001:00/driver; done | sed "s|.*/|driver=|"',
  next("moved", 0),
  next("restored", 1),
  next("again", 2),
].join("; ");
const GENERATIONS: Readonly<Record<string, Uint8Array | undefined>> = {
  moved: undefined,
  restored: new Uint8Array(SIZE).fill(2),
  again: new Uint8Array(SIZE).fill(3),
};

/** The console of a guest that asks for other boards. `realTime`: the run has a generation of its own to begin with. */
async function consoleOf(t: test.TestContext, guest: string, realTime: boolean): Promise<string | undefined> {
  const plan = await kernelPlan(t, {
    guest,
    vmlinux: true,
    commandLine: `console=ttyS0 ${WITHOUT_CRYPTO_TESTS}`,
    initramfs: { command: COMMAND },
  });
  if (plan === undefined) return undefined;
  if (realTime) delete plan.clock.deterministic;
  const boards = exchangeableBoard();
  const sleeper = new Int32Array(new SharedArrayBuffer(4));
  let console = "";
  let asked = 0;
  const end = runToEnd({
    plan,
    engine: await loadEngine("wasm"),
    console: {
      write: (bytes) => void (console += Buffer.from(bytes).toString("latin1").replaceAll("\r", "")),
      read: () => new Uint8Array(0),
      inputOpen: () => false,
    },
    hostNow: () => performance.now() * 1e6,
    random32: () => crypto.getRandomValues(new Uint32Array(1))[0],
    wait: (ms = LONGEST_WAIT_MS) => void Atomics.wait(sleeper, 0, 0, Math.min(ms, LONGEST_WAIT_MS)),
    maxInstructions: INSTRUCTION_LIMIT,
    board: boards.make,
    poll: () => {
      // The kernel may print its own line as soon as the board is another: the mark ends before the line does.
      const all = [...console.matchAll(/^board: (\w+);/gm)];
      for (const [, step] of all.slice(asked)) boards.exchange(GENERATIONS[step]);
      asked = all.length;
      return undefined;
    },
  });
  assert.equal(asked, Object.keys(GENERATIONS).length, `${JSON.stringify(end)}\n${lastWords(console)}`);
  return console;
}

/** Makes the test of one kernel. `realTime`: its clock is the host's; otherwise the run repeats exactly. */
export function testGeneration(guest: string, realTime: boolean): void {
  const mode = realTime ? "in real time" : "from a run that repeats exactly";
  test(`R6.2 ${guest}, ${mode}: random numbers are reseeded once for each run that it is restored into, and for no move`, async (t) => {
    const console = await consoleOf(t, guest, realTime);
    if (console === undefined) return;
    assert.equal(guestValue(console, "driver"), "vmgenid");
    assert.equal(guestValue(console, "moved"), "0 0 EN enabled unmasked");
    assert.equal(guestValue(console, "restored"), "1 1 EN enabled unmasked");
    assert.equal(guestValue(console, "again"), "2 2 EN enabled unmasked");
    assert.doesNotMatch(console, /ACPI (Error|Warning|BIOS|Exception)/);
  });
}
