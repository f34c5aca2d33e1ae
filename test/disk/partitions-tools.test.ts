/** Partition tables of sfdisk and sgdisk are listed as `sfdisk --json` lists them (R3.6). */
import assert from "node:assert/strict";
import { openSync, closeSync, writeSync } from "node:fs";
import test, { type TestContext } from "node:test";
import { readPartitionTable } from "../../src/disk/partitions/partitions.js";
import type { PartitionTable } from "../../src/disk/partitions/table.js";
import { emptyFile, fileSource, run, scratch } from "../support/disk-tools.js";

const MIB = 2 ** 20;

interface SfdiskPartition {
  node: string;
  start: number;
  size: number;
  type: string;
  uuid?: string;
  name?: string;
  bootable?: boolean;
}

interface SfdiskTable {
  label: string;
  id: string;
  sectorsize: number;
  partitions: SfdiskPartition[];
}

/** What sfdisk lists; undefined after the test was skipped. */
function listed(t: TestContext, file: string): SfdiskTable | undefined {
  const text = run(t, "sfdisk", ["--json", file]);
  return text === undefined
    ? undefined
    : (JSON.parse(text) as { partitiontable: SfdiskTable }).partitiontable;
}

function same(
  read: PartitionTable | undefined,
  { label, id, partitions }: SfdiskTable,
  file: string,
  sectorSize: number,
): void {
  assert.ok(read !== undefined);
  assert.equal(read.scheme, label === "dos" ? "mbr" : label);
  assert.equal(label === "dos" ? `0x${read.id}` : read.id?.toUpperCase(), id);
  assert.deepEqual(
    read.partitions.map((one) => ({
      number: one.number,
      start: one.start / sectorSize,
      size: one.size / sectorSize,
      type: label === "dos" ? Number(one.type).toString(16) : one.type.toUpperCase(),
      bootable: one.flags.includes("active"),
      name: one.name ?? "",
    })),
    partitions.map((one) => ({
      number: Number(one.node.slice(file.length)),
      start: one.start,
      size: one.size,
      type: one.type,
      bootable: one.bootable ?? false,
      name:
        one.name?.replace(/(\\x[0-9a-f]{2})+/g, (bytes) =>
          decodeURIComponent(bytes.replaceAll("\\x", "%")),
        ) ?? "",
    })),
  );
  assert.deepEqual(read.problems, []);
}

const GPT = `label: gpt
size=16M, type=U, name="EFI system"
size=32M, type=L, name="Würzel", attrs="LegacyBIOSBootable"
size=8M, type=S
`;
const DOS = `label: dos
label-id: 0xfeedf00d
size=16M, type=c, bootable
size=64M, type=5
size=8M, type=83
size=10M, type=83
size=12M, type=82
size=3M, type=8e
`;

test("R3.6 a GPT of sfdisk", (t) => {
  const file = emptyFile(scratch(t), "disk", 128 * MIB);
  if (run(t, "sfdisk", ["-q", file], GPT) === undefined) return;
  const table = listed(t, file);
  if (table !== undefined) same(readPartitionTable(fileSource(t, file)), table, file, 512);
});

test("R3.6 an MBR of sfdisk with logical partitions", (t) => {
  const file = emptyFile(scratch(t), "disk", 128 * MIB);
  if (run(t, "sfdisk", ["-q", file], DOS) === undefined) return;
  const table = listed(t, file);
  if (table !== undefined) same(readPartitionTable(fileSource(t, file)), table, file, 512);
});

test("R3.6 a GPT of sgdisk whose first copy is gone, and a hybrid MBR", (t) => {
  const file = emptyFile(scratch(t), "disk", 64 * MIB);
  const made = run(t, "sgdisk", [
    "-n",
    "1:0:+8M",
    "-t",
    "1:ef00",
    "-n",
    "3:0:+16M",
    "-c",
    "3:root",
    "-h",
    "1:EE",
    file,
  ]);
  if (made === undefined) return;
  const whole = readPartitionTable(fileSource(t, file));
  assert.equal(whole?.title, "GPT with a hybrid MBR");
  const descriptor = openSync(file, "r+");
  writeSync(descriptor, new Uint8Array(512), 0, 512, 512);
  closeSync(descriptor);
  const second = readPartitionTable(fileSource(t, file));
  const facts = (table: PartitionTable | undefined): unknown =>
    table?.partitions.map(({ entry: _entry, ...one }) => one);
  assert.deepEqual(facts(second), facts(whole));
  assert.equal(second?.partitions[1].name, "root");
  assert.ok(second?.problems.some(({ meaning }) => meaning.includes("is used")));
});
