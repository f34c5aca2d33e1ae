/** Lives of a writer that is killed at any moment: its image is sound, and what it was told is flushed is there. */
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Disks } from "../../src/host/node/disks.js";
import { MemoryFile } from "../../src/block/block-file.js";
import { createQcow2 } from "../../src/block/qcow2/create.js";
import { Random } from "../support/random.js";
import { checkImage } from "./qcow2-check.js";
import { RECORD, recordBytes, recordPlace } from "./killed-writer.js";

const WRITER = fileURLToPath(new URL("./killed-writer.js", import.meta.url));
const SIZE = 64 * 2 ** 20;
/** From its first flush on, ms. */
const LONGEST_LIFE = 60;
/** Of qemu-img check: nothing, or clusters that nobody uses. */
const SOUND = [0, 3];

/** Starts a writer, kills it, and gives how many records it had flushed. */
function oneLife(file: string, seed: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const writer = spawn(process.execPath, [WRITER, file, String(seed)], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    let said = "";
    let timer: NodeJS.Timeout | undefined;
    writer.stdout.on("data", (bytes: Buffer) => {
      said += bytes.toString();
      timer ??= setTimeout(() => writer.kill("SIGKILL"), new Random(seed).below(LONGEST_LIFE));
    });
    writer.on("error", reject);
    writer.on("close", () => {
      clearTimeout(timer);
      resolve(
        Number(
          said
            .slice(0, said.lastIndexOf("\n") + 1)
            .trimEnd()
            .split("\n")
            .at(-1),
        ),
      );
    });
  });
}

/** One life with an image of this kind; `qemuImg`: the program that judges it too. Returns the records that were flushed. */
export async function killedLife(
  file: string,
  clusterBits: number | "raw",
  seed: number,
  qemuImg?: string,
): Promise<number> {
  const image = new MemoryFile();
  if (clusterBits === "raw") image.resize(SIZE);
  else createQcow2(image, { size: SIZE, clusterBits });
  writeFileSync(file, image.bytes);
  const flushed = await oneLife(file, seed);
  assert.ok(flushed > 0, "it was killed before its first flush");
  if (clusterBits !== "raw") {
    assert.deepEqual(checkImage(readFileSync(file)).errors, [], `seed ${seed}`);
    if (qemuImg !== undefined) {
      const { status, stdout } = spawnSync(qemuImg, ["check", "-f", "qcow2", file], { encoding: "utf8" });
      assert.ok(SOUND.includes(status ?? -1), `seed ${seed}: ${stdout}`);
    }
  }
  const disks = new Disks([{ file, access: "read" }]);
  const disk = disks.backends.get("disk0")!;
  const into = new Uint8Array(RECORD);
  for (let index = 0; index < flushed; index++) {
    disk.read(recordPlace(index, SIZE), into);
    assert.ok(
      Buffer.compare(into, recordBytes(index)) === 0,
      `seed ${seed}: record ${index} of ${flushed} is not there`,
    );
  }
  disks.close();
  return flushed;
}
