/** An error that crosses threads as data says there what it said here. */
import assert from "node:assert/strict";
import test from "node:test";
import { errorData, withErrorData } from "../../src/bytes/error-data.js";
import { FormatError } from "../../src/formats/format-error.js";
import { GuestError } from "../../src/guests/errors.js";
import { offThread } from "../../src/guests/off-thread.js";

/** To the other thread and back to an error there. */
function crossed(thrown: unknown): Error {
  const data = structuredClone(errorData(thrown));
  return withErrorData(new Error(data.message), data);
}

test("errors between threads: name, message, stack and every fact arrive", () => {
  const fault = { offset: 4, found: "7", expected: "1 or 2", meaning: "damaged" };
  const sent = new FormatError("ELF", fault, { cause: new Error("inner") });
  const got = crossed(sent);
  assert.deepEqual([got.name, got.message, got.stack], ["FormatError", sent.message, sent.stack]);
  assert.deepEqual({ ...got }, { ...sent });
});

test("errors between threads: what is thrown and is no error arrives as one that says it", () => {
  assert.equal(crossed("a word").message, "a word");
});

test("errors between threads: a guest error of a computation's thread is one here, fault and all", async () => {
  const damaged = offThread("filesFromDeb", [Uint8Array.of(1, 2, 3), { kernel: /vmlinuz/ }]);
  await assert.rejects(
    damaged,
    (error) => error instanceof GuestError && error.fault === "damaged" && error.name === "GuestError",
  );
});
