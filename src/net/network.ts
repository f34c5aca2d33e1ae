/**
 * Where everything is in the network of one guest: the addresses that users of QEMU's user network know. The guest's own of IPv6 are of a
 * network that nobody routes (RFC 4193), with "locor" for its number, so that it is hardly another's by chance: of another kind than the
 * gateway's, so that who finds a name with addresses of both versions goes by IPv4 (RFC 6724 §6, rules 2 and 5; RFC 3484, too).
 */
import { addressOf, inPrefix, type Address, type Prefix } from "./address.js";
import { maskOf } from "./ipv4.js";
import { isGroupAddress } from "./ipv6/packet.js";

/** Of one version of IP. */
export interface Side<A extends Address = Address> {
  /** The guest's. */
  readonly prefix: Prefix<A>;
  /** What answers for everything beyond: the host itself, where the guest has leave to reach it. */
  readonly gateway: A;
  readonly nameserver: A;
  /** By which the host reaches itself. */
  readonly loopback: string;
}

/** Of the guest's side. */
export interface Network extends Side<number> {
  /** What the guest is told to be. */
  readonly guest: number;
  readonly six: Side<bigint> & {
    /** Where the gateway and the nameserver are: on the link, and no guest makes an address of it. */
    readonly services: Prefix<bigint>;
    /** Of the link only: who advertises, and asks who has an address. */
    readonly router: bigint;
  };
  /** The gateway's address on the wire. */
  readonly mac: Uint8Array;
  /** Bytes of a packet. */
  readonly mtu: number;
}

/** The name of the host, in the guest. */
export const HOST_NAME = "host.locore";

/** The network of every guest; `mtu`: bytes of a packet, 1500 to 65520. */
export function usualNetwork(mtu: number): Network {
  return {
    prefix: { address: four("10.0.2.0"), bits: 24 },
    gateway: four("10.0.2.2"),
    nameserver: four("10.0.2.3"),
    loopback: "127.0.0.1",
    guest: four("10.0.2.15"),
    six: {
      prefix: { address: six("fd6c:6f63:6f72::"), bits: 64 },
      services: { address: six("fec0::"), bits: 64 },
      gateway: six("fec0::2"),
      nameserver: six("fec0::3"),
      loopback: "::1",
      router: six("fe80::2"),
    },
    mac: Uint8Array.of(0x52, 0x55, 10, 0, 2, 2),
    mtu,
  };
}

/** What the network is to whoever uses such an address. */
export function sideOf(network: Network, address: Address): Side {
  return typeof address === "bigint" ? network.six : network;
}

/** Everybody on a link of IPv4. */
export const EVERYBODY = 0xffff_ffff;

/** Whether an address is that of everybody in the guest's network, or of a group of IPv6. */
export function isEverybodys(address: Address, { prefix }: Network): boolean {
  if (typeof address === "bigint") return isGroupAddress(address);
  return address === EVERYBODY || address === (prefix.address | ~maskOf(prefix.bits)) >>> 0;
}

/** Whether an address is of the guest's own network: nobody of the world has it. */
export function isInside(address: Address, network: Network): boolean {
  return inPrefix(address, sideOf(network, address).prefix) || inPrefix(address, network.six.services);
}

function four(text: string): number {
  return addressOf(text) as number;
}

function six(text: string): bigint {
  return addressOf(text) as bigint;
}
