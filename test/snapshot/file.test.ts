/** R6.2 a snapshot's file: the old one or a whole new one, whatever happens; its owner's alone; packed or not the same machine. */
import assert from "node:assert/strict";
import { once } from "node:events";
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { FAST_READING, openSnapshotFile, saveToFile } from "../../src/host/node/snapshot-file.js";
import type { Machine } from "../../src/machine/machine.js";
import { bytesSource } from "../../src/snapshot/file.js";
import { PAGE } from "../../src/snapshot/format.js";
import { openSnapshot } from "../../src/snapshot/read.js";
import { TestConsole } from "../support/fake-machine.js";
import { Running } from "../support/pseudo-terminal.js";
import { NO_DISK, onDisk } from "../support/small-disk.js";
import { barePlan } from "../support/snapshot-cuts.js";
import { differenceOf, fileOf, fromFile, newMachine } from "../support/snapshot-moves.js";
import { ipiGuest } from "../support/two-cpu-guests.js";

const WRITER = fileURLToPath(new URL("../support/snapshot-writer.js", import.meta.url));
const LIMIT = { timeout: 60_000 };
const KILLS = 6;
const SAVED = { locore: "0.0.0", savedAt: 0 };
const folder = mkdtempSync(path.join(tmpdir(), "locore-file-"));
const at = (name: string): string => path.join(folder, name);
after(() => rmSync(folder, { recursive: true }));

function someMachine(): Machine {
  const plan = barePlan(ipiGuest(1000, { begin: "begin", end: "end", wrong: 1 }), 2);
  const machine = newMachine(plan, { console: new TestConsole() });
  machine.run(300_100);
  return machine;
}

/** When the machine in a file was saved; fails unless the file is whole. */
function savedAt(file: string): number {
  const source = openSnapshotFile(file);
  source.close();
  const { about } = openSnapshot(bytesSource(readFileSync(file)), FAST_READING);
  fromFile(readFileSync(file), { console: new TestConsole() }).dispose();
  return about.savedAt;
}

test(
  "R6.2 a process that is killed while it saves leaves the file before or a new one, whole",
  LIMIT,
  async (t) => {
    const file = at("killed.snap");
    let before = -1;
    for (let kill = 0; kill < KILLS; kill++) {
      const writer = new Running(process.execPath, [WRITER, "loop", file]).during(t);
      while (!writer.out.includes("\n")) await once(writer.child.stdout, "data");
      // At another place each time: writes follow each other without a pause.
      await new Promise((resolve) => setTimeout(resolve, 7 * kill));
      writer.child.kill("SIGKILL");
      const { out } = await writer.ended;
      const last = Number(out.trim().split("\n").at(-1));
      const found = savedAt(file);
      assert.ok(found === last || found === last + 1, `${found} after ${last}`);
      before = found;
    }
    assert.ok(before >= 0);
  },
);

test("R6.2 a snapshot is its owner's alone, also where another file was", LIMIT, () => {
  const machine = someMachine();
  const file = at("mode.snap");
  for (const old of [false, true]) {
    if (old) {
      writeFileSync(file, "old");
      chmodSync(file, 0o644);
    }
    const bytes = saveToFile(file, machine, { ...SAVED, compress: false });
    assert.equal(statSync(file).mode & 0o777, 0o600);
    assert.equal(statSync(file).size, bytes);
  }
  machine.dispose();
});

test("R6.2 a link stays a link: what it leads to becomes the snapshot", LIMIT, () => {
  const machine = someMachine();
  mkdirSync(at("elsewhere"));
  writeFileSync(at("elsewhere/target"), "old");
  symlinkSync("elsewhere/target", at("link.snap"));
  saveToFile(at("link.snap"), machine, { ...SAVED, compress: false });
  assert.ok(lstatSync(at("link.snap")).isSymbolicLink());
  assert.ok(lstatSync(at("elsewhere/target")).isFile());
  assert.equal(savedAt(at("elsewhere/target")), 0);
  assert.deepEqual(readdirSync(at("elsewhere")), ["target"], "nothing is left beside it");
  machine.dispose();
});

/** A file system in memory, where Linux has it: others take pages from a program's memory, this one may not. */
const SHARED_MEMORY = "/dev/shm";

test(
  "R6.2 a file of many pages is the same on every file system, however its pages are written",
  LIMIT,
  () => {
    const machine = someMachine();
    const size = machine.memory.ranges[0].size;
    // 1 page to 40 of 41, so that the runs are more than one call takes.
    for (let page = 256, run = 1; (page + run) * PAGE < size; page += run + 1, run = (run % 40) + 1)
      machine.memory.write(page * PAGE, new Uint8Array(run * PAGE).fill(page));
    const expected = fileOf(machine);
    for (const place of [folder, SHARED_MEMORY].filter((one) => existsSync(one))) {
      const file = path.join(place, `locore-pages-${process.pid}.snap`);
      try {
        saveToFile(file, machine, { ...SAVED, compress: false });
        assert.ok(readFileSync(file).equals(expected), place);
      } finally {
        rmSync(file, { force: true });
      }
    }
    machine.dispose();
  },
);

test("R6.2 a packed snapshot is smaller and the same machine", LIMIT, () => {
  const machine = someMachine();
  const [plain, packed] = [false, true].map((compress) => {
    saveToFile(at(`${compress}.snap`), machine, { ...SAVED, compress });
    return readFileSync(at(`${compress}.snap`));
  });
  assert.ok(packed.length < plain.length / 2, `${packed.length} of ${plain.length} bytes`);
  const again = fromFile(packed, { console: new TestConsole() });
  assert.equal(differenceOf(again, fileOf(machine)), undefined);
  for (const one of [machine, again]) one.dispose();
});

test(
  "R6.2 where the disk is full nothing is written, and the machine goes on",
  { ...LIMIT, skip: NO_DISK },
  async (t) => {
    const mount = at("disk");
    mkdirSync(mount);
    // What is left on the disk only its own process sees: it lists it too.
    const script = `"$1" "$2" once "$3/full.snap"; ls -A "$3"`;
    const command = ["sh", "-c", script, "sh", process.execPath, WRITER, mount];
    const { out, err } = await onDisk(mount, "32k", command).during(t).ended;
    assert.ok(out.endsWith("}"), `${out} ${err}`);
    const report = JSON.parse(out) as Record<string, unknown>;
    assert.deepEqual(report, { code: "ENOSPC", step: { state: "ran", instructions: 1000 } });
  },
);
