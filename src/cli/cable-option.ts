/** `--net socket=…`, `switch=…` and `tap=…`: what a card's cable leads to where that is not the network in user mode. */
import type { BootNet } from "../boot/options.js";
import type { CableKind } from "../host/node/net/net-request.js";
import type { RunAddress } from "../guests/index.js";
import type { Faults } from "../net/faults.js";
import { addressText, parsePrefix } from "../net/address.js";
import { parseAddress } from "../net/ipv4.js";
import { macText, parseMac } from "../net/mac.js";
import { UsageError } from "./args.js";
import { faultsOf, isFault } from "./net-faults.js";
import { readCardWord, USUAL_MAC, USUAL_MTU } from "./card-words.js";

const KINDS = ["socket", "switch", "tap"] as const;
type Kind = (typeof KINDS)[number];

/** For the usage line of --net. */
export const CABLE_USAGE =
  "socket=PATH[,listen=yes], switch=NAME or tap=NAME, each with [,addr=ADDRESS/BITS][,gateway=ADDRESS][,mac=MAC][,mtu=BYTES]";

/** A switch's name is a file's. */
const SWITCH_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$/;
/** As Linux names interfaces, but for "." and ".."; a per cent sign has it make up a name. */
const INTERFACE_NAME = /^(?!\.{1,2}$)[^\s/:%\0]+$/;
const INTERFACE_BYTES = 15;
const utf8 = new TextEncoder();

/** What `--net` says of a cable. */
export interface CableAsked {
  readonly card: BootNet;
  readonly cable: CableKind;
  readonly faults?: Faults;
  /** What the guest of a run gets; absent: it asks by DHCP. */
  readonly address?: RunAddress;
  /** The card's address was made up: it is another one in each run. */
  readonly hasOwnMac: boolean;
  /** Whether the address was asked for by name. */
  readonly isAddressed: boolean;
}

/** Whether a word of --net begins a cable. */
export function isCable(word: string): word is Kind {
  return (KINDS as readonly string[]).includes(word);
}

/** The first half of QEMU's address, which says whose it is, and a half of this run's own: cards that are tied together need different ones. */
function ownMac(): string {
  const mac = parseMac(USUAL_MAC)!;
  const own = mac.length / 2;
  crypto.getRandomValues(mac.subarray(own));
  return macText(mac);
}

/** 169.254.1.0 to 169.254.254.255, by the last bytes of the card's address. Specification: RFC 3927 §2.1. */
const LINK_LOCAL = { prefix: "169.254.", blocks: 254, bits: 16 } as const;

/** What a station takes where nobody gives addresses. */
function linkLocal(mac: string): RunAddress {
  const [block, host] = parseMac(mac)!.subarray(-2);
  return { address: `${LINK_LOCAL.prefix}${1 + (block % LINK_LOCAL.blocks)}.${host}/${LINK_LOCAL.bits}` };
}

function cableKind(kind: Kind, value: string, listens: boolean): CableKind {
  const refused = (expected: string, instead: string): UsageError =>
    new UsageError(`--net ${kind}=${value}: expected ${expected}`, `--net ${instead}`);
  if (kind === "socket") {
    if (value === "" || value.includes("\0"))
      throw refused("the path of a socket", "socket=/run/user/1000/net.sock");
    return { kind, path: value, listen: listens };
  }
  if (listens)
    throw new UsageError(
      `--net ${kind}=${value}: only a socket has somebody who listens`,
      `--net ${kind}=${value}`,
    );
  if (kind === "switch") {
    if (!SWITCH_NAME.test(value))
      throw refused("a name of letters, digits, dots and dashes, 32 at most", "switch=lab");
  } else if (!INTERFACE_NAME.test(value) || utf8.encode(value).length > INTERFACE_BYTES)
    throw refused("the name of an interface, 15 bytes at most", "tap=tap0");
  return { kind, name: value };
}

/** `ADDRESS/BITS` of one station. */
function stationAddress(text: string): string {
  const prefix = parsePrefix(text);
  if (prefix === undefined || typeof prefix.address !== "number" || !text.includes("/") || prefix.bits === 0)
    throw new UsageError(`--net addr=${text}: expected ADDRESS/BITS`, "addr=10.0.3.2/24");
  return `${addressText(prefix.address)}/${prefix.bits}`;
}

/** Reads the words behind `socket=…`, `switch=…` or `tap=…`. `text`: all of them, for errors. Throws UsageError. */
export function parseCable(
  text: string,
  kind: Kind,
  value: string,
  pairs: readonly [string, string][],
): CableAsked {
  const card: BootNet = { mac: "", mtu: USUAL_MTU };
  const faults = faultsOf(pairs);
  let listens = false;
  let address: string | undefined;
  let gateway: string | undefined;
  for (const [key, said] of pairs) {
    if (readCardWord(card, key, said) || isFault(key)) continue;
    if (key === "listen" && ["yes", "no", "on"].includes(said)) listens = said !== "no";
    else if (key === "addr") address = stationAddress(said);
    else if (key === "gateway" && parseAddress(said) !== undefined) gateway = said;
    else if (["host", "allow", "deny"].includes(key))
      throw new UsageError(
        `--net ${text}: ${key}= is of the network in user mode; by a cable the guest reaches whoever is there`,
        "--net user",
      );
    else throw new UsageError(`--net ${text}: there is no ${key}=${said}`, `--net ${CABLE_USAGE}`);
  }
  if (gateway !== undefined && address === undefined)
    throw new UsageError(`--net ${text}: a gateway needs an address beside it`, `${text},addr=10.0.3.2/24`);
  const hasOwnMac = card.mac === "";
  if (hasOwnMac) card.mac = ownMac();
  const given = address === undefined ? undefined : { address, ...(gateway !== undefined && { gateway }) };
  // Nobody on a switch answers to DHCP.
  const own = given ?? (kind === "switch" ? linkLocal(card.mac) : undefined);
  return {
    card,
    cable: cableKind(kind, value, listens),
    ...(faults && { faults }),
    ...(own && { address: own }),
    hasOwnMac,
    isAddressed: given !== undefined,
  };
}
