/** R1.10 A machine as the library's user holds it: its console, its ends, its copies; a guest of a few instructions. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { test, type TestContext } from "node:test";
import { Worker } from "node:worker_threads";
import { Vm, VmError, type VmOptions } from "../../src/vm/index.js";
import { echoGuest, READY } from "../support/echo-guest.js";
import { nothingLeft } from "../support/nothing-left.js";

const SMALL = { kernel: echoGuest(), memory: "4M" } as const;
/** Between a thread and what is left of it, ms. */
const PATIENCE = { timeoutMs: 60_000 };

async function started(t: TestContext, options: VmOptions = {}): Promise<Vm> {
  const vm = await Vm.start({ ...SMALL, ...options });
  t.after(() => vm[Symbol.asyncDispose]());
  return vm;
}

async function emptyFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(path.join(tmpdir(), "locore-vm-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

test("R1.10 what the guest says is waited for, what is typed it sends back, and its end is told", async (t) => {
  const vm = await started(t);
  assert.equal((await vm.console.expect(READY, PATIENCE)).before, "");
  await vm.console.send("a=17;");
  const { groups } = await vm.console.expect(/a=(\d+);/, PATIENCE);
  assert.deepEqual(groups, ["17"]);
  await vm.console.send("the rest\nq");
  const { end } = await vm.end;
  assert.equal(end.kind, "halted");
  const lines: string[] = [];
  for await (const line of vm.console.lines()) lines.push(line);
  assert.deepEqual(lines, [READY, "a=17;the rest"]);
});

test("R1.10 the user's kernel stays the user's, and machines run side by side", async (t) => {
  const kernel = echoGuest();
  const again = kernel.slice();
  const [one, two] = await Promise.all([
    started(t, { kernel }),
    started(t, { kernel: { name: "echo", bytes: kernel } }),
  ]);
  assert.deepEqual(kernel, again);
  await Promise.all([one.console.send("one!"), two.console.send("two!")]);
  const said = await Promise.all(
    [one, two].map(async (vm) => (await vm.console.expect(/\n(...)!/, PATIENCE)).groups[0]),
  );
  assert.deepEqual(said, ["one", "two"]);
  await one.stop();
  await two.console.send("still!");
  await two.console.expect("still!", PATIENCE);
});

test("R1.10 the console is a pair of streams as well", async (t) => {
  const vm = await started(t);
  const writer = vm.console.writable.getWriter();
  await writer.write("abcq");
  let text = "";
  const decoder = new TextDecoder();
  for await (const bytes of vm.console.readable) text += decoder.decode(bytes, { stream: true });
  assert.equal(text, `${READY}\r\nabc`);
  await assert.rejects(vm.console.send("x"), { name: "VmError", fault: "ended" });
  await assert.rejects(vm.console.expect("x"), { name: "VmError", fault: "ended" });
});

test("R1.10 what does not come is not waited for longer than was said, and the signal of a wait is heard", async (t) => {
  const vm = await started(t);
  await assert.rejects(vm.console.expect("never", { timeoutMs: 20 }), (error) => {
    assert.ok(error instanceof VmError);
    assert.equal(error.fault, "timeout");
    assert.equal(error.expected, '"never"');
    return true;
  });
  const abort = new AbortController();
  const waiting = vm.console.expect("never", { signal: abort.signal });
  abort.abort(new Error("enough"));
  await assert.rejects(waiting, { message: "enough" });
});

test("R1.10 a machine that stands still answers once it goes on", async (t) => {
  const vm = await started(t);
  await vm.console.expect(READY, PATIENCE);
  await vm.pause();
  await vm.pause();
  await vm.console.send("x");
  await assert.rejects(vm.console.expect("x", { timeoutMs: 100 }), { fault: "timeout" });
  await vm.resume();
  await vm.console.expect("x", PATIENCE);
});

test("R1.10 who pauses and resumes without waiting gets both, one after the other, and each once it is so", async (t) => {
  const vm = await started(t);
  await vm.console.expect(READY, PATIENCE);
  await Promise.all([vm.pause(), vm.resume()]);
  await vm.console.send("x");
  await vm.console.expect("x", PATIENCE);
  let stands = false;
  const first = vm.pause().then(() => (stands = true));
  await vm.pause();
  assert.ok(stands, "the second one waits as the first does");
  await Promise.all([first, vm.resume(), vm.pause(), vm.resume()]);
  await vm.console.send("y");
  await vm.console.expect("y", PATIENCE);
});

test("R1.10 a snapshot at a path that no file has is refused, and the machine goes on and ends as ever", async (t) => {
  const vm = await started(t);
  await vm.console.expect(READY, PATIENCE);
  await assert.rejects(vm.snapshot(`/${"x/".repeat(10_000)}`), { name: "VmError", fault: "snapshot" });
  await vm.console.send("x");
  await vm.console.expect("x", PATIENCE);
  assert.equal((await vm.stop()).end.kind, "interrupted");
  // A rejection that nobody has taken is known by now.
  await new Promise((resolve) => setTimeout(resolve, 10));
});

test("R1.10 R3.10 a machine is saved while it runs or stands, goes on in another one, and is copied", async (t) => {
  const folder = await emptyFolder(t);
  const vm = await started(t);
  await vm.console.expect(READY, PATIENCE);
  const file = path.join(folder, "ready.snap");
  const bytes = await vm.snapshot(file);
  assert.ok(bytes > 0);
  await vm.pause();
  assert.ok((await vm.snapshot(path.join(folder, "held.snap"))) > 0);
  await vm.resume();
  assert.deepEqual(await readdir(folder), ["held.snap", "ready.snap"]);
  const twin = await Vm.restore(file, { clock: "hold" });
  t.after(() => twin.stop());
  const copy = await vm.fork();
  t.after(() => copy.stop());
  for (const one of [vm, twin, copy]) {
    await one.console.send("on");
    await one.console.expect("on", PATIENCE);
  }
  await assert.rejects(vm.snapshot(path.join(folder, "no/such/folder")), {
    name: "VmError",
    fault: "snapshot",
  });
  await writeFile(file, "no snapshot");
  await assert.rejects(Vm.restore(file), { name: "SnapshotError" });
});

test("R1.10 where the machine is can be asked while it runs, and not afterwards", async (t) => {
  const vm = await started(t);
  await vm.console.expect(READY, PATIENCE);
  const { cpus } = await vm.diagnose();
  assert.equal(cpus.length, 1);
  await vm.stop();
  await assert.rejects(vm.diagnose(), { fault: "ended" });
  await assert.rejects(vm.pause(), { fault: "ended" });
});

test("R1.10 stopped, out of time, or aborted: each is said as the machine's end, and stopping twice is harmless", async (t) => {
  const stopped = await started(t);
  assert.deepEqual((await stopped.stop()).end, { kind: "interrupted", route: "vm.stop()", status: 130 });
  assert.equal((await stopped.stop()).end.route, "vm.stop()");
  // Long enough for it to begin: a start that lasts longer is refused.
  const late = await started(t, { timeoutMs: 3000 });
  assert.equal((await late.end).end.kind, "timeout");
  const abort = new AbortController();
  const aborted = await started(t, { signal: abort.signal });
  abort.abort();
  assert.deepEqual((await aborted.end).end, {
    kind: "interrupted",
    route: "signal: AbortError",
    status: 130,
  });
});

test("R1.10 aborted before it starts, while it loads, or a moment later: the reason comes back and nothing is left", async () => {
  const before = process.getActiveResourcesInfo();
  const reason = new Error("not any more");
  await assert.rejects(Vm.start({ ...SMALL, signal: AbortSignal.abort(reason) }), reason);
  for (const wait of [0, 1, 20, 60]) {
    const abort = new AbortController();
    const starting = Vm.start({ ...SMALL, net: true, signal: abort.signal });
    const ended = starting.then(
      async (vm) => (await vm.end).end.kind,
      (error: unknown) => error,
    );
    if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
    abort.abort(reason);
    assert.ok([reason, "interrupted"].includes((await ended) as Error | string));
  }
  await nothingLeft(before);
});

test("R1.10 twenty machines, one after another, leave nothing", async () => {
  const before = process.getActiveResourcesInfo();
  for (let i = 0; i < 20; i++) await (await Vm.start(SMALL))[Symbol.asyncDispose]();
  await nothingLeft(before);
});

test("R1.10 a kernel that is none is refused as the command line refuses it, and nothing is left", async () => {
  const before = process.getActiveResourcesInfo();
  await assert.rejects(Vm.start({ kernel: new Uint8Array(100), memory: "4M" }), (error: Error) => {
    assert.match(error.name, /FormatError|UnrecognisedImage|NoLoaderError|BootError/);
    return true;
  });
  await assert.rejects(Vm.start({ kernel: "/no/such/kernel" }), { name: "InputFileError" });
  await nothingLeft(before);
});

test("R1.10 options that there are not, or that contradict each other, are refused by name", async () => {
  const table: [unknown, RegExp][] = [
    [{ kernle: "x" }, /^Vm.start: found the name kernle; .*Did you mean kernel\?/],
    [{ run: false }, /no kernel/],
    [{ ...SMALL, root: "host" }, /root without run/],
    [{ initrd: "x" }, /initrd with run/],
    [{ run: true, kernel: SMALL.kernel }, /bytes, with run/],
    [{ ...SMALL, memory: "much" }, /^memory: found much; expected a size such as 256M/],
    [{ ...SMALL, memory: "1X" }, /^memory: found 1X; expected a size/],
    [{ ...SMALL, memory: 100 }, /^memory: found 100 bytes; expected 2 MiB to 512 GiB/],
    [{ root: "debian:" }, /^root: found debian:; expected names of packages. debian:bash/],
    [{ ...SMALL, memory: "1K" }, /^memory: found 1K; expected 2M to 512G/],
    [{ ...SMALL, cpus: 0 }, /^cpus: found 0/],
    [{ ...SMALL, net: { alow: [] } }, /^net: found the name alow; .*Did you mean allow\?/],
    [{ ...SMALL, net: { faults: { loss: 2 } } }, /^net.faults: .*probability/],
    [{ ...SMALL, net: { publish: ["x"] } }, /^net.publish: found x/],
    [{ ...SMALL, disks: ["a,nosuch"] }, /^disks\[0\]: found a,nosuch/],
    [{ ...SMALL, disks: [{ fil: "a" }] }, /^disks\[0\]: found the name fil; .*Did you mean file\?/],
    [{ ...SMALL, modules: [{ fil: "a" }] }, /^modules\[0\]: found the name fil; .*Did you mean file\?/],
    [{ smp: 2 }, /^Vm.start: found the name smp; .*Did you mean cpus\?/],
    [{ ...SMALL, shares: { x: { folder: ".", rw: true } } }, /^shares\["x"\]: found the name rw/],
    [{ shares: { work: "." } }, /absolute path in the guest/],
    [{ env: { "a b": "c" } }, /^env: found the name "a b"/],
    [null, /^Vm.start: found null; expected an object/],
    ["vmlinuz", /^Vm.start: found the text "vmlinuz"; expected an object/],
    [{ cpus: "2" }, /^cpus: found the text "2"; expected a number/],
    [{ kernel: 5 }, /^kernel: found 5; expected a path, a URL, its bytes, or { name, bytes }/],
    [{ memory: true }, /^memory: found true; expected a text like "512M", or a number of bytes/],
    [{ shares: { "/x": 5 } }, /^shares\["\/x"\]: found 5; expected a folder/],
    [{ shares: "/src" }, /^shares: found the text "\/src"; expected an object/],
    [{ disks: "disk.img" }, /^disks: found the text "disk.img"; expected a list/],
    [{ disks: [null] }, /^disks\[0\]: found null; expected a text as --disk takes it/],
    [{ net: 5 }, /^net: found 5; expected true, a text/],
    [{ net: { allow: "example.com" } }, /^net.allow: found the text "example.com"; expected a list of texts/],
    [{ jit: "fast" }, /^jit: found the text "fast"; expected "on", "off", "eager", "check"/],
    [{ signal: new AbortController() }, /^signal: found an object; expected an AbortSignal/],
    [{ cold: "yes" }, /^cold: found the text "yes"; expected true or false/],
    [{ onMessage: "log" }, /^onMessage: .*expected a function/],
    [{ root: 5 }, /^root: found 5; expected a text/],
  ];
  for (const [options, said] of table)
    await assert.rejects(Vm.start(options as VmOptions), (error: Error) => {
      assert.equal(error.name, "VmError", String(error));
      assert.match(error.message, said);
      return true;
    });
});

test("R1.10 what is typed and waited for has to be text, and what is not leaves nothing behind", async (t) => {
  const vm = await started(t);
  await vm.console.expect(READY, PATIENCE);
  const five = 5 as unknown as string;
  await assert.rejects(vm.console.send(five), {
    name: "VmError",
    message: /^send: found 5; expected a text/,
  });
  await assert.rejects(vm.console.expect(five), { message: /^expect: found 5; expected a text, or a reg/ });
  await vm.console.send("on");
  await vm.console.expect("on", PATIENCE);
  const never = vm.console.expect("never", { timeoutMs: 1 });
  await assert.rejects(never, { fault: "timeout", message: /expected "never"$/ });
});

test("R1.10 a snapshot that cannot be read is named, with what it should be", async (t) => {
  const folder = await emptyFolder(t);
  await assert.rejects(Vm.restore(folder), {
    name: "SnapshotError",
    message: `snapshot ${folder}: found a folder; expected the file of a snapshot. It is read in place.`,
  });
  await assert.rejects(Vm.restore(5 as unknown as string), {
    message: /^file: found a number; expected a path/,
  });
  const file = path.join(folder, "no.snap");
  await assert.rejects(Vm.restore(file), {
    name: "VmError",
    fault: "snapshot",
    message: `snapshot ${file}: found no such file or folder; expected a file that vm.snapshot or locore boot --snapshot has written`,
  });
});

test("R1.10 a guest with an init of its own has no exec, and it is said why", async (t) => {
  const vm = await started(t);
  assert.equal(vm.canExec, false);
  assert.throws(() => vm.exec(["true"]), { name: "VmError", fault: "no-exec", message: /run: true/ });
  assert.throws(() => vm.fs, { fault: "no-exec" });
  await assert.rejects(vm.shell(), { fault: "no-exec" });
});

test("R1.10 a start that is called off, or lasts too long, does not resolve with a machine that has ended", async (t) => {
  for (const milliseconds of [0, 5, 30]) {
    const abort = new AbortController();
    const starting = started(t, { signal: abort.signal });
    setTimeout(() => abort.abort(new Error("enough")), milliseconds);
    await assert.rejects(starting, { message: "enough" });
  }
  for (const limit of [{ timeoutMs: 0 }, { startTimeoutMs: 0 }])
    await assert.rejects(started(t, limit), { name: "VmError", fault: "timeout" });
  await assert.rejects(started(t, { startTimeoutMs: -1 }), { name: "VmError", fault: "option" });
});

test("R1.10 a machine whose thread cannot be made leaves no network open", async (t) => {
  const before = process.getActiveResourcesInfo();
  const net = { publish: [`127.0.0.1:${await freePort()}:80`] };
  const sent = t.mock.method(Worker.prototype, "postMessage", () => {
    throw new Error("no thread");
  });
  await assert.rejects(Vm.start({ ...SMALL, net }), { message: "no thread" });
  sent.mock.restore();
  await nothingLeft(before);
});

test("R1.10 a copy has the network of the first machine, but not its ports nor its capture", async (t) => {
  const folder = await emptyFolder(t);
  const pcap = path.join(folder, "frames.pcapng");
  const port = await freePort();
  const vm = await started(t, { net: { publish: [`127.0.0.1:${port}:80`], pcap, allow: ["example.com"] } });
  await vm.console.expect(READY, PATIENCE);
  const copy = await vm.fork();
  t.after(() => copy.stop());
  await copy.console.send("on");
  await copy.console.expect("on", PATIENCE);
  assert.deepEqual(await readdir(folder), ["frames.pcapng"]);
});

test("R1.10 a machine that has ended by itself is over, though a reader of its console stalls, who loses nothing", async (t) => {
  const vm = await started(t);
  await vm.console.expect(READY, PATIENCE);
  const reader = vm.console.bytes();
  let read = (await reader.next()).value!.length;
  // More than a reader may lag behind, and no more than there is room for on the way.
  const length = (1 << 20) + (1 << 17);
  await vm.console.send(`${"x".repeat(length)}q`);
  assert.equal((await vm.end).end.kind, "halted");
  for await (const bytes of reader) read += bytes.length;
  assert.equal(read, READY.length + 2 + length);
});

test("R1.10 a machine whose time limit is Infinity has none, and one that is no time is refused", async (t) => {
  const vm = await started(t, { timeoutMs: Infinity });
  await vm.console.expect(READY, PATIENCE);
  await vm.console.send("on");
  await vm.console.expect("on", PATIENCE);
  await assert.rejects(Vm.start({ ...SMALL, timeoutMs: NaN }), { name: "VmError", fault: "option" });
});
