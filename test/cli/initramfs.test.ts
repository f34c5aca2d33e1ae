/** `locore initramfs`, against an archive in a folder. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import test from "node:test";
import { sha256 } from "../../src/guests/cache/cache.js";
import { aptBench, setEnvironment } from "../support/apt-bench.js";
import { locore } from "../support/cli.js";

test("initramfs: a wrong command line exits 2 and says what is missing", async () => {
  const cases: [string[], RegExp][] = [
    [["openssl"], /--output FILE is missing/],
    [["openssl", "-o", "x", "--arch", "amd46"], /expected amd64, i386.*\n.*did you mean amd64\?/],
    [["-o", "x", "--end", "sleep"], /expected poweroff, reboot, halt/],
  ];
  for (const [words, expected] of cases) {
    const { status, err } = await locore("initramfs", ...words);
    assert.equal(status, 2, words.join(" "));
    assert.match(err, expected);
  }
});

test("initramfs: packages with what they need, the shell and files of the host are in the archive, which --json describes", async (t) => {
  const made = await aptBench(t);
  if (!made) return;
  const cache = made.options.cacheFolder;
  setEnvironment(t, { XDG_CACHE_HOME: cache });
  const one = (name: string, file: string, depends?: string) => ({
    name,
    version: "1",
    files: [{ name: `./${file}`, text: name, mode: 0o755 }],
    ...(depends === undefined ? {} : { depends }),
  });
  await made.repository.publish([
    one("busybox-static", "bin/busybox"),
    one("dash", "bin/dash"),
    one("tool", "usr/bin/tool", "library"),
    one("library", "lib/library.so"),
  ]);
  const [host, output] = [path.join(path.dirname(cache), "note"), path.join(path.dirname(cache), "initrd")];
  await writeFile(host, "a note");
  const words = ["initramfs", "tool", "-o", output, "--add", `${host}:/root/note`, "--command", "tool --run"];
  const { status, out, err } = await locore(...words, "--json");
  assert.equal(status, 0, err);
  const bytes = readFileSync(output);
  const about = JSON.parse(out) as { sha256: string; size: number; packages: { name: string }[] };
  assert.equal(about.sha256, sha256(bytes));
  assert.equal(about.size, bytes.length);
  assert.deepEqual(
    about.packages.map(({ name }) => name),
    ["dash", "library", "tool"],
  );
  for (const found of [
    "usr/bin/tool\0",
    "usr/bin/dash\0",
    "usr/lib/library.so\0",
    "root/note\0",
    "tool --run\n",
  ]) {
    assert.ok(bytes.includes(found), found);
  }
  const odd = await locore("initramfs", "tool", "-o", output, "--add", "nowhere");
  assert.equal(odd.status, 2);
  assert.match(odd.err, /--add nowhere: expected HOST:GUEST/);
  const none = await locore("initramfs", "no-such-package", "-o", output);
  assert.equal(none.status, 8);
  assert.match(none.err, /Unable to locate package no-such-package/);
});

test("initramfs: a file to add that is not there is one line that names it, and nothing is written", async (t) => {
  const made = await aptBench(t);
  if (!made) return;
  setEnvironment(t, { XDG_CACHE_HOME: made.options.cacheFolder });
  const busybox = { name: "./bin/busybox", text: "busybox" };
  await made.repository.publish([{ name: "busybox-static", version: "1", files: [busybox] }]);
  const output = path.join(path.dirname(made.options.cacheFolder), "initrd");
  const { err } = await locore("initramfs", "-o", output, "--add", "/nonexistent/file:/root/file");
  assert.match(err, /\nlocore: initramfs: \/nonexistent\/file: no such file or folder\n$/);
  await assert.rejects(readFile(output), { code: "ENOENT" });
});
