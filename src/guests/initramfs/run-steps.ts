/** The steps of a run's guest: those that its archive has, and those that it is handed. */
import type { RunCommandOptions, RunStartOptions } from "./run-options.js";
import { commandSteps, type Renewal } from "./steps/command-steps.js";
import { streamSteps, waitSteps } from "./steps/start-steps.js";
import { StepList } from "./steps/step-list.js";
import { LATER_BYTES, PLACES, stepProgram } from "./steps/step-program.js";

export type { Renewal };

const LENGTH_BYTES = 8;

/** The program of steps, as the archive has it. Without `command` it waits for one to be handed over. */
export function runProgramFile(start: RunStartOptions, command?: RunCommandOptions): Uint8Array {
  const list = new StepList(PLACES.first);
  if (start.serving !== true) streamSteps(list, start);
  if (command === undefined) waitSteps(list);
  else commandSteps(list, command);
  return stepProgram(list.finish());
}

/**
 * What is handed to a guest that waits for its command. Without `renewal` its clock and random numbers stay as they are. Throws
 * RangeError for a command that is too long.
 */
export function commandBytes(command: RunCommandOptions, renewal?: Renewal): Uint8Array {
  const list = new StepList(PLACES.later);
  commandSteps(list, command, renewal);
  const steps = list.finish();
  if (steps.length > LATER_BYTES)
    throw new RangeError(
      `a command and its environment of ${steps.length} bytes: a guest takes ${LATER_BYTES}`,
    );
  const bytes = new Uint8Array(LENGTH_BYTES + steps.length);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(steps.length), true);
  bytes.set(steps, LENGTH_BYTES);
  return bytes;
}
