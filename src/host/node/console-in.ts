/**
 * Where console input comes from: the standard input of this process, as a terminal in raw mode with an escape
 * key, or as a plain stream of bytes whose end is the end of input and not a key. Holds back what the guest has
 * no room for.
 */
import type { Readable } from "node:stream";
import type { ReadStream } from "node:tty";
import { EscapeKey, type EscapeCommand } from "./escape.js";
import { RawTerminal } from "./terminal.js";

/** Takes input; returns how many bytes it took. */
export type InputTarget = { giveInput(bytes: Uint8Array): number; closeInput(): void };

export interface ConsoleInput {
  /** The target has room again. */
  resume(): void;
  /** Stops reading and gives the terminal back. */
  close(): void;
}

/** What a terminal's user may ask of the monitor. */
export type CommandHandler = (command: EscapeCommand) => void;

function isTerminal(stream: Readable): stream is ReadStream {
  return (stream as Partial<ReadStream>).isTTY === true;
}

/** Whoever reads a stream no more does not care how it ends, and Node must not either. */
const ignored = (): void => undefined;

/** Connects `stream` to `target` and begins to read. `raw`: whether a terminal becomes raw and has the escape key. */
export function connectInput(
  stream: Readable,
  target: InputTarget,
  onCommand: CommandHandler,
  raw = true,
): ConsoleInput {
  const terminal = raw && isTerminal(stream) ? new RawTerminal(stream) : undefined;
  const escape = new EscapeKey();
  let held: Uint8Array = new Uint8Array(0);
  let ended = false;

  const offer = (): void => {
    held = held.subarray(target.giveInput(held));
    if (held.length > 0) stream.pause();
    else if (ended) target.closeInput();
    else stream.resume();
  };
  const onData = (chunk: Uint8Array): void => {
    let bytes = chunk;
    if (terminal !== undefined) {
      const result = escape.feed(chunk);
      bytes = result.bytes;
      for (const command of result.commands) onCommand(command);
    }
    held = held.length === 0 ? bytes : Buffer.concat([held, bytes]);
    offer();
  };
  const onEnd = (): void => {
    if (ended) return;
    ended = true;
    offer();
  };

  terminal?.enter();
  stream.on("data", onData);
  stream.on("end", onEnd);
  stream.on("error", onEnd);
  if (!stream.listeners("error").includes(ignored)) stream.on("error", ignored);
  return {
    resume: () => {
      if (held.length > 0) offer();
    },
    close: () => {
      stream.removeListener("data", onData);
      stream.removeListener("end", onEnd);
      stream.removeListener("error", onEnd);
      stream.pause();
      terminal?.leave();
    },
  };
}
