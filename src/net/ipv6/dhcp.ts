/**
 * The server of what a guest has to know beside its address, which it makes itself. Addresses are not to be had here, and who asks for
 * some is not answered. Specification: RFC 8415 §18.3.6 and §21, RFC 3646 (nameservers).
 */
import { addressBytes } from "../address.js";
import type { Network } from "../network.js";

export const DHCP6_PORT = { SERVER: 547, CLIENT: 546 } as const;

const TYPE = { REPLY: 7, INFORMATION_REQUEST: 11 } as const;
const OPTION = {
  CLIENT: 1,
  SERVER: 2,
  ADDRESSES: 3,
  TEMPORARY: 4,
  WANTED: 6,
  NAMESERVERS: 23,
  PREFIXES: 25,
  REFRESH: 32,
} as const;
/** The type and a transaction's number, which goes back as it is. */
const HEAD = 4;
const OPTION_HEAD = 4;
/** What a client has to say fits one packet of any link: with heads of IPv6 and UDP, 1280 bytes. Longer ones are not answered. */
const MOST_MESSAGE = 1232;
/** §11.1 */
const MOST_CLIENT = 130;
const U16_BYTES = 2;
/** §11.4: by the address of a card, of Ethernet. */
const BY_CARD = [0, 3, 0, 1];
/** When what was told is to be asked for again: §21.23's usual, a day in seconds. */
const REFRESH_S = [0, 1, 0x51, 0x80];

/** Options by their numbers; undefined where they run out of the message. */
function readOptions(message: Uint8Array): Map<number, Uint8Array> | undefined {
  const options = new Map<number, Uint8Array>();
  const view = new DataView(message.buffer, message.byteOffset, message.length);
  for (let at = HEAD; at < message.length;) {
    if (at + OPTION_HEAD > message.length) return undefined;
    const end = at + OPTION_HEAD + view.getUint16(at + U16_BYTES);
    if (end > message.length) return undefined;
    options.set(view.getUint16(at), message.subarray(at + OPTION_HEAD, end));
    at = end;
  }
  return options;
}

/** The reply to a client's message; undefined for what needs none. */
export function dhcp6Reply({ mac, six }: Network, message: Uint8Array): Uint8Array | undefined {
  if (message.length < HEAD || message.length > MOST_MESSAGE || message[0] !== TYPE.INFORMATION_REQUEST)
    return undefined;
  const options = readOptions(message);
  if (options === undefined) return undefined;
  const wantsAddress = [OPTION.ADDRESSES, OPTION.TEMPORARY, OPTION.PREFIXES].some((one) => options.has(one));
  const client = options.get(OPTION.CLIENT);
  if (wantsAddress || (client?.length ?? 0) > MOST_CLIENT) return undefined;
  const self = Uint8Array.of(...BY_CARD, ...mac);
  const server = options.get(OPTION.SERVER);
  if (server !== undefined && server.join() !== self.join()) return undefined;
  const list = options.get(OPTION.WANTED) ?? new Uint8Array(0);
  const wanted = (option: number): boolean =>
    list.some((low, at) => at % U16_BYTES === 1 && ((list[at - 1] << 8) | low) === option);
  const told: (readonly [number, ArrayLike<number>])[] = [[OPTION.SERVER, self]];
  if (client !== undefined) told.unshift([OPTION.CLIENT, client]);
  if (wanted(OPTION.NAMESERVERS)) told.push([OPTION.NAMESERVERS, addressBytes(six.nameserver)]);
  if (wanted(OPTION.REFRESH)) told.push([OPTION.REFRESH, REFRESH_S]);
  const reply = new Uint8Array(told.reduce((sum, [, { length }]) => sum + OPTION_HEAD + length, HEAD));
  reply.set(message.subarray(0, HEAD));
  reply[0] = TYPE.REPLY;
  const view = new DataView(reply.buffer);
  let at = HEAD;
  for (const [option, value] of told) {
    view.setUint16(at, option);
    view.setUint16(at + U16_BYTES, value.length);
    reply.set(value, at + OPTION_HEAD);
    at += OPTION_HEAD + value.length;
  }
  return reply;
}
