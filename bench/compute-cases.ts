/**
 * Bare programs as cases: PVH kernels that end by themselves. Compute programs say by their status whether their result is
 * right; programs of one kind of instruction have none.
 */
import { writeFile } from "node:fs/promises";
import path from "node:path";
import type { Case } from "./case.js";
import { instructionGuests } from "./instruction-guests.js";
import { COMPUTE_PROGRAMS } from "./compute/index.js";
import { BEGIN_LINE, END_LINE, WRONG_RESULT, computeElf } from "./compute/program.js";

const MEMORY_MIB = 64;
/** What a debug-exit port makes of a value: its status for zero, and for a wrong result. */
const STATUS_RIGHT = 1;
const STATUS_WRONG = (WRONG_RESULT << 1) | 1;

/** All of them, `scale` times as long as by default. */
export function computeCases(scale: number): Case[] {
  return COMPUTE_PROGRAMS.map((program) => ({
    group: "compute",
    name: program.name,
    spans: [{ name: program.name, what: program.what, from: BEGIN_LINE, to: END_LINE, bar: program.class }],
    monitors: ["locore", "qemu"],
    async prepare(folder) {
      const kernel = path.join(folder, `${program.name.replaceAll(" ", "-")}.elf`);
      await writeFile(kernel, computeElf(program, Math.max(1, Math.round(program.size * scale))));
      return { kernel, memoryMib: MEMORY_MIB };
    },
    wrong: (run) => {
      const fault = new Map<string, string>();
      if (run.status === STATUS_WRONG) fault.set(program.name, "its result differs from TypeScript's");
      else if (run.status !== STATUS_RIGHT) fault.set(program.name, `it ended with status ${run.status}`);
      return fault;
    },
  }));
}

const MILLION = 1e6;

/** What single kinds of instructions cost. */
export function instructionCases(): Case[] {
  return instructionGuests().map(({ name, unit, work, passes, elf }) => ({
    group: "instruction",
    name,
    spans: [
      {
        name,
        what: `${((work * passes) / MILLION).toFixed(1)} M ${unit}`,
        from: BEGIN_LINE,
        to: END_LINE,
        bar: "none",
      },
    ],
    monitors: ["locore", "qemu"],
    async prepare(folder) {
      const kernel = path.join(folder, "instruction.elf");
      await writeFile(kernel, elf);
      return { kernel, memoryMib: MEMORY_MIB };
    },
    wrong: () => new Map(),
  }));
}
