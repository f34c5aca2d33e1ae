/** A cache that cannot be where it is to be: what a newcomer is told then, in one line. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmod, mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import test from "node:test";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { defaultCacheFolder, GuestError, pullGuest } from "../../src/guests/index.js";
import { userFolder } from "../../src/host/node/compiled-code.js";
import { setEnvironment } from "../support/apt-bench.js";
import { locore } from "../support/cli.js";
import { Running } from "../support/pseudo-terminal.js";
import { IS_ROOT, NO_DISK, onDisk } from "../support/small-disk.js";

const PROGRAM = fileURLToPath(new URL("../../src/cli/main.js", import.meta.url));
const ADVICE = "set XDG_CACHE_HOME to a folder that can be written";
/** Pulls with the cache in the folder that is `$0`. */
const PULL = `XDG_CACHE_HOME=$0 exec ${process.execPath} ${PROGRAM} guests pull busybox`;
/** An account that owns nothing. */
const NOBODY = { uid: 65_534, gid: 65_534 };
const LIMIT = { timeout: 60_000 };

async function temporaryFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(path.join(tmpdir(), "locore-cache-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

test("guests: what is compiled is kept where guests are, wherever a user's caches are", (t) => {
  for (const XDG_CACHE_HOME of [undefined, "", "relative", "/caches"])
    for (const HOME of [undefined, "/home/one"]) {
      setEnvironment(t, { XDG_CACHE_HOME, HOME });
      assert.equal(userFolder(), defaultCacheFolder());
    }
  setEnvironment(t, { XDG_CACHE_HOME: undefined, HOME: "" });
  assert.throws(() => userFolder(), /HOME/);
});

test("guests: a cache that cannot be written is one line that says why and what to set", LIMIT, async (t) => {
  const folder = await temporaryFolder(t);
  const file = path.join(folder, "file");
  await writeFile(file, "");
  await mkdir(path.join(folder, "taken"));
  await writeFile(path.join(folder, "taken", "locore"), "");
  const cases: [string, string, string][] = [
    [file, "ENOTDIR", "a part of its path is not a folder"],
    [path.join(folder, "taken"), "EEXIST", "there is something of that name already"],
  ];
  for (const [home, code, why] of cases) {
    const cacheFolder = path.join(home, "locore");
    await assert.rejects(
      pullGuest("busybox", { cacheFolder }),
      (error) =>
        error instanceof GuestError &&
        error.code === code &&
        error.message === `cannot write the cache of guests to ${cacheFolder}: ${why}; ${ADVICE}`,
    );
  }
});

test("guests: a read-only disk is told as one", { ...LIMIT, skip: NO_DISK }, async (t) => {
  const folder = await temporaryFolder(t);
  const { err } = await onDisk(folder, "1m", ["sh", "-c", `mount -o remount,ro "$0"; ${PULL}`, folder]).ended;
  assert.equal(
    err,
    `locore: cannot write the cache of guests to ${folder}/locore: the file system is read-only; ${ADVICE}\n`,
  );
});

test("guests: a cache in a folder of somebody else is told as what it is", LIMIT, async (t) => {
  // Root may write anywhere. Nobody may not, but must be able to read the program.
  const account = IS_ROOT ? NOBODY : {};
  if (spawnSync(process.execPath, [PROGRAM, "version"], account).status !== 0) {
    t.skip("this checkout is for root alone");
    return;
  }
  const folder = await temporaryFolder(t);
  await chmod(folder, 0o555);
  const { err } = await new Running("sh", ["-c", PULL, folder], account).ended;
  assert.equal(
    err,
    `locore: cannot write the cache of guests to ${folder}/locore: no permission to use it; ${ADVICE}\n`,
  );
});

test("guests: XDG_CACHE_HOME that is no absolute path is told, and where the cache is instead", async (t) => {
  const home = await temporaryFolder(t);
  setEnvironment(t, { XDG_CACHE_HOME: "relative/cache", HOME: home, PATH: home });
  const { err } = await locore("guests", "pull", "busybox");
  assert.match(
    err,
    new RegExp(
      `^locore: XDG_CACHE_HOME=relative/cache is no absolute path and is not taken; the cache is ${home}/.cache/locore\n`,
    ),
  );
  assert.deepEqual(await readdir(path.join(home, ".cache")), ["locore"]);
});

test("guests: HOME that is empty is no folder: the system's is taken, and nothing is written to the current one", async (t) => {
  const folder = await temporaryFolder(t);
  const options = { cwd: folder, env: { PATH: process.env["PATH"], HOME: "" }, encoding: "utf8" } as const;
  const { stdout } = spawnSync(process.execPath, [PROGRAM, "cache", "--json"], options);
  assert.ok(path.isAbsolute((JSON.parse(stdout) as { folder: string }).folder), stdout);
  assert.deepEqual(await readdir(folder), []);
});

test(
  "guests: a user without a home is told what to set",
  { skip: IS_ROOT ? false : "needs another user" },
  () => {
    // No system has an entry for this number.
    const options = {
      uid: 1_234_567,
      gid: 1_234_567,
      env: { PATH: process.env["PATH"] },
      encoding: "utf8",
    } as const;
    if (spawnSync(process.execPath, [PROGRAM, "version"], options).status !== 0) return;
    for (const command of [["cache"], ["guests", "pull", "busybox"], ["run", "--", "true"]]) {
      const { stderr } = spawnSync(process.execPath, [PROGRAM, ...command], options);
      assert.match(
        stderr,
        /^locore: there is no place for the cache: this user has no home folder; set HOME, or XDG_CACHE_HOME /,
      );
    }
  },
);

test("cache: a folder that cannot be made keeps nothing, and says so; one that others can write is not believed", async (t) => {
  const folder = await temporaryFolder(t);
  const cache = path.join(folder, "locore");
  await writeFile(cache, "");
  setEnvironment(t, { XDG_CACHE_HOME: folder });
  const none = await locore("cache");
  assert.deepEqual([none.status, none.err], [0, ""]);
  assert.match(none.out, /^0 of at most 8 machines/);
  assert.match((await locore("cache", "limit", "1", "1G")).err, /limit .*warm: the folder cannot be made/);
  await rm(cache);
  await mkdir(path.join(cache, "warm"), { recursive: true });
  await chmod(path.join(cache, "warm"), 0o777);
  const others = await locore("cache");
  assert.match(others.err, new RegExp(`^locore: cache ${cache}/warm: others can write there`));
  assert.notEqual(others.status, 0);
});

test("guests: of several names, one that there is not is told before anything is fetched", async (t) => {
  setEnvironment(t, { XDG_CACHE_HOME: "/nonexistent/cache" });
  const { err, status } = await locore("guests", "pull", "busybox", "windows");
  assert.match(err, /^locore: there is no guest windows$/m);
  assert.equal(status, 2);
});
