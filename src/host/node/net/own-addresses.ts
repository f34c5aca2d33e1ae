/**
 * The addresses by which the host itself is reached. Node lists those of interfaces that are up and have a carrier; Linux answers by
 * others as well, of a cable that is not plugged in or of a local route, and says so in /proc/net/fib_trie.
 */
import { readFileSync } from "node:fs";
import os from "node:os";

const LOCAL_TABLE = /^(Local|Main):$/;
const ADDRESS = /^\s*\|-- ([\d.]+)$/;
const LOCAL = /^\s*\/(\d+) host LOCAL$/;

/** What Linux's table of routes has as local: ADDRESS/BITS. Undefined for lines of any other text. */
export function localPrefixes(table: string): string[] {
  const found = new Set<string>();
  let address: string | undefined;
  for (const line of table.split("\n")) {
    if (LOCAL_TABLE.test(line)) address = undefined;
    address = ADDRESS.exec(line)?.[1] ?? address;
    const bits = LOCAL.exec(line)?.[1];
    if (bits !== undefined && address !== undefined) found.add(`${address}/${bits}`);
  }
  return [...found];
}

function routedHere(): string[] {
  try {
    return localPrefixes(readFileSync("/proc/net/fib_trie", "latin1"));
  } catch {
    return [];
  }
}

/** Addresses and prefixes, as text, of both families. */
export function ownAddresses(): string[] {
  const listed = Object.values(os.networkInterfaces()).flatMap((all = []) =>
    all.map(({ address }) => address),
  );
  return process.platform === "linux" ? [...new Set([...listed, ...routedHere()])] : listed;
}
