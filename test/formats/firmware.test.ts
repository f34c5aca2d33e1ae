/** PC firmware: known by its size and reset vector alone; everything else of that size is refused at its offset. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { recognise } from "../../src/formats/index.js";
import { ByteView } from "../../src/bytes/byte-view.js";
import { resetJump } from "../../src/formats/firmware/firmware.js";
import { Random } from "../support/random.js";
import { FormatError } from "../../src/formats/format-error.js";

const KIB = 1024;

/** An image of this size with these bytes at its reset vector. */
function firmware(size: number, vector: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(size);
  bytes.set(vector, size - 16);
  return bytes;
}

/** SeaBIOS' last paragraph: a far jump, a date, a PC/AT. */
const SEABIOS = [0xea, 0x5b, 0xe0, 0, 0xf0, ...Buffer.from("06/23/99"), 0, 0xfc, 0];

test("R1.8 firmware: a far jump, its date and model byte are facts with offsets", () => {
  const image = recognise(firmware(128 * KIB, SEABIOS));
  assert.equal(image.format, "firmware");
  const fact = (name: string) => image.facts.find((one) => one.name === name);
  assert.deepEqual(fact("jump"), { name: "jump", value: "far jump to f000:e05b", offset: 0x1fff0 });
  assert.equal(fact("load address")?.value, "0xfffe0000");
  assert.deepEqual([fact("date")?.value, fact("date")?.offset], ["06/23/99", 0x1fff5]);
  assert.equal(fact("model")?.value, "0xfc");
});

for (const [what, vector, jump] of [
  ["a near jump, as qboot has it", [0xe9, 0x8d, 0xff], "jump to 0xffffff80"],
  ["NOPs before a near jump, as OVMF has it", [0x90, 0x90, 0xe9, 0x5b, 0xff], "jump to 0xffffff50"],
  [
    "MOV EAX,CR0, a test and two jumps, as OVMF 2 MB has it",
    [0x0f, 0x20, 0xc0, 0xa8, 1, 0x74, 5, 0xe9, 0x28, 0xff],
    "jump to 0xffffff22",
  ],
  ["a short jump behind CLI, CLD and WBINVD", [0xfa, 0xfc, 0x0f, 0x09, 0xeb, 0xf0], "jump to 0xffffffe6"],
] as const) {
  test(`R1.8 firmware: ${what}`, () => {
    const image = recognise(firmware(64 * KIB, vector));
    assert.ok(image.format === "firmware");
    assert.equal(image.jump.text, jump);
  });
}

test("R1.8 firmware: an image that says who it is is named", () => {
  const volume = firmware(64 * KIB, SEABIOS);
  volume.set(Buffer.from("_FVH"), 0x28);
  assert.match(recognise(volume).summary, /UEFI firmware volume/);
  const seabios = firmware(64 * KIB, SEABIOS);
  seabios.set(Buffer.from("SeaBIOS (version 1"), 0x1000);
  assert.match(recognise(seabios).summary, /SeaBIOS/);
});

for (const [what, bytes, offset] of [
  ["no jump at the reset vector", firmware(64 * KIB, [0xff, 0xff]), 0xfff0],
  [
    "a jump that the 16 bytes cut off",
    firmware(64 * KIB, [...new Array<number>(14).fill(0x90), 0xe9, 1]),
    0xfff0,
  ],
  ["an instruction that is none of a reset vector", firmware(64 * KIB, [0x50, 0xe9, 0, 0]), 0xfff0],
  ["half of the last page", firmware(64 * KIB + 2048, SEABIOS), 0],
  ["less than 64 KiB", firmware(32 * KIB, SEABIOS), 0],
  ["more than 16 MiB", firmware(16 * KIB * KIB + 4096, SEABIOS), 0],
] as const) {
  test(`R1.8 firmware: ${what} is refused at ${offset.toString(16)}`, () => {
    assert.throws(
      () => recognise(bytes),
      (error) => error instanceof FormatError && error.offset === offset && /PC firmware/.test(error.message),
    );
  });
}

test("R1.8 firmware: a file with another format's magic is not taken for firmware", () => {
  const gzip = firmware(64 * KIB, SEABIOS);
  gzip.set([0x1f, 0x8b, 8]);
  assert.throws(() => recognise(gzip), FormatError);
});

/** What reset vectors are made of, and what breaks them. */
const OPCODES = [0x90, 0xfa, 0xfc, 0x0f, 0x09, 0x20, 0xc0, 0xa8, 0x74, 0x75, 0xeb, 0xe9, 0xea, 0x00, 0xff];

function randomVector(random: Random): number[] {
  return Array.from({ length: 16 }, () => (random.below(4) === 0 ? random.below(256) : random.pick(OPCODES)));
}

test("R4.4 firmware: 200,000 random reset vectors give a jump inside the last 16 bytes, or none", () => {
  const random = new Random(3);
  const bytes = firmware(64 * KIB, []);
  const view = new ByteView(bytes);
  let found = 0;
  for (let i = 0; i < 200_000; i++) {
    bytes.set(randomVector(random), bytes.length - 16);
    const jump = resetJump(view);
    if (jump === undefined) continue;
    found++;
    assert.ok(jump.offset >= bytes.length - 16 && jump.offset < bytes.length - 1);
  }
  assert.ok(found > 10_000 && found < 190_000, `${found} jumps`);
});

test("R4.4 firmware: 1,000 random images of any size are read, or refused with an offset inside them", () => {
  const random = new Random(4);
  for (let i = 0; i < 1000; i++) {
    const size = random.below(3) === 0 ? random.below(80 * KIB) + 16 : 64 * KIB + random.below(4) * 4096;
    const bytes = firmware(size, randomVector(random));
    try {
      assert.ok(JSON.stringify(recognise(bytes).facts).length > 0);
    } catch (error) {
      assert.ok(error instanceof FormatError && error.offset <= size, String(error));
    }
  }
});
