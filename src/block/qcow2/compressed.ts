/** Clusters that are packed: as qemu-img convert -c and backup tools write them. They are read; what a guest writes is not packed. */
import { CodecError } from "../../codecs/codec-error.js";
import { inflate } from "../../codecs/inflate.js";
import { Output } from "../../codecs/output.js";
import { decompressZstdFrame } from "../../codecs/zstd/zstd.js";
import { hex } from "../../bytes/hex.js";
import { TWO_32 } from "../../bytes/words.js";
import { QCOW2_COMPRESSED_BITS, QCOW2_ENTRY, QCOW2_SECTOR } from "../../spec/qcow2.js";
import { BlockError } from "../block-error.js";
import type { BlockFile } from "../block-file.js";
import type { Qcow2Header } from "./header.js";

/** Clusters that stay unpacked: whoever reads in order comes to each several times. */
const KEPT = 4;

/** Where packed data lies: at any byte, and to the end of a sector. */
export interface PackedPlace {
  readonly offset: number;
  readonly length: number;
}

/** What an L2 entry of a packed cluster says. */
export function packedPlace(high: number, low: number, clusterBits: number): PackedPlace {
  const offsetBits = QCOW2_COMPRESSED_BITS - (clusterBits - 8);
  const flags = QCOW2_ENTRY.copiedHigh | QCOW2_ENTRY.compressedHigh;
  const upper = (high & ~flags) >>> 0;
  const shift = offsetBits - 32;
  const offset = (upper % 2 ** shift) * TWO_32 + low;
  const sectors = Math.floor(upper / 2 ** shift) + 1;
  return { offset, length: sectors * QCOW2_SECTOR - (offset % QCOW2_SECTOR) };
}

export class PackedClusters {
  readonly #file: BlockFile;
  readonly #cluster: number;
  readonly #compression: Qcow2Header["compression"];
  /** By the place of their data; the one that was used last is the last one. */
  readonly #kept = new Map<number, Uint8Array>();

  constructor(file: BlockFile, { clusterBits, compression }: Qcow2Header) {
    this.#file = file;
    this.#cluster = 2 ** clusterBits;
    this.#compression = compression;
  }

  /** The cluster that is packed there. Throws BlockError. */
  read(place: PackedPlace): Uint8Array {
    const { offset } = place;
    const bytes = this.#kept.get(offset) ?? this.#unpacked(place);
    this.#kept.delete(offset);
    this.#kept.set(offset, bytes);
    if (this.#kept.size > KEPT) this.#kept.delete(this.#kept.keys().next().value!);
    return bytes;
  }

  /** Something else is written to the file where packed data was. */
  forget(): void {
    this.#kept.clear();
  }

  #unpacked({ offset, length }: PackedPlace): Uint8Array {
    if (offset >= this.#file.size)
      throw this.#damaged(
        offset,
        `packed data at ${hex(offset)}`,
        `data in a file of ${this.#file.size} bytes`,
      );
    const packed = new Uint8Array(Math.min(length, this.#file.size - offset));
    this.#file.read(offset, packed);
    try {
      const cluster = this.#unpack(packed);
      if (cluster.length === this.#cluster) return cluster;
      throw this.#damaged(offset, `${cluster.length} bytes when unpacked`, `${this.#cluster}`);
    } catch (error) {
      if (!(error instanceof CodecError)) throw error;
      throw this.#damaged(offset, error.message, `a cluster packed as ${this.#compression}`);
    }
  }

  #unpack(packed: Uint8Array): Uint8Array {
    const options = { maxOutput: this.#cluster, sizeHint: this.#cluster };
    if (this.#compression === "zstd") return decompressZstdFrame(packed, options).bytes;
    const output = new Output(packed.length, options);
    inflate(packed, 0, output);
    return output.finish();
  }

  #damaged(offset: number, found: string, expected: string): BlockError {
    return new BlockError(offset, found, expected, "The image is damaged; qemu-img check says more.");
  }
}
