/** A guest's side of 9P2000.L: requests as its kernel writes them, and what the server's replies say. */
import type { NinePServer } from "../../src/share/ninep/server.js";
import { NINEP_HEADER, NINEP_NONE, NINEP_QID, NINEP_RLERROR, NINEP_T } from "../../src/spec/ninep.js";
import { PieceMessage } from "./fuse-guest.js";

/** A number of that many bytes. */
export type Sized = readonly [bytes: 1 | 2 | 4 | 8, value: number | bigint];
export type Field = number | bigint | string | Uint8Array | Sized;

function fieldBytes(field: Field): Uint8Array {
  if (field instanceof Uint8Array) return field;
  if (typeof field === "string") {
    const text = Buffer.from(field, "latin1");
    return Buffer.concat([fieldBytes([2, text.length]), text]);
  }
  const [bytes, value]: Sized =
    typeof field === "number" ? [4, field] : typeof field === "bigint" ? [8, field] : field;
  const out = Buffer.alloc(8);
  out.writeBigUInt64LE(BigInt.asUintN(64, BigInt(value)));
  return out.subarray(0, bytes);
}

/** A body: numbers of 32 bits, bigints of 64, others by their size; texts with their length, bytes as they are. */
export function fields(...of: Field[]): Uint8Array {
  return Uint8Array.from(Buffer.concat(of.map(fieldBytes)));
}

/** A whole request. */
export function message(type: number, tag: number, of: Uint8Array): Uint8Array {
  const length = NINEP_HEADER.SIZE + of.length;
  return fields(length, [1, type], [2, tag], of);
}

/** One reply. */
export interface NinePReply {
  readonly length: number;
  readonly type: number;
  readonly tag: number;
  /** Positive, or 0. */
  readonly errno: number;
  readonly body: DataView;
}

export function ninePReply(room: Uint8Array, length: number): NinePReply {
  const view = new DataView(room.buffer, room.byteOffset, room.length);
  const type = view.getUint8(NINEP_HEADER.TYPE);
  const size = NINEP_HEADER.SIZE;
  return {
    length: view.getUint32(NINEP_HEADER.LENGTH, true),
    type,
    tag: view.getUint16(NINEP_HEADER.TAG, true),
    errno: type === NINEP_RLERROR ? view.getUint32(size, true) : 0,
    body: new DataView(room.buffer, room.byteOffset + size, Math.max(0, length - size)),
  };
}

const ROOM = 4096;

export class NinePGuest {
  #tag = 0;

  constructor(readonly server: NinePServer) {}

  /** Sends one request; its reply. */
  ask(
    type: number,
    of: Uint8Array,
    {
      room = ROOM,
      cuts,
    }: { room?: number; cuts?: { request: readonly number[]; room: readonly number[] } } = {},
  ): NinePReply {
    const tag = ++this.#tag & 0xffff;
    const answer = new Uint8Array(room);
    const length = this.server.serve(new PieceMessage(message(type, tag, of), answer, cuts));
    const reply = ninePReply(answer, length);
    if (reply.tag !== tag || reply.length !== length) throw new RangeError("a reply to another request");
    if (reply.errno === 0 && reply.type !== type + 1) throw new RangeError(`type ${reply.type} to ${type}`);
    return reply;
  }

  /** VERSION and ATTACH: fid 0 is the root. */
  begin(msize = 512000, uid = 0): void {
    this.ask(NINEP_T.VERSION, fields(msize, "9P2000.L"));
    this.ask(NINEP_T.ATTACH, fields(0, NINEP_NONE, "root", "", uid));
  }

  /** Walks from a fid to a new one; the reply. */
  walk(from: number, to: number, ...names: string[]): NinePReply {
    return this.ask(NINEP_T.WALK, fields(from, to, [2, names.length], ...names));
  }

  /** A fid that the path is open by. */
  open(to: number, path: string, flags: number): NinePReply {
    const { errno } = this.walk(0, to, ...path.split("/"));
    if (errno !== 0) throw new RangeError(`${path}: error ${errno}`);
    return this.ask(NINEP_T.LOPEN, fields(to, flags));
  }
}

export function textOf({ body }: NinePReply, at = 0, length = body.byteLength - at): string {
  return Buffer.from(body.buffer, body.byteOffset + at, length).toString("latin1");
}

/** An entry of a folder's list. */
export interface NinePEntry {
  readonly name: string;
  readonly type: number;
  readonly next: bigint;
  readonly qidType: number;
  readonly path: bigint;
}

/** What READDIR gave. */
export function ninePListed(reply: NinePReply): NinePEntry[] {
  const { body } = reply;
  const entries: NinePEntry[] = [];
  const end = 4 + body.getUint32(0, true);
  for (let at = 4; at < end;) {
    const rest = at + NINEP_QID.SIZE;
    const length = body.getUint16(rest + 9, true);
    entries.push({
      qidType: body.getUint8(at + NINEP_QID.TYPE),
      path: body.getBigUint64(at + NINEP_QID.PATH, true),
      next: body.getBigUint64(rest, true),
      type: body.getUint8(rest + 8),
      name: textOf(reply, rest + 11, length),
    });
    at = rest + 11 + length;
  }
  return entries;
}
