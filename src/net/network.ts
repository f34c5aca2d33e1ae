/** Where everything is in the network of one guest: the addresses that users of QEMU's user network know. */
import { parseAddress, parsePrefix, type Prefix } from "./ipv4.js";

/** Of the guest's side. */
export interface Network {
  readonly prefix: Prefix;
  /** What answers for everything beyond: the host itself, where the guest has leave to reach it. */
  readonly gateway: number;
  readonly nameserver: number;
  /** What the guest is told to be. */
  readonly guest: number;
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
    prefix: parsePrefix("10.0.2.0/24")!,
    gateway: parseAddress("10.0.2.2")!,
    nameserver: parseAddress("10.0.2.3")!,
    guest: parseAddress("10.0.2.15")!,
    mac: Uint8Array.of(0x52, 0x55, 10, 0, 2, 2),
    mtu,
  };
}
