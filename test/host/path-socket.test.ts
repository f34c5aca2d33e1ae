/** R3.7, R1.4 Who listens at a path: one of all who want to, and nothing of others' beside it is touched, whatever was left there. */
import assert from "node:assert/strict";
import { once } from "node:events";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import test from "node:test";
import { PathListener, PathTaken } from "../../src/host/node/net/path-socket.js";

const folder = mkdtempSync(path.join(os.tmpdir(), "locore-paths-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
const POSIX = { skip: process.platform === "win32" };
/** Long ago, in seconds. */
const OLD = 1e9;

const listen = (
  at: string,
  visited = (socket: net.Socket): unknown => socket.destroy(),
): Promise<PathListener> => PathListener.open(at, visited);

test(
  "R3.7 socket: files beside the path that look like ours are others'; they stay, and nothing is left",
  POSIX,
  async () => {
    const at = path.join(folder, "notes");
    const others = [`${at}~`, `${at}.lock`];
    for (const file of others) {
      writeFileSync(file, "mine");
      utimesSync(file, OLD, OLD);
    }
    const before = readdirSync(folder);
    const listener = await listen(at);
    assert.deepEqual(readdirSync(folder).sort(), [...before, "notes"].sort());
    listener.close();
    await once(listener.server, "close");
    assert.deepEqual(
      others.map((file) => readFileSync(file, "utf8")),
      ["mine", "mine"],
    );
    assert.deepEqual(readdirSync(folder), before);
  },
);

test("R3.7 socket: who listens at names like another's keeps them", POSIX, async () => {
  const at = path.join(folder, "x");
  const names = [`${at}~`, `${at}.lock`, at];
  const listeners = [];
  for (const name of names) listeners.push(await listen(name));
  assert.deepEqual(
    listeners.map(({ isThere }) => isThere),
    [true, true, true],
  );
  listeners[2].close();
  await once(listeners[2].server, "close");
  assert.deepEqual(
    names.map((name) => existsSync(name)),
    [true, true, false],
  );
  listeners.slice(0, 2).forEach((listener) => listener.close());
});

test("R3.7 socket: nobody but its owner connects", POSIX, async () => {
  const at = path.join(folder, "own");
  const listener = await listen(at);
  assert.equal(lstatSync(at).mode & 0o077, 0);
  listener.close();
});

test("R3.7 socket: one whose path is another's by now takes nothing of it away", POSIX, async () => {
  const at = path.join(folder, "moved");
  const first = await listen(at);
  rmSync(at);
  const second = await listen(at);
  assert.deepEqual([first.isThere, second.isThere], [false, true]);
  first.close();
  await once(first.server, "close");
  assert.ok(second.isThere);
  second.close();
});

/** The lock of a path, as somebody who was killed left it. */
const lockOf = (at: string): string => path.join(path.dirname(at), `.${path.basename(at)}.locore-lock`);

test(
  "R1.4 socket: a lock that was left is broken; of all who want the path one has it, and it hears",
  POSIX,
  async () => {
    const at = path.join(folder, "many");
    symlinkSync("locore-lock-of-nobody", lockOf(at));
    let visits = 0;
    const visited = (socket: net.Socket): unknown => (visits++, socket.destroy());
    const ends = await Promise.allSettled(Array.from({ length: 8 }, () => listen(at, visited)));
    const there = ends.flatMap((end) => (end.status === "fulfilled" ? [end.value] : []));
    assert.equal(there.length, 1);
    assert.ok(ends.every((end) => end.status === "fulfilled" || end.reason instanceof PathTaken));
    assert.ok(there[0].isThere);
    const looked = visits;
    await once(net.connect(at), "close");
    assert.equal(visits, looked + 1);
    there[0].close();
    await once(there[0].server, "close");
    assert.equal(existsSync(lockOf(at)), false);
  },
);

test("R1.4 socket: what has the lock's name and is no lock is said, and stays", POSIX, async () => {
  const at = path.join(folder, "file");
  writeFileSync(lockOf(at), "mine");
  await assert.rejects(listen(at), /\.file\.locore-lock is there, which is no lock/);
  assert.equal(readFileSync(lockOf(at), "utf8"), "mine");
});

test(
  "R3.7 socket: a path that the host cannot look at any more is not there, and costs no exception",
  POSIX,
  async () => {
    const inside = path.join(folder, "inside");
    mkdirSync(inside);
    const listener = await listen(path.join(inside, "s"));
    renameSync(inside, `${inside}-moved`);
    symlinkSync("inside", inside);
    assert.equal(listener.isThere, false);
    listener.close();
  },
);
