/**
 * The sample that `test/fixtures/codec-streams.json` holds in packed form, and data of other kinds to pack. The
 * sample repeats itself (matches), and holds CALLs to one address (what the x86 filter is for).
 */
import { repositoryText } from "../support/repository.js";
import type { CodecName } from "../../src/spec/compression.js";

const LINES = 60;
const CALL = 0xe8;
const TARGET = 0x1000;

/** The sample's 3,161 bytes. */
export function makeSample(): Uint8Array {
  const bytes: number[] = [];
  for (let i = 0; i < LINES; i++) {
    const line = `line ${i} of the sample, which repeats itself: ${(i * i) % 97}\n`;
    bytes.push(...new TextEncoder().encode(line));
    const operand = TARGET - bytes.length;
    bytes.push(CALL, operand & 255, (operand >> 8) & 255, (operand >> 16) & 255, (operand >> 24) & 255);
  }
  return Uint8Array.from(bytes);
}

/** A packed form of the sample. */
export interface PackedSample {
  codec: CodecName;
  made: string;
  bytes: Uint8Array;
}

/** Every packed form there is. */
export function packedSamples(): PackedSample[] {
  const text = repositoryText("test/fixtures/codec-streams.json");
  const { streams } = JSON.parse(text) as { streams: { codec: CodecName; made: string; base64: string }[] };
  return streams.map(({ codec, made, base64 }) => ({
    codec,
    made,
    bytes: new Uint8Array(Buffer.from(base64, "base64")),
  }));
}

/** Bytes by a small generator: the same for the same seed. */
export function noise(length: number, seed: number): Uint8Array {
  let state = seed | 1;
  return Uint8Array.from({ length }, () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state & 0xff;
  });
}

/** Data of every kind that makes coders choose other paths, by name. */
export function assortedData(): Record<string, Uint8Array> {
  const sample = makeSample();
  const mixed = new Uint8Array(300_000);
  for (let at = 0, i = 0; at < mixed.length; i++) {
    const piece =
      i % 3 === 0 ? noise(1 + ((i * 37) % 900), i + 1) : sample.subarray(0, 1 + ((i * 131) % 3000));
    mixed.set(piece.subarray(0, mixed.length - at), at);
    at += piece.length;
  }
  return {
    empty: new Uint8Array(0),
    "one byte": Uint8Array.of(0x61),
    zeros: new Uint8Array(400_000),
    noise: noise(200_000, 7),
    sample,
    mixed,
  };
}
