/**
 * How far OVMF comes on a machine without PCI. Debian's are release builds: nothing on the debug port, on any machine,
 * and a console only once they have devices. So what they reach is read from memory: which of their own modules the CPU is in, and what it waits for.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { buildPlan } from "../../src/boot/index.js";
import { loadEngine } from "../../src/host/node/engines.js";
import { Machine } from "../../src/machine/machine.js";
import { EFER_LMA } from "../../src/spec/x86-privileged.js";
import { guestFile } from "./real-images.js";

const MEMORY = 2 ** 28;
const CHUNK = 5e7;
const INSTRUCTIONS = 1.2e9;
/** Bytes around RIP that no two modules share. */
const AROUND = 24;
/** How far behind a module's code its file may end. */
const MODULE = 0x8_0000;

/** PI 1.8 vol. 3 §3.2.5.13: a user-interface section, 24 bits of size, type 0x15, then the file's name in UTF-16. */
const NAME_SECTION = /(?:[\s\S]\0\0)\x15((?:[A-Za-z0-9]\0){4,40})\0\0/;

/**
 * Names the module that has the code at `rip`, by the copies of the code in unpacked firmware volumes: a file's name
 * follows its code.
 */
function moduleAt(ram: Buffer, rip: number): string | undefined {
  const code = ram.subarray(rip - AROUND, rip + AROUND);
  for (let at = ram.indexOf(code); at >= 0; at = ram.indexOf(code, at + 1)) {
    const name = NAME_SECTION.exec(ram.toString("latin1", at, at + MODULE))?.[1];
    if (name !== undefined) return name.replaceAll("\0", "");
  }
  return undefined;
}

interface Stop {
  module: string | undefined;
  longMode: boolean;
  output: string;
  code: Buffer;
}

/** Runs an image until the CPU stays in one module for good. */
async function stopOf(kernel: { name: string; bytes: Uint8Array }): Promise<Stop> {
  let output = "";
  const machine = new Machine({
    plan: buildPlan({
      kernel,
      memory: MEMORY,
      screen: true,
      clock: { deterministic: { nsPerInstruction: 10 } },
    }),
    engine: await loadEngine("wasm", { jit: "on" }),
    console: {
      write: (bytes) => void (output += Buffer.from(bytes).toString("latin1")),
      read: () => new Uint8Array(0),
      inputOpen: () => false,
    },
    hostNow: () => assert.fail("deterministic time never asks the host"),
  });
  try {
    for (let done = 0; done < INSTRUCTIONS; done += CHUNK) {
      assert.equal(machine.run(CHUNK).state, "ran", JSON.stringify(machine.end));
    }
    const { rip, efer } = machine.cpuState(0);
    const ram = Buffer.from(machine.memory.read(0, MEMORY));
    const code = ram.subarray(Number(rip) - AROUND, Number(rip) + AROUND);
    const longMode = (efer & BigInt(EFER_LMA)) !== 0n;
    output += machine.firmwareLog() ?? "";
    return { module: moduleAt(ram, Number(rip)), longMode, output, code };
  } finally {
    machine.dispose();
  }
}

test("R1.8 OVMF of bookworm runs SEC, PEI and most of DXE, then stops in CpuDeadLoop: its timer asks which host bridge there is", async (t) => {
  const kernel = await guestFile(t, "ovmf", "bios");
  if (!kernel) return;
  const { module, longMode, output, code } = await stopOf(kernel);
  // MdePkg, BaseLib/CpuDeadLoop.c: a variable on the stack that nobody changes, with PAUSE in between.
  const pause = Buffer.from([0xf3, 0x90]);
  assert.deepEqual([module, longMode, output], ["ResetSystemRuntimeDxe", true, ""]);
  assert.ok(code.includes(pause), code.toString("hex"));
});

test("R1.8 OVMF of unstable runs SEC and PEI into its start of the other CPUs, where a delay never ends: no host bridge, no timer", async (t) => {
  const kernel = await guestFile(t, "ovmf-sid", "bios");
  if (!kernel) return;
  const { module, longMode, output } = await stopOf(kernel);
  assert.deepEqual([module, longMode, output], ["CpuMpPei", true, ""]);
});
