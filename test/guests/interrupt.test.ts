/** A fetch that is interrupted, by Ctrl-C or by a signal: nothing of it stays. */
import assert from "node:assert/strict";
import { readdir } from "node:fs/promises";
import path from "node:path";
import test from "node:test";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { pullGuest } from "../../src/guests/index.js";
import { offThread } from "../../src/guests/off-thread.js";
import { runProgram } from "../../src/guests/apt/program.js";
import { processesWith, servedBench, setEnvironment } from "../support/apt-bench.js";
import { debOf } from "../support/archives.js";
import { kernelPackages } from "../support/guest-packages.js";
import { NO_TERMINAL, nodeOnTerminal, Running } from "../support/pseudo-terminal.js";

const PROGRAM = fileURLToPath(new URL("../../src/cli/main.js", import.meta.url));
const LIMIT = { timeout: 60_000 };
const PULL = [PROGRAM, "guests", "pull", "debian-cloud"];

/** A pull that waits for a server that never answers what `mute` matches, started by `start`. */
async function hanging(t: TestContext, mute: RegExp, start: (environment: NodeJS.ProcessEnv) => Running) {
  const made = await servedBench(t);
  if (!made) return undefined;
  const { repository, server, options } = made;
  await repository.publish(kernelPackages("50"));
  server.manner = "mute";
  server.badly = mute;
  const home = path.dirname(options.cacheFolder);
  const run = start({ ...process.env, XDG_CACHE_HOME: home }).during(t);
  await server.asked(mute);
  return { run, server, options: { cacheFolder: path.join(home, "locore") } };
}

const piped = (environment: NodeJS.ProcessEnv): Running =>
  new Running(process.execPath, PULL, { env: environment });

test(
  "guests: SIGINT, SIGTERM and SIGHUP end a pull with status 130 and leave nothing of it",
  LIMIT,
  async (t) => {
    for (const [signal, mute] of [
      ["SIGINT", /InRelease$/],
      ["SIGTERM", /\.deb$/],
      ["SIGHUP", /Packages/],
    ] as const) {
      const made = await hanging(t, mute, piped);
      if (!made) return;
      const { run, server, options } = made;
      assert.notDeepEqual(await processesWith(options.cacheFolder), [], "apt is at work");
      run.child.kill(signal);
      const { status, err } = await run.ended;
      assert.equal(status, 130);
      assert.match(err, /^locore: interrupted$/m);
      assert.deepEqual(await processesWith(options.cacheFolder), [], "apt and its methods are gone");
      assert.deepEqual(
        await readdir(options.cacheFolder),
        ["apt"],
        "neither lock nor unfinished work is left",
      );
      server.manner = "ordinary";
      assert.equal((await pullGuest("debian-cloud", options)).version, "6.1.50-1");
    }
  },
);

test("guests: Ctrl-C on a terminal likewise", { ...LIMIT, skip: NO_TERMINAL }, async (t) => {
  const made = await hanging(t, /\.deb$/, (environment) => {
    setEnvironment(t, { XDG_CACHE_HOME: environment["XDG_CACHE_HOME"] ?? "" });
    return nodeOnTerminal(PULL);
  });
  if (!made) return;
  const { run, options } = made;
  run.child.stdin.write("\x03");
  const { out } = await run.ended;
  assert.match(out, /locore: interrupted\r?\n.*status=130/s);
  assert.deepEqual(await processesWith(options.cacheFolder), []);
});

test("guests: a program is ended with all that it started, even if it does not want to", LIMIT, async () => {
  const mark = `LOCORE_TEST_MARK=${process.pid}-${performance.now()}`;
  const stop = new AbortController();
  const stubborn = "trap '' TERM INT HUP; sleep 60 & echo started; while :; do sleep 60; done";
  const reason = new Error("enough");
  const ended = runProgram("sh", ["-c", stubborn], {
    signal: stop.signal,
    environment: Object.fromEntries([mark.split("=")]) as Record<string, string>,
    onLine: () => stop.abort(reason),
  });
  await assert.rejects(ended, reason);
  assert.deepEqual(await processesWith(mark), []);
});

test("guests: unpacking leaves this thread free, and is ended in the middle", LIMIT, async () => {
  const text = "x".repeat(100_000_000);
  const bytes = debOf([{ name: "./usr/share/large", text }], { squeezed: true });
  const stop = new AbortController();
  const unpacking = offThread("filesFromDeb", [bytes, { kernel: /^boot\/vmlinuz/ }], stop.signal);
  let beats = 0;
  const heart = setInterval(() => {
    beats += 1;
    if (beats === 10) stop.abort(new Error("enough"));
  }, 10);
  await assert.rejects(unpacking, /enough/);
  clearInterval(heart);
  assert.ok(beats >= 10);
});

test("guests: what goes wrong in the other thread is the same error here", async () => {
  const wrong = offThread("filesFromDeb", [new Uint8Array(10), { kernel: /x/ }]);
  await assert.rejects(wrong, { name: "GuestError", fault: "damaged" });
});
