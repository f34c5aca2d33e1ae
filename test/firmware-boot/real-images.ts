/** Runs an image of the catalogue until a marker shows on its console or its screen. For tests. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import type { TestContext } from "node:test";
import { buildPlan } from "../../src/boot/index.js";
import type { BootOptions } from "../../src/boot/options.js";
import { loadEngine } from "../../src/host/node/engines.js";
import type { MachineEnd } from "../../src/machine/end.js";
import { Machine } from "../../src/machine/machine.js";
import { screenText } from "../../src/machine/screen.js";
import { requireGuest } from "../support/requires.js";

/** Short, because a guest that waits for keys spends much time on few instructions. */
const CHUNK = 1e6;
const MIB = 2 ** 20;

export interface ImageRun {
  /** A guest of the catalogue, or `image`. */
  guest?: string;
  image?: BootOptions["kernel"];
  /** File of the guest; "kernel" when absent. */
  role?: string;
  /** A guest whose "bios" runs first; absent: none does. */
  bios?: string;
  /** Give the machine a screen, and SeaBIOS its VGA BIOS. */
  screen?: boolean;
  options?: Partial<BootOptions>;
  /** Looked for on the console, or on the screen if there is one. Absent: runs to the machine's end. */
  marker?: RegExp;
  /** Fails when nothing was found by then. */
  instructions: number;
}

export interface ImageOutcome {
  console: string;
  screen: string;
  log: string;
  end: MachineEnd | undefined;
}

/** The file of a guest, or undefined after the test was skipped. */
export async function guestFile(
  t: TestContext,
  guest: string,
  role = "kernel",
): Promise<BootOptions["kernel"] | undefined> {
  const pulled = await requireGuest(t, guest);
  if (!pulled) return undefined;
  return { name: pulled.files[role], bytes: await readFile(pulled.files[role]) };
}

/** Plans and runs; undefined after the test was skipped. */
export async function runImage(t: TestContext, run: ImageRun): Promise<ImageOutcome | undefined> {
  const kernel = run.image ?? (await guestFile(t, run.guest ?? "", run.role));
  const bios = run.bios === undefined ? undefined : await guestFile(t, run.bios, "bios");
  const vgaRom =
    run.screen === true && run.bios !== undefined ? await guestFile(t, "seabios", "vgabios") : undefined;
  if (!kernel || (run.bios !== undefined && !bios)) return undefined;
  const plan = buildPlan({
    kernel,
    memory: 64 * MIB,
    commandLine: "console=ttyS0",
    clock: { deterministic: { nsPerInstruction: 10 } },
    screen: run.screen ?? false,
    ...(bios === undefined ? {} : { bios }),
    ...(vgaRom === undefined ? {} : { vgaRom }),
    ...run.options,
  });
  const missing: string[] = [];
  let console = "";
  const machine = new Machine({
    plan,
    engine: await loadEngine("wasm", { jit: "on" }),
    console: {
      write: (bytes) => void (console += Buffer.from(bytes).toString("latin1")),
      read: () => new Uint8Array(0),
      inputOpen: () => false,
    },
    hostNow: () => assert.fail("deterministic time never asks the host"),
    events: { unimplemented: (_cpu, _rip, _bytes, text) => missing.push(text) },
  });
  try {
    const outcome = (): ImageOutcome => {
      const screen = machine.screen();
      const shown = screen === undefined ? "" : screenText(screen);
      return { console, screen: shown, log: machine.firmwareLog() ?? "", end: machine.end };
    };
    for (let done = 0; done < run.instructions; done += CHUNK) {
      const ended = machine.run(CHUNK).state === "ended";
      const now = outcome();
      const found = run.marker?.test(console) === true || run.marker?.test(now.screen) === true;
      if (found || (ended && run.marker === undefined)) {
        assert.deepEqual(missing, [], "every instruction is implemented");
        return now;
      }
      if (ended) break;
    }
    const { screen, end } = outcome();
    return assert.fail(
      `${String(run.marker)} did not come; end ${JSON.stringify(end)}; console: ${console.slice(-800)}; screen:\n${screen}`,
    );
  } finally {
    machine.dispose();
  }
}
