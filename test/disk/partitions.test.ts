/** Partition tables as they are read (R3.6), and what is told of damaged ones. */
import assert from "node:assert/strict";
import test from "node:test";
import { readDisk } from "../../src/disk/disk.js";
import { memorySource } from "../../src/disk/source.js";
import { readPartitionTable } from "../../src/disk/partitions/partitions.js";
import { partitionLabel, type PartitionTable } from "../../src/disk/partitions/table.js";
import {
  composed,
  DISK_GUID,
  extImage,
  sealGptHeader,
  writeDisklabel,
  writeGpt,
  writeMbr,
  type GptPartition,
} from "../support/disk-images.js";

const MIB = 2 ** 20;
const LINUX = "0fc63daf-8483-4772-8e79-3d69d8477de4";
const ESP = "c12a7328-f81f-11d2-ba4b-00a0c93ec93b";
const GUIDS = ["01234567-89ab-cdef-0123-456789abcdef", "fedcba98-7654-3210-fedc-ba9876543210"];
const PARTITIONS: (GptPartition | undefined)[] = [
  { type: ESP, guid: GUIDS[0], first: 8, last: 99, name: "ESP", attributes: 4n },
  undefined,
  { type: LINUX, guid: GUIDS[1], first: 100, last: 199, name: "Wurzel ä" },
];

function gptDisk(sectorSize = 512, partitions = PARTITIONS): Uint8Array {
  const disk = new Uint8Array(sectorSize * 256);
  writeGpt(disk, partitions, { sectorSize });
  return disk;
}

function table(disk: Uint8Array, sectorSize?: number): PartitionTable {
  const read = readPartitionTable(memorySource(disk), sectorSize);
  assert.ok(read !== undefined, "there is a table");
  return read;
}

/** Number, first and last byte. */
function spans({ partitions }: PartitionTable): [label: string, start: number, size: number][] {
  return partitions.map((one) => [partitionLabel(one), one.start, one.size]);
}

/** What is told, by a word of it. */
function told({ problems }: PartitionTable, word: RegExp): void {
  const texts = problems.map(
    ({ offset, found, expected, meaning }) => `${offset}: ${found}; ${expected}; ${meaning}`,
  );
  assert.ok(
    texts.some((text) => word.test(text)),
    `${word} in ${texts.join("\n")}`,
  );
}

for (const sectorSize of [512, 4096])
  test(`R3.6 GPT with sectors of ${sectorSize} bytes: partitions with type, name, GUID, attributes, each fact at its offset`, () => {
    const read = table(gptDisk(sectorSize));
    assert.equal(read.scheme, "gpt");
    assert.equal(read.sectorSize, sectorSize);
    assert.equal(read.id, DISK_GUID);
    assert.deepEqual(spans(read), [
      ["1", 8 * sectorSize, 92 * sectorSize],
      ["3", 100 * sectorSize, 100 * sectorSize],
    ]);
    const [esp, root] = read.partitions;
    assert.equal(esp.typeName, "EFI System");
    assert.deepEqual(esp.flags, ["legacy BIOS bootable"]);
    assert.equal(root.uuid, GUIDS[1]);
    assert.equal(root.name, "Wurzel ä");
    assert.deepEqual(read.problems, []);
    const name = read.facts.find((fact) => fact.name === "partition[3].name");
    assert.equal(name?.offset, 2 * sectorSize + 2 * 128 + 56);
  });

const DAMAGES: readonly [what: string, change: (disk: Uint8Array) => void, told: RegExp][] = [
  ["a bit of the first header", (disk) => (disk[512 + 60] ^= 1), /^528: a checksum of/],
  ["the first header's signature", (disk) => disk.fill(0, 512, 520), /^512: no signature/],
  ["a bit of the first array", (disk) => (disk[1024 + 40] ^= 1), /checksum of the entries/],
  [
    "an entry size of 0 with a right checksum",
    (disk) => {
      disk.fill(0, 512 + 84, 512 + 88);
      sealGptHeader(disk.subarray(512, 1024));
    },
    /^592: 4 entries of 0 bytes/,
  ],
  [
    "four thousand million entries with a right checksum",
    (disk) => {
      disk.fill(0xff, 512 + 80, 512 + 84);
      sealGptHeader(disk.subarray(512, 1024));
    },
    /^592: 4294967295 entries/,
  ],
];
for (const [what, change, word] of DAMAGES)
  test(`R3.6 GPT: ${what} damaged: the second copy is used, and said`, () => {
    const disk = gptDisk();
    change(disk);
    const read = table(disk);
    assert.equal(read.partitions.length, 2);
    assert.equal(read.id, DISK_GUID);
    told(read, word);
    told(read, /^512: a damaged first copy.*second.*is used/);
  });

test("R3.6 GPT: with both copies damaged no partition is made up", () => {
  const disk = gptDisk();
  disk[512 + 60] ^= 1;
  disk[255 * 512 + 60] ^= 1;
  const read = table(disk);
  assert.deepEqual(read.partitions, []);
  assert.equal(read.problems.length, 2);
});

test("R3.6 GPT: a second copy that says something else, one that is not last, and none at all are told", () => {
  const differs = gptDisk();
  const other = gptDisk(512, [PARTITIONS[0]]);
  differs.set(other.subarray(254 * 512), 254 * 512);
  told(table(differs), /^130560: a second copy of the table that says something else/);
  const grown = composed(512 * 300, [[0, gptDisk()]]);
  told(table(grown), /^544: the second header in sector 255; it in sector 299/);
  const cut = gptDisk().slice(0, 250 * 512);
  told(table(cut), /no such sector/);
  assert.equal(table(cut).partitions.length, 2);
});

test("R3.6 GPT: partitions beyond the disk, over each other and over the table are told; what is not on the disk is not read", () => {
  const disk = gptDisk(512, [
    { type: LINUX, guid: GUIDS[0], first: 8, last: 99 },
    { type: LINUX, guid: GUIDS[0], first: 99, last: 120 },
    { type: LINUX, guid: GUIDS[0], first: 200, last: 999 },
    { type: LINUX, guid: GUIDS[0], first: 2, last: 2 },
  ]);
  const read = table(disk);
  told(read, /^1184: partition 2 from 0xc600|^1152: partition 2 from 0xc600; a start behind partition 1/);
  told(read, /partition 3 to 0x7d000; an end at 0x20000/);
  told(read, /partition 4 in the sectors 2 to 2/);
  assert.equal(read.partitions[2].outside, true);
  assert.equal(readDisk(memorySource(disk)).volumes[2].source.size, 0);
});

test("R3.6 GPT: a protective MBR is no table, a hybrid one is named, a missing one and a GPT that an MBR replaced are told", () => {
  assert.equal(table(gptDisk()).title, "GPT");
  const hybrid = gptDisk();
  writeMbr(hybrid, [
    { type: 0xee, first: 1, count: 7 },
    { type: 0x83, first: 100, count: 100 },
  ]);
  assert.equal(table(hybrid).title, "GPT with a hybrid MBR");
  const bare = gptDisk();
  bare.fill(0, 0, 512);
  told(table(bare), /^0: no protective MBR/);
  const replaced = gptDisk();
  writeMbr(replaced, [{ type: 0x83, first: 100, count: 100 }]);
  assert.equal(table(replaced).scheme, "mbr");
  told(table(replaced), /^512: the signature of a GPT behind an MBR/);
  const gone = new Uint8Array(512 * 256);
  writeMbr(gone, [{ type: 0xee, first: 1, count: 255 }]);
  told(table(gone), /^0: an MBR that protects a GPT, and no GPT/);
});

function mbrDisk(): Uint8Array {
  const disk = new Uint8Array(MIB);
  writeMbr(disk, [
    { type: 0x83, first: 8, count: 92, active: true },
    undefined,
    { type: 0x0f, first: 200, count: 800 },
    { type: 0x82, first: 1000, count: 100 },
  ]);
  // Links count from the extended partition, partitions from their own table.
  writeMbr(
    disk,
    [
      { type: 0x83, first: 1, count: 100 },
      { type: 0x05, first: 200, count: 101 },
    ],
    200,
  );
  writeMbr(disk, [{ type: 0x8e, first: 2, count: 99 }, undefined], 400);
  return disk;
}

test("R3.6 MBR: primary and logical partitions with Linux's numbers and PARTUUIDs, each at its entry", () => {
  const read = table(mbrDisk());
  assert.equal(read.id, "1234abcd");
  assert.deepEqual(
    read.partitions.map((one) => [
      one.number,
      one.start / 512,
      one.size / 512,
      one.type,
      one.uuid,
      one.entry,
    ]),
    [
      [1, 8, 92, "0x83", "1234abcd-01", 446],
      [3, 200, 800, "0x0f", "1234abcd-03", 478],
      [4, 1000, 100, "0x82", "1234abcd-04", 494],
      [5, 201, 100, "0x83", "1234abcd-05", 200 * 512 + 446],
      [6, 402, 99, "0x8e", "1234abcd-06", 400 * 512 + 446],
    ],
  );
  assert.deepEqual(read.partitions[0].flags, ["active"]);
  assert.equal(read.partitions[1].container, true);
  assert.deepEqual(read.problems, []);
});

const CHAINS: readonly [what: string, change: (disk: Uint8Array) => void, told: RegExp][] = [
  [
    "a chain of logical partitions that leads back",
    (disk) => writeMbr(disk, [undefined, { type: 0x05, first: 0, count: 9 }], 400),
    /a link back to sector 200/,
  ],
  [
    "a chain that leads off the disk",
    (disk) => writeMbr(disk, [undefined, { type: 0x05, first: 0xfffffff0, count: 9 }], 400),
    /a table in sector 4294967480/,
  ],
  ["a table without its mark", (disk) => disk.fill(0, 400 * 512 + 510, 401 * 512), /^205310: no 55 aa/],
];
for (const [what, change, word] of CHAINS)
  test(`R3.6 MBR: ${what} ends, and is told; the partitions before it are there`, () => {
    const disk = mbrDisk();
    change(disk);
    const read = table(disk);
    assert.ok(read.partitions.some(({ number }) => number === 5));
    told(read, word);
  });

test("R3.6 MBR: a chain of a thousand logical partitions is followed as far as Linux does", () => {
  const disk = new Uint8Array(2 * MIB);
  writeMbr(disk, [{ type: 0x05, first: 8, count: 4000 }]);
  for (let i = 0; i < 1000; i++)
    writeMbr(
      disk,
      [
        { type: 0x83, first: 1, count: 1 },
        { type: 0x05, first: 2 * (i + 1), count: 2 },
      ],
      8 + 2 * i,
    );
  const read = table(disk);
  assert.equal(read.partitions.length, 252);
  told(read, /251 at most/);
});

test("R3.6 MBR: a partition beyond the disk and one over another are told", () => {
  const disk = new Uint8Array(MIB);
  writeMbr(disk, [
    { type: 0x83, first: 8, count: 100 },
    { type: 0x83, first: 100, count: 100 },
    { type: 0x83, first: 1000, count: 0x7fffffff },
  ]);
  const read = table(disk);
  told(read, /^462: partition 2 from 0xc800; a start behind partition 1/);
  told(read, /^478: partition 3 to/);
});

test("R3.6 MBR: sectors of 4096 bytes are found by what the partitions hold, or taken as they are told", () => {
  const root = extImage({ "/etc/x": "y" });
  const disk = composed(4 * MIB, [[100 * 4096, root]]);
  writeMbr(disk, [{ type: 0x83, first: 100, count: 100 }]);
  assert.equal(table(disk).sectorSize, 4096);
  assert.equal(table(disk, 512).partitions[0].start, 100 * 512);
  const whole = readDisk(memorySource(disk));
  assert.equal(whole.volumes[0].fileSystem?.type, "ext2");
});

test("R3.6 MBR: the mark of a boot sector alone is no table", () => {
  const disk = new Uint8Array(MIB).fill(0x90, 0, 510);
  disk.set([0x55, 0xaa], 510);
  assert.equal(readPartitionTable(memorySource(disk)), undefined);
  assert.equal(readPartitionTable(memorySource(new Uint8Array(MIB))), undefined);
  assert.equal(readPartitionTable(memorySource(new Uint8Array(0))), undefined);
});

test("R3.6 disklabel of FreeBSD in a slice: sectors count from the slice, c is the slice", () => {
  const disk = new Uint8Array(MIB);
  writeMbr(disk, [undefined, { type: 0xa5, first: 100, count: 1000, active: true }]);
  writeDisklabel(disk, 100 * 512, [
    { offset: 16, size: 500, type: 7 },
    { offset: 516, size: 100, type: 1 },
    { offset: 0, size: 1000, type: 0 },
    undefined,
    { offset: 700, size: 100, type: 27 },
    ...Array<undefined>(3).fill(undefined),
  ]);
  const read = table(disk);
  assert.deepEqual(
    read.partitions.map((one) => [partitionLabel(one), one.start / 512, one.size / 512, one.typeName]),
    [
      ["2", 100, 1000, "FreeBSD"],
      ["2a", 116, 500, "4.2BSD"],
      ["2b", 616, 100, "swap"],
      ["2e", 800, 100, "ZFS"],
    ],
  );
  assert.equal(read.partitions[0].container, true);
});

test("R3.6 disklabel of FreeBSD with offsets from the start of the disk: what c begins with is taken off", () => {
  const disk = new Uint8Array(MIB);
  writeMbr(disk, [{ type: 0xa5, first: 100, count: 1000 }]);
  writeDisklabel(disk, 100 * 512, [
    { offset: 116, size: 500, type: 7 },
    undefined,
    { offset: 100, size: 1000, type: 0 },
  ]);
  assert.deepEqual(spans(table(disk))[1], ["1a", 116 * 512, 500 * 512]);
});

test("R3.6 disklabels of NetBSD and OpenBSD in a slice: sectors count from the start of the disk", () => {
  const disk = new Uint8Array(MIB);
  writeMbr(disk, [
    { type: 0xa9, first: 100, count: 400 },
    { type: 0xa6, first: 600, count: 400 },
  ]);
  const netBsd = [
    { offset: 100, size: 300, type: 7 },
    undefined,
    { offset: 100, size: 400, type: 0 },
    { offset: 0, size: 2048, type: 0 },
  ];
  writeDisklabel(disk, 100 * 512, [...netBsd, ...Array<undefined>(12).fill(undefined)]);
  writeDisklabel(
    disk,
    600 * 512,
    [{ offset: 664, size: 200, type: 7 }, undefined, { offset: 0, size: 2048, type: 0 }],
    { openBsd: true },
  );
  assert.deepEqual(
    spans(table(disk)).map(([label, start]) => [label, start / 512]),
    [
      ["1", 100],
      ["1a", 100],
      ["2", 600],
      ["2a", 664],
    ],
  );
});

test("R3.6 disklabels on a whole disk: whose they are is told by their length and version", () => {
  const entries = [{ offset: 64, size: 300, type: 7 }];
  const labels: [string, number, boolean][] = [
    ["FreeBSD disklabel", 8, false],
    ["NetBSD disklabel", 16, false],
    ["OpenBSD disklabel", 16, true],
    ["OpenBSD disklabel", 52, true],
  ];
  for (const [title, count, openBsd] of labels) {
    const disk = new Uint8Array(MIB);
    writeDisklabel(disk, 0, [...entries, ...Array<undefined>(count - 1).fill(undefined)], { openBsd });
    const read = table(disk);
    assert.equal(read.title, title);
    assert.deepEqual(spans(read), [["a", 64 * 512, 300 * 512]]);
    assert.equal(read.partitions[0].number, 1);
  }
});

test("R3.6 disklabels with a wrong checksum are none; partitions off the disk are told", () => {
  const disk = new Uint8Array(MIB);
  writeDisklabel(disk, 0, [{ offset: 64, size: 30000, type: 7 }, ...Array<undefined>(7).fill(undefined)]);
  told(table(disk), /^660: partition a to/);
  disk[512 + 60] ^= 1;
  assert.equal(readPartitionTable(memorySource(disk)), undefined);
});
