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
/** Asks for a board of that generation, and shows what the kernel made of it. */
const next = (step: string, generation: number): string =>
  `echo generation ${generation}; sleep 0.2; echo "${step}=$(reseeded) $(events)"`;
const COMMAND = [
  "reseeded() { dmesg | grep -c 'crng reseeded due to virtual machine fork'; }",
  "events() { read count rest < /sys/firmware/acpi/interrupts/gpe00; echo $count $rest; }",
  // The driver is one of ACPI's bus, or since Linux 6.10 one of the platform's.
  'for bus in acpi platform; do readlink /sys/bus/$bus/devices/LOCO0001:00/driver; done | sed "s|.*/|driver=|"',
  next("moved", 1),
  next("restored", 2),
  next("again", 3),
].join("; ");

function generation(number: number): Uint8Array {
  return new Uint8Array(SIZE).fill(number);
}

for (const guest of ["debian-amd64", "debian-13-cloud"]) {
  test(`R6.2 ${guest} reseeds its random numbers once for each run that it is restored into, and for no move`, async (t) => {
    const plan = await kernelPlan(t, {
      guest,
      vmlinux: true,
      commandLine: `console=ttyS0 ${WITHOUT_CRYPTO_TESTS}`,
      initramfs: { command: COMMAND },
    });
    if (plan === undefined) return;
    const boards = exchangeableBoard(generation(1));
    let console = "";
    let asked = 0;
    runToEnd({
      plan,
      engine: await loadEngine("wasm"),
      console: {
        write: (bytes) => void (console += Buffer.from(bytes).toString("latin1").replaceAll("\r", "")),
        read: () => new Uint8Array(0),
        inputOpen: () => false,
      },
      hostNow: () => performance.now() * 1e6,
      wait: () => assert.fail("deterministic time never waits"),
      maxInstructions: INSTRUCTION_LIMIT,
      board: boards.make,
      poll: () => {
        const all = [...console.matchAll(/^generation (\d)$/gm)];
        for (const [, number] of all.slice(asked)) boards.exchange(generation(Number(number)));
        asked = all.length;
        return undefined;
      },
    });
    assert.equal(asked, 3, lastWords(console));
    assert.equal(guestValue(console, "driver"), "vmgenid");
    assert.equal(guestValue(console, "moved"), "0 0 EN enabled unmasked");
    assert.equal(guestValue(console, "restored"), "1 1 EN enabled unmasked");
    assert.equal(guestValue(console, "again"), "2 2 EN enabled unmasked");
    assert.doesNotMatch(console, /ACPI (Error|Warning|BIOS|Exception)/);
  });
}
