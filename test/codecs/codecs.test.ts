/**
 * The codecs: right on what real tools pack, bounded, and never anything but a CodecError on damage.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import test from "node:test";
import type { TestContext } from "node:test";
import { constants, gzipSync } from "node:zlib";
import { CodecError } from "../../src/codecs/codec-error.js";
import { CODEC_NAMES, decompress } from "../../src/codecs/decompress.js";
import { identifyCodec } from "../../src/codecs/identify.js";
import type { CodecName } from "../../src/spec/compression.js";
import { BOMBS } from "../support/bombs.js";
import { requireTool } from "../support/requires.js";
import { assortedData, makeSample, noise, packedSamples } from "./sample.js";

const LIMIT = 1 << 20;
const sample = makeSample();
const streams = packedSamples();
/** Formats that carry a checksum of the content: damage cannot go unnoticed. */
const CHECKED: ReadonlySet<CodecName> = new Set<CodecName>(["gzip", "zstd", "xz"]);

function unpack(codec: CodecName, bytes: Uint8Array, maxOutput = LIMIT): Uint8Array {
  return decompress(codec, bytes, { maxOutput }).bytes;
}

function same(left: Uint8Array, right: Uint8Array): boolean {
  return Buffer.compare(left, right) === 0;
}

/** The result, or undefined for a CodecError whose offset lies in the stream; anything else is a failure. */
function attempt(codec: CodecName, bytes: Uint8Array, maxOutput = LIMIT): Uint8Array | undefined {
  try {
    const result = unpack(codec, bytes, maxOutput);
    assert.ok(result.length <= maxOutput);
    return result;
  } catch (error) {
    assert.ok(error instanceof CodecError, `${codec}: ${String(error)}`);
    assert.ok(error.offset >= 0 && error.offset <= bytes.length, `${codec}: offset ${error.offset}`);
    return undefined;
  }
}

/** Packs through a program; undefined after a skip. */
function pack(t: TestContext, words: readonly string[], data: Uint8Array): Uint8Array | undefined {
  const tool = requireTool(t, words[0]);
  if (!tool) return undefined;
  const { status, stdout, stderr } = spawnSync(tool, words.slice(1), { input: data, maxBuffer: 1 << 28 });
  assert.equal(status, 0, String(stderr));
  return new Uint8Array(stdout);
}

for (const { codec, made, bytes } of streams) {
  test(`R4.4 ${codec}: the sample packed by "${made}" unpacks, whole and with trailing bytes`, () => {
    assert.equal(identifyCodec(bytes), codec);
    const result = decompress(codec, bytes, { maxOutput: LIMIT });
    assert.ok(same(result.bytes, sample));
    assert.equal(result.consumed, bytes.length);
    // Linux appends the unpacked size.
    const trailed = Uint8Array.from([...bytes, sample.length & 255, sample.length >> 8, 0, 0]);
    assert.ok(same(unpack(codec, trailed), sample));
  });

  test(`R4.4 ${codec} (${made}): a limit of exactly the size is enough, one less is too large`, () => {
    assert.ok(same(unpack(codec, bytes, sample.length), sample));
    for (const maxOutput of [sample.length - 1, 100, 1, 0]) {
      assert.throws(
        () => unpack(codec, bytes, maxOutput),
        (error) => error instanceof CodecError && error.kind === "too-large",
      );
    }
  });

  test(`R4.4 ${codec} (${made}): stopped by the limit, it hands over a beginning of the result`, () => {
    const filtered = /x86|delta/.test(made);
    for (const maxOutput of [0, 1, 1000, 2000, sample.length - 1]) {
      const beginnings: Uint8Array[] = [];
      const onLimit = (unpacked: Uint8Array): void => void beginnings.push(unpacked);
      assert.throws(() => decompress(codec, bytes, { maxOutput, onLimit }), CodecError);
      const [beginning, ...more] = beginnings;
      assert.ok(more.length === 0 && beginning.length <= maxOutput);
      assert.ok(filtered || same(beginning, sample.subarray(0, beginning.length)));
    }
  });

  test(`R4.4 ${codec} (${made}): a wrong size hint changes nothing`, () => {
    for (const sizeHint of [0, 1, sample.length, 2 ** 32, 2 ** 53]) {
      assert.ok(same(decompress(codec, bytes, { maxOutput: LIMIT, sizeHint }).bytes, sample));
    }
  });

  test(`R4.4 ${codec} (${made}): cut anywhere it is refused as cut short, or gives a prefix`, () => {
    for (let length = 0; length < bytes.length; length++) {
      const result = attempt(codec, bytes.subarray(0, length));
      if (result === undefined) continue;
      assert.ok(!CHECKED.has(codec) || same(result, sample), `accepted at ${length}`);
      assert.ok(same(result, sample.subarray(0, result.length)));
    }
  });

  test(`R4.4 ${codec} (${made}): no flipped bit goes unnoticed where there is a checksum`, () => {
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const damaged = Uint8Array.from(bytes);
      damaged[bit >> 3] ^= 1 << (bit & 7);
      const result = attempt(codec, damaged);
      if (result === undefined || !CHECKED.has(codec)) continue;
      assert.ok(same(result, sample), `bit ${bit} changed the result`);
    }
  });
}

test("R4.4 gzip: every level and strategy, stored, fixed and dynamic blocks", () => {
  const { Z_DEFAULT_STRATEGY, Z_FILTERED, Z_HUFFMAN_ONLY, Z_RLE, Z_FIXED } = constants;
  for (const [name, data] of Object.entries(assortedData())) {
    for (const strategy of [Z_DEFAULT_STRATEGY, Z_FILTERED, Z_HUFFMAN_ONLY, Z_RLE, Z_FIXED]) {
      for (const level of [0, 1, 6, 9]) {
        const packed = gzipSync(data, { level, strategy });
        assert.ok(same(unpack("gzip", packed), data), `${name}, level ${level}, strategy ${strategy}`);
      }
    }
  }
});

test("R4.4 gzip: optional header parts are skipped, members are joined", () => {
  const flags = 0x02 | 0x04 | 0x08 | 0x10;
  const header = [0x1f, 0x8b, 8, flags, 0, 0, 0, 0, 0, 3, 2, 0, 0xaa, 0xbb, 0x6e, 0, 0x63, 0, 0x12, 0x34];
  const plain = gzipSync(sample);
  const long = Uint8Array.from([...header, ...plain.subarray(10)]);
  assert.ok(same(unpack("gzip", long), sample));
  const twice = unpack("gzip", Uint8Array.from([...long, ...plain]));
  assert.ok(same(twice, Uint8Array.from([...sample, ...sample])));
});

/** Programs and arguments for each codec; the last column packs and prints on stdout. */
const TOOLS: [CodecName, string[]][] = [
  ["zstd", ["zstd", "-q", "-1", "-c"]],
  ["zstd", ["zstd", "-q", "-3", "-c", "--no-check"]],
  ["zstd", ["zstd", "-q", "-19", "-c"]],
  ["xz", ["xz", "-1", "-c", "--check=none"]],
  ["xz", ["xz", "-6", "-c"]],
  ["xz", ["xz", "-c", "--check=crc32", "--x86", "--lzma2=preset=9e"]],
  ["xz", ["xz", "-c", "--x86", "--delta=dist=3", "--lzma2=preset=6,lc=0,lp=2,pb=4"]],
  ["xz", ["xz", "-c", "--check=crc32", "--arm", "--lzma2=preset=9e"]],
  ["xz", ["xz", "-c", "--arm=start=4096", "--delta=dist=1", "--lzma2=preset=1"]],
  ["xz", ["xz", "-c", "--armthumb", "--lzma2=preset=6"]],
  ["xz", ["xz", "-c", "-T2", "--block-size=70000", "--check=sha256"]],
  ["lzma", ["xz", "-c", "--format=lzma", "-6"]],
  ["lzma", ["xz", "-c", "--format=lzma", "--lzma1=preset=3,lc=1,lp=3,pb=0"]],
  ["lz4-legacy", ["lz4", "-l", "-1", "-q", "-c"]],
  ["lz4-legacy", ["lz4", "-l", "-9", "-q", "-c"]],
];

for (const [codec, words] of TOOLS) {
  test(`R4.4 ${codec}: data of every kind packed by "${words.join(" ")}" unpacks`, (t) => {
    for (const [name, data] of Object.entries(assortedData())) {
      const packed = pack(t, words, data);
      if (!packed) return;
      assert.ok(same(unpack(codec, packed), data), name);
    }
  });
}

test("R4.4 zstd: a window of 128 MiB, as Linux packs its payload with, takes no memory of its own", (t) => {
  const data = assortedData()["mixed"];
  const packed = pack(t, ["zstd", "-q", "--ultra", "-22", "-c"], data);
  if (!packed) return;
  assert.equal(packed[5] >> 3, 27 - 10, "the window descriptor");
  const before = process.memoryUsage().arrayBuffers;
  assert.ok(same(unpack("zstd", packed), data));
  assert.ok(process.memoryUsage().arrayBuffers - before < 8 << 20);
});

test("R4.4 zstd: skippable frames are skipped, frames are joined, a dictionary is refused by its number", () => {
  const frame = streams.find(({ codec }) => codec === "zstd")?.bytes ?? new Uint8Array(0);
  const skippable = [0x55, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3];
  const joined = Uint8Array.from([...skippable, ...frame, ...skippable, ...frame]);
  assert.ok(same(unpack("zstd", joined), Uint8Array.from([...sample, ...sample])));
  const dictionary = Uint8Array.from([0x28, 0xb5, 0x2f, 0xfd, 0x01, 0x58, 0x07, 1, 0, 0]);
  assert.throws(
    () => unpack("zstd", dictionary),
    (error) => error instanceof CodecError && error.kind === "unsupported" && error.found === "dictionary 7",
  );
});

test("R4.4 xz: padding and further streams are read, a filter of another machine is refused by name", (t) => {
  const stream = streams.find(({ codec }) => codec === "xz")?.bytes ?? new Uint8Array(0);
  const joined = Uint8Array.from([...stream, 0, 0, 0, 0, ...stream]);
  assert.ok(same(unpack("xz", joined), Uint8Array.from([...sample, ...sample])));
  const other = pack(t, ["xz", "-c", "--powerpc", "--lzma2"], sample);
  if (!other) return;
  assert.throws(
    () => unpack("xz", other),
    (error) => error instanceof CodecError && error.kind === "unsupported" && /PowerPC/.test(error.found),
  );
});

test("R4.4 a bomb is stopped at the limit, whatever its codec", () => {
  const limit = 1 << 22;
  const zeros = 1 << 27;
  const bombs: [CodecName, Uint8Array][] = [["gzip", gzipSync(new Uint8Array(zeros))]];
  // zstd: RLE blocks of 128 KiB, four bytes each, under a header that claims nothing.
  const blocks = Array.from({ length: 4096 }, (_, i) => [i === 4095 ? 0x03 : 0x02, 0, 0x10, 0]).flat();
  bombs.push(["zstd", Uint8Array.from([0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x58, ...blocks])]);
  // lz4: one literal, then a match of 255 × n bytes.
  const block = Uint8Array.from([0x1f, 0, 1, 0, ...new Uint8Array(60_000).fill(255), 0, 0x00]);
  const size = [block.length & 255, (block.length >> 8) & 255, block.length >> 16, 0];
  bombs.push(["lz4-legacy", Uint8Array.from([0x02, 0x21, 0x4c, 0x18, ...size, ...block])]);
  for (const [codec, bytes] of bombs) {
    const before = process.memoryUsage().arrayBuffers;
    assert.throws(
      () => unpack(codec, bytes, limit),
      (error) => error instanceof CodecError && error.kind === "too-large",
      codec,
    );
    const grown = process.memoryUsage().arrayBuffers - before;
    assert.ok(grown < 8 * limit, `${codec} took ${grown} bytes`);
  }
});

test("R4.4 unpacking up to the limit takes the limit and an eighth, whatever the codec", () => {
  const limit = 64 * 2 ** 20;
  for (const codec of CODEC_NAMES) {
    const bytes = BOMBS[codec]();
    const before = process.memoryUsage().arrayBuffers;
    assert.throws(() => unpack(codec, bytes, limit), /more than 67108864 bytes/, codec);
    const grown = process.memoryUsage().arrayBuffers - before;
    assert.ok(grown < 1.25 * limit, `${codec} took ${grown} bytes`);
  }
});

test("R4.4 a limit beyond what an array can have is no limit of ours", () => {
  for (const { codec, bytes } of streams)
    assert.ok(same(unpack(codec, bytes, Number.MAX_SAFE_INTEGER), sample), codec);
});

test("R4.4 lz4: a block that unpacks to more than 8 MiB is damaged, not too large", () => {
  const block = Uint8Array.from([0x1f, 0, 1, 0, ...new Uint8Array(33_000).fill(255), 0, 0x00]);
  const size = [block.length & 255, (block.length >> 8) & 255, block.length >> 16, 0];
  const stream = Uint8Array.from([0x02, 0x21, 0x4c, 0x18, ...size, ...block]);
  assert.throws(
    () => unpack("lz4-legacy", stream, 1 << 24),
    (error) => error instanceof CodecError && error.kind === "corrupt" && /8388608/.test(error.expected),
  );
  assert.throws(
    () => unpack("lz4-legacy", stream, 1 << 22),
    (error) => error instanceof CodecError && error.kind === "too-large",
  );
});

test("R4.4 gzip: codes of every length up to 15 bits", () => {
  // Each byte occurs about as often as the two after it together: its code is a bit longer than the one before it.
  const counts = [1, 1];
  while (counts.length < 24) counts.push(counts[counts.length - 1] + counts[counts.length - 2]);
  const data = Uint8Array.from(counts.flatMap((count, byte) => new Array<number>(count).fill(byte)));
  const mixed = data.map((_, i) => data[(i * 7919) % data.length]);
  const packed = gzipSync(mixed, { strategy: constants.Z_HUFFMAN_ONLY, memLevel: 9 });
  assert.ok(same(unpack("gzip", packed), mixed));
});

test("R4.4 xz and lzma: a header that claims a huge size is refused before any memory is taken", () => {
  const lzma = Uint8Array.from([0x5d, 0, 0, 0x80, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
  assert.throws(
    () => unpack("lzma", lzma),
    (error) => error instanceof CodecError && error.kind === "too-large" && error.offset === 5,
  );
});

test("R4.4 random bytes behind a right magic number are refused, quickly", () => {
  const starts: [CodecName, number[]][] = [
    ["gzip", [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3]],
    ["zstd", [0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x58]],
    ["xz", [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0, 0, 1, 0x69, 0x22, 0xde, 0x36]],
    ["lzma", [0x5d, 0, 0, 0x80, 0, 255, 255, 255, 255, 255, 255, 255, 255, 0]],
    ["lz4-legacy", [0x02, 0x21, 0x4c, 0x18]],
  ];
  for (const [codec, start] of starts) {
    for (let seed = 1; seed <= 100; seed++) {
      attempt(codec, Uint8Array.from([...start, ...noise(2000, seed * 7919)]));
    }
  }
});

test("R4.4 what cannot be unpacked is named", () => {
  const named = (...bytes: number[]): unknown => identifyCodec(Uint8Array.from(bytes));
  assert.deepEqual(named(0x42, 0x5a, 0x68, 0x39), { unsupported: "bzip2" });
  assert.deepEqual(named(0x89, 0x4c, 0x5a, 0x4f, 0, 0x0d, 0x0a, 0x1a, 0x0a), { unsupported: "lzo" });
  assert.deepEqual(named(0x04, 0x22, 0x4d, 0x18), { unsupported: "lz4-frame" });
  assert.equal(named(0x7f, 0x45, 0x4c, 0x46), undefined);
  assert.equal(identifyCodec(new Uint8Array(0)), undefined);
});

test("R4.4 inflate: a distance before the first byte is refused", () => {
  // A final fixed block (bits 1, 01) whose first symbol is 257, length 3, with distance code 0, distance 1.
  const header = gzipSync(new Uint8Array(0)).subarray(0, 10);
  const stream = Uint8Array.from([...header, 0x03, 0x02, 0, ...new Uint8Array(8)]);
  assert.throws(
    () => unpack("gzip", stream),
    (error) => error instanceof CodecError && error.kind === "corrupt" && error.found === "a distance of 1",
  );
});
