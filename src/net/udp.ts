/** Datagrams of UDP. Specification: RFC 768, RFC 8200 §8.1 (with IPv6 each has a checksum). */
import { checksumOf, sumOf } from "./checksum.js";
import { pseudoSum, rightSum, type Route } from "./packet.js";

const AT = { SOURCE: 0, DESTINATION: 2, LENGTH: 4, CHECKSUM: 6 } as const;
export const UDP_HEADER = 8;
const NONE = 0xffff;

export interface UdpDatagram {
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly data: Uint8Array;
}

/** Reads a datagram; undefined for what is none. `trusted`: its checksum need not be right. */
export function readUdp(route: Route, payload: Uint8Array, trusted: boolean): UdpDatagram | undefined {
  if (payload.length < UDP_HEADER) return undefined;
  const view = new DataView(payload.buffer, payload.byteOffset, payload.length);
  const length = view.getUint16(AT.LENGTH);
  if (length < UDP_HEADER || length > payload.length) return undefined;
  const bytes = payload.subarray(0, length);
  // None was made: 0.
  const mayLack = typeof route.source === "number";
  const lacks = view.getUint16(AT.CHECKSUM) === 0;
  if (!trusted && (lacks ? !mayLack : !rightSum(route, bytes))) return undefined;
  return {
    sourcePort: view.getUint16(AT.SOURCE),
    destinationPort: view.getUint16(AT.DESTINATION),
    data: bytes.subarray(UDP_HEADER),
  };
}

/** A datagram as a packet's payload. */
export function udpBytes(route: Route, { sourcePort, destinationPort, data }: UdpDatagram): Uint8Array {
  const bytes = new Uint8Array(UDP_HEADER + data.length);
  const view = new DataView(bytes.buffer);
  view.setUint16(AT.SOURCE, sourcePort);
  view.setUint16(AT.DESTINATION, destinationPort);
  view.setUint16(AT.LENGTH, bytes.length);
  bytes.set(data, UDP_HEADER);
  view.setUint16(
    AT.CHECKSUM,
    checksumOf(sumOf(bytes, 0, bytes.length, pseudoSum(route, bytes.length))) || NONE,
  );
  return bytes;
}
