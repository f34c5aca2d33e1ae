/**
 * A qcow2 image's header, checked: every place that it names lies in the file, and nothing is allocated by a number that was not
 * looked at. What is not supported is refused by name, at its offset.
 */
import {
  QCOW2_COMPRESSION,
  QCOW2_EXTENSION,
  QCOW2_HEADER,
  QCOW2_INCOMPATIBLE,
  QCOW2_MAGIC,
  QCOW2_MAX_BACKING_NAME,
  QCOW2_MAX_CLUSTER_BITS,
  QCOW2_MAX_L1_BYTES,
  QCOW2_MAX_REFCOUNT_ORDER,
  QCOW2_MAX_REFCOUNT_TABLE_BYTES,
  QCOW2_MIN_CLUSTER_BITS,
  QCOW2_V2_HEADER_LENGTH,
  QCOW2_V2_REFCOUNT_ORDER,
  QCOW2_V3_HEADER_LENGTH,
} from "../../spec/qcow2.js";
import { hex } from "../../bytes/hex.js";
import { TWO_32 } from "../../bytes/words.js";
import { BlockError } from "../block-error.js";
import type { BlockFile } from "../block-file.js";

export interface Qcow2Header {
  version: 2 | 3;
  clusterBits: number;
  /** Of the disk, bytes. */
  size: number;
  l1: { offset: number; entries: number };
  refcountTable: { offset: number; clusters: number };
  refcountOrder: number;
  /** The disk below, as the image names it; `format` where it says it. */
  backing?: { name: string; format?: string };
  compression: "zlib" | "zstd";
  /** Whether refcounts may be wrong: whoever wrote to it last did not close it. */
  dirty: boolean;
  /** Whether somebody found it damaged. */
  corrupt: boolean;
  snapshots: number;
  autoclear: boolean;
}

const DAMAGED = "The image is damaged; qemu-img check says more.";
/** The longest header that is looked at: the features' table and the backing file's name lie behind the fields. */
const LONGEST_HEADER = 1 << 16;

/** Whether a file begins like a qcow2 image; `start` are its first 4 bytes or more. */
export function isQcow2(start: Uint8Array): boolean {
  return QCOW2_MAGIC.every((byte, i) => start[i] === byte);
}

/** Bytes of a header, with its numbers. */
class Fields {
  readonly #view: DataView;
  constructor(readonly bytes: Uint8Array) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  u32(at: number): number {
    return this.#view.getUint32(at);
  }

  /** 64 bits; what is above 2^53 is rounded and stays above it. */
  u64(at: number): number {
    return this.u32(at) * TWO_32 + this.u32(at + 4);
  }
}

function refuse(at: number, found: string, expected: string, advice: string = DAMAGED): never {
  throw new BlockError(at, found, expected, advice);
}

/** Throws BlockError for what is no qcow2 image, is damaged in its header, or needs what is not supported. */
export function readQcow2Header(file: BlockFile): Qcow2Header {
  if (file.size < QCOW2_V2_HEADER_LENGTH)
    refuse(file.size, "the end of the file", `a header of ${QCOW2_V2_HEADER_LENGTH} bytes`);
  const bytes = new Uint8Array(Math.min(file.size, LONGEST_HEADER));
  file.read(0, bytes);
  if (!isQcow2(bytes))
    refuse(0, "another magic number", "that of qcow2", "Say format=raw if it is a raw image.");
  const fields = new Fields(bytes);
  const version = fields.u32(QCOW2_HEADER.version);
  if (version !== 2 && version !== 3)
    refuse(
      QCOW2_HEADER.version,
      `version ${version}`,
      "2 or 3",
      "qemu-img convert -O qcow2 makes one of these.",
    );
  if (version === 3 && bytes.length < QCOW2_V3_HEADER_LENGTH)
    refuse(bytes.length, "the end of the file", `a header of ${QCOW2_V3_HEADER_LENGTH} bytes`);
  const clusterBits = fields.u32(QCOW2_HEADER.clusterBits);
  if (clusterBits < QCOW2_MIN_CLUSTER_BITS || clusterBits > QCOW2_MAX_CLUSTER_BITS)
    refuse(
      QCOW2_HEADER.clusterBits,
      `cluster_bits ${clusterBits}`,
      `${QCOW2_MIN_CLUSTER_BITS} to ${QCOW2_MAX_CLUSTER_BITS}`,
    );
  const features = featuresOf(fields, version);
  const size = fields.u64(QCOW2_HEADER.size);
  if (!Number.isSafeInteger(size)) refuse(QCOW2_HEADER.size, hex(size), "a size below 2^53");
  if (fields.u32(QCOW2_HEADER.cryptMethod) !== 0)
    refuse(
      QCOW2_HEADER.cryptMethod,
      `encryption (method ${fields.u32(QCOW2_HEADER.cryptMethod)})`,
      "an image that is not encrypted",
      "qemu-img convert with its key makes one that is not.",
    );
  const headerLength = version === 2 ? QCOW2_V2_HEADER_LENGTH : fields.u32(QCOW2_HEADER.headerLength);
  const cluster = 2 ** clusterBits;
  if (
    headerLength < (version === 2 ? QCOW2_V2_HEADER_LENGTH : QCOW2_V3_HEADER_LENGTH) ||
    headerLength > cluster
  )
    refuse(
      QCOW2_HEADER.headerLength,
      `a header of ${headerLength} bytes`,
      `${QCOW2_V3_HEADER_LENGTH} to ${cluster}`,
    );
  const backing = backingOf(fields, headerLength, cluster);
  return {
    version,
    clusterBits,
    size,
    ...tablesOf(fields, { size, cluster, fileSize: file.size }),
    refcountOrder: refcountOrder(fields, version),
    ...(backing && { backing }),
    ...features,
    compression: compressionOf(fields, version, headerLength),
    snapshots: fields.u32(QCOW2_HEADER.snapshotCount),
  };
}

function featuresOf(fields: Fields, version: number): Pick<Qcow2Header, "dirty" | "corrupt" | "autoclear"> {
  if (version === 2) return { dirty: false, corrupt: false, autoclear: false };
  const at = QCOW2_HEADER.incompatibleFeatures;
  const [high, low] = [fields.u32(at), fields.u32(at + 4)];
  const { dirty, corrupt, externalData, compressionType, extendedL2 } = QCOW2_INCOMPATIBLE;
  const refused = (found: string, advice: string): never => refuse(at, found, "an image without it", advice);
  const CONVERT = "qemu-img convert -O qcow2 makes an image without it.";
  if ((low & externalData) !== 0) refused("an external data file", CONVERT);
  if ((low & extendedL2) !== 0) refused("extended L2 entries", CONVERT);
  const unknown = (low & ~(dirty | corrupt | compressionType)) >>> 0;
  if (high !== 0 || unknown !== 0) refused(`incompatible features ${hex(high * TWO_32 + unknown)}`, CONVERT);
  const autoclear = QCOW2_HEADER.autoclearFeatures;
  return {
    dirty: (low & dirty) !== 0,
    corrupt: (low & corrupt) !== 0,
    autoclear: fields.u32(autoclear) !== 0 || fields.u32(autoclear + 4) !== 0,
  };
}

function compressionOf(fields: Fields, version: number, headerLength: number): "zlib" | "zstd" {
  const at = QCOW2_HEADER.compressionType;
  const has =
    version === 3 &&
    (fields.u32(QCOW2_HEADER.incompatibleFeatures + 4) & QCOW2_INCOMPATIBLE.compressionType) !== 0;
  if (!has) return "zlib";
  const type = headerLength > at && fields.bytes.length > at ? fields.bytes[at] : QCOW2_COMPRESSION.zlib;
  if (type === QCOW2_COMPRESSION.zlib) return "zlib";
  if (type === QCOW2_COMPRESSION.zstd) return "zstd";
  return refuse(
    at,
    `compression type ${type}`,
    "zlib (0) or zstd (1)",
    "qemu-img convert makes one of these.",
  );
}

function refcountOrder(fields: Fields, version: number): number {
  if (version === 2) return QCOW2_V2_REFCOUNT_ORDER;
  const order = fields.u32(QCOW2_HEADER.refcountOrder);
  if (order > QCOW2_MAX_REFCOUNT_ORDER)
    refuse(QCOW2_HEADER.refcountOrder, `refcount_order ${order}`, `${QCOW2_MAX_REFCOUNT_ORDER} at most`);
  return order;
}

/** The two tables, which have to lie in the file whole. */
function tablesOf(
  fields: Fields,
  { size, cluster, fileSize }: { size: number; cluster: number; fileSize: number },
): Pick<Qcow2Header, "l1" | "refcountTable"> {
  const place = (at: number, what: string, length: number): number => {
    const offset = fields.u64(at);
    if (offset % cluster === 0 && offset + length <= fileSize && (offset > 0 || length === 0)) return offset;
    return refuse(
      at,
      `${what} at ${hex(offset)}+${length}`,
      `a place in a file of ${fileSize} bytes, at a cluster's start`,
    );
  };
  const entries = fields.u32(QCOW2_HEADER.l1Size);
  const needed = Math.ceil(size / ((cluster * cluster) / 8));
  if (entries < needed || entries * 8 > QCOW2_MAX_L1_BYTES)
    refuse(
      QCOW2_HEADER.l1Size,
      `an L1 table of ${entries} entries`,
      `${needed} to ${QCOW2_MAX_L1_BYTES / 8}`,
    );
  const clusters = fields.u32(QCOW2_HEADER.refcountTableClusters);
  if (clusters * cluster > QCOW2_MAX_REFCOUNT_TABLE_BYTES || clusters === 0)
    refuse(
      QCOW2_HEADER.refcountTableClusters,
      `a refcount table of ${clusters} clusters`,
      `1 to ${QCOW2_MAX_REFCOUNT_TABLE_BYTES / cluster}`,
    );
  return {
    l1: { offset: place(QCOW2_HEADER.l1TableOffset, "an L1 table", entries * 8), entries },
    refcountTable: {
      offset: place(QCOW2_HEADER.refcountTableOffset, "a refcount table", clusters * cluster),
      clusters,
    },
  };
}

function textOf(bytes: Uint8Array, at: number): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return refuse(at, "bytes that are no UTF-8", "a name");
  }
}

function backingOf(fields: Fields, headerLength: number, cluster: number): Qcow2Header["backing"] {
  const at = fields.u64(QCOW2_HEADER.backingFileOffset);
  if (at === 0) return undefined;
  const length = fields.u32(QCOW2_HEADER.backingFileSize);
  const end = Math.min(cluster, fields.bytes.length);
  if (length === 0 || length > QCOW2_MAX_BACKING_NAME || at < headerLength || at + length > end)
    refuse(
      QCOW2_HEADER.backingFileOffset,
      `a backing file's name at ${hex(at)}+${length}`,
      `1 to ${QCOW2_MAX_BACKING_NAME} bytes in the first cluster`,
    );
  const name = textOf(fields.bytes.subarray(at, at + length), at);
  const format = backingFormat(fields, headerLength, Math.min(at, end));
  return format === undefined ? { name } : { name, format };
}

/** The header extensions lie between the header and the backing file's name; each is padded to 8 bytes. */
function backingFormat(fields: Fields, headerLength: number, end: number): string | undefined {
  const HEAD = 8;
  for (let at = headerLength; at + HEAD <= end;) {
    const [type, length] = [fields.u32(at), fields.u32(at + 4)];
    if (type === QCOW2_EXTENSION.end) return undefined;
    if (length > end - at - HEAD)
      refuse(at, `a header extension of ${length} bytes`, `${end - at - HEAD} at most`);
    if (type === QCOW2_EXTENSION.backingFormat)
      return textOf(fields.bytes.subarray(at + HEAD, at + HEAD + length), at + HEAD);
    at += HEAD + Math.ceil(length / 8) * 8;
  }
  return undefined;
}
