/** Messages of ICMP: echoes, and why a datagram did not arrive. Specification: RFC 792, RFC 1812 §5.2.7.1. */
import { checksumOf, sumOf } from "./checksum.js";
import { IPV4_HEADER } from "./ipv4.js";

const TYPE = { ECHO_REPLY: 0, UNREACHABLE: 3, ECHO: 8 } as const;
/** Offsets in a message, of either version. */
export const ICMP_AT = { TYPE: 0, CODE: 1, CHECKSUM: 2, REST: 8 } as const;
const AT = ICMP_AT;
/** How much of a datagram its sender is shown: its header and 8 bytes, with the longest header there is. */
const SHOWN = 3 * IPV4_HEADER + AT.REST;

/** Why a packet does not arrive: nobody answers there, nobody has that port, nobody may, or there is no way. */
export type Unreachable = "host" | "port" | "prohibited" | "route";

const CODES: Readonly<Record<Unreachable, number>> = { route: 0, host: 1, port: 3, prohibited: 13 };

/** Makes the checksum of a message, which begins with `sum`; gives the message. */
export function summed(bytes: Uint8Array, sum = 0): Uint8Array {
  bytes[AT.CHECKSUM] = bytes[AT.CHECKSUM + 1] = 0;
  new DataView(bytes.buffer).setUint16(AT.CHECKSUM, checksumOf(sumOf(bytes, 0, bytes.length, sum)));
  return bytes;
}

/** A message of an error about the packet that begins with `shown`, without its checksum. */
export function errorMessage(type: number, code: number, shown: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(AT.REST + shown.length);
  bytes[AT.TYPE] = type;
  bytes[AT.CODE] = code;
  bytes.set(shown, AT.REST);
  return bytes;
}

/** The answer to an echo request; undefined for any other message. */
export function echoReply(payload: Uint8Array): Uint8Array | undefined {
  const right = payload.length >= AT.REST && checksumOf(sumOf(payload, 0, payload.length)) === 0;
  if (!right || payload[AT.TYPE] !== TYPE.ECHO || payload[AT.CODE] !== 0) return undefined;
  const reply = payload.slice();
  reply[AT.TYPE] = TYPE.ECHO_REPLY;
  return summed(reply);
}

/** That `packet`, from its header on, does not arrive. */
export function unreachable(why: Unreachable, packet: Uint8Array): Uint8Array {
  return summed(errorMessage(TYPE.UNREACHABLE, CODES[why], packet.subarray(0, SHOWN)));
}
