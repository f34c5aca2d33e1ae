/** Messages of who is on the link: who has an address, and who leads beyond. Specification: RFC 4861, RFC 8106 (nameservers). */
import { readSix, writeSix, type Prefix } from "../address.js";
import { MAC_BYTES } from "../net-backend.js";
import { PROTOCOL, rightSum, type Packet, type Route } from "../packet.js";
import { ICMP_AT } from "../icmp.js";
import { withSum } from "./icmp.js";
import { isGroupAddress } from "./packet.js";

const TYPE = { ROUTER_ASKED: 133, ROUTER_SAID: 134, ASKED: 135, SAID: 136 } as const;
const KINDS = new Map<number, NeighbourMessage["kind"]>([
  [TYPE.ROUTER_ASKED, "router-asked"],
  [TYPE.ASKED, "asked"],
  [TYPE.SAID, "said"],
]);
const AT = { ...ICMP_AT, FLAGS: 4, TARGET: 8, OPTIONS: 24 } as const;
const OPTION = { SOURCE: 1, TARGET: 2, PREFIX: 3, MTU: 5, NAMESERVERS: 25 } as const;
const OPTION_AT = { LENGTH: 1, MAC: 2 } as const;
const UNIT = 8;
/** No router has touched it: it comes from this link. */
const FROM_LINK = 255;
const SAID = { ROUTER: 0x80, ASKED_FOR: 0x40, REPLACES: 0x20 } as const;
/** Groups of the nodes that have an address with these last 24 bits: ff02::1:ff00:0/104. */
const ASKED_GROUP = { address: 0xff02_0000_0000_0000_0000_0001_ff00_0000n, bits: 24n } as const;

export const GROUP = {
  NODES: 0xff02_0000_0000_0000_0000_0000_0000_0001n,
  DHCP: 0xff02_0000_0000_0000_0000_0000_0001_0002n,
} as const;

export interface NeighbourMessage {
  readonly kind: "router-asked" | "asked" | "said";
  /** The address that it is about; 0n of who asks for routers. */
  readonly target: bigint;
  /** Of whom it is about, or who asks; absent where it does not say. */
  readonly mac?: Uint8Array;
}

/** Options by their numbers, the first of each; undefined where they run out of the message, or do not move on (§4.6). */
function readOptions(bytes: Uint8Array): Map<number, Uint8Array> | undefined {
  const options = new Map<number, Uint8Array>();
  for (let at = 0; at < bytes.length;) {
    const end = at + bytes[at + OPTION_AT.LENGTH] * UNIT;
    if (!(end > at && end <= bytes.length)) return undefined;
    if (!options.has(bytes[at])) options.set(bytes[at], bytes.subarray(at, end));
    at = end;
  }
  return options;
}

/** Reads a message of a guest's; undefined for what is none, or is not to be believed (§6.1.1, §7.1; RFC 6980 §5: what comes in pieces). */
export function readNeighbour(packet: Packet<bigint>): NeighbourMessage | undefined {
  const { payload, hops, source, destination, pieced } = packet;
  const kind = KINDS.get(payload[AT.TYPE]);
  if (kind === undefined || pieced === true || hops !== FROM_LINK || payload[AT.CODE] !== 0) return undefined;
  const begin = kind === "router-asked" ? AT.TARGET : AT.OPTIONS;
  if (payload.length < begin || !rightSum(packet, payload)) return undefined;
  const options = readOptions(payload.subarray(begin));
  if (options === undefined) return undefined;
  const view = new DataView(payload.buffer, payload.byteOffset, payload.length);
  const target = kind === "router-asked" ? 0n : readSix(view, AT.TARGET);
  if (isGroupAddress(target)) return undefined;
  const option = options.get(kind === "said" ? OPTION.TARGET : OPTION.SOURCE);
  // Who has no address yet has none of a card's to say, and asks whoever may have the one that it wants.
  const asksGroup = destination >> ASKED_GROUP.bits === ASKED_GROUP.address >> ASKED_GROUP.bits;
  if (source === 0n && (option !== undefined || (kind === "asked" && !asksGroup))) return undefined;
  if (kind === "said" && isGroupAddress(destination) && (payload[AT.FLAGS] & SAID.ASKED_FOR) !== 0)
    return undefined;
  const mac = option?.slice(OPTION_AT.MAC, OPTION_AT.MAC + MAC_BYTES);
  return { kind, target, ...(mac && { mac }) };
}

/** A message and the way it goes. */
export interface Said {
  readonly route: Route<bigint>;
  readonly payload: Uint8Array;
}

function said(source: bigint, destination: bigint, payload: Uint8Array): Said {
  const route = { source, destination, protocol: PROTOCOL.ICMPV6, hops: FROM_LINK };
  return { route, payload: withSum(route, payload) };
}

/** That `target` is this router's. Who has no address hears what all nodes hear (§7.2.4). */
export function neighbourSaid(target: bigint, asker: bigint, mac: Uint8Array): Said {
  const bytes = new Uint8Array(AT.OPTIONS + UNIT);
  bytes[AT.TYPE] = TYPE.SAID;
  bytes[AT.FLAGS] = SAID.ROUTER | SAID.REPLACES | (asker === 0n ? 0 : SAID.ASKED_FOR);
  writeSix(new DataView(bytes.buffer), AT.TARGET, target);
  bytes.set([OPTION.TARGET, 1, ...mac], AT.OPTIONS);
  return said(target, asker === 0n ? GROUP.NODES : asker, bytes);
}

/** Who has `target`? Asked of those whose addresses end so (§7.2.2). */
export function neighbourAsked(target: bigint, asker: bigint, mac: Uint8Array): Said {
  const bytes = new Uint8Array(AT.OPTIONS + UNIT);
  bytes[AT.TYPE] = TYPE.ASKED;
  writeSix(new DataView(bytes.buffer), AT.TARGET, target);
  bytes.set([OPTION.SOURCE, 1, ...mac], AT.OPTIONS);
  return said(asker, ASKED_GROUP.address | BigInt.asUintN(Number(ASKED_GROUP.bits), target), bytes);
}

/** What a router says of itself and of the link. */
export interface Advertised {
  readonly router: bigint;
  readonly mac: Uint8Array;
  readonly mtu: number;
  /** What guests make their addresses of, and what is on the link besides. */
  readonly prefix: Prefix<bigint>;
  readonly services: Prefix<bigint>;
  readonly nameserver: bigint;
  /** For how long it leads beyond, seconds; 0: it does not. */
  readonly lifetime: number;
  /** For how long its nameserver is good, seconds. */
  readonly nameserverLifetime: number;
}

/** Of an advertisement (§4.2, §4.6; RFC 8106 §5.1), with the offsets of their options. */
const ROUTER_AT = { HOPS: 4, LIFETIME: 6, OPTIONS: 16 } as const;
const PREFIX_AT = { BITS: 2, VALID: 4, PREFERRED: 8, PREFIX: 16, BYTES: 32 } as const;
const NAMESERVERS_AT = { LIFETIME: 4, ADDRESS: 8, BYTES: 24 } as const;
const MTU_AT = 4;
const HOPS = 64;
/** There is more to be had by DHCP than addresses. */
const FLAG_OTHER = 0x40;
const PREFIX_FLAG = { ON_LINK: 0x80, ADDRESSES: 0x40 } as const;
/** §6.2.1: thirty days and seven, seconds. */
const VALID_S = 2_592_000;
const PREFERRED_S = 604_800;

/** An option of so many bytes, its head written. */
function option(kind: number, length: number, fill: (view: DataView, bytes: Uint8Array) => void): Uint8Array {
  const bytes = new Uint8Array(length);
  bytes.set([kind, length / UNIT]);
  fill(new DataView(bytes.buffer), bytes);
  return bytes;
}

function prefixOption({ address, bits }: Prefix<bigint>, flags: number): Uint8Array {
  return option(OPTION.PREFIX, PREFIX_AT.BYTES, (view, bytes) => {
    bytes.set([bits, flags], PREFIX_AT.BITS);
    view.setUint32(PREFIX_AT.VALID, VALID_S);
    view.setUint32(PREFIX_AT.PREFERRED, PREFERRED_S);
    writeSix(view, PREFIX_AT.PREFIX, address);
  });
}

/** An advertisement to `destination`. */
export function routerSaid(about: Advertised, destination: bigint): Said {
  const head = new Uint8Array(ROUTER_AT.OPTIONS);
  head.set([TYPE.ROUTER_SAID]);
  head.set([HOPS, FLAG_OTHER], ROUTER_AT.HOPS);
  new DataView(head.buffer).setUint16(ROUTER_AT.LIFETIME, about.lifetime);
  const parts = [
    head,
    option(OPTION.SOURCE, UNIT, (_, bytes) => bytes.set(about.mac, OPTION_AT.MAC)),
    option(OPTION.MTU, UNIT, (view) => view.setUint32(MTU_AT, about.mtu)),
    prefixOption(about.prefix, PREFIX_FLAG.ON_LINK | PREFIX_FLAG.ADDRESSES),
    prefixOption(about.services, PREFIX_FLAG.ON_LINK),
    option(OPTION.NAMESERVERS, NAMESERVERS_AT.BYTES, (view) => {
      view.setUint32(NAMESERVERS_AT.LIFETIME, about.nameserverLifetime);
      writeSix(view, NAMESERVERS_AT.ADDRESS, about.nameserver);
    }),
  ];
  return said(about.router, destination, Uint8Array.from(parts.flatMap((part) => [...part])));
}
