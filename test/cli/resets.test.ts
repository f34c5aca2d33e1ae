/** R3.8 as a person has it: on a terminal a reset restarts the machine, in a pipe it ends the run, and options say otherwise. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { PC_PORTS } from "../../src/spec/pc-ports.js";
import { al, Assembler, edx } from "../support/asm/index.js";
import { locore } from "../support/cli.js";
import { assertRestored, NO_TERMINAL, nodeOnTerminal, Running } from "../support/pseudo-terminal.js";
import { pvhElf } from "../support/qemu/pvh-elf.js";

const PROGRAM = fileURLToPath(new URL("../../src/cli/main.js", import.meta.url));
const LOAD = 0x100000;
const LIMIT = { timeout: 60_000 };
const RESTART = "locore: reset by i8042: the machine starts again";

const folder = mkdtempSync(path.join(tmpdir(), "locore-test-"));
const kernel = path.join(folder, "resets");
after(() => rmSync(folder, { recursive: true }));

/** Prints "hello" and resets by the keyboard controller. */
function write(): void {
  const a = new Assembler(LOAD, 32);
  a.mov(edx, PC_PORTS.com1.start);
  for (const letter of "hello\r\n") a.mov(al, letter.charCodeAt(0)).out(8, "dx");
  a.mov(al, 0xfe).out(8, PC_PORTS.keyboardCommand.start).label("wait").hlt().jmp("wait");
  writeFileSync(kernel, pvhElf(LOAD, a.link()[0].bytes, LOAD));
}
write();

test("R3.8 in a pipe a reset ends the run with status 0", LIMIT, async () => {
  const run = new Running(process.execPath, [PROGRAM, "boot", kernel]);
  run.child.stdin.end();
  const { status, out, err } = await run.ended;
  assert.equal(status, 0);
  assert.equal(out, "hello\r\n");
  assert.match(err, /locore: reset by i8042 \(status 0/);
});

test("R3.8 --max-resets restarts as often as it says, and --json counts", LIMIT, async () => {
  const run = new Running(process.execPath, [PROGRAM, "boot", kernel, "--max-resets", "2", "--json"]);
  run.child.stdin.end();
  const { status, out, err } = await run.ended;
  assert.equal(status, 0);
  assert.equal(out, "hello\r\n".repeat(3));
  assert.equal(err.split(RESTART).length - 1, 2, err);
  const report = JSON.parse(err.trim().split("\n").at(-1)!) as Record<string, unknown>;
  assert.deepEqual([report["kind"], report["route"], report["resets"]], ["reset", "i8042", 2]);
});

test(
  "R3.8 on a terminal a reset restarts the machine; --no-reboot ends it",
  { ...LIMIT, skip: NO_TERMINAL },
  async (t) => {
    const run = nodeOnTerminal([PROGRAM, "boot", kernel]).during(t);
    let at = 0;
    for (let i = 0; i < 3; i++) at = await run.shows(RESTART, await run.shows("hello", at));
    run.child.stdin.write("\x01x");
    assertRestored((await run.ended).out, 130);
    const once = await nodeOnTerminal([PROGRAM, "boot", kernel, "-no-reboot"]).during(t).ended;
    assert.equal(once.out.split("hello").length - 1, 1, once.out);
    assertRestored(once.out, 0);
  },
);

test("R3.8 contradicting words about resets are refused", async () => {
  const { status, err } = await locore("boot", "k", "--no-reboot", "--max-resets", "3");
  assert.equal(status, 2);
  assert.match(err, /contradict each other/);
});
