/** Where console input comes from, with a stream instead of the terminal. */
import assert from "node:assert/strict";
import { PassThrough } from "node:stream";
import { test } from "node:test";
import { connectInput, type InputTarget } from "../../src/host/node/console-in.js";

const TARGET: InputTarget = { giveInput: ({ length }) => length, closeInput: () => undefined };
const EVENTS = ["data", "end", "error"];

test("R3.8 one run behind the other reads the same stream: none leaves a listener, none hears of the other's", () => {
  const stream = new PassThrough();
  const count = (): number[] => EVENTS.map((event) => stream.listenerCount(event));
  connectInput(stream, TARGET, () => undefined).close();
  const once = count();
  for (let i = 0; i < 20; i++) connectInput(stream, TARGET, () => undefined).close();
  assert.deepEqual(count(), once);
  // What becomes of a stream that nobody reads is no error of the program.
  stream.emit("error", new Error("gone"));
});
