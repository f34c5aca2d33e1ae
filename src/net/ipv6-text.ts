/** Addresses of IPv6 as text. Specification: RFC 4291 §2.2. */
import { parseAddress } from "./ipv4.js";

const GROUPS = 8;
const HEX = 16;
const GROUP = /^[0-9a-f]{1,4}$/i;

/** Groups of one side of "::", the last of which may be an address of IPv4. */
function groupsOf(text: string): number[] | undefined {
  if (text === "") return [];
  const words = text.split(":");
  const last = parseAddress(words.at(-1) ?? "");
  if (last !== undefined) words.splice(-1, 1, (last >>> HEX).toString(HEX), (last & 0xffff).toString(HEX));
  return words.every((word) => GROUP.test(word)) ? words.map((word) => parseInt(word, HEX)) : undefined;
}

/** The 16 bytes of an address, whose zone is left out; undefined for what is none. */
export function parseIpv6(text: string): Uint8Array | undefined {
  const [before, after, ...more] = text.split("%")[0].split("::");
  const [first, second] = [groupsOf(before), after === undefined ? [] : groupsOf(after)];
  if (first === undefined || second === undefined || more.length > 0) return undefined;
  const missing = GROUPS - first.length - second.length;
  if (after === undefined ? missing !== 0 : missing < 1) return undefined;
  const bytes = new Uint8Array(2 * GROUPS);
  const view = new DataView(bytes.buffer);
  const all = [...first, ...new Array<number>(missing).fill(0), ...second];
  all.forEach((group, index) => view.setUint16(2 * index, group));
  return bytes;
}
