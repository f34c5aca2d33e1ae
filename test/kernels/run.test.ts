/** `locore run` with Debian's cloud kernel, as a script and a person have it: streams, status, signals, and each way to fail by its name. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { describe, test } from "node:test";
import { NO_TERMINAL, Running } from "../support/pseudo-terminal.js";
import { requireGuest } from "../support/requires.js";
import { builtTree, scratch } from "../support/built-tree.js";
import { hasRunGuests, PROGRAM, runToEnd, startRun } from "../support/run-command.js";

const LIMIT = { timeout: 280_000 };
const MEGABYTES = 4_000_000;

/** Bytes of every value, in no order that a device could make by itself. */
function noise(length: number): Buffer {
  const bytes = Buffer.alloc(length);
  for (let i = 0, word = 1; i < length; i++) {
    word = (Math.imul(word, 1_664_525) + 1_013_904_223) | 0;
    bytes[i] = word >>> 24;
  }
  return bytes;
}

describe("R1.10 run: four at once, each with streams of its own", { concurrency: 4 }, () => {
  test(
    "R1.10 run: stdin, stdout and stderr byte for byte, arguments, environment; the current folder, of which nothing changes here; its status",
    LIMIT,
    async (t) => {
      if (!(await hasRunGuests(t))) return;
      const folder = scratch(t);
      for (const name of ["one", "two"]) writeFileSync(path.join(folder, name), `${name}\n`);
      const input = noise(MEGABYTES);
      const script = [
        'echo "$1|$2|$VALUE|$(id -u):$(id -g)|$(pwd)|$(ls | wc -l)|$(cat one)|$(hostname)" >&2',
        "echo new >three && cat three >&2",
        "sleep 1000 &",
        "cat",
        "echo last >/dev/stderr",
        "exit 7",
      ].join("\n");
      const words = ["--env", "VALUE=a 'b'", "--", "sh", "-c", script, "sh", "x y", "*"];
      const run = await runToEnd(t, words, { input, cwd: folder });
      assert.equal(run.status, 7, run.err);
      assert.ok(run.out.equals(input), `${run.out.length} bytes of ${input.length}`);
      const [first, ...others] = run.err.split("\n");
      assert.match(first, new RegExp(`^x y\\|\\*\\|a 'b'\\|0:0\\|${folder}\\|2\\|one\\|`));
      assert.deepEqual(others.slice(0, 2), ["new", "last"]);
      assert.deepEqual([run.json.status, run.json.reason], [7, "exited"]);
      assert.deepEqual(readdirSync(folder).sort(), ["one", "two"]);
    },
  );

  test(
    "R1.10 run --share DIR:AT,rw: what the guest writes is here; a signal that ends the command is 128 and its number",
    LIMIT,
    async (t) => {
      if (!(await hasRunGuests(t))) return;
      const folder = scratch(t);
      const words = [
        "--share",
        `${folder}:/mnt/shared,rw`,
        "--cwd",
        "/mnt/shared",
        "--exec",
        "echo $(id -u) >by-guest; printf cut >&2; kill -9 $$",
      ];
      const run = await runToEnd(t, words);
      assert.equal(run.status, 137, run.err);
      assert.deepEqual([run.json.reason, run.json.signal], ["signal", 9]);
      assert.match(run.err, /^cut\n\{.*\}\n$/, "what is ours begins a line");
      assert.equal(readFileSync(path.join(folder, "by-guest"), "utf8"), "0\n");
    },
  );

  test(
    "R1.10 run: a kernel that panics is 125 and said so; --log has its messages, standard output none",
    LIMIT,
    async (t) => {
      if (!(await hasRunGuests(t))) return;
      const log = path.join(scratch(t), "kernel.log");
      const words = [
        "--log",
        log,
        "--",
        "sh",
        "-c",
        "echo before; sleep 1; echo c >/proc/sysrq-trigger; echo after",
      ];
      const run = await runToEnd(t, words);
      assert.deepEqual([run.status, run.json.reason], [125, "panic"], run.err);
      assert.match(run.json.message ?? "", /sysrq triggered crash/);
      assert.equal(run.out.toString(), "before\n");
      assert.match(run.err, /the kernel's last messages:[^]*Call Trace/);
      assert.match(readFileSync(log, "utf8"), /Linux version 6[^]*Kernel panic/);
    },
  );

  test("R1.10 run --append init=/bin/nothing: 125, no-init", LIMIT, async (t) => {
    if (!(await hasRunGuests(t))) return;
    const run = await runToEnd(t, ["--append", "init=/bin/nothing", "--", "true"]);
    assert.deepEqual([run.status, run.json.reason], [125, "no-init"], run.err);
  });
});

test(
  "R1.10 run FOLDER: the kernel that was built there, with its modules, packed; a signal of this process is the command's; --user is who runs it",
  LIMIT,
  async (t) => {
    const guest = await requireGuest(t, "debian-cloud");
    if (guest === undefined || !(await hasRunGuests(t))) return;
    const tree = await builtTree(t, guest);
    const script = 'trap "echo heard; exit 9" TERM; id -u; echo begun >&2; while :; do sleep 0.1; done';
    const run = startRun(t, [tree, "--user", "1234:56", "--", "sh", "-c", script]);
    await run.shows("begun");
    process.kill(run.pid, "SIGTERM");
    const { status, out } = await run.ended;
    assert.equal(out.toString(), "1234\nheard\n");
    assert.equal(status, 9);
  },
);

test(
  "R1.10 run: another user's command has its options, its streams and large variables; what keeps a command from starting is said",
  LIMIT,
  async (t) => {
    if (!(await hasRunGuests(t))) return;
    const folder = scratch(t);
    writeFileSync(path.join(folder, "no-interpreter"), "#!/no/such\n", { mode: 0o755 });
    writeFileSync(path.join(folder, "no-first-line"), "echo by a shell $1\n", { mode: 0o755 });
    const large = "x".repeat(70_000);
    const words = [
      "--user",
      "1000:1000",
      "--env",
      `A=${large}`,
      "--env",
      `B=${large}`,
      "--append",
      "TERM=vt100",
    ];
    const script = "echo ${#A} ${#B} $TERM >/dev/stderr; ls -d /";
    const other = await runToEnd(t, [...words, "--", "sh", "-c", script], { cwd: folder });
    assert.deepEqual([other.status, other.out.toString()], [0, "/\n"], other.err);
    assert.match(other.err, /^70000 70000 vt100\n/);
    const listed = await runToEnd(t, ["--user", "1000:1000", "--", "ls", "-ld", "/bin"], { cwd: folder });
    assert.match(listed.out.toString(), /^d.* \/bin\n$/, listed.err);
    const bare = await runToEnd(t, ["--", "./no-interpreter"], { cwd: folder });
    assert.equal(bare.status, 126);
    assert.match(bare.err, /no-interpreter: the interpreter or loader that it names is not there/);
    const shell = await runToEnd(t, ["--", "./no-first-line", "itself"], { cwd: folder });
    assert.equal(shell.out.toString(), "by a shell itself\n", shell.err);
    const none = await runToEnd(t, ["--env", "PATH=/:/bin", "--", "etc"], { cwd: folder });
    assert.deepEqual([none.status, /locore: etc: not found/.test(none.err)], [127, true], none.err);
  },
);

test(
  "R1.10 run on a terminal: one of its own, with the size of ours, job control and Ctrl-C",
  { ...LIMIT, skip: NO_TERMINAL },
  async (t) => {
    if (!(await hasRunGuests(t))) return;
    const command = `stty cols 101 rows 33; '${process.execPath}' '${PROGRAM}' run --timeout 150s; echo "status=$?"; stty -a | grep -o -e '-*icanon'`;
    const run = new Running("script", ["-qec", command, "/dev/null"]).during(t);
    const type = async (text: string, answer: string): Promise<void> => {
      const from = run.out.length;
      run.child.stdin.write(text);
      await run.shows(answer, from);
    };
    await run.shows("locore: Ctrl-A x quits");
    await run.shows("# ");
    await type("stty size; tty\r", "33 101\r\n/dev/hvc0\r\n");
    await type("sh -c 'echo begun; sleep 99'\r", "begun\r\n");
    await type("\x03", "# ");
    await type("sleep 98 & jobs\r", "Running");
    run.child.stdin.write("exit 3\r");
    const { out } = await run.ended;
    assert.match(out, /status=3\s+icanon/);
  },
);
