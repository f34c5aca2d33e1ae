/** The steps of a run's guest: those that its archive has, and those that it is handed. */
import type { RunCommandOptions, RunStartOptions } from "./run-options.js";
import { commandSteps, reseedSteps } from "./steps/command-steps.js";
import { PORTS } from "./steps/descriptors.js";
import { streamSteps, waitSteps } from "./steps/start-steps.js";
import { Label, StepList } from "./steps/step-list.js";
import { HEAD, LATER_BYTES, PLACES, stepProgram, WORD } from "./steps/step-program.js";

const MS_PER_SECOND = 1000;
const NS_PER_MS = 1_000_000;

/** The program of steps, as the archive has it. Without `command` it waits for one to be handed over. */
export function runProgramFile(start: RunStartOptions, command?: RunCommandOptions): Uint8Array {
  const list = new StepList(PLACES.first);
  if (start.serving !== true) streamSteps(list, start);
  if (command === undefined) waitSteps(list);
  else {
    if (start.serving !== true) list.write(PORTS.control, "booted\n");
    commandSteps(list, command);
  }
  return stepProgram(list.finish());
}

/**
 * What is handed to a guest that waits for its command. `seed`, 32 random bytes, renews its random numbers, and its clock, which then shows
 * what `setHandOverTime` says; without it both stay as they are. Throws RangeError for a command that is too long.
 */
export function commandBytes(command: RunCommandOptions, seed?: Uint8Array): Uint8Array {
  const list = new StepList(PLACES.later);
  commandSteps(list, command, seed);
  const steps = list.finish();
  if (steps.length > LATER_BYTES)
    throw new RangeError(
      `a command and its environment of ${steps.length} bytes: a guest takes ${LATER_BYTES}`,
    );
  const bytes = new Uint8Array(HEAD.bytes + steps.length);
  new DataView(bytes.buffer).setBigUint64(HEAD.length, BigInt(steps.length), true);
  bytes.set(steps, HEAD.bytes);
  return bytes;
}

/** A program for x86-64 Linux that has its kernel make its random numbers anew, from 32 random bytes too; its status is 0 where that was done. */
export function reseedProgram(seed: Uint8Array): Uint8Array {
  const list = new StepList(PLACES.first);
  const failed = new Label();
  reseedSteps(list, seed, failed);
  list.call("exit_group", [0]);
  list.place(failed);
  list.call("exit_group", [1]);
  return stepProgram(list.finish());
}

/** Says in what is handed over when that is: ms since 1970. */
export function setHandOverTime(bytes: Uint8Array, nowMs: number): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset + HEAD.time);
  view.setBigUint64(0, BigInt(Math.floor(nowMs / MS_PER_SECOND)), true);
  view.setBigUint64(WORD, BigInt(Math.floor((nowMs % MS_PER_SECOND) * NS_PER_MS)), true);
}
