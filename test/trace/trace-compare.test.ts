/**
 * The comparison with QEMU, on conformance guests: agreement through faults, user mode and interrupts, and that a
 * difference is found at the very instruction.
 */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import { createWasmEngine } from "../../src/engine/wasm/engine.js";
import { compareWithQemu } from "../../tools/trace/compare.js";
import type { Verdict } from "../../tools/trace/compare.js";
import { qemuMissing } from "../../tools/trace/qemu-process.js";
import { eax, ebx, ecx, edi, rdi } from "../support/asm/index.js";
import { stateLoaderElf } from "../support/qemu/state-loader.js";
import { conformanceCpuid } from "../conformance/support/cpuid.js";
import { allGuests } from "../conformance/guests.js";
import { prologue } from "../conformance/support/environments.js";
import { guest } from "../conformance/support/guest.js";
import type { Guest } from "../conformance/support/guest.js";
import * as layout from "../conformance/support/layout.js";

const QEMU = process.env.LOCORE_QEMU ?? "qemu-system-x86_64";
const missing = qemuMissing(QEMU);
const skip = missing ?? false;

async function compare(made: Guest, tamper?: (ram: Uint8Array) => void): Promise<Verdict> {
  const folder = mkdtempSync(path.join(tmpdir(), "locore-trace-test-"));
  try {
    const kernel = path.join(folder, "guest.elf");
    writeFileSync(kernel, stateLoaderElf(made.start, made.chunks, layout.RUNNER_PAGE));
    return await compareWithQemu({
      engine: createWasmEngine(),
      cpuid: conformanceCpuid(),
      qemu: { qemu: QEMU, kernel, memoryMib: 64, cpu: "max,vendor=GenuineIntel" },
      from: made.start.rip,
      count: 100_000,
      ...(tamper ? { tamper } : {}),
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function conformanceGuest(name: string): Guest {
  const found = allGuests()
    .flatMap((group) => group.guests)
    .find((g) => g.name.startsWith(name));
  assert.ok(found, `no guest ${name}`);
  return found;
}

for (const name of [
  "64-bit mode: registers",
  "MOVS, STOS, LODS",
  "a page fault inside REP leaves",
  "IF and the shadow",
]) {
  test(`trace:compare agrees with QEMU through "${name}…"`, { skip }, async () => {
    const verdict = await compare(conformanceGuest(name));
    assert.equal(verdict.difference, undefined);
    assert.equal(verdict.ended, true);
    assert.ok(verdict.counts.steps > 20);
  });
}

test("trace:compare names the first instruction whose result differs", { skip }, async () => {
  const made = guest("planted", { cites: "tools/trace" }, (g) => {
    prologue(g.a);
    g.a.mov(eax, 1).mov(ecx, 100).label("loop").add(eax, ecx).loop("loop");
    g.a.mov(edi, layout.DATA).label("planted").mov(ebx, 0x11).add(eax, ebx).xor(rdi, rdi);
    g.exit();
  });
  const planted = made.label("planted");
  const verdict = await compare(made, (ram) => (ram[planted + 1] = 0x12));
  assert.equal(verdict.difference?.before.rip, BigInt(planted));
  assert.deepEqual(verdict.difference.what, ["registers"]);
  assert.equal(verdict.difference.qemu.gpr[3], 0x11n);
  assert.equal(verdict.difference.ours.gpr[3], 0x12n);
});
