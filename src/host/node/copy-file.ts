/**
 * Writes the copy of a machine to a file while this thread does other things too: in pieces, each of which takes it a millisecond or two.
 * The beginning of the file comes last, so that one that was not finished is no snapshot.
 */
import { open } from "node:fs/promises";
import { BLOCK_PAGES, PAGE, SUM_SIZE } from "../../snapshot/format.js";
import { blockCount, BlockSums } from "../../snapshot/pages.js";
import { copyPieces, type MachineCopy } from "../../snapshot/write.js";
import { FAST_READING } from "./snapshot-file.js";

/** Bytes of pages at a time; whole blocks. */
const PIECE = 64 * BLOCK_PAGES * PAGE;

/** Writes into a file that is there and empty, down to the medium; its bytes then. Throws the host's errors. */
export async function writeCopy(file: string, copy: MachineCopy): Promise<number> {
  const { checksum } = FAST_READING;
  const { pages } = copy;
  const sums = new DataView(new ArrayBuffer(blockCount(pages.length / PAGE) * SUM_SIZE));
  const bytesOf = (): Uint8Array => new Uint8Array(sums.buffer);
  // What comes before the pages is as long whatever the checksums are.
  const start = sizeOf(copyPieces(copy, bytesOf(), checksum)) - pages.length;
  const blocks = new BlockSums(checksum, (block, sum) => sums.setUint32(block * SUM_SIZE, sum, true));
  const handle = await open(file, "r+");
  try {
    for (let at = 0; at < pages.length; at += PIECE) {
      const piece = pages.subarray(at, at + PIECE);
      blocks.take(piece);
      await writeAll(handle, piece, start + at);
    }
    blocks.end();
    await writeAll(handle, Buffer.concat(copyPieces(copy, bytesOf(), checksum).slice(0, -1)), 0);
    // Whoever names it afterwards names all of it, even after a power cut.
    await handle.datasync();
  } finally {
    await handle.close();
  }
  return start + pages.length;
}

async function writeAll(
  handle: Awaited<ReturnType<typeof open>>,
  bytes: Uint8Array,
  position: number,
): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    const { bytesWritten } = await handle.write(bytes, done, bytes.length - done, position + done);
    done += bytesWritten;
  }
}

function sizeOf(pieces: readonly Uint8Array[]): number {
  return pieces.reduce((sum, { length }) => sum + length, 0);
}
