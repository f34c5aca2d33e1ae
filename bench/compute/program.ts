/**
 * What a compute benchmark is: a freestanding 64-bit program of some size whose result is known beforehand, and the
 * frame around it. The frame tells the host over the serial port when the program begins and ends, compares the
 * result, and leaves by the debug-exit port. Knows no monitor: the same bytes run on all.
 *
 * Specification: National Semiconductor PC16550D (the transmit register is the base port).
 */
import type { Assembler } from "../../test/support/asm/index.js";
import { al, dx, rax, rbx } from "../../test/support/asm/index.js";
import { guest } from "../../test/conformance/support/guest.js";
import type { Guest, GuestBuilder } from "../../test/conformance/support/guest.js";
import * as layout from "../../test/conformance/support/layout.js";
import { stateLoaderElf } from "../../test/support/qemu/state-loader.js";

/** Which bar of the issue a program counts for. */
export type ComputeClass = "integer" | "float" | "storm";

export interface ComputeProgram {
  name: string;
  /** What it exercises, in a few words. */
  what: string;
  class: ComputeClass;
  /** Turns of the outermost loop at which an interpreter is busy for one to three seconds; work grows with it. */
  size: number;
  /** A size for a test of correctness: milliseconds. */
  tiny: number;
  /**
   * Emits the program. It ends with its result in RAX by reaching its end or label `DONE`, with the stack as it
   * found it. Returns the result, computed here.
   */
  write(g: GuestBuilder, size: number): number | bigint;
}

/** Where a program jumps when its result is in RAX and routines follow. */
export const DONE = "done";
/** RAM for a program's data: 8 MiB, identity-mapped, zero. */
export const ARRAY = 0x800000;
export const ARRAY_END = layout.RAM_SIZE;
export const WRONG_RESULT = 1;
/** The console lines around the program. */
export const BEGIN_LINE = "bench: begin";
export const END_LINE = "bench: end";

const SERIAL_PORT = 0x3f8;

/** Writes a line to the console. Clobbers DX and AL. */
export function printLine(a: Assembler, line: string): void {
  a.mov(dx, SERIAL_PORT);
  for (const character of `${line}\n`) a.mov(al, character.charCodeAt(0)).out(8, "dx");
}

/** The program at `size` as a guest. Exit code 0: the result was right; 1: it was not. */
export function computeGuest(program: ComputeProgram, size: number): Guest {
  return guest(program.name, { cites: program.what }, (g) => {
    const { a } = g;
    printLine(a, BEGIN_LINE);
    const expected = program.write(g, size);
    a.label(DONE).mov(rbx, rax);
    printLine(a, END_LINE);
    a.movabs(rax, BigInt.asUintN(64, BigInt(expected)))
      .cmp(rax, rbx)
      .jcc("ne", "wrong");
    g.exit();
    a.label("wrong");
    g.emitExit(WRONG_RESULT);
  });
}

/** The same as a PVH kernel. */
export function computeElf(program: ComputeProgram, size: number): Uint8Array {
  const { start, chunks } = computeGuest(program, size);
  return stateLoaderElf(start, chunks, layout.RUNNER_PAGE);
}
