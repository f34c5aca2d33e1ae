/** The program as a process on the built-in engine: tiny guests, each with its documented end (R3.8). */
import { test } from "node:test";
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { after } from "node:test";
import { pvhElf } from "../support/qemu/pvh-elf.js";
import { Running } from "../support/pseudo-terminal.js";

const PROGRAM = fileURLToPath(new URL("../../src/cli/main.js", import.meta.url));
const LOAD_ADDRESS = 0x100000;
const folder = mkdtempSync(path.join(tmpdir(), "locore-test-"));
after(() => rmSync(folder, { recursive: true }));

/** 32-bit code that PVH enters; interrupts are off. */
function guest(name: string, ...code: number[]): string {
  const file = path.join(folder, name);
  writeFileSync(file, pvhElf(LOAD_ADDRESS, Uint8Array.from(code), LOAD_ADDRESS));
  return file;
}

/** mov dx, 0x3f8; then mov al, byte; out dx, al for each. */
function printing(text: string): number[] {
  return [0x66, 0xba, 0xf8, 0x03, ...[...Buffer.from(text)].flatMap((byte) => [0xb0, byte, 0xee])];
}

const CLI_HLT = [0xfa, 0xf4];
/** inc eax; jmp back: never the same state twice. */
const BUSY = [0x40, 0xeb, 0xfd];

function locore(...args: string[]): { status: number | null; out: string; err: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [PROGRAM, ...args], { input: "" });
  return { status, out: stdout.toString(), err: stderr.toString() };
}

const ENDS: [name: string, code: number[], kind: string, route: string, status: number][] = [
  ["mov eax, 3; out 0xf4, eax", [0xb8, 3, 0, 0, 0, 0xe7, 0xf4, 0xf4], "off", "debug-exit", 7],
  [
    "mov dx, 0x604; mov ax, 0x3400; out dx, ax",
    [0x66, 0xba, 4, 6, 0x66, 0xb8, 0, 0x34, 0x66, 0xef],
    "off",
    "acpi-s5",
    0,
  ],
  ["mov al, 0xfe; out 0x64, al", [0xb0, 0xfe, 0xe6, 0x64], "reset", "i8042", 0],
  ["ud2 without an IDT", [0x0f, 0x0b], "crashed", "triple-fault", 4],
  ["cli; hlt", CLI_HLT, "halted", "interrupts-off", 0],
  ["cli; jmp to itself", [0xfa, 0xeb, 0xfe], "stuck", "jump-to-self", 10],
];

for (const [name, code, kind, route, status] of ENDS) {
  test(`R3.8 ${name}: ${kind} by ${route}, status ${status}, in words and as JSON`, () => {
    const file = guest(`${route}.elf`, ...code);
    const words = locore("boot", file);
    assert.equal(words.status, status, words.err);
    assert.match(
      words.err,
      new RegExp(`^locore: ${kind} by ${route}.*\\(status ${status}, [\\d,]+ instructions\\)$`, "m"),
    );
    const json = locore("boot", file, "--json", "--deterministic");
    const end = JSON.parse(json.err.trim().split("\n").at(-1) ?? "") as Record<string, unknown>;
    assert.deepEqual([end.kind, end.route, end.status, json.status], [kind, route, status, status]);
    assert.equal(typeof end.instructions, "number");
  });
}

test("R3.8 --triple-fault=reset makes a triple fault a reset", () => {
  const { status, err } = locore("boot", guest("ud2.elf", 0x0f, 0x0b), "--triple-fault=reset");
  assert.equal(status, 0);
  assert.match(err, /reset by triple-fault/);
});

test("R3.8 --timeout and --instructions end a guest that runs for ever, with status 124", () => {
  const file = guest("busy.elf", ...BUSY);
  const timeout = locore("boot", file, "--timeout", "300ms");
  assert.equal(timeout.status, 124);
  assert.match(timeout.err, /timeout by time limit: 300 ms/);
  const limit = locore("boot", file, "--instructions", "12345", "--deterministic");
  assert.equal(limit.status, 124);
  assert.match(limit.err, /12,345 instructions/);
});

test("R3.1 the console is standard output, --log has a copy, and nothing else is printed there", () => {
  const log = path.join(folder, "console.log");
  const { status, out, err } = locore(
    "boot",
    guest("hello.elf", ...printing("hello\n"), ...CLI_HLT),
    "--log",
    log,
  );
  assert.equal(status, 0);
  assert.equal(out, "hello\n");
  assert.equal(readFileSync(log, "utf8"), "hello\n");
  assert.match(err, /^locore: halted/m);
});

test("R6.3 two deterministic runs are identical in everything they print", () => {
  const file = guest("twice.elf", ...printing("x"), 0x0f, 0x31, ...printing("y"), ...CLI_HLT);
  assert.deepEqual(locore("boot", file, "--deterministic"), locore("boot", file, "--deterministic"));
});

test("design §7 more memory than the engine can hold is refused with that reason, status 6", () => {
  const { status, err } = locore("boot", guest("big.elf", ...CLI_HLT), "-m", "4G");
  assert.equal(status, 6);
  assert.match(err, /4096 MiB of RAM do not fit the wasm engine/);
});

test("R1.4 a machine dies with its process: killed means gone", { timeout: 20_000 }, async () => {
  const run = new Running(process.execPath, [PROGRAM, "boot", guest("live.elf", ...printing("up"), ...BUSY)]);
  await run.shows("up");
  run.child.kill("SIGKILL");
  assert.equal((await run.ended).signal, "SIGKILL");
});
