/** R1.10 What a machine of the library is made of, without one: streams that are followed, commands, and a guest that says anything. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect } from "node:util";
import { MOST_SAID } from "../../src/cli/run/warm/folder.js";
import { EXEC_CONTROL, slotPorts } from "../../src/guests/index.js";
import { GuestCommands } from "../../src/vm/guest/commands.js";
import { Execution } from "../../src/vm/guest/execution.js";
import { ExecOutput } from "../../src/vm/guest/exec-output.js";
import { GuestFiles } from "../../src/vm/guest/files.js";
import { openShell, type ShellOptions } from "../../src/vm/guest/shell.js";
import { Expecting } from "../../src/vm/expecting.js";
import { InputQueue } from "../../src/vm/input-queue.js";
import { OutputHistory } from "../../src/vm/output-history.js";
import { SaidBefore } from "../../src/vm/said-before.js";
import { Terminal } from "../../src/vm/terminal.js";
import { LineSplitter, textLines } from "../../src/vm/text-lines.js";

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

test("R1.10 where nobody can be held back, a reader that lags too far is told so, and the others lose nothing", async () => {
  const history = new OutputHistory({ bytes: 4 * MIB, error: () => new Error("too slow") });
  const [slow, late] = [history.read("start"), history.read("start")];
  await history.take(new Uint8Array(MIB));
  await slow.next();
  for (let i = 1; i < 4; i++) await history.take(new Uint8Array(MIB).fill(i));
  for (let i = 0; i < 4; i++) assert.equal((await late.next()).value?.[0], i);
  await history.take(new Uint8Array(MIB).fill(4));
  await assert.rejects(slow.next(), { message: "too slow" });
  assert.equal((await late.next()).value?.[0], 4);
  assert.equal((await history.read("start").next()).value?.[0], 3);
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

test("R1.10 small pieces are joined: what is kept and read goes by the bytes, in time and in number", async () => {
  const history = new OutputHistory();
  const output = new ExecOutput(MIB);
  const pieces = 60_000;
  for (let i = 0; i < pieces; i++) {
    const data = new Uint8Array([i]);
    await history.take(data);
    await output.take({ stream: i % 2 === 0 ? "stdout" : "stderr", data });
  }
  history.finish();
  output.finish();
  let [place, chunks] = [0, 0];
  for await (const bytes of history.read("start")) {
    chunks++;
    for (const byte of bytes) assert.equal(byte, place++ & 255);
  }
  for await (const _ of output.read()) chunks++;
  assert.equal(place, pieces);
  assert.ok(chunks < 20, `${chunks} chunks`);
  assert.equal(output.bytes("stderr").length, pieces / 2);
  assert.deepEqual([...output.bytes("stderr").subarray(0, 3)], [1, 3, 5]);
});

test("R1.10 a reader that lags has few pieces waiting, however small they are and whichever stream each is of", async () => {
  const output = new ExecOutput(0);
  const reader = output.read();
  await output.take({ stream: "stdout", data: new Uint8Array(1) });
  const first = reader.next();
  await new Promise(setImmediate);
  let taken = 0;
  for (let i = 0; i < 8000; i++)
    void output
      .take({ stream: i % 2 === 0 ? "stdout" : "stderr", data: new Uint8Array(1) })
      .then(() => taken++);
  await first;
  await new Promise(setImmediate);
  assert.ok(taken < 6000, `${taken} were taken`);
  await reader.return();
});

test("R1.10 a line that does not end costs time by its length, and so do carriage returns", () => {
  const splitter = new LineSplitter();
  const piece = utf8.encode("x");
  for (let i = 0; i < 400_000; i++) assert.equal(splitter.take(piece).length, 0);
  assert.equal(splitter.take(utf8.encode("\n"))[0].length, 400_000);
  assert.equal(splitter.take(utf8.encode(`${"\r".repeat(MIB / 2)}x\n`))[0].length, MIB / 2 + 1);
});

test("R1.10 what comes from now on begins at the call, and holds nobody back before it is read", async () => {
  const history = new OutputHistory();
  await history.take(utf8.encode("before"));
  const lines = textLines(history.read("now"));
  await history.take(utf8.encode("after\n"));
  assert.equal((await lines.next()).value, "after");
  const unread = history.read("now");
  await lines.return();
  for (let i = 0; i < 4; i++) await history.take(new Uint8Array(MIB));
  assert.equal((await unread.next()).value?.length, MIB);
});

test("R1.10 a byte order mark is a character like others", async () => {
  const output = "\ufeffa";
  assert.deepEqual(new LineSplitter().take(utf8.encode(`${output}\n`)), [output]);
  const expecting = new Expecting();
  expecting.take(utf8.encode(output));
  assert.equal((await expecting.expect("a")).before, "\ufeff");
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
    waiting: () => undefined,
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
  const result = await running;
  assert.deepEqual([result.status, result.stdout], [7, "it's\n"]);
  // Who looks at it sees its text.
  for (const seen of [JSON.stringify(result), inspect(result)]) assert.match(seen, /it's/);
  const next = new Execution(commands, "true");
  assert.equal(await isSettled(Promise.resolve(next)), false);
  commands.finish(new Error("over"));
  await assert.rejects(Promise.resolve(next), { message: "over" });
});

test("R1.10 a command has a name, its words no zero bytes, and its variables names that a shell takes", () => {
  const { commands } = scripted();
  const template = Object.assign(["true"], { raw: ["true"] });
  for (const command of [[], [""], ["a\0"], template])
    assert.throws(() => new Execution(commands, command), { name: "VmError", fault: "option" });
  for (const options of [
    { env: { "A-B": "" } },
    { env: { A: "\0" } },
    { env: { LOCORE_V_A: "" } },
    { cwd: "tmp" },
    { cwd: "" },
    { timeout: 10 },
    { timeoutMs: NaN },
    { timeoutMs: -1 },
    { maxOutputBytes: NaN },
    { maxOutputBytes: -1 },
  ])
    assert.throws(() => new Execution(commands, "true", options), { name: "VmError", fault: "option" });
});

test("R1.10 wherever options are, a name that there is not is refused, and what was meant is said", async () => {
  const { commands } = scripted();
  const files = new GuestFiles(commands);
  const refused = (meaning: string | undefined): object => ({ name: "VmError", fault: "option", meaning });
  await assert.rejects(files.write("/x", "", { mode: 0o600 } as object), refused(undefined));
  await assert.rejects(files.read("/x", { singal: 1 } as object), refused("Did you mean signal?"));
  const terminal = new Terminal(
    () => 0,
    () => undefined,
  );
  await assert.rejects(terminal.expect("x", { timeout: 10 } as object), refused("Did you mean timeoutMs?"));
  for (const read of [
    (options: object) => terminal.lines(options),
    (options: object) => terminal.bytes(options),
  ])
    assert.throws(() => read({ sinse: "now" }), refused("Did you mean since?"));
  for (const [name, meant] of [
    ["input", "stdin"],
    ["timeout", "timeoutMs"],
    ["environment", "env"],
  ])
    assert.throws(() => new Execution(commands, "true", { [name]: 1 }), refused(`Did you mean ${meant}?`));
});

test("R1.10 a shell's options are checked before it waits for its place", async () => {
  const { commands } = scripted();
  const port = { give: () => 0, wire: undefined, resize: () => undefined };
  for (const options of [{ columns: 80 }, { columns: 0, rows: 1 }, { colums: 80 }])
    await assert.rejects(openShell(commands, port, options as ShellOptions), { fault: "option" });
});

/** Serves commands, by as many slots. */
async function serving(slots: number): Promise<ReturnType<typeof scripted>> {
  const guest = scripted();
  for (let slot = 0; slot < slots; slot++) await guest.says(EXEC_CONTROL, `free ${slot}\n`);
  return guest;
}

const soon = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

test("R1.10 a command that is killed before it begins never runs; other signals wait for it", async () => {
  const { commands, said, says } = await serving(1);
  const killed = new Execution(commands, "true");
  killed.kill();
  assert.deepEqual([(await killed).status, (await killed).signal], [137, 9]);
  const { input } = slotPorts(0);
  assert.equal(said.get(input), undefined);
  const first = new Execution(commands, "first");
  first.kill("TERM");
  const second = new Execution(commands, "second");
  await soon();
  assert.match(said.get(EXEC_CONTROL) ?? "", /^signal 0 \d+ TERM\n$/);
  second.kill();
  assert.equal((await second).status, 137);
  await says(EXEC_CONTROL, "status 0 143\nfree 0\n");
  assert.equal((await first).signal, 15);
  assert.doesNotMatch(said.get(input) ?? "", /second/);
});

test("R1.10 before a machine is saved its guest has begun all that it was told, and is told nothing new", async () => {
  const { commands, said, says } = await serving(2);
  const first = new Execution(commands, "first");
  await soon();
  const settling = commands.settled(false);
  await says(EXEC_CONTROL, "free 0\nfree 1\nready\n");
  assert.equal(await isSettled(settling), false);
  await says(EXEC_CONTROL, "busy 0\nfree 1\nready\n");
  const goOn = await settling;
  assert.equal(said.get(EXEC_CONTROL), "slots\nslots\n");
  const second = new Execution(commands, "second");
  await soon();
  assert.equal(said.get(slotPorts(1).input), undefined);
  goOn();
  await soon();
  assert.match(said.get(slotPorts(1).input) ?? "", /second/);
  await says(EXEC_CONTROL, "status 0 1\nstatus 1 2\n");
  assert.deepEqual([(await first).status, (await second).status], [1, 2]);
  (await commands.settled(true))();
});

test("R1.10 a time limit counts the wait for a place, an abort ends it, and the place stays for others", async () => {
  const { commands, says } = await serving(1);
  const first = new Execution(commands, "first", { timeoutMs: Infinity });
  const late = new Execution(commands, "late", { timeoutMs: 20 });
  const abort = new AbortController();
  const aborted = new Execution(commands, "aborted", { signal: abort.signal });
  abort.abort(new Error("enough"));
  await assert.rejects(Promise.resolve(aborted), { message: "enough" });
  const { status, timedOut, stdout } = await late;
  assert.deepEqual([status, timedOut, stdout], [137, true, ""]);
  await says(EXEC_CONTROL, "status 0 0\nfree 0\n");
  assert.equal((await first).status, 0);
  const next = new Execution(commands, "next");
  await soon();
  await says(EXEC_CONTROL, "status 0 3\n");
  assert.equal((await next).status, 3);
});

test("R1.10 a file that is longer than it may be is refused at once, and its reading killed", async () => {
  const { commands, said, says } = await serving(1);
  const reading = new GuestFiles(commands).read("/dev/zero", { maxBytes: 3 });
  await soon();
  await says(slotPorts(0).output, "abc");
  assert.equal(await isSettled(reading.catch(() => undefined)), false);
  await says(slotPorts(0).output, "d");
  await assert.rejects(reading, { fault: "file", found: "more than 3 bytes" });
  assert.match(said.get(EXEC_CONTROL) ?? "", /^signal 0 \d+ KILL\n$/);
});

test("R1.10 all readers of a command get all that it writes", async () => {
  const { commands, says } = await serving(1);
  const running = new Execution(commands, "true");
  const tag: Promise<unknown> = running;
  assert.equal(`${tag}`, "[object Execution]");
  const read = async (): Promise<string> => {
    let text = "";
    for await (const { line } of running.lines()) text += `${line}|`;
    return text;
  };
  const both = [read(), read()];
  await soon();
  await says(slotPorts(0).output, "one\ntw");
  await soon();
  await says(slotPorts(0).output, "o\n");
  await says(EXEC_CONTROL, "status 0 0\n");
  assert.deepEqual(await Promise.all([...both, read()]), Array(3).fill("one|two|"));
});

test("R1.10 a command that ends before its input: the giver is told, and nobody waits for the next piece", async () => {
  const { commands, says } = await serving(1);
  let returned = 0;
  const stdin: AsyncIterable<string> = {
    [Symbol.asyncIterator]: () => ({
      next: () => new Promise(() => undefined),
      return: () => Promise.resolve({ value: `${++returned}`, done: true }),
    }),
  };
  const running = new Execution(commands, "true", { stdin });
  await soon();
  await says(EXEC_CONTROL, "status 0 0\n");
  await running;
  await soon();
  assert.equal(returned, 1);
});

test("R1.10 what a console has said before a machine is kept is one text, or too much to be kept", () => {
  const said = new SaidBefore();
  said.take(Uint8Array.of(0, 0xff, 10));
  said.take(new Uint8Array(MOST_SAID - 3));
  assert.equal(said.text?.length, MOST_SAID);
  assert.ok(said.text.startsWith("\u0000\u00ff\n"));
  said.take(Uint8Array.of(1));
  assert.equal(said.text, undefined);
});

test("R1.10 what init waits for is asked of the host, and goes to it whole", async () => {
  const asked: boolean[] = [];
  const given: number[] = [];
  const commands = new GuestCommands({
    give: (port, bytes) => (port === EXEC_CONTROL ? (given.push(...bytes), bytes.length) : 0),
    drained: () => Promise.resolve(),
    waiting: (alike) => void asked.push(alike),
  });
  const control = new Map(commands.channels()).get(EXEC_CONTROL)!;
  await control.output(utf8.encode("waiting\nwaiting alike\nwaiting for more\n"));
  assert.deepEqual(asked, [false, true]);
  commands.handOver(Uint8Array.of(1, 2, 3));
  assert.deepEqual(given, [1, 2, 3]);
});

test("R1.10 what a guest says of an end again and again costs nothing", async () => {
  let drains = 0;
  const commands = new GuestCommands({
    give: (_, bytes) => bytes.length,
    drained: () => {
      drains++;
      return new Promise(() => undefined);
    },
    waiting: () => undefined,
  });
  const control = new Map(commands.channels()).get(EXEC_CONTROL)!;
  await control.output(utf8.encode(`free 0\n${"status 0 0\n".repeat(1000)}`));
  assert.equal(drains, 0);
  void new Execution(commands, "true");
  await soon();
  await control.output(utf8.encode("status 0 0\n".repeat(1000)));
  assert.equal(drains, 2);
});
