/** A silent guest on a terminal: the hint, and the answer to who follows it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { assertRestored, NO_TERMINAL, nodeOnTerminal } from "../support/pseudo-terminal.js";
import { requireGuest } from "../support/requires.js";

const PROGRAM = fileURLToPath(new URL("../../src/cli/main.js", import.meta.url));
const SILENT = ["--append", "quiet console=tty0"];
const HINT = "the guest has said nothing for 10 s";
const INTERRUPTED = 130;

test(
  "R3.9 on a terminal: ten silent seconds are worth a line, once; Ctrl-A i says why",
  { skip: NO_TERMINAL, timeout: 120_000 },
  async (t) => {
    const guest = await requireGuest(t, "debian-cloud");
    if (guest === undefined) return;
    const run = nodeOnTerminal([PROGRAM, "boot", guest.files["kernel"], ...SILENT]).during(t);
    await run.shows(HINT);
    run.child.stdin.write("\x01i");
    await run.shows("nothing of this kernel can reach the serial port");
    await run.shows("the kernel's own log");
    run.child.stdin.write("\x01x");
    const { out } = await run.ended;
    assertRestored(out, INTERRUPTED);
    assert.equal(out.split(HINT).length, 2);
  },
);
