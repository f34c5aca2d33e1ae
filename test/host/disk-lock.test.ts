/** R3.6: one writer and no reader, or readers and no writer: of two processes, of one, and of QEMU's. */
import assert from "node:assert/strict";
import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { after, test, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import type { DiskRequest } from "../../src/host/node/disk-request.js";
import { DiskError } from "../../src/host/node/disk-error.js";
import { Disks } from "../../src/host/node/disks.js";
import { nativeCalls, type NativeCalls } from "../../src/host/node/native-calls.js";
import { missing, requireTool } from "../support/requires.js";

const HOLDER = fileURLToPath(new URL("./disk-holder.js", import.meta.url));
const MIB = 2 ** 20;
const folder = mkdtempSync(path.join(tmpdir(), "locore-test-"));
after(() => rmSync(folder, { recursive: true }));

let files = 0;
function image(): string {
  const file = path.join(folder, `disk${files++}.img`);
  writeFileSync(file, new Uint8Array(MIB).fill(1));
  return file;
}

/** Starts a process and waits until it says its first line. */
async function started(program: string, args: readonly string[]): Promise<ChildProcess> {
  const child = spawn(program, args, { stdio: ["pipe", "pipe", "inherit"] });
  await new Promise<void>((resolve, reject) => {
    child.stdout.once("data", () => resolve());
    child.once("exit", () => reject(new Error("it ended before it held the disk")));
  });
  return child;
}

async function ended(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  const gone = new Promise((resolve) => child.once("exit", resolve));
  child.kill(signal);
  await gone;
}

/** The host's own locks; undefined after the test was skipped. */
async function hostLocks(t: TestContext): Promise<NativeCalls | undefined> {
  const native = nativeCalls();
  if (native === undefined) missing(t, "koffi is not installed, or not for this platform");
  return native;
}

type Access = DiskRequest["access"];
const MATRIX: [held: Access, asked: Access, free: boolean][] = [
  ["write", "write", false],
  ["write", "memory", false],
  ["write", "read", false],
  ["memory", "write", false],
  ["read", "write", false],
  ["memory", "memory", true],
  ["memory", "read", true],
];

for (const calls of ["native", "plain"])
  for (const [held, asked, free] of MATRIX)
    test(`R3.6 ${calls} locks: while another process has a disk for ${held}, ${asked} is ${free ? "had" : "refused; killed, it is free"}`, async (t) => {
      const native = calls === "native" ? await hostLocks(t) : undefined;
      if (calls === "native" && native === undefined) return;
      const file = image();
      const holder = await started(process.execPath, [HOLDER, file, held, calls]);
      const open = (): void => void new Disks([{ file, access: asked }], { native }).close();
      if (free) open();
      else {
        assert.throws(open, (error) => error instanceof DiskError && /(reads|writes) it/.test(error.message));
        // A second refusal: the first has left nothing behind.
        assert.throws(open, DiskError);
      }
      await ended(holder, "SIGKILL");
      open();
      assert.deepEqual(
        readdirSync(folder).filter((name) => name.startsWith(`.${path.basename(file)}`)),
        [],
      );
    });

for (const calls of ["native", "plain"])
  test(`R3.6 ${calls} locks: one machine cannot have a file as two disks of which one is written`, async (t) => {
    const native = calls === "native" ? await hostLocks(t) : undefined;
    if (calls === "native" && native === undefined) return;
    const file = image();
    assert.throws(
      () =>
        new Disks(
          [
            { file, access: "memory" },
            { file, access: "write" },
          ],
          { native },
        ),
      /found that .* reads it.*; expected a file that nobody else has open/,
    );
    new Disks(
      [
        { file, access: "memory" },
        { file, access: "memory" },
      ],
      { native },
    ).close();
  });

test("R3.6 native locks keep QEMU away, and QEMU's keep us away", async (t) => {
  const native = await hostLocks(t);
  const qemuIo = requireTool(t, "qemu-io");
  if (native === undefined || qemuIo === undefined) return;
  const file = image();
  const canWrite = (): boolean => spawnSync(qemuIo, ["-f", "raw", "-c", "write 0 512", file]).status === 0;
  assert.equal(canWrite(), true);
  for (const access of ["write", "memory"] as const) {
    const disks = new Disks([{ file, access }], { native });
    assert.equal(canWrite(), false, access);
    disks.close();
  }
  const qemu = spawn(qemuIo, ["-f", "raw", "-c", "write 0 512", "-c", "sleep 60000", file]);
  const deadline = Date.now() + 20_000;
  const isFree = (): boolean => {
    try {
      new Disks([{ file, access: "memory" }], { native }).close();
      return true;
    } catch (error) {
      assert.match((error as DiskError).message, /writes it/);
      return false;
    }
  };
  while (isFree()) {
    assert.ok(Date.now() < deadline, "QEMU's locks were not seen");
    await sleep(20);
  }
  await ended(qemu, "SIGKILL");
  new Disks([{ file, access: "write" }], { native }).close();
});

test("R3.6 what is discarded leaves the file where the host's calls are there, and stays where they are not", async (t) => {
  const native = await hostLocks(t);
  if (native === undefined) return;
  for (const calls of [undefined, native]) {
    const file = image();
    const before = statSync(file).blocks;
    const disks = new Disks([{ file, access: "write" }], { native: calls });
    disks.backends.get("disk0")!.discard(0, MIB);
    assert.equal(disks.close(), undefined);
    assert.equal(statSync(file).size, MIB);
    const after = statSync(file).blocks;
    assert.ok(calls === undefined ? after === before : after < before / 2, `${after} of ${before} blocks`);
  }
});
