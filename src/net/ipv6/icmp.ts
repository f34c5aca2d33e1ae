/** Messages of ICMP for IPv6: echoes, and why a packet did not arrive. Specification: RFC 4443. */
import { errorMessage, ICMP_AT as AT, summed, type Unreachable } from "../icmp.js";
import { PROTOCOL, pseudoSum, type Packet, type Route } from "../packet.js";
import { IPV6_HEADER, LEAST_MTU_6 } from "./packet.js";

const TYPE = { UNREACHABLE: 1, ECHO: 128, ECHO_REPLY: 129 } as const;
/** How much of a packet its sender is shown (§3.1): what every link takes. */
const SHOWN = LEAST_MTU_6 - IPV6_HEADER - AT.REST;
/** Messages of this type and below are of errors: nobody answers one with another (§2.4). */
const LAST_ERROR = 127;

/** §3.1 */
const CODES: Readonly<Record<Unreachable, number>> = { route: 0, prohibited: 1, host: 3, port: 4 };

/** Makes the checksum of a message; gives the message. */
export function withSum(route: Route, bytes: Uint8Array): Uint8Array {
  return summed(bytes, pseudoSum(route, bytes.length));
}

/** The answer to an echo request whose checksum is right (§4.2); undefined for any other message. */
export function echoReply({
  payload,
  source,
  destination,
  protocol,
}: Packet<bigint>): Uint8Array | undefined {
  const right = payload.length >= AT.REST && payload[AT.TYPE] === TYPE.ECHO && payload[AT.CODE] === 0;
  if (!right) return undefined;
  const reply = payload.slice();
  reply[AT.TYPE] = TYPE.ECHO_REPLY;
  return withSum({ source: destination, destination: source, protocol }, reply);
}

/** That a packet does not arrive, on its way back by `route`; undefined where nobody is to be told: it is such a message itself. */
export function unreachable(
  why: Unreachable,
  { protocol, payload, bytes: packet }: Packet,
  route: Route,
): Uint8Array | undefined {
  if (protocol === PROTOCOL.ICMPV6 && !(payload[AT.TYPE] > LAST_ERROR)) return undefined;
  return withSum(route, errorMessage(TYPE.UNREACHABLE, CODES[why], packet.subarray(0, SHOWN)));
}
