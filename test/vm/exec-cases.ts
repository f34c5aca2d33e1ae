/** What commands do in a guest whose init is locore's, one Linux for all of it: R1.10, for a machine however it began. */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { VmError, Vm } from "../../src/vm/index.js";
import { hasRunGuests } from "../support/run-command.js";

const TIME = { timeout: 300_000 };
const PATIENCE = { timeoutMs: 120_000 };

/** What the machine of the cases is to have been started with. */
export const CASE_OPTIONS = { env: { GREETING: "it's here" } };

/** The cases as tests; the first of them starts the machine, which has ended behind the last. */
export function execCases(start: () => Promise<Vm>): void {
  let vm: Vm | undefined;
  after(() => vm?.stop());

  /** The machine of the cases; the first to ask starts it. */
  async function guest(): Promise<Vm> {
    vm ??= await start();
    return vm;
  }

  test("R1.10 exec: status, output and errors come apart; a status is no exception", TIME, async (t) => {
    if (!(await hasRunGuests(t))) return;
    const { exec } = await shortcuts();
    const { status, signal, stdout, stderr, timedOut, truncated } = await exec(
      "echo out; echo err >&2; exit 3",
    );
    assert.deepEqual(
      { status, signal, stdout, stderr, timedOut, truncated },
      { status: 3, signal: undefined, stdout: "out\n", stderr: "err\n", timedOut: false, truncated: false },
    );
    assert.equal((await exec(["nosuch"])).status, 127);
    assert.equal((await exec(["/etc"])).status, 126);
    assert.equal((await exec("kill -TERM $$")).signal, 15);
  });

  async function shortcuts(): Promise<{ exec: Vm["exec"] }> {
    const machine = await guest();
    return { exec: (...words) => machine.exec(...words) };
  }

  test(
    "R1.10 exec: arguments, folder, environment and standard input arrive as they are",
    TIME,
    async (t) => {
      if (!(await hasRunGuests(t))) return;
      const { exec } = await shortcuts();
      const odd = ["a b", "'", '"$HOME"', "\\n", "", "é\n"];
      const { stdout } = await exec(["printf", "<%s>", ...odd]);
      assert.equal(stdout, odd.map((one) => `<${one}>`).join(""));
      for (const none of [5, null, ["echo", 1]] as unknown as string[])
        assert.throws(() => exec(none), { name: "VmError", message: /^exec: found .*a list of texts$/ });
      const stdin = 5 as unknown as string;
      assert.throws(() => exec("cat", { stdin }), {
        message: /^stdin: found 5; expected a text, a Uint8Array/,
      });
      const about = await exec('pwd; echo "$OWN $GREETING $HOME"', { cwd: "/tmp", env: { OWN: "x'y" } });
      assert.equal(about.stdout, "/tmp\nx'y it's here /root\n");
      assert.equal((await exec("cat; echo end", { stdin: "typed\n" })).stdout, "typed\nend\n");
      assert.equal((await exec("cat")).stdout, "");
      async function* pieces(): AsyncGenerator<string> {
        for (const piece of ["one ", "two ", "three"]) {
          await Promise.resolve();
          yield piece;
        }
      }
      assert.equal((await exec("cat", { stdin: pieces() })).stdout, "one two three");
      assert.equal((await exec("head -c 3", { stdin: new Uint8Array(300_000).fill(97) })).stdout, "aaa");
      assert.equal((await exec("echo next")).stdout, "next\n");
    },
  );

  test("R1.10 exec: a variable has any name, and the command alone has it", TIME, async (t) => {
    if (!(await hasRunGuests(t))) return;
    const { exec } = await shortcuts();
    const names =
      "launch chroot here job name user path folder IFS account HOME PS1 CDPATH GREETING LOCORE_USER each";
    const env = Object.fromEntries(names.split(" ").map((name) => [name, `${name}'s: /x`]));
    const { stdout } = await exec(["env"], { env, cwd: "/tmp" });
    const seen = stdout.split("\n");
    for (const [name, value] of Object.entries(env)) assert.ok(seen.includes(`${name}=${value}`), name);
    assert.equal((await exec(["env"])).stdout.match(/^LOCORE_.*/m), null);
    assert.equal((await exec("pwd", { env: { PATH: "/nowhere", CDPATH: "/tmp" } })).status, 127);
    assert.equal(
      (await exec(["/bin/sh", "-c", "echo $0 $PATH"], { env: { PATH: "/x" } })).stdout,
      "/bin/sh /x\n",
    );
  });

  test("R1.10 exec: four run at once, more wait, and each gets its own output", TIME, async (t) => {
    if (!(await hasRunGuests(t))) return;
    const { exec } = await shortcuts();
    // Each of the first four waits for the three others.
    const meet = (n: number): string =>
      `: >/tmp/m${n}; until [ "$(ls /tmp/m? | wc -l)" -ge 4 ]; do sleep 0.02; done; echo ${n}`;
    const all = await Promise.all([0, 1, 2, 3, 4, 5].map(async (n) => (await exec(meet(n))).stdout));
    assert.deepEqual(all, ["0\n", "1\n", "2\n", "3\n", "4\n", "5\n"]);
  });

  test("R1.10 exec: what it writes is read while it runs, by pieces and by lines", TIME, async (t) => {
    if (!(await hasRunGuests(t))) return;
    const { exec } = await shortcuts();
    const command = exec("echo first; while [ ! -e /tmp/go ]; do sleep 0.02; done; echo last >&2");
    const lines: string[] = [];
    for await (const { stream, line } of command.lines()) {
      lines.push(`${stream}: ${line}`);
      if (line === "first") await exec(": >/tmp/go");
    }
    assert.deepEqual(lines, ["stdout: first", "stderr: last"]);
    assert.equal((await command).stdout, "first\n");
    const killed = exec("sleep 1; echo survived");
    killed.kill();
    assert.deepEqual([(await killed).status, (await killed).stdout], [137, ""]);
    const flood = exec("yes", { maxOutputBytes: 1000 });
    let seen = 0;
    for await (const { data } of flood) if ((seen += data.length) > 3_000_000) break;
    flood.kill();
    const { stdoutBytes, truncated, status } = await flood;
    assert.deepEqual([stdoutBytes.length, truncated, status], [1000, true, 137]);
  });

  test(
    "R1.10 exec: out of time it is killed with all it started, aborted it rejects; its place is free again",
    TIME,
    async (t) => {
      if (!(await hasRunGuests(t))) return;
      const { exec } = await shortcuts();
      const { status, timedOut } = await exec("sleep 1001 | sleep 1001", { timeoutMs: 200 });
      assert.deepEqual([status, timedOut], [137, true]);
      const abort = new AbortController();
      const running = exec("echo on; sleep 1001", { signal: abort.signal });
      for await (const _ of running) break;
      abort.abort(new Error("enough"));
      await assert.rejects(Promise.resolve(running), { message: "enough" });
      await assert.rejects(Promise.resolve(exec("true", { signal: abort.signal })), { message: "enough" });
      const ends = await Promise.all([1, 2, 3, 4].map(() => exec("true")));
      assert.deepEqual(
        ends.map((one) => one.status),
        [0, 0, 0, 0],
      );
      // Who was aborted did not wait for its end.
      const gone = "while ps | grep -q '[s]leep 1001'; do sleep 0.05; done";
      assert.equal((await exec(gone, PATIENCE)).status, 0);
    },
  );

  test("R1.10 exec: what a command leaves running goes on, and is not waited for", TIME, async (t) => {
    if (!(await hasRunGuests(t))) return;
    const { exec } = await shortcuts();
    assert.equal((await exec("sleep 1002 & echo done")).stdout, "done\n");
    assert.equal((await exec("ps | grep -c '[s]leep 1002'")).stdout, "1\n");
    await exec("killall sleep");
  });

  test(
    "R1.10 fs: bytes there and back, and what cannot be read or written is an error that says why",
    TIME,
    async (t) => {
      if (!(await hasRunGuests(t))) return;
      const machine = await guest();
      const bytes = Uint8Array.from({ length: 1_500_001 }, (_, i) => (i * 31) >> 3);
      await machine.fs.write("/tmp/a file", bytes);
      assert.ok(Buffer.from(bytes).equals(await machine.fs.read("/tmp/a file")));
      await machine.fs.write("/tmp/empty", "");
      assert.equal((await machine.fs.read("/tmp/empty")).length, 0);
      await assert.rejects(machine.fs.read("/nosuch"), (error) => {
        assert.ok(error instanceof VmError);
        assert.equal(error.fault, "file");
        assert.match(error.found, /no such file/);
        return true;
      });
      await assert.rejects(machine.fs.write("/no/such/folder", "x"), { fault: "file" });
      await assert.rejects(machine.fs.read("/tmp/a file", { maxBytes: 10 }), {
        fault: "file",
        message: /maxBytes/,
      });
      await assert.rejects(machine.fs.read("/dev/zero", { maxBytes: 10 }), { fault: "file" });
    },
  );

  test("R1.10 fs: folders are made, listed and removed, and it is said what a file is", TIME, async (t) => {
    if (!(await hasRunGuests(t))) return;
    const { fs } = await guest();
    const odd = [" a\nb", "'", ".hidden", "-n", "é"];
    await fs.mkdir("/tmp/deep/folder");
    await fs.mkdir("/tmp/deep/folder");
    assert.deepEqual(await fs.list("/tmp/deep/folder"), []);
    for (const name of odd) await fs.write(`/tmp/deep/folder/${name}`, "12345");
    assert.deepEqual(await fs.list("/tmp/deep/folder"), odd.sort());
    const { kind, size, mtimeMs } = await fs.stat("/tmp/deep/folder/-n");
    assert.deepEqual([kind, size], ["file", 5]);
    assert.ok(Math.abs(mtimeMs - Date.now()) < 86_400_000);
    assert.equal((await fs.stat("/tmp/deep")).kind, "folder");
    assert.equal((await fs.stat("/dev/null")).kind, "other");
    assert.equal((await fs.stat("/tmp")).mode, 0o1777);
    assert.equal(await fs.readText("/tmp/deep/folder/é"), "12345");
    assert.deepEqual([await fs.exists("/tmp/deep"), await fs.exists("/tmp/no")], [true, false]);
    await fs.remove("/tmp/deep");
    await fs.remove("/tmp/deep");
    assert.equal(await fs.exists("/tmp/deep"), false);
    for (const refused of [() => fs.stat("/tmp/no"), () => fs.list("/tmp/no"), () => fs.mkdir("/proc/x")])
      await assert.rejects(refused, { name: "VmError", fault: "file" });
    await assert.rejects(fs.remove("//."), { fault: "option" });
    const five = 5 as unknown as string;
    for (const refused of [() => fs.read(five), () => fs.write("/tmp/x", five), () => fs.list(five)])
      await assert.rejects(async () => refused(), { name: "VmError", fault: "option", message: /found 5/ });
  });

  test(
    "R1.10 sh: a template's values are words, whatever is in them; check: what has to succeed",
    TIME,
    async (t) => {
      if (!(await hasRunGuests(t))) return;
      const machine = await guest();
      const [odd, list] = ["a 'b' $HOME", ["c d", 7]];
      const { stdout } = await machine.sh`printf '<%s>\n' ${odd} ${list} | sed 's/\(7\)/=\1/'`.check();
      assert.equal(stdout, "<a 'b' $HOME>\n<c d>\n<=7>\n");
      await assert.rejects(machine.exec("echo why >&2; exit 3").check(), (error) => {
        assert.ok(error instanceof VmError);
        assert.deepEqual([error.fault, error.found, error.meaning], ["status", "status 3", "It said: why"]);
        return true;
      });
    },
  );

  test("R1.10 shell: a terminal of its size, one at a time, with its status", TIME, async (t) => {
    if (!(await hasRunGuests(t))) return;
    const machine = await guest();
    const shell = await machine.shell({ columns: 100, rows: 30, cwd: "/tmp" });
    await assert.rejects(machine.shell(), { fault: "guest", message: /another shell/ });
    await shell.send("echo $((6 * 7)) $(stty size) $PWD\n");
    await shell.expect(/\n42 30 100 \/tmp\r\n/, PATIENCE);
    await shell.send("exit 5\n");
    assert.equal(await shell.end, 5);
    await assert.rejects(shell.send("x"), { fault: "ended" });
    const next = await machine.shell();
    await next.close();
    assert.equal(await next.end, 137);
  });

  test(
    "R1.10 shell: a reader that stalls holds neither the machine nor its other commands",
    TIME,
    async (t) => {
      if (!(await hasRunGuests(t))) return;
      const machine = await guest();
      await using shell = await machine.shell();
      const reader = shell.bytes();
      await reader.next();
      // More than waits on the way and where a reader may hold somebody back.
      await shell.send("head -c 2000000 /dev/zero | tr '\\0' '\\132'; echo $((6 * 7))done\n");
      await shell.expect("42done", PATIENCE);
      assert.equal((await machine.exec("echo on")).stdout, "on\n");
      await shell.send("exit\n");
      assert.equal(await shell.end, 0);
      let count = 0;
      for await (const bytes of reader) for (const byte of bytes) if (byte === 0o132) count++;
      assert.equal(count, 2_000_000);
    },
  );

  test(
    "R1.10 a guest that never serves is not waited for longer than was said, and where it is comes back",
    TIME,
    async (t) => {
      if (!(await hasRunGuests(t))) return;
      // Another init takes the place of the one that serves.
      const starting = Vm.start({ append: "init=/bin/cat", startTimeoutMs: 3000 });
      await assert.rejects(starting, (error) => {
        assert.ok(error instanceof VmError);
        assert.equal(error.fault, "timeout");
        assert.match(error.message, /3000 ms.*CPU 0 is/);
        assert.equal(error.diagnosis?.cpus.length, 1);
        return true;
      });
    },
  );

  test("R1.10 a machine that ends takes its commands with it, and says so", TIME, async (t) => {
    if (!(await hasRunGuests(t))) return;
    const { exec } = await shortcuts();
    const running = exec("sleep 1003");
    const crashing = exec("echo c >/proc/sysrq-trigger");
    await assert.rejects(Promise.resolve(crashing), (error) => {
      assert.ok(error instanceof VmError);
      assert.equal(error.fault, "ended");
      assert.match(error.found, /crashed by .*sysrq triggered crash/);
      assert.equal(error.diagnosis?.causes[0].id, "panic");
      return true;
    });
    await assert.rejects(Promise.resolve(running), { name: "VmError", fault: "ended" });
    await assert.rejects(Promise.resolve(exec("true")), { fault: "ended" });
  });
}
