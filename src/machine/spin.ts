/**
 * Recognises a CPU that can never do anything again although it is not in HLT: one instruction that jumps to
 * itself with interrupts off (`cli; jmp .`), which is how many kernels stop. It is told apart from a busy loop
 * exactly, not by patience: one instruction is executed, and if nothing at all changed, nothing ever will.
 * Knows the engine contract, no device.
 */
import { FLAG_IF } from "../spec/x86-privileged.js";
import type { CpuState } from "../x86/cpu-state.js";
import type { CpuSlot } from "./cpu-slot.js";

const INTERRUPTS_ENABLED = BigInt(FLAG_IF);
/** Instructions between two looks; a look copies the CPU's state twice. */
const LOOK_EVERY = 20_000_000;

/** Whether two values of plain data are the same. */
function same(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  const left = Object.entries(a);
  const right = b as Record<string, unknown>;
  return left.length === Object.keys(right).length && left.every(([key, value]) => same(value, right[key]));
}

export class SpinDetector {
  readonly #slots: readonly CpuSlot[];
  #sinceLook = 0;
  #before: CpuState | undefined;

  constructor(slots: readonly CpuSlot[]) {
    this.#slots = slots;
  }

  /** Instructions since the last look. */
  get sinceLook(): number {
    return this.#sinceLook;
  }

  set sinceLook(instructions: number) {
    this.#sinceLook = instructions;
  }

  /**
   * Instructions until the next look, at least 1: a slice that ends there makes the place of a look the same however a run is cut.
   */
  get left(): number {
    return Math.max(1, LOOK_EVERY - this.#sinceLook);
  }

  /** Called before a slice; `true` asks for a slice of exactly one instruction, to be judged by `finish`. */
  begin(slot: CpuSlot): boolean {
    this.#before = undefined;
    if (this.#sinceLook < LOOK_EVERY) return false;
    this.#sinceLook = 0;
    if (
      this.#slots.some((other) => other !== slot && other.status !== "halted" && other.status !== "waiting")
    ) {
      return false;
    }
    const state = slot.cpu.readState();
    if ((state.rflags & INTERRUPTS_ENABLED) !== 0n) return false;
    this.#before = state;
    return true;
  }

  /** Called after the slice; `true` means that `slot` spins for ever. */
  finish(slot: CpuSlot, executed: number): boolean {
    this.#sinceLook += executed;
    if (this.#before === undefined || executed !== 1 || slot.status !== "ready") return false;
    return same(this.#before, slot.cpu.readState());
  }

  /** One line about where it spins. */
  describe(slot: CpuSlot): string {
    const { rip } = slot.cpu.readState();
    return `CPU ${slot.id} jumps to itself at 0x${rip.toString(16)} with interrupts off`;
  }
}
