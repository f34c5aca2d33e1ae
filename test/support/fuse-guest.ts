/** A guest's side of FUSE: requests as its kernel writes them, in pieces, and what the server's replies say. */
import type { ShareMessage } from "../../src/share/message.js";
import type { FuseServer } from "../../src/share/fuse/server.js";
import {
  FUSE_ENTRY_OUT,
  FUSE_IN_HEADER,
  FUSE_INIT_OUT,
  FUSE_OP,
  FUSE_OUT_HEADER,
} from "../../src/spec/fuse.js";

/** Cuts `bytes` into pieces that end at `ends`. */
function pieces(bytes: Uint8Array, ends: readonly number[]): Uint8Array[] {
  const cuts = [...ends.filter((end) => end > 0 && end < bytes.length).sort((a, b) => a - b), bytes.length];
  let from = 0;
  return cuts.map((end) => bytes.subarray(from, (from = end))).filter((piece) => piece.length > 0);
}

function walk(
  all: readonly Uint8Array[],
  from: number,
  length: number,
  visit: (bytes: Uint8Array, at: number) => boolean,
): void {
  let skip = from;
  let done = 0;
  for (const piece of all) {
    if (done === length) return;
    if (skip >= piece.length) {
      skip -= piece.length;
      continue;
    }
    const taken = Math.min(piece.length - skip, length - done);
    if (!visit(piece.subarray(skip, skip + taken), done)) return;
    done += taken;
    skip = 0;
  }
}

/** A request in memory of its own. */
export class PieceMessage implements ShareMessage {
  readonly #request: readonly Uint8Array[];
  readonly #room: readonly Uint8Array[];
  readonly readable: number;
  readonly writable: number;

  constructor(
    request: Uint8Array,
    readonly room: Uint8Array,
    cuts: { request: readonly number[]; room: readonly number[] } = { request: [], room: [] },
  ) {
    this.#request = pieces(request, cuts.request);
    this.#room = pieces(room, cuts.room);
    this.readable = request.length;
    this.writable = room.length;
  }

  get readablePieces(): number {
    return this.#request.length;
  }

  get writablePieces(): number {
    return this.#room.length;
  }

  copyFrom(from: number, into: Uint8Array): number {
    let copied = 0;
    this.read(from, into.length, (bytes, at) => {
      into.set(bytes, at);
      copied = at + bytes.length;
      return true;
    });
    return copied;
  }

  copyTo(from: number, bytes: Uint8Array): void {
    if (from + bytes.length > this.writable) throw new RangeError("a reply that has no room");
    this.write(from, bytes.length, (room, at) => {
      room.set(bytes.subarray(at, at + room.length));
      return true;
    });
  }

  read(from: number, length: number, visit: (bytes: Uint8Array, at: number) => boolean): void {
    walk(this.#request, from, length, visit);
  }

  write(from: number, length: number, visit: (bytes: Uint8Array, at: number) => boolean): void {
    walk(this.#room, from, length, visit);
  }
}

export interface Asker {
  readonly uid?: number;
  readonly gid?: number;
  /** Bytes of room for the reply, its header too. */
  readonly room?: number;
  readonly cuts?: { request: readonly number[]; room: readonly number[] };
}

/** One reply. */
export interface Reply {
  readonly length: number;
  /** Positive, or 0. */
  readonly errno: number;
  readonly unique: bigint;
  readonly body: DataView;
}

/** A body: numbers of 32 bits, bigints of 64, texts with their NUL, bytes as they are. */
export function body(...fields: (number | bigint | string | Uint8Array)[]): Uint8Array {
  const parts = fields.map((field) => {
    if (typeof field === "string") return Buffer.from(`${field}\0`, "latin1");
    if (typeof field !== "number" && typeof field !== "bigint") return field;
    const bytes = Buffer.alloc(typeof field === "number" ? 4 : 8);
    if (typeof field === "number") bytes.writeUInt32LE(field >>> 0);
    else bytes.writeBigUInt64LE(BigInt.asUintN(64, field));
    return bytes;
  });
  return Uint8Array.from(Buffer.concat(parts));
}

/** A whole request. */
export function request(
  opcode: number,
  node: bigint,
  of: Uint8Array,
  { uid = 0, gid = 0 }: Asker = {},
): Uint8Array {
  const bytes = new Uint8Array(FUSE_IN_HEADER.SIZE + of.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(FUSE_IN_HEADER.LENGTH, bytes.length, true);
  view.setUint32(FUSE_IN_HEADER.OPCODE, opcode, true);
  view.setBigUint64(FUSE_IN_HEADER.NODE, node, true);
  view.setUint32(FUSE_IN_HEADER.UID, uid, true);
  view.setUint32(FUSE_IN_HEADER.GID, gid, true);
  bytes.set(of, FUSE_IN_HEADER.SIZE);
  return bytes;
}

export function replyOf(room: Uint8Array, length: number): Reply {
  const view = new DataView(room.buffer, room.byteOffset, length);
  return {
    length,
    errno: Math.abs(view.getInt32(FUSE_OUT_HEADER.ERROR, true)),
    unique: view.getBigUint64(FUSE_OUT_HEADER.UNIQUE, true),
    body: new DataView(room.buffer, room.byteOffset + FUSE_OUT_HEADER.SIZE, length - FUSE_OUT_HEADER.SIZE),
  };
}

const ROOM = 4096;
/** The flags that Linux 6.1 offers. */
const LINUX_OFFERS = 0x7ff_ffff | (0x73 << 24);
const READAHEAD = 131072;

export class FuseGuest {
  #unique = 0n;

  constructor(readonly server: FuseServer) {}

  /** Sends one request; its reply. */
  ask(opcode: number, node: bigint | number, of: Uint8Array = new Uint8Array(0), asker: Asker = {}): Reply {
    const bytes = request(opcode, BigInt(node), of, asker);
    const unique = ++this.#unique;
    new DataView(bytes.buffer).setBigUint64(FUSE_IN_HEADER.UNIQUE, unique, true);
    const room = new Uint8Array(asker.room ?? ROOM);
    const reply = replyOf(room, this.server.serve(new PieceMessage(bytes, room, asker.cuts)));
    if (reply.unique !== unique) throw new RangeError("a reply to another request");
    return reply;
  }

  /** Sends what has no reply; the length that the server gives. */
  tell(opcode: number, node: bigint | number, of: Uint8Array): number {
    return this.server.serve(new PieceMessage(request(opcode, BigInt(node), of), new Uint8Array(0)));
  }

  /** INIT, with what a kernel offers; the flags that were taken, and those of `flags2`. */
  init(
    offers = LINUX_OFFERS,
    minor = 38,
    offersToo = -1,
  ): { errno: number; flags: number; flagsToo: number } {
    const fields = body(7, minor, READAHEAD, offers, offersToo, new Uint8Array(44));
    const { errno, body: out } = this.ask(FUSE_OP.INIT, 0, fields);
    if (errno !== 0) return { errno, flags: 0, flagsToo: 0 };
    return {
      errno,
      flags: out.getUint32(FUSE_INIT_OUT.FLAGS, true),
      flagsToo: out.getUint32(FUSE_INIT_OUT.FLAGS2, true),
    };
  }

  /** Looks a path up, name by name; the node, or the error as a negative number. */
  find(path: string): number {
    let node = 1;
    for (const name of path.split("/")) {
      const { errno, body: out } = this.ask(FUSE_OP.LOOKUP, node, body(name));
      if (errno !== 0) return -errno;
      node = Number(out.getBigUint64(FUSE_ENTRY_OUT.NODE, true));
    }
    return node;
  }
}

/** An entry of a folder's list. */
export interface ListedEntry {
  readonly name: string;
  readonly type: number;
  readonly next: bigint;
  /** Of READDIRPLUS: the node, 0 where it was not looked up. */
  readonly node: number | undefined;
}

/** What READDIR or READDIRPLUS gave. */
export function listed({ body: out }: Reply, plus: boolean): ListedEntry[] {
  const entries: ListedEntry[] = [];
  let at = 0;
  while (at < out.byteLength) {
    const node = plus ? Number(out.getBigUint64(at + FUSE_ENTRY_OUT.NODE, true)) : undefined;
    const entry = plus ? at + FUSE_ENTRY_OUT.SIZE : at;
    const length = out.getUint32(entry + 16, true);
    const name = Buffer.from(out.buffer, out.byteOffset + entry + 24, length).toString("latin1");
    entries.push({
      name,
      type: out.getUint32(entry + 20, true),
      next: out.getBigUint64(entry + 8, true),
      node,
    });
    at = entry + Math.ceil((24 + length) / 8) * 8;
  }
  return entries;
}
