/**
 * Which connections of TCP a card has carried and not seen end. Who goes on with a saved machine asks the guest about each: the other
 * end may have forgotten it, and a guest that only waits for data would never find out.
 *
 * The question is a segment far from what the guest waits for: who has the connection answers with where it stands (RFC 9293
 * §3.10.7.4), and that answer the other end takes, or refuses where it knows nothing of it.
 */
import { bytes, list, record, refine, u16, whole, type Shape } from "../../bytes/shape.js";
import { addressBytes, readSix, type Address } from "../address.js";
import { etherType, readPacket, writeHead } from "../heads.js";
import { IPV4_PAYLOAD } from "../ipv4.js";
import { ETHERTYPE, PROTOCOL } from "../packet.js";
import { IPV6_PAYLOAD } from "../ipv6/packet.js";
import { ETHERNET_HEADER, MAC_BYTES, type NetFrame } from "../net-backend.js";
import { FLAG, SEGMENT_AT, segmentFrame, TCP_HEADER } from "./segment.js";

/** A connection as the guest's own frames name it. */
export interface CarriedConnection {
  /** Both hardware addresses, the other end's first. */
  hardware: Uint8Array;
  /** Both addresses of IP, the guest's first: 8 bytes or 32. */
  addresses: Uint8Array;
  guestPort: number;
  remotePort: number;
  /** Who has said that it says no more: 1 the guest, 2 the other end. */
  said: number;
}

/** So many are remembered; of more, those that began last. */
export const MOST_CARRIED = 256;
const HARDWARE_BYTES = 2 * MAC_BYTES;
const ADDRESSES_BYTES = { four: 8, six: 32 } as const;
const SAID = { guest: 1, remote: 2, both: 3 } as const;
const PROTOCOL_AT = { four: ETHERNET_HEADER + 9, six: ETHERNET_HEADER + 6 } as const;
/** What begins or ends a connection. */
const TELLING = FLAG.SYN | FLAG.FIN | FLAG.RST;

const one: Shape<CarriedConnection> = refine(
  record<CarriedConnection>({
    hardware: bytes(HARDWARE_BYTES),
    addresses: bytes({ max: ADDRESSES_BYTES.six }),
    guestPort: u16,
    remotePort: u16,
    said: whole(0, SAID.both),
  }),
  ({ addresses: { length } }) =>
    length === ADDRESSES_BYTES.four || length === ADDRESSES_BYTES.six
      ? undefined
      : { at: ".addresses", found: `${length} bytes`, expected: "two addresses of IP: 8 bytes or 32" },
);

/** What a file may say of them. */
export const carriedShape: Shape<CarriedConnection[]> = list(one, { max: MOST_CARRIED });

/** Flags of a segment; 0 of all else, and of one behind options or extensions of its packet, which those of a connection are not. */
function flagsOf(frame: Uint8Array): number {
  const type = etherType(frame);
  const four = type === ETHERTYPE.IPV4;
  if (!four && type !== ETHERTYPE.IPV6) return 0;
  if (frame[four ? PROTOCOL_AT.four : PROTOCOL_AT.six] !== PROTOCOL.TCP) return 0;
  return frame[(four ? IPV4_PAYLOAD : IPV6_PAYLOAD) + SEGMENT_AT.FLAGS] ?? 0;
}

function concat(first: Uint8Array, second: Uint8Array): Uint8Array {
  const all = new Uint8Array(first.length + second.length);
  all.set(first);
  all.set(second, first.length);
  return all;
}

/** The connection that a frame is of; undefined for what is no whole segment. */
function connectionOf(frame: Uint8Array, fromGuest: boolean): CarriedConnection | undefined {
  const packet = readPacket(frame);
  if (packet?.protocol !== PROTOCOL.TCP || packet.payload.length < TCP_HEADER) return undefined;
  const { source, destination, payload } = packet;
  const view = new DataView(payload.buffer, payload.byteOffset, payload.length);
  const ports = [view.getUint16(SEGMENT_AT.SOURCE), view.getUint16(SEGMENT_AT.DESTINATION)];
  const hardware = [frame.subarray(0, MAC_BYTES), frame.subarray(MAC_BYTES, HARDWARE_BYTES)];
  const addresses = [addressBytes(source), addressBytes(destination)];
  if (!fromGuest) for (const both of [ports, hardware, addresses]) both.reverse();
  return {
    hardware: concat(hardware[0], hardware[1]),
    addresses: concat(addresses[0], addresses[1]),
    guestPort: ports[0],
    remotePort: ports[1],
    said: 0,
  };
}

function same(a: CarriedConnection, b: CarriedConnection): boolean {
  return (
    a.guestPort === b.guestPort &&
    a.remotePort === b.remotePort &&
    a.addresses.length === b.addresses.length &&
    a.addresses.every((byte, i) => byte === b.addresses[i])
  );
}

/** A frame went by: what begins is remembered, what is over forgotten. */
export function carried(connections: CarriedConnection[], frame: Uint8Array, fromGuest: boolean): void {
  const flags = flagsOf(frame);
  if ((flags & TELLING) === 0) return;
  const found = connectionOf(frame, fromGuest);
  if (found === undefined) return;
  const at = connections.findIndex((known) => same(known, found));
  if ((flags & FLAG.SYN) !== 0) {
    // The guest's SYN begins one, whoever came first.
    if (!fromGuest) return;
    if (at >= 0) connections.splice(at, 1);
    connections.push(found);
    if (connections.length > MOST_CARRIED) connections.shift();
    return;
  }
  if (at < 0) return;
  connections[at].said |= fromGuest ? SAID.guest : SAID.remote;
  if ((flags & FLAG.RST) !== 0 || connections[at].said === SAID.both) connections.splice(at, 1);
}

function addressesOf({ addresses }: CarriedConnection): { guest: Address; remote: Address } {
  const view = new DataView(addresses.buffer, addresses.byteOffset, addresses.length);
  const half = addresses.length / 2;
  if (addresses.length === ADDRESSES_BYTES.four)
    return { guest: view.getUint32(0), remote: view.getUint32(half) };
  return { guest: readSix(view, 0), remote: readSix(view, half) };
}

/** A frame for the guest that has it say where this connection stands. */
export function question(connection: CarriedConnection): NetFrame {
  const { guest, remote } = addressesOf(connection);
  const { hardware, guestPort, remotePort } = connection;
  const route = { source: remote, destination: guest, protocol: PROTOCOL.TCP };
  const ends = { sourcePort: remotePort, destinationPort: guestPort };
  const frame = segmentFrame(route, { ...ends, seq: 0, ack: 0, flags: FLAG.ACK, window: 0, length: 0 });
  frame.set(hardware.subarray(MAC_BYTES));
  frame.set(hardware.subarray(0, MAC_BYTES), MAC_BYTES);
  writeHead(frame, route);
  return { bytes: frame, verified: true };
}
