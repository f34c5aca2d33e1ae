/**
 * The addresses by which the host itself is reached. Node lists those of interfaces that are up and have a carrier; Linux answers by
 * others as well, of a cable that is not plugged in or of a local route, and says so in /proc/net/fib_trie and /proc/net/ipv6_route.
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

/** Fields of a line of Linux's table of routes of IPv6, and the flags of a route that leads to the host itself. */
const FIELD = { ADDRESS: 0, BITS: 1, FLAGS: 8 } as const;
const LOCAL_FLAGS = 0x8010_0000;
const GROUP = /.{4}(?=.)/g;
const HEX = 16;

/** The same of IPv6: local routes, and those of addresses that several hosts have, of which this is one. */
export function localPrefixes6(table: string): string[] {
  const found = new Set<string>();
  for (const line of table.split("\n")) {
    const fields = line.split(/\s+/);
    const [address, bits, flags] = [FIELD.ADDRESS, FIELD.BITS, FIELD.FLAGS].map((at) => fields[at]);
    if (flags !== undefined && (parseInt(flags, HEX) & LOCAL_FLAGS) !== 0)
      found.add(`${address.replace(GROUP, "$&:")}/${parseInt(bits, HEX)}`);
  }
  return [...found];
}

/** One of Linux's tables. A router's has hundreds of thousands of lines: they are read again when they are others. */
class Table {
  #text = "";
  #prefixes: readonly string[] = [];

  constructor(
    readonly file: string,
    readonly read: (table: string) => string[],
  ) {}

  prefixes(): readonly string[] {
    try {
      const text = readFileSync(this.file, "latin1");
      if (text !== this.#text) [this.#text, this.#prefixes] = [text, this.read(text)];
      return this.#prefixes;
    } catch {
      return [];
    }
  }
}

const TABLES = [
  new Table("/proc/net/fib_trie", localPrefixes),
  new Table("/proc/net/ipv6_route", localPrefixes6),
];

/** Addresses and prefixes, as text, of both families. */
export function ownAddresses(): string[] {
  const listed = Object.values(os.networkInterfaces()).flatMap((all = []) =>
    all.map(({ address }) => address),
  );
  return process.platform === "linux"
    ? [...new Set([...listed, ...TABLES.flatMap((table) => table.prefixes())])]
    : listed;
}
