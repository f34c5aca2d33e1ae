/** What `--net` says of the card, whatever it is plugged into. */
import type { BootNet } from "../boot/options.js";
import { macText, parseMac } from "../net/mac.js";
import { LEAST_MTU, MOST_MTU, MOST_PAIRS } from "../net/net-backend.js";
import { UsageError } from "./args.js";
import { parseCount } from "./values.js";

/** As QEMU numbers its first card. */
export const USUAL_MAC = "52:54:00:12:34:56";
export const USUAL_MTU = 1500;

/** Puts a word into `card`; false where it is none of a card's. Throws UsageError. */
export function readCardWord(card: BootNet, key: string, value: string): boolean {
  if (key === "mtu") {
    card.mtu = parseCount("--net mtu", value, LEAST_MTU, MOST_MTU);
    return true;
  }
  if (key === "queues") {
    const queues = parseCount("--net queues", value, 1, MOST_PAIRS);
    if (queues > 1) card.queues = queues;
    return true;
  }
  if (key !== "mac") return false;
  const parsed = parseMac(value);
  if (parsed === undefined)
    throw new UsageError(`--net mac=${value}: expected the address of one station`, `mac=${USUAL_MAC}`);
  card.mac = macText(parsed);
  return true;
}
