/**
 * Instructions decoded by hand: test/fixtures/instructions.txt, which a person can read beside the manual. And what no
 * reference can judge: where an instruction ends, and what the mode forbids.
 */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import path from "node:path";
import test from "node:test";
import { RecordEncoder } from "../../../src/engine/wasm/record-encoder.js";
import { PSEUDO } from "../../../src/engine/x86/pseudo-operations.js";
import { Decoder } from "../../../src/engine/x86/decode.js";
import {
  MODE_CODE16,
  MODE_CODE32,
  MODE_CODE64,
  MODE_CODE_SIZE,
  MODE_MMX_UD,
  MODE_REAL,
  MODE_SSE_UD,
  MODE_TS,
  MODE_X87_NM,
} from "../../../src/engine/x86/mode.js";
import { RECORD_BYTES, REC_OP } from "../../../src/engine/x86/record.js";
import { repositoryRoot, repositoryText } from "../../support/repository.js";
import { OwnDecoder, type Bits } from "./own.js";
import { INVALID } from "./view.js";

const FIXTURE = "test/fixtures/instructions.txt";
const LINE = /^(16|32|64) \| ([0-9a-f ]+?) *\| (.*?) *\| (.*)$/;
const BYTES_WIDTH = 36;
const TEXT_WIDTH = 52;

interface Golden {
  bits: Bits;
  bytes: Uint8Array;
  /** The line as it ought to be, by what our decoder says. */
  actual: string;
  expected: string;
  isInvalid: boolean;
}

const decoders = { 16: new OwnDecoder(16), 32: new OwnDecoder(32), 64: new OwnDecoder(64) };

function read(line: string): Golden {
  const match = LINE.exec(line);
  assert.ok(match, `cannot read "${line}"`);
  const bits = Number(match[1]) as Bits;
  const bytes = Uint8Array.from(match[2].split(" "), (byte) => parseInt(byte, 16));
  const padded = new Uint8Array(32);
  padded.set(bytes);
  const { length, mnemonic, operands } = decoders[bits].view(padded, 0);
  const isInvalid = mnemonic === INVALID;
  const text = isInvalid ? INVALID : `${length} ${mnemonic} ${operands}`.trimEnd();
  const actual = `${bits} | ${match[2].padEnd(BYTES_WIDTH)} | ${text.padEnd(TEXT_WIDTH)} | ${match[4]}`;
  return { bits, bytes, actual, expected: line, isInvalid };
}

const lines = repositoryText(FIXTURE).trimEnd().split("\n");
const comments = lines.filter((line) => line.startsWith("#"));
const goldens = lines.filter((line) => !line.startsWith("#")).map(read);

test("R6.1 instructions decode as test/fixtures/instructions.txt says", () => {
  if (process.env["LOCORE_UPDATE_GOLDEN"] === "1") {
    const text = [...comments, ...goldens.map((g) => g.actual)].join("\n") + "\n";
    writeFileSync(path.join(repositoryRoot, FIXTURE), text);
    return;
  }
  for (const { actual, expected } of goldens) assert.equal(actual, expected);
});

test("an instruction is exactly as long as its line: one byte less is not enough, no byte more is read", () => {
  for (const { bits, bytes, isInvalid, expected } of goldens) {
    if (isInvalid) continue;
    const exact = decoders[bits].length(bytes, 0, bytes.length);
    assert.equal(exact, bytes.length, expected);
    for (let limit = 0; limit < bytes.length; limit++)
      assert.equal(decoders[bits].length(bytes, 0, limit), 0, `${expected} cut to ${limit}`);
  }
});

test("more than 15 bytes are #GP, whatever they would be; fifteen prefixes are enough to know", () => {
  const decoder = new Decoder();
  const bytes = new Uint8Array(32).fill(0x66);
  assert.equal(decoder.decode(bytes, 0, 32, 8), 15);
  assert.equal(decoder.instruction.tooLong, true);
  assert.equal(decoder.decode(bytes, 0, 15, 8), 15);
  assert.equal(decoder.decode(bytes, 0, 14, 8), 0, "the fifteenth byte may be missing only on the next page");
  bytes[14] = 0x90;
  assert.equal(decoder.decode(bytes, 0, 32, 8), 15);
  assert.equal(decoder.instruction.tooLong, false);
});

test("decoding is told apart by nothing but the bytes: what came before leaves no trace", () => {
  const decoder = new Decoder();
  const fresh = new Decoder();
  for (const before of goldens) {
    const after = goldens[(goldens.indexOf(before) * 7 + 3) % goldens.length];
    decoder.decode(before.bytes, 0, before.bytes.length, before.bits / 8);
    decoder.decode(after.bytes, 0, after.bytes.length, after.bits / 8);
    fresh.decode(after.bytes, 0, after.bytes.length, after.bits / 8);
    assert.deepEqual(decoder.instruction, fresh.instruction, `${before.expected}\nbefore ${after.expected}`);
  }
});

/** What a record stands for under a mode key: the instruction itself, #UD or #NM. */
function under(mode: number, ...bytes: number[]): "runs" | "#UD" | "#NM" {
  const decoder = new Decoder();
  decoder.decode(Uint8Array.from(bytes), 0, bytes.length, 2 << (mode & MODE_CODE_SIZE));
  const record = new DataView(new ArrayBuffer(RECORD_BYTES));
  new RecordEncoder(record).encode(0, decoder.instruction, 0, mode);
  const op = record.getUint16(REC_OP, true);
  return op === PSEUDO.undefined ? "#UD" : op === PSEUDO.deviceNotAvailable ? "#NM" : "runs";
}

test("CR0.TS, CR0.EM and CR4.OSFXSR: x87, MMX and SSE raise what the SDM's tables say (vol. 3A tables 12-1, 13-1)", () => {
  const fld1 = [0xd9, 0xe8];
  const paddb = [0x0f, 0xfc, 0xc1];
  const emms = [0x0f, 0x77];
  const addps = [0x0f, 0x58, 0xc1];
  const cvtpi2ps = [0x0f, 0x2a, 0xc1];
  const ldmxcsr = [0x0f, 0xae, 0x10];
  const movnti = [0x0f, 0xc3, 0x08];
  const crc32 = [0xf2, 0x0f, 0x38, 0xf0, 0xc1];
  const EM = MODE_X87_NM | MODE_SSE_UD | MODE_MMX_UD;
  const TS = MODE_X87_NM | MODE_TS;
  const rows: [string, number, string[]][] = [
    ["none set", 0, ["runs", "runs", "runs", "runs", "runs", "runs"]],
    ["TS", TS, ["#NM", "#NM", "#NM", "#NM", "#NM", "#NM"]],
    ["EM", EM, ["#NM", "#UD", "#UD", "#UD", "#UD", "#UD"]],
    ["EM and TS", EM | TS, ["#NM", "#UD", "#UD", "#UD", "#UD", "#UD"]],
    ["OSFXSR clear", MODE_SSE_UD, ["runs", "runs", "runs", "#UD", "#UD", "#UD"]],
    ["OSFXSR clear and TS", MODE_SSE_UD | TS, ["#NM", "#NM", "#NM", "#UD", "#UD", "#UD"]],
  ];
  for (const [name, mode, expected] of rows) {
    const actual = [fld1, paddb, emms, addps, cvtpi2ps, ldmxcsr].map((bytes) =>
      under(MODE_CODE64 | mode, ...bytes),
    );
    assert.deepEqual(actual, expected, name);
    assert.equal(under(MODE_CODE64 | mode, ...movnti), "runs", `MOVNTI, ${name}`);
    assert.equal(under(MODE_CODE64 | mode, ...crc32), "runs", `CRC32, ${name}`);
  }
});

test("VEX-encoded instructions are undefined in real-address and virtual-8086 mode (SDM vol. 2 §2.8)", () => {
  const andn = [0xc4, 0xe2, 0x70, 0xf2, 0xc2];
  const add = [0x01, 0xc8];
  for (const size of [MODE_CODE16, MODE_CODE32]) {
    assert.equal(under(size, ...andn), "runs");
    assert.equal(under(size | MODE_REAL, ...andn), "#UD");
    assert.equal(under(size | MODE_REAL, ...add), "runs");
  }
});
