/** The newc archive writer and the initramfs made with it. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import test from "node:test";
import { writeCpio } from "../../src/guests/archives/cpio.js";
import type { CpioEntry } from "../../src/guests/archives/cpio.js";
import { GuestError } from "../../src/guests/errors.js";
import { exitStatusIn } from "../../src/guests/initramfs/init-script.js";
import { buildInitramfs, initramfsBytes } from "../../src/guests/initramfs/initramfs.js";
import { concat } from "../support/archives.js";
import { requireTool } from "../support/requires.js";

const utf8 = new TextEncoder();
const busybox = utf8.encode("\x7fELF");

async function archive(entries: CpioEntry[]): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of writeCpio(entries)) chunks.push(chunk);
  return concat(chunks);
}

function fileEntry(inside: string, content: string, size = content.length): CpioEntry {
  return { kind: "file", path: inside, mode: 0o644, size, content: () => [utf8.encode(content)] };
}

const header = (numbers: string): string => `070701${numbers.replaceAll(" ", "")}`;

test("newc: headers, names and data as the format's description has them", async () => {
  const bytes = await archive([
    { kind: "directory", path: "dev", mode: 0o755 },
    { kind: "character", path: "dev/console", mode: 0o600, major: 5, minor: 1 },
    fileEntry("init", "hello"),
    { kind: "symlink", path: "sh", mode: 0o777, target: "init" },
  ]);
  const zero = "00000000";
  const golden = [
    header(
      `00000001 000041ed ${zero} ${zero} 00000002 ${zero} 00000000 ${zero} ${zero} ${zero} ${zero} 00000004 ${zero}`,
    ),
    "dev\0\0\0",
    header(
      `00000002 00002180 ${zero} ${zero} 00000001 ${zero} 00000000 ${zero} ${zero} 00000005 00000001 0000000c ${zero}`,
    ),
    "dev/console\0\0\0",
    header(
      `00000003 000081a4 ${zero} ${zero} 00000001 ${zero} 00000005 ${zero} ${zero} ${zero} ${zero} 00000005 ${zero}`,
    ),
    "init\0\0hello\0\0\0",
    header(
      `00000004 0000a1ff ${zero} ${zero} 00000001 ${zero} 00000004 ${zero} ${zero} ${zero} ${zero} 00000003 ${zero}`,
    ),
    "sh\0\0\0\0init",
    header(
      `00000000 00000000 ${zero} ${zero} 00000001 ${zero} 00000000 ${zero} ${zero} ${zero} ${zero} 0000000b ${zero}`,
    ),
    "TRAILER!!!\0\0\0\0",
  ].join("");
  // Each entry's data starts at a multiple of 4: 110 + 4 + 2, 110 + 12 + 2, and so on.
  assert.equal(Buffer.from(bytes).toString("latin1").replace(/\0+$/, ""), golden.replace(/\0+$/, ""));
  assert.equal(bytes.length % 512, 0);
});

test("newc: cpio reads the archive back", async (t) => {
  const cpio = requireTool(t, "cpio");
  if (!cpio) return;
  const bytes = await archive([
    { kind: "directory", path: "a", mode: 0o755 },
    { ...fileEntry("a/file", "x".repeat(1001)), owner: { user: 1234, group: 5678 } },
    { kind: "fifo", path: "a/pipe", mode: 0o600 },
    { kind: "block", path: "a/disk", mode: 0o660, major: 254, minor: 17 },
    { kind: "symlink", path: "a/link", mode: 0o777, target: "../somewhere/else" },
  ]);
  const { stdout, status } = spawnSync(cpio, ["-tvn", "--quiet"], { input: bytes, env: { LC_ALL: "C" } });
  const lines = stdout
    .toString()
    .trimEnd()
    .split("\n")
    .map((line) => line.replace(/ +/g, " "));
  assert.equal(status, 0);
  const seen = lines.map((line) =>
    line.replace(/Jan 1 +1970|[A-Z][a-z]{2} +\d+ +\d{4} /, "").replace(/ +/g, " "),
  );
  assert.equal(seen.length, 5);
  assert.match(seen[0], /^drwxr-xr-x .* a$/);
  assert.match(seen[0], /^\S+ \d+ 0 0 /);
  assert.match(seen[1], /^-rw-r--r-- \d+ 1234 5678 1001 .*a\/file$/);
  assert.match(seen[2], /^prw------- .* a\/pipe$/);
  assert.match(seen[3], /^brw-rw---- .* 254, ?17 .*a\/disk$/);
  assert.match(seen[4], /^lrwxrwxrwx .* a\/link -> \.\.\/somewhere\/else$/);
});

test("newc: a file whose size changes while it is read is refused, not stored wrongly", async () => {
  for (const size of [4, 6]) {
    await assert.rejects(archive([fileEntry("f", "hello", size)]), /f changed while it was read/);
  }
});

test("newc: a file too large for the format and a name too long for Linux are refused", async () => {
  await assert.rejects(archive([fileEntry("big", "", 2 ** 32)]), /big has 4294967296 bytes/);
  await assert.rejects(archive([fileEntry("n".repeat(4096), "")]), GuestError);
});

test("initramfs: the same options give the same bytes, and chunks are not gathered", async () => {
  const options = { busybox, command: "true", files: [{ to: "/data", bytes: utf8.encode("x") }] };
  assert.deepEqual(await initramfsBytes(options), await initramfsBytes(options));
  let chunks = 0;
  for await (const _chunk of buildInitramfs(options)) chunks += 1;
  assert.ok(chunks > 20);
});

test("initramfs: a command line is run as it stands, then the machine ends as asked", async () => {
  const text = Buffer.from(
    await initramfsBytes({ busybox, command: "echo 'a b' | wc -c", end: "reboot" }),
  ).toString("latin1");
  assert.match(text, /locore\/command\0+echo 'a b' \| wc -c\n/);
  assert.match(text, /cttyhack \/bin\/sh -c 'trap : INT QUIT; \/bin\/sh \/locore\/command;/);
  assert.doesNotMatch(text, /sh -l/);
  assert.match(text, /finish "\$status" reboot\n/);
});

test("initramfs: without a command there is a shell; both can be had", async () => {
  const shellOnly = Buffer.from(await initramfsBytes({ busybox })).toString("latin1");
  assert.match(shellOnly, /cttyhack \/bin\/sh -c 'trap : INT QUIT; \/bin\/sh -l;/);
  assert.doesNotMatch(shellOnly, /locore\/command/);
  const both = Buffer.from(await initramfsBytes({ busybox, command: "date", shell: true })).toString(
    "latin1",
  );
  assert.ok(both.indexOf("sh /locore/command") < both.indexOf("sh -l"));
});

test("initramfs: /init is a script that sh accepts", async (t) => {
  const sh = requireTool(t, "sh");
  if (!sh) return;
  const text = Buffer.from(
    await initramfsBytes({ busybox, command: "true", shell: true, terminal: "it's" }),
  ).toString("latin1");
  const script = /#!\/bin\/busybox sh\n[^\0]*/.exec(text)?.[0] ?? "";
  const { status, stderr } = spawnSync(sh, ["-n"], { input: script });
  assert.equal(status, 0, stderr.toString());
  assert.match(script, /export TERM='it'\\''s'/);
});

test("initramfs: files and folders of the host are added with their permissions and links, parents made", async (t) => {
  const cpio = requireTool(t, "cpio");
  if (!cpio) return;
  const folder = await mkdtemp(path.join(tmpdir(), "locore-files-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  await mkdir(path.join(folder, "tree", "sub"), { recursive: true });
  await writeFile(path.join(folder, "tree", "sub", "run"), "#!/bin/sh\n");
  await chmod(path.join(folder, "tree", "sub", "run"), 0o750);
  await symlink("sub/run", path.join(folder, "tree", "link"));
  const bytes = await initramfsBytes({
    busybox,
    files: [
      { to: "/opt/deep/tree", from: path.join(folder, "tree") },
      { to: "/etc/passwd", bytes: utf8.encode("mine"), mode: 0o600 },
    ],
  });
  const { stdout } = spawnSync(cpio, ["-tvn", "--quiet"], { input: bytes, env: { LC_ALL: "C" } });
  const lines = stdout.toString().split("\n");
  const line = (name: string): string => lines.find((text) => text.includes(` ${name}`)) ?? "";
  assert.match(line("opt/deep/tree/sub/run"), /^-rwxr-x---/);
  assert.match(line("opt/deep/tree/link"), /-> sub\/run$/);
  assert.match(line("opt/deep"), /^drwxr-xr-x/);
  assert.match(line("etc/passwd"), /^-rw------- .* 4 /);
  assert.equal(lines.filter((text) => text.endsWith(" etc/passwd")).length, 1);
  assert.ok(
    lines.findIndex((text) => text.endsWith(" opt")) < lines.findIndex((text) => text.endsWith(" opt/deep")),
  );
});

test("initramfs: paths that are relative or leave the root are refused", async () => {
  for (const to of ["relative", "/", "/..", "/a/../../b", ""]) {
    await assert.rejects(initramfsBytes({ busybox, files: [{ to, bytes: busybox }] }), GuestError, to);
  }
});

test("initramfs: the exit status is read from the last line that reports one", () => {
  assert.equal(exitStatusIn("locore: init\r\nhello\r\nlocore: exit 0\r\n"), 0);
  assert.equal(exitStatusIn("no newlinelocore: exit 7\r\n"), 7);
  assert.equal(exitStatusIn("locore: exit 1\nlocore: exit 130\n\n"), 130);
  assert.equal(exitStatusIn("locore: exit soon"), undefined);
});
