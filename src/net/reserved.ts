/**
 * Addresses that lead to no other machine of the world, whatever is allowed: of this host, of its neighbourhood, of groups, of clouds that
 * tell this machine its secrets, or of nobody. Specification: RFC 6890 and IANA's registries of addresses with a special purpose; RFC 4291.
 */
import { inPrefix, parsePrefix, type Address, type Prefix } from "./address.js";

const SECRETS = "is where a cloud tells this machine its secrets";
const OTHER_SPELLING = "is an address of IPv4 in another spelling";

const LINK_LOCAL_TEXT = "fe80::/10";
/** Of a link and no farther (RFC 4291 §2.5.6). */
export const LINK_LOCAL = parsePrefix(LINK_LOCAL_TEXT)!;

const NOT_ELSEWHERE: readonly (readonly [string, string])[] = [
  ["0.0.0.0/8", "means this host"],
  ["127.0.0.0/8", "is the host's loopback"],
  ["169.254.0.0/16", "is link-local"],
  // Azure's, Oracle's and Alibaba's.
  ["168.63.129.16/32", SECRETS],
  ["192.0.0.192/32", SECRETS],
  ["100.100.100.200/32", SECRETS],
  ["224.0.0.0/4", "is a group's"],
  ["240.0.0.0/4", "is nobody's"],
  ["::/128", "means this host"],
  ["::1/128", "is the host's loopback"],
  ["::/96", OTHER_SPELLING],
  ["::ffff:0:0/96", OTHER_SPELLING],
  ["::ffff:0:0:0/96", OTHER_SPELLING],
  ["64:ff9b:1::/48", "is translated to an address of IPv4 that is not known here"],
  [LINK_LOCAL_TEXT, "is link-local"],
  ["fec0::/10", "is of a site, which may be this one"],
  ["ff00::/8", "is a group's"],
  // Amazon's, Google's, Scaleway's, Oracle's, Akamai's and Alibaba's.
  ["fd00:ec2::/32", SECRETS],
  ["fd20:ce::254/128", SECRETS],
  ["fd00:42::42/128", SECRETS],
  ["fd00:c1::a9fe:a9fe/128", SECRETS],
  ["fd00:a9fe:a9fe::/64", SECRETS],
  ["fd00:100::100:200/128", SECRETS],
];
const RESERVED = NOT_ELSEWHERE.map(([text, why]) => ({ prefix: parsePrefix(text)!, why }));
const ofKind = (kind: "number" | "bigint"): typeof RESERVED =>
  RESERVED.filter(({ prefix }) => typeof prefix.address === kind);
const RESERVED_OF = { number: ofKind("number"), bigint: ofKind("bigint") } as const;
/** Of IPv6 all that is somebody's: given to networks, private, or translated to IPv4. */
const SOMEBODYS = ["2000::/3", "fc00::/7", "64:ff9b::/96"].map((text) => parsePrefix(text)!);

/** Why an address is never reached; undefined for one of another machine's. */
export function reservedFor(address: Address): string | undefined {
  const all = typeof address === "bigint" ? RESERVED_OF.bigint : RESERVED_OF.number;
  const found = all.find(({ prefix }) => inPrefix(address, prefix));
  if (found !== undefined) return found.why;
  const nobodys = typeof address === "bigint" && !SOMEBODYS.some((prefix) => inPrefix(address, prefix));
  return nobodys ? "is nobody's" : undefined;
}

const FOUR = 0xffff_ffffn;
const NAT64 = parsePrefix("64:ff9b::/96")!;
const SIX_TO_FOUR = { prefix: parsePrefix("2002::/16")!, shift: 80n };
/** The server's address as it is, the client's with every bit turned. */
const TEREDO = { prefix: parsePrefix("2001::/32")!, server: 64n };
/** What stands before an address of IPv4 in the last 64 bits, but for the bit that says whether it is the only one of its kind. */
const ISATAP = { marker: 0x5efen, mask: 0xfdff_ffffn, shift: 32n, bits: 96 };
const NOTHING: Embedded = { addresses: [], bits: 0 };

/** Addresses of IPv4 that one of IPv6 leads to by way of a translator or a tunnel. */
export interface Embedded {
  readonly addresses: readonly number[];
  /** Of so many bits at least is a prefix that has nothing but addresses of that translator. */
  readonly bits: number;
}

/** What an address leads to besides being one (RFC 6052, RFC 3056, RFC 4380, RFC 5214); none of most. */
export function embeddedIn(address: Address): Embedded {
  if (typeof address !== "bigint") return NOTHING;
  const four = (shift: bigint, turned = 0n): number => Number(((address >> shift) & FOUR) ^ turned);
  const within = (prefix: Prefix): boolean => inPrefix(address, prefix);
  if (within(NAT64)) return { addresses: [four(0n)], bits: NAT64.bits };
  if (within(SIX_TO_FOUR.prefix))
    return { addresses: [four(SIX_TO_FOUR.shift)], bits: SIX_TO_FOUR.prefix.bits };
  if (within(TEREDO.prefix))
    return { addresses: [four(TEREDO.server), four(0n, FOUR)], bits: TEREDO.prefix.bits };
  if (((address >> ISATAP.shift) & ISATAP.mask) !== ISATAP.marker) return NOTHING;
  return { addresses: [four(0n)], bits: ISATAP.bits };
}
