/** Frames out of a pcapng file: a reader of its own, which takes nothing that is not as the format says. */
import assert from "node:assert/strict";

const SECTION = 0x0a0d0d0a;
const PACKET = 6;

export interface CapturedFrame {
  readonly bytes: Uint8Array;
  /** ns since 1970. */
  readonly ns: bigint;
  readonly toGuest: boolean;
}

/** Every frame, in order; blocks have to be whole, and their two lengths the same. */
export function pcapngFrames(file: Uint8Array): CapturedFrame[] {
  const view = new DataView(file.buffer, file.byteOffset, file.length);
  const frames: CapturedFrame[] = [];
  assert.equal(view.getUint32(0, true), SECTION);
  assert.equal(view.getUint32(8, true), 0x1a2b3c4d);
  for (let at = 0; at < file.length;) {
    const length = view.getUint32(at + 4, true);
    assert.ok(length % 4 === 0 && at + length <= file.length, `a block of ${length} bytes at ${at}`);
    assert.equal(view.getUint32(at + length - 4, true), length);
    if (view.getUint32(at, true) === PACKET) {
      const ns = (BigInt(view.getUint32(at + 12, true)) << 32n) | BigInt(view.getUint32(at + 16, true));
      const size = view.getUint32(at + 20, true);
      assert.equal(view.getUint32(at + 24, true), size);
      const options = at + 28 + Math.ceil(size / 4) * 4;
      assert.equal(view.getUint16(options, true), 2, "its flags");
      frames.push({
        bytes: Uint8Array.from(file.subarray(at + 28, at + 28 + size)),
        ns,
        toGuest: (view.getUint32(options + 4, true) & 3) === 1,
      });
    }
    at += length;
  }
  return frames;
}
