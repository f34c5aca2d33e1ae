/** R3.7 Frames on a stream with QEMU's and passt's framing. */
import assert from "node:assert/strict";
import test from "node:test";
import { MOST_FRAME } from "../../src/net/net-backend.js";
import { wireFrame, WireReader, WireError } from "../../src/net/wire-stream.js";

function read(reader: WireReader, bytes: Uint8Array): Uint8Array[] {
  const frames: Uint8Array[] = [];
  reader.push(bytes);
  for (let frame = reader.next(); frame !== undefined; frame = reader.next()) frames.push(frame);
  return frames;
}

test("R3.7 wire: a frame stands behind its length, the highest byte first", () => {
  assert.deepEqual([...wireFrame(Uint8Array.of(7, 8)).subarray(0, 6)], [0, 0, 0, 2, 7, 8]);
});

test("R3.7 wire: however a stream is cut, the same frames come out; what is too short to be one is left out", () => {
  const frames = [14, 60, 1514, MOST_FRAME].map((length, i) => new Uint8Array(length).fill(i + 1));
  const stream = Buffer.concat([...frames, new Uint8Array(0), new Uint8Array(13), frames[1]].map(wireFrame));
  for (const cut of [1, 3, 4, 5, 61, 4096, stream.length]) {
    const reader = new WireReader();
    const out: Uint8Array[] = [];
    for (let at = 0; at < stream.length; at += cut) out.push(...read(reader, stream.subarray(at, at + cut)));
    assert.deepEqual(out, [...frames, frames[1]], `in pieces of ${cut}`);
  }
});

test("R3.7 wire: a frame that nobody could have sent ends the stream, before there is any room for it", () => {
  for (const length of [MOST_FRAME + 1, 0xffff_ffff]) {
    const head = new Uint8Array(4);
    new DataView(head.buffer).setUint32(0, length);
    assert.throws(
      () => read(new WireReader(), head),
      (error) => error instanceof WireError && error.message.includes(String(length)),
    );
  }
});
