/** R3.1, the short run: random guests of a shared folder cost errors. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { FUSE_OP } from "../../src/spec/fuse.js";
import { EXPECTED_ERRORS, fuzzFuse } from "./fuse.js";

const MESSAGES = 20_000;
/** Generous: it takes a few seconds. */
const LIMIT_MS = 120_000;
/** What a server leaves to the kernel. */
const NOT_SERVED: readonly number[] = [
  FUSE_OP.FLUSH,
  FUSE_OP.ACCESS,
  FUSE_OP.INTERRUPT,
  FUSE_OP.IOCTL,
  FUSE_OP.POLL,
  FUSE_OP.COPY_FILE_RANGE,
  FUSE_OP.SYNCFS,
  FUSE_OP.TMPFILE,
];

test(
  `R3.1 ${MESSAGES} messages of random guests: each is answered within its room, and no more is held than may be`,
  { timeout: LIMIT_MS },
  () => {
    const seen = fuzzFuse(MESSAGES, 1);
    for (const [name, opcode] of Object.entries(FUSE_OP))
      assert.equal(seen.has(`${opcode}`), !NOT_SERVED.includes(opcode), `${name} succeeded`);
    for (const errno of EXPECTED_ERRORS) assert.ok(seen.has(`error ${errno}`), `error ${errno}`);
  },
);
