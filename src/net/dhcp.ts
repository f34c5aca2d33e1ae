/** The server that tells the guest who it is: always the same, whoever asks. Specification: RFC 2131, RFC 2132. */
import { maskOf } from "./ipv4.js";
import { MAC_BYTES } from "./net-backend.js";
import type { Network } from "./network.js";

export const DHCP_PORT = { SERVER: 67, CLIENT: 68 } as const;

const AT = {
  OP: 0,
  KIND: 1,
  HARDWARE_LENGTH: 2,
  HOPS: 3,
  TRANSACTION: 4,
  FLAGS: 10,
  CLIENT: 12,
  YOURS: 16,
  SERVER: 20,
  HARDWARE: 28,
  COOKIE: 236,
  OPTIONS: 240,
} as const;
const REQUEST = 1;
const REPLY = 2;
/** The kind of a hardware address. */
const ETHERNET = 1;
const COOKIE = 0x63825363;
/** How much of a request goes back as it is: its head, and its client's hardware address. */
const HARDWARE_BYTES = 16;
const OPTION = {
  PAD: 0,
  MASK: 1,
  ROUTER: 3,
  NAMESERVER: 6,
  MTU: 26,
  BROADCAST: 28,
  ADDRESS: 50,
  LEASE: 51,
  TYPE: 53,
  SERVER: 54,
  END: 255,
} as const;
const TYPE = { DISCOVER: 1, OFFER: 2, REQUEST: 3, ACK: 5, NAK: 6, INFORM: 8 } as const;
const LEASE_S = 86_400;
/** What relays and old clients expect at least. */
const LEAST_BYTES = 300;

/** Options by their numbers; undefined where they run out of the message. */
function readOptions(bytes: Uint8Array): Map<number, Uint8Array> | undefined {
  const options = new Map<number, Uint8Array>();
  for (let at: number = AT.OPTIONS; at < bytes.length;) {
    const option = bytes[at++];
    if (option === OPTION.PAD) continue;
    if (option === OPTION.END) return options;
    const end = at + 1 + bytes[at];
    if (!(end <= bytes.length)) return undefined;
    options.set(option, bytes.subarray(at + 1, end));
    at = end;
  }
  return options;
}

function u32(value: number): number[] {
  return [24, 16, 8, 0].map((shift) => (value >>> shift) & 0xff);
}

function addressIn(bytes: Uint8Array | undefined): number | undefined {
  if (bytes?.length !== Uint32Array.BYTES_PER_ELEMENT) return undefined;
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(0);
}

/** What the reply says besides its type. */
function settings({ prefix, gateway, nameserver, mtu }: Network): [number, number[]][] {
  const mask = maskOf(prefix.bits);
  return [
    [OPTION.MASK, u32(mask)],
    [OPTION.ROUTER, u32(gateway)],
    [OPTION.NAMESERVER, u32(nameserver)],
    [OPTION.BROADCAST, u32((prefix.address | ~mask) >>> 0)],
    [OPTION.MTU, u32(mtu).slice(-2)],
  ];
}

/** What a client is told. */
export interface DhcpReply {
  readonly bytes: Uint8Array;
  /** The client's hardware address, where it has the guest's address from now on. */
  readonly guest?: Uint8Array;
}

/** The reply to a client's message; undefined for what needs none. */
export function dhcpReply(network: Network, request: Uint8Array): DhcpReply | undefined {
  if (request.length < AT.OPTIONS || request[AT.OP] !== REQUEST) return undefined;
  const view = new DataView(request.buffer, request.byteOffset, request.length);
  const options = view.getUint32(AT.COOKIE) === COOKIE ? readOptions(request) : undefined;
  const type = options?.get(OPTION.TYPE)?.at(0);
  if (options === undefined || type === undefined) return undefined;
  const server = addressIn(options.get(OPTION.SERVER));
  // It took another server's offer.
  if (server !== undefined && server !== network.gateway) return undefined;
  const wanted = addressIn(options.get(OPTION.ADDRESS)) ?? (view.getUint32(AT.CLIENT) || network.guest);
  switch (type) {
    case TYPE.DISCOVER:
      return { bytes: reply(network, request, TYPE.OFFER, true) };
    case TYPE.REQUEST:
      if (wanted !== network.guest) return { bytes: reply(network, request, TYPE.NAK, true) };
      return {
        bytes: reply(network, request, TYPE.ACK, true),
        ...(request[AT.KIND] === ETHERNET &&
          request[AT.HARDWARE_LENGTH] === MAC_BYTES && {
            guest: request.slice(AT.HARDWARE, AT.HARDWARE + MAC_BYTES),
          }),
      };
    case TYPE.INFORM:
      return { bytes: reply(network, request, TYPE.ACK, false) };
    default:
      return undefined;
  }
}

function reply(network: Network, request: Uint8Array, type: number, leases: boolean): Uint8Array {
  const refused = type === TYPE.NAK;
  const told: [number, number[]][] = [
    [OPTION.TYPE, [type]],
    [OPTION.SERVER, u32(network.gateway)],
    ...(leases && !refused ? ([[OPTION.LEASE, u32(LEASE_S)]] as [number, number[]][]) : []),
    ...(refused ? [] : settings(network)),
  ];
  const options = [...told.flatMap(([option, value]) => [option, value.length, ...value]), OPTION.END];
  const bytes = new Uint8Array(Math.max(LEAST_BYTES, AT.OPTIONS + options.length));
  const view = new DataView(bytes.buffer);
  bytes.set(request.subarray(0, AT.TRANSACTION + Uint32Array.BYTES_PER_ELEMENT));
  bytes[AT.OP] = REPLY;
  bytes[AT.HOPS] = 0;
  bytes.set(request.subarray(AT.FLAGS, AT.CLIENT), AT.FLAGS);
  if (!refused) bytes.set(request.subarray(AT.CLIENT, AT.YOURS), AT.CLIENT);
  if (leases && !refused) view.setUint32(AT.YOURS, network.guest);
  view.setUint32(AT.SERVER, network.gateway);
  bytes.set(request.subarray(AT.HARDWARE, AT.HARDWARE + HARDWARE_BYTES), AT.HARDWARE);
  view.setUint32(AT.COOKIE, COOKIE);
  bytes.set(options, AT.OPTIONS);
  return bytes;
}
