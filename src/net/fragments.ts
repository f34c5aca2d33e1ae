/**
 * Datagrams that come in pieces, put together. A guest may send pieces that never become one: so many are kept, for so long, and
 * the oldest goes for a new one. Pieces that overlap others make no datagram (RFC 5722). Specification: RFC 815, RFC 8200 §4.5.
 */
import type { Address } from "./address.js";
import { MOST_PAYLOAD } from "./net-backend.js";
import { keptPacket, type Packet } from "./packet.js";

/** Datagrams that are put together at a time, and the pieces of one. */
const MOST_DATAGRAMS = 16;
const MOST_PIECES = 128;
/** How long a datagram may take, ms. */
const PATIENCE_MS = 30_000;
/** Each piece but the last is so long, or several times that. */
const UNIT = 8;
const NO_BYTES = new Uint8Array(0);

interface Pieces {
  began: number;
  pieces: Packet[];
  /** The payload's length, once its last piece is there. */
  length: number | undefined;
}

export class Fragments {
  readonly #datagrams = new Map<string, Pieces>();

  /** Bytes that are kept. */
  get held(): number {
    let sum = 0;
    for (const { pieces } of this.#datagrams.values())
      for (const { payload } of pieces) sum += payload.length;
    return sum;
  }

  /** A packet; gives the whole datagram, once it is there: the packet itself where it is no piece. `now`: ms. */
  take<A extends Address>(packet: Packet<A>, now: number): Packet<A> | undefined {
    if (packet.offset === 0 && !packet.more) return packet;
    if (packet.more && packet.payload.length % UNIT !== 0) return undefined;
    const { source, destination, id } = packet;
    // What is in a datagram of IPv6 its first piece says, and no other (RFC 8200 §4.5).
    const what = typeof source === "bigint" ? "six" : packet.protocol;
    const key = `${source} ${destination} ${what} ${id}`;
    this.#forget(now, this.#datagrams.has(key) ? MOST_DATAGRAMS : MOST_DATAGRAMS - 1);
    const found = this.#datagrams.get(key) ?? { began: now, pieces: [], length: undefined };
    if (!add(found, packet)) {
      this.#datagrams.delete(key);
      return undefined;
    }
    this.#datagrams.set(key, found);
    const have = found.pieces.reduce((sum, { payload }) => sum + payload.length, 0);
    if (have !== found.length) return undefined;
    this.#datagrams.delete(key);
    const payload = new Uint8Array(have);
    for (const piece of found.pieces) payload.set(piece.payload, piece.offset);
    const first = found.pieces.find(({ offset }) => offset === 0) ?? packet;
    const { protocol, bytes, hops } = first;
    const said = { protocol, bytes, ...(hops !== undefined && { hops }) };
    return { ...packet, ...said, offset: 0, more: false, pieced: true, payload };
  }

  /** What is too old, and the oldest of more than `most`. */
  #forget(now: number, most: number): void {
    for (const [key, { began }] of this.#datagrams)
      if (now - began > PATIENCE_MS || this.#datagrams.size > most) this.#datagrams.delete(key);
  }
}

/** Adds a piece; false where that cannot be one of this datagram. */
function add(datagram: Pieces, packet: Packet): boolean {
  const { pieces, length } = datagram;
  const { offset, more, payload } = packet;
  const end = offset + payload.length;
  if (payload.length === 0 || end > MOST_PAYLOAD || pieces.length >= MOST_PIECES) return false;
  if (length !== undefined && (end > length || (!more && end !== length))) return false;
  const overlaps = pieces.some((one) => offset < one.offset + one.payload.length && one.offset < end);
  if (overlaps) return false;
  if (!more) datagram.length = end;
  const beyond = (one: Packet): boolean =>
    one.offset + one.payload.length > (datagram.length ?? MOST_PAYLOAD);
  if (pieces.some(beyond)) return false;
  const kept = payload.slice();
  // What is said of a datagram quotes its first piece.
  pieces.push(offset === 0 ? keptPacket(packet, kept) : { ...packet, bytes: NO_BYTES, payload: kept });
  return true;
}
