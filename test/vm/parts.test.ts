/** R1.10 What a machine of the library is made of, without one: streams that are followed, commands, and a guest that says anything. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { EXEC_CONTROL, slotPorts } from "../../src/guests/index.js";
import { GuestCommands } from "../../src/vm/guest/commands.js";
import { Execution } from "../../src/vm/guest/execution.js";
import { Expecting } from "../../src/vm/expecting.js";
import { InputQueue } from "../../src/vm/input-queue.js";
import { OutputHistory } from "../../src/vm/output-history.js";
import { textLines } from "../../src/vm/text-lines.js";

const utf8 = new TextEncoder();
const MIB = 1 << 20;

/** Whether it is settled by what is done already. */
async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  const pending = Symbol("pending");
  await new Promise(setImmediate);
  return (await Promise.race([promise, Promise.resolve(pending)])) !== pending;
}

test("R1.10 without a reader the oldest bytes go; a reader holds the guest back and loses nothing", async () => {
  const history = new OutputHistory();
  for (let i = 0; i < 40; i++) await history.take(new Uint8Array(MIB / 16).fill(i));
  const reader = history.read("start");
  assert.equal((await reader.next()).value?.[0], 24);
  const taking = (async () => {
    for (let i = 40; i < 80; i++) await history.take(new Uint8Array(MIB / 16).fill(i));
  })();
  assert.equal(await isSettled(taking), false);
  let next = 25;
  while (next < 80) assert.equal((await reader.next()).value?.[0], next++);
  await taking;
  history.finish();
  assert.equal((await reader.next()).done, true);
});

test("R1.10 a reader that leaves lets the guest go on", async () => {
  const history = new OutputHistory();
  await history.take(new Uint8Array([1]));
  for await (const _ of history.read("start")) break;
  for (let i = 0; i < 4; i++) await history.take(new Uint8Array(MIB));
});

test("R1.10 lines: cut characters are joined, ends go, the last line may lack its own", async () => {
  async function* pieces(): AsyncGenerator<Uint8Array> {
    const bytes = utf8.encode("é\r\n\nlast");
    for (const byte of bytes) yield await Promise.resolve(new Uint8Array([byte]));
  }
  const lines: string[] = [];
  for await (const line of textLines(pieces())) lines.push(line);
  assert.deepEqual(lines, ["é", "", "last"]);
});

test("R1.10 expect: in order of the waiting, each behind the last match, and a pattern remembers nothing", async () => {
  const expecting = new Expecting();
  expecting.take(utf8.encode("login: root\nPass"));
  const sticky = /[a-z]+: /gy;
  assert.deepEqual(await expecting.expect(sticky), { text: "login: ", groups: [], before: "" });
  const [first, second] = [expecting.expect("word"), expecting.expect("(.*)", { timeoutMs: 10_000 })];
  expecting.take(utf8.encode("word: (.*)"));
  assert.equal((await first).before, "root\nPass");
  assert.equal((await second).before, ": ");
  expecting.finish(new Error("over"));
  await assert.rejects(expecting.expect("x"), { message: "over" });
});

test("R1.10 input goes on where there was no room, in order", async () => {
  let room = 3;
  let taken = "";
  const queue = new InputQueue((bytes) => {
    const some = bytes.subarray(0, room);
    room -= some.length;
    taken += new TextDecoder().decode(some);
    return some.length;
  });
  const sent = [queue.send(utf8.encode("ab")), queue.send(utf8.encode("cdef"))];
  await sent[0];
  assert.equal(await isSettled(sent[1]), false);
  room = 10;
  queue.room();
  await sent[1];
  assert.equal(taken, "abcdef");
  room = 0;
  const last = queue.send(utf8.encode("x"));
  queue.finish(new Error("over"));
  await assert.rejects(last, { message: "over" });
});

/** A guest whose words a test makes up. */
function scripted(): {
  commands: GuestCommands;
  said: Map<string, string>;
  says: (port: string, text: string) => Promise<void>;
} {
  const said = new Map<string, string>();
  const commands = new GuestCommands({
    give: (port, bytes) => {
      said.set(port, (said.get(port) ?? "") + new TextDecoder().decode(bytes));
      return bytes.length;
    },
    drained: () => Promise.resolve(),
  });
  const channels = new Map(commands.channels());
  return { commands, said, says: (port, text) => channels.get(port)!.output(utf8.encode(text)) };
}

test("R1.10 what a guest says that is no word of init's is not heard, and costs nothing", async () => {
  const { commands, said, says } = scripted();
  const { input, output } = slotPorts(2);
  const hostile = [
    "status 9 0",
    "status 2",
    "free",
    "free 7",
    "busy -1",
    "status 2 99999",
    "\0\xff",
    "x".repeat(2 * MIB),
  ];
  for (const line of hostile) await says(EXEC_CONTROL, `${line}\n`);
  await says(output, "nobody asked");
  await says(EXEC_CONTROL, "status 2 0\nfree 2\nready\n");
  assert.deepEqual(await commands.ready, {});
  const running = new Execution(commands, ["echo", "it's"]);
  await new Promise(setImmediate);
  assert.match(said.get(input) ?? "", /^0\njob \d+ \d+ stream\nset -- 'echo' 'it'\\''s'\n0\n$/);
  await says(output, "it's\n");
  await says(EXEC_CONTROL, "status 1 0\nstatus 2 7\nstatus 2 8\n");
  const { status, stdout } = await running;
  assert.deepEqual([status, stdout], [7, "it's\n"]);
  const next = new Execution(commands, "true");
  assert.equal(await isSettled(Promise.resolve(next)), false);
  commands.finish(new Error("over"));
  await assert.rejects(Promise.resolve(next), { message: "over" });
});

test("R1.10 a command has a name, its words no zero bytes, and its variables names that a shell takes", () => {
  const { commands } = scripted();
  for (const command of [[], [""], ["a\0"]])
    assert.throws(() => new Execution(commands, command), { name: "VmError", fault: "option" });
  assert.throws(() => new Execution(commands, "true", { env: { "A-B": "" } }), { fault: "option" });
});
