/** The whole comparison: QEMU to the start, its state into ours, both in lock step. Prints nothing. */
import type { Engine } from "../../src/engine/contract.js";
import type { CpuidLeaf } from "../../src/x86/cpuid.js";
import { LockStep } from "./lock-step.js";
import type { Difference, LockStepCounts } from "./lock-step.js";
import { makeSide } from "./machine.js";
import { QemuSide } from "./qemu-process.js";
import type { QemuOptions } from "./qemu-process.js";

export interface Comparison {
  engine: Engine;
  /** What our CPU offers; results of CPUID are taken from QEMU, so this only decides what may be switched on. */
  cpuid: readonly CpuidLeaf[];
  qemu: QemuOptions;
  /** Linear address where both sides start; CPL 0. */
  from: bigint;
  /** Instructions to compare. */
  count: number;
  /** Changes our copy of memory before the start; for tests of the comparison itself. */
  tamper?: (ram: Uint8Array) => void;
  progress?: (counts: LockStepCounts) => void;
}

export interface Verdict {
  difference?: Difference;
  /** QEMU ended before `count` instructions. */
  ended: boolean;
  counts: LockStepCounts;
}

async function lockStep(qemu: QemuSide, c: Comparison): Promise<Verdict> {
  await qemu.runTo(c.from);
  const [ram, state] = [await qemu.readRam(), await qemu.readState()];
  c.tamper?.(ram);
  const side = makeSide(c.engine, ram, state, c.cpuid);
  const steps = new LockStep(side);
  const { counts } = steps;
  try {
    for await (const entries of qemu.trace()) {
      for (const entry of entries) {
        const difference = steps.next(entry);
        if (difference) return { difference, ended: false, counts };
        if (counts.steps >= c.count) return { ended: false, counts };
      }
      c.progress?.(counts);
    }
    return { ended: true, counts };
  } finally {
    side.vm.dispose();
  }
}

/** Compares until a difference, `count` instructions, or QEMU's end. */
export async function compareWithQemu(c: Comparison): Promise<Verdict> {
  const qemu = await QemuSide.start(c.qemu);
  try {
    return await lockStep(qemu, c);
  } catch (error) {
    const said = qemu.stderr.trim();
    throw said === "" ? error : new Error(`${(error as Error).message}\nQEMU says: ${said}`);
  } finally {
    qemu.stop();
  }
}
