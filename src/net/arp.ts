/** Questions for the hardware address of an IPv4 address, and their answers. Specification: RFC 826. */
import { ETHERTYPE } from "./packet.js";
import { BROADCAST_MAC } from "./mac.js";
import { ETHERNET_HEADER, MAC_BYTES } from "./net-backend.js";

const AT = {
  HARDWARE: 0,
  PROTOCOL: 2,
  SIZES: 4,
  OPERATION: 6,
  SENDER_MAC: 8,
  SENDER: 14,
  TARGET_MAC: 18,
  TARGET: 24,
} as const;
const SIZE = 28;
const ETHERNET = 1;
/** Bytes of a hardware address and of an IPv4 address. */
const SIZES = 0x0604;

export const ARP = { REQUEST: 1, REPLY: 2 } as const;

export interface ArpMessage {
  readonly operation: number;
  readonly senderMac: Uint8Array;
  readonly sender: number;
  readonly target: number;
}

/** Reads a message of ARP for IPv4 over Ethernet; undefined for any other. */
export function readArp(bytes: Uint8Array): ArpMessage | undefined {
  if (bytes.length < SIZE) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const right =
    view.getUint16(AT.HARDWARE) === ETHERNET &&
    view.getUint16(AT.PROTOCOL) === ETHERTYPE.IPV4 &&
    view.getUint16(AT.SIZES) === SIZES;
  if (!right) return undefined;
  return {
    operation: view.getUint16(AT.OPERATION),
    senderMac: bytes.slice(AT.SENDER_MAC, AT.SENDER_MAC + MAC_BYTES),
    sender: view.getUint32(AT.SENDER),
    target: view.getUint32(AT.TARGET),
  };
}

/** A whole frame. Without `targetMac` everybody is asked. */
export function arpFrame(
  { operation, senderMac, sender, target }: ArpMessage,
  targetMac?: Uint8Array,
): Uint8Array {
  const frame = new Uint8Array(ETHERNET_HEADER + SIZE);
  const view = new DataView(frame.buffer);
  frame.set(targetMac ?? BROADCAST_MAC);
  frame.set(senderMac, MAC_BYTES);
  view.setUint16(ETHERTYPE.AT, ETHERTYPE.ARP);
  const at = ETHERNET_HEADER;
  view.setUint16(at + AT.HARDWARE, ETHERNET);
  view.setUint16(at + AT.PROTOCOL, ETHERTYPE.IPV4);
  view.setUint16(at + AT.SIZES, SIZES);
  view.setUint16(at + AT.OPERATION, operation);
  frame.set(senderMac, at + AT.SENDER_MAC);
  view.setUint32(at + AT.SENDER, sender);
  if (targetMac !== undefined) frame.set(targetMac, at + AT.TARGET_MAC);
  view.setUint32(at + AT.TARGET, target);
  return frame;
}
