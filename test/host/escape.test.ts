/** The escape key. */
import { test } from "node:test";
import assert from "node:assert/strict";
import { EscapeKey } from "../../src/host/node/escape.js";

function feed(...blocks: string[]): { text: string; commands: string[] } {
  const key = new EscapeKey();
  let text = "";
  const commands: string[] = [];
  for (const block of blocks) {
    const result = key.feed(Buffer.from(block, "latin1"));
    text += Buffer.from(result.bytes).toString("latin1");
    commands.push(...result.commands);
  }
  return { text, commands };
}

test("ordinary keys, Ctrl-C among them, go to the guest", () => {
  assert.deepEqual(feed("ls\r\x03\x1b[A"), { text: "ls\r\x03\x1b[A", commands: [] });
});

test("Ctrl-C three times with nothing between is a wish to leave, told once; all of them go to the guest", () => {
  assert.deepEqual(feed("\x03\x03x\x03"), { text: "\x03\x03x\x03", commands: [] });
  assert.deepEqual(feed("\x03", "\x03\x03"), { text: "\x03\x03\x03", commands: ["leave?"] });
  assert.deepEqual(feed("\x03".repeat(9)).commands, ["leave?"]);
});

test("Ctrl-A x quits and Ctrl-A h lists keys, also split over two reads", () => {
  assert.deepEqual(feed("a\x01xb\x01h"), { text: "ab", commands: ["quit", "help"] });
  assert.deepEqual(feed("a\x01", "x"), { text: "a", commands: ["quit"] });
});

test("R3.11 Ctrl-A g asks for a place where gdb may attach", () => {
  assert.deepEqual(feed("\x01g"), { text: "", commands: ["gdb"] });
});

test("Ctrl-A a and Ctrl-A Ctrl-A send one Ctrl-A; another key sends both", () => {
  assert.deepEqual(feed("\x01a\x01\x01\x01q"), { text: "\x01\x01\x01q", commands: [] });
});

test("R3.9 Ctrl-A i asks where the machine is", () => {
  assert.deepEqual(feed("a\x01ib"), { text: "ab", commands: ["explain"] });
});
