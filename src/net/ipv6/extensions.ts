/**
 * What may stand between the header of IPv6 and its payload. Options that nobody here knows are passed over where they say that they may
 * be; everything that changes where a packet goes is refused. Specification: RFC 8200 §4, RFC 5095 (routing), RFC 6946.
 */
import type { Piece } from "../packet.js";

/** Numbers of protocols that are extensions. */
export const EXTENSION = { HOP_BY_HOP: 0, ROUTING: 43, PIECE: 44, DESTINATION: 60 } as const;

const AT = { NEXT: 0, LENGTH: 1, SEGMENTS_LEFT: 3, OPTIONS: 2 } as const;
/** The extension that says which piece of a datagram it is (RFC 8200 §4.5). */
export const PIECE_HEADER = { NEXT: 0, OFFSET: 2, MORE: 1, ID: 4, BYTES: 8 } as const;
const UNIT = 8;
const OFFSET_MASK = 0xfff8;
const PAD_1 = 0;
const OPTION_HEAD = 2;
/** The bits of an option that say what becomes of a packet whose receiver does not know it: 0, it is taken. */
const UNKNOWN = 0xc0;
/** More in a row nobody sends. */
const MOST_EXTENSIONS = 8;

export interface Behind {
  readonly protocol: number;
  readonly payload: Uint8Array;
  /** The payload is a piece of a datagram. */
  readonly piece?: Piece;
  /** It says that it is a piece, also where it is the whole. */
  readonly pieced?: true;
}

/**
 * What is behind the extensions that `bytes` begin with; undefined where they are none, or refuse to be passed over. `whole`: of a packet as
 * it came, which may be a piece, and may have options for everybody on its way, at its beginning.
 */
export function behindExtensions(first: number, bytes: Uint8Array, whole: boolean): Behind | undefined {
  let [protocol, at] = [first, 0];
  for (let count = 0; count <= MOST_EXTENSIONS; count++) {
    const rest = bytes.subarray(at);
    if (protocol === EXTENSION.PIECE) return whole ? pieceIn(rest) : undefined;
    const options = protocol === EXTENSION.HOP_BY_HOP || protocol === EXTENSION.DESTINATION;
    if (!options && protocol !== EXTENSION.ROUTING) return { protocol, payload: rest };
    if (protocol === EXTENSION.HOP_BY_HOP && (count > 0 || !whole)) return undefined;
    const length = (rest[AT.LENGTH] + 1) * UNIT;
    if (!(length <= rest.length)) return undefined;
    const passable = options ? mayBePassed(rest.subarray(AT.OPTIONS, length)) : rest[AT.SEGMENTS_LEFT] === 0;
    if (!passable) return undefined;
    protocol = rest[AT.NEXT];
    at += length;
  }
  return undefined;
}

function pieceIn(bytes: Uint8Array): Behind | undefined {
  if (bytes.length < PIECE_HEADER.BYTES) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const place = view.getUint16(PIECE_HEADER.OFFSET);
  const more = (place & PIECE_HEADER.MORE) !== 0;
  const piece = { id: view.getUint32(PIECE_HEADER.ID), offset: place & OFFSET_MASK, more };
  const payload = bytes.subarray(PIECE_HEADER.BYTES);
  // A piece that is the whole is none, and is not kept (RFC 6946 §4): its payload may begin with extensions.
  if (piece.offset > 0 || piece.more) return { protocol: bytes[AT.NEXT], payload, piece, pieced: true };
  const behind = behindExtensions(bytes[AT.NEXT], payload, false);
  return behind && { ...behind, pieced: true };
}

function mayBePassed(options: Uint8Array): boolean {
  for (let at = 0; at < options.length;) {
    if (options[at] === PAD_1) {
      at++;
      continue;
    }
    if ((options[at] & UNKNOWN) !== 0) return false;
    at += OPTION_HEAD + options[at + 1];
    if (!(at <= options.length)) return false;
  }
  return true;
}
