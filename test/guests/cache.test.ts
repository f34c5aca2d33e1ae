/** The guest cache: atomic, verified on use, safe with several processes and with what a crash left behind. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdir, mkdtemp, readFile, readdir, rm, utimes, writeFile } from "node:fs/promises";
import { once } from "node:events";
import { hostname, tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import test from "node:test";
import type { TestContext } from "node:test";
import { readlinkSync } from "node:fs";
import { GuestCache, versionFolder, writeAtomically } from "../../src/guests/cache/cache.js";
import { defaultCacheFolder } from "../../src/guests/cache/folder.js";
import { GuestError } from "../../src/guests/errors.js";

const utf8 = new TextEncoder();

async function temporaryCache(t: TestContext): Promise<GuestCache> {
  const folder = await mkdtemp(path.join(tmpdir(), "locore-cache-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return new GuestCache(folder);
}

const ABOUT = {
  name: "example",
  package: "example-static",
  version: "1:2-3",
  packageSha256: "00",
  release: "bookworm",
  architecture: "amd64",
};

/** What the lock of a process of this machine looks like. */
function lockOf(pid: number): string {
  let namespace = "";
  try {
    namespace = readlinkSync("/proc/self/ns/pid");
  } catch {
    // Not Linux: there is one space of process numbers.
  }
  return JSON.stringify({ space: `${hostname()} ${namespace}`, pid });
}

/** The number of a process that has ended. */
async function deadProcess(): Promise<number> {
  const child = spawn(process.execPath, ["-e", ""]);
  await once(child, "exit");
  return child.pid ?? 0;
}

test("guest cache: what was stored is found again, with its version and digests", async (t) => {
  const cache = await temporaryCache(t);
  await cache.store(ABOUT, { program: { fileName: "program", bytes: utf8.encode("hello\n") } });
  const record = await cache.verified("example");
  assert.equal(record?.version, "1:2-3");
  assert.deepEqual(record?.files["program"], {
    path: path.join("1%3a2-3", "program"),
    size: 6,
    sha256: "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03",
  });
  assert.equal(versionFolder("1:2/3"), "1%3a2%2f3");
});

test("guest cache: a changed file, a lost file and a damaged record are not believed", async (t) => {
  const cache = await temporaryCache(t);
  const file = path.join(cache.guestFolder("example"), "1%3a2-3", "program");
  const store = () => cache.store(ABOUT, { program: { fileName: "program", bytes: utf8.encode("hello\n") } });
  await store();
  await writeFile(file, "hullo\n");
  assert.equal(await cache.verified("example"), undefined);
  await store();
  await rm(file);
  assert.equal(await cache.verified("example"), undefined);
  await store();
  assert.notEqual(await cache.verified("example"), undefined);
  await writeFile(path.join(cache.guestFolder("example"), "guest.json"), '{"name": "exa');
  assert.equal(await cache.verified("example"), undefined);
});

test("guest cache: a write that fails leaves neither a part nor a temporary file", async (t) => {
  const { folder } = await temporaryCache(t);
  const occupied = path.join(folder, "occupied");
  await mkdir(path.join(occupied, "full"), { recursive: true });
  await assert.rejects(writeAtomically(occupied, utf8.encode("x")));
  assert.deepEqual(await readdir(folder), ["occupied"]);
});

test("guest cache: processes at once take turns", async (t) => {
  const cache = await temporaryCache(t);
  const worker = fileURLToPath(new URL("cache-worker.js", import.meta.url));
  const rounds = 15;
  const workers = [1, 2, 3].map(() =>
    spawn(process.execPath, [worker, cache.folder, String(rounds)], { stdio: "inherit" }),
  );
  const ends = await Promise.all(workers.map((child) => once(child, "exit")));
  assert.deepEqual(
    ends,
    workers.map(() => [0, null]),
  );
  assert.equal(await readFile(path.join(cache.folder, "counter"), "utf8"), String(3 * rounds));
  assert.deepEqual(await readdir(cache.folder), ["counter"]);
});

test("guest cache: the lock of a process that died is taken over, and its unfinished work removed", async (t) => {
  const cache = await temporaryCache(t);
  await writeFile(path.join(cache.folder, "lock"), lockOf(await deadProcess()));
  await mkdir(path.join(cache.folder, "tmp", "half"), { recursive: true });
  const left = await cache.exclusively(async (temporary) => readdir(temporary));
  assert.deepEqual(left, []);
  assert.deepEqual(await readdir(cache.folder), []);
});

test("guest cache: the lock of another machine is respected while it is fresh and taken over when it is old", async (t) => {
  const cache = await temporaryCache(t);
  const lock = path.join(cache.folder, "lock");
  await writeFile(lock, JSON.stringify({ space: "elsewhere", pid: 1 }));
  let waited = 0;
  const signal = AbortSignal.timeout(300);
  const attempt = cache.exclusively(() => Promise.resolve(), { signal, onWait: () => (waited += 1) });
  await assert.rejects(attempt, { name: /AbortError|TimeoutError/ });
  assert.equal(waited, 1);
  const longAgo = new Date(Date.now() - 3_600_000);
  await utimes(lock, longAgo, longAgo);
  assert.equal(await cache.exclusively(() => Promise.resolve("done")), "done");
});

test("guest cache: what one process does at once takes turns and is told of no other process; who gives up lets the next one go", async (t) => {
  const cache = await temporaryCache(t);
  const done: string[] = [];
  const waited: string[] = [];
  let begin = (): void => undefined;
  const began = new Promise<void>((resolve) => {
    begin = resolve;
  });
  const turn = (name: string, signal?: AbortSignal): Promise<void> =>
    cache.exclusively(
      async () => {
        done.push(`${name} begins`);
        begin();
        await new Promise((resolve) => setTimeout(resolve, 20));
        done.push(`${name} ends`);
      },
      { signal, onWait: () => waited.push(name) },
    );
  const abort = new AbortController();
  const one = turn("one");
  await began;
  const others = [turn("two", abort.signal), turn("three")];
  abort.abort(new Error("changed its mind"));
  const ends = await Promise.allSettled([one, ...others]);
  assert.deepEqual(
    ends.map(({ status }) => status),
    ["fulfilled", "rejected", "fulfilled"],
  );
  assert.deepEqual(done, ["one begins", "one ends", "three begins", "three ends"]);
  assert.deepEqual(waited, []);
});

test("guest cache: the lock is released when the work fails", async (t) => {
  const cache = await temporaryCache(t);
  await assert.rejects(
    cache.exclusively(() => Promise.reject(new Error("broke"))),
    /broke/,
  );
  assert.equal(await cache.exclusively(() => Promise.resolve("next")), "next");
});

test("guest cache: a folder that cannot be made is an error that says what to set", async (t) => {
  const { folder } = await temporaryCache(t);
  await writeFile(path.join(folder, "file"), "");
  const cache = new GuestCache(path.join(folder, "file", "cache"));
  await assert.rejects(
    cache.exclusively(() => Promise.resolve()),
    (error) => error instanceof GuestError && /XDG_CACHE_HOME/.test(error.message),
  );
});

test("guest cache: XDG_CACHE_HOME decides where it is, when it is absolute", (t) => {
  const before = process.env["XDG_CACHE_HOME"];
  t.after(() => {
    if (before === undefined) delete process.env["XDG_CACHE_HOME"];
    else process.env["XDG_CACHE_HOME"] = before;
  });
  process.env["XDG_CACHE_HOME"] = "/somewhere/cache";
  assert.equal(defaultCacheFolder(), path.join("/somewhere/cache", "locore"));
  process.env["XDG_CACHE_HOME"] = "relative";
  assert.match(defaultCacheFolder(), /\.cache[/\\]locore$/);
});
