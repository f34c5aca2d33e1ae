/**
 * Whom the guest may reach. The host itself is never among them without leave: not by its loopback, not by an address of its
 * interfaces, not by one that only its neighbours know, in no spelling.
 */
import { addressText, inPrefix, parsePrefix, type Address, type Prefix } from "./address.js";
import { embeddedIn, reservedFor } from "./reserved.js";
import { HOST_NAME } from "./network.js";

/** One thing that is allowed: a name and maybe a port there, or addresses. */
export type Allowed =
  { readonly name: string; readonly port?: number } | { readonly prefix: Prefix; readonly port?: number };

export interface PolicyOptions {
  /** The guest may reach the host: by `host.locore`, and by the addresses of its interfaces. With `only`, where that has it. */
  readonly host: boolean;
  /** Nothing but what is allowed; otherwise everything but the host, without leave for that. */
  readonly only?: readonly Allowed[];
}

/** Why not: for people. */
export type Refusal = string;

/** Names that are remembered for an address, and addresses in all. */
const MOST_NAMES = 8;
const MOST_ADDRESSES = 4096;
/** A name stands for its addresses so long at least, however short its record lives: connections come after their lookup. */
const LEAST_PINNED_MS = 60_000;
const MS = 1000;

/** The host's own addresses, as they were last read. */
interface OwnAddresses {
  readonly texts: readonly string[];
  readonly prefixes: readonly Prefix[];
  /** Whether one of them is of the world's by IPv6. */
  readonly six: boolean;
}

export class Policy {
  /**
   * Names by the addresses that they stand for, and until when. By their text: a map knows a bigint by its lowest 64 bits, and whoever
   * answers for a name may choose thousands that share these.
   */
  readonly #pinned = new Map<string, Map<string, number>>();

  #ownRead: OwnAddresses = { texts: [], prefixes: [], six: false };

  constructor(
    private readonly options: PolicyOptions,
    /** Every address of the host's interfaces. */
    private readonly ownAddresses: () => readonly string[],
    private readonly now: () => number,
  ) {}

  /** Whether the host is to be reached. */
  get host(): boolean {
    return this.options.host;
  }

  /** Why the guest does not reach this port of an address; undefined: it does. */
  refuses(address: Address, port: number): Refusal | undefined {
    // What is translated on its way leads to the address that it has within: that one counts, too.
    const all = [address, ...embeddedIn(address).addresses];
    for (const one of all) {
      const why = reservedFor(one);
      if (why !== undefined)
        return `${addressText(one)}${one === address ? "" : `, in ${addressText(address)},`} ${why}`;
    }
    const prefixes = this.#own();
    const own = all.some((one) => prefixes.some((prefix) => inPrefix(one, prefix)));
    if (own && !this.options.host) return `${addressText(address)} is this host's; host=yes allows it`;
    if (own) return this.refusesHost(address, port);
    const { only } = this.options;
    if (only === undefined) return undefined;
    return listed(only, address, (one, some) => this.#covers(one, some, port))
      ? undefined
      : "nothing allows it";
  }

  /** Whether this host has an address with which the world may be reached by IPv6. */
  get reachesSix(): boolean {
    this.#own();
    return this.#ownRead.six;
  }

  /** Why the guest does not reach this port of the host itself, which it knows by this address. No name but the host's own allows it. */
  refusesHost(address: Address, port: number): Refusal | undefined {
    const { host, only } = this.options;
    if (!host) return "this is the host; host=yes allows it";
    const allowed: Covers = (one, some) =>
      (one.port === undefined || one.port === port) &&
      ("prefix" in one ? inPrefix(some, one.prefix) : covers(one.name, HOST_NAME));
    if (only === undefined || listed(only, address, allowed)) return undefined;
    return `this is the host, and nothing allows it; allow=${HOST_NAME}:${port} does`;
  }

  /** Why the guest is not told of a name; undefined: it is. */
  refusesName(name: string): Refusal | undefined {
    const { only } = this.options;
    if (only === undefined || only.some((one) => "name" in one && covers(one.name, name))) return undefined;
    return "no allow= names it";
  }

  /** The guest was told that a name has these addresses, for so many seconds. */
  pin(name: string, addresses: readonly Address[], seconds: number): void {
    const until = this.now() + Math.max(LEAST_PINNED_MS, seconds * MS);
    for (const address of addresses) {
      const key = String(address);
      const names = this.#pinned.get(key) ?? new Map<string, number>();
      names.delete(name);
      names.set(name, until);
      if (names.size > MOST_NAMES) names.delete(first(names));
      this.#pinned.delete(key);
      this.#pinned.set(key, names);
      if (this.#pinned.size > MOST_ADDRESSES) this.#pinned.delete(first(this.#pinned));
    }
  }

  /** The name that the guest was last told to have this address; undefined where there is none that is good. */
  nameOf(address: Address): string | undefined {
    const now = this.now();
    return [...(this.#pinned.get(String(address)) ?? [])].findLast(([, until]) => until > now)?.[0];
  }

  /** Every address of the host's interfaces; asked for each datagram, and read when there are others. */
  #own(): readonly Prefix[] {
    const texts = this.ownAddresses();
    if (texts !== this.#ownRead.texts) {
      const prefixes = texts.map(parsePrefix).filter((prefix) => prefix !== undefined);
      const isWorlds = ({ address }: Prefix): boolean =>
        typeof address === "bigint" && reservedFor(address) === undefined;
      this.#ownRead = { texts, prefixes, six: prefixes.some(isWorlds) };
    }
    return this.#ownRead.prefixes;
  }

  #covers(one: Allowed, address: Address, port: number): boolean {
    if (one.port !== undefined && one.port !== port) return false;
    if ("prefix" in one) return inPrefix(address, one.prefix);
    const now = this.now();
    return [...(this.#pinned.get(String(address)) ?? [])].some(
      ([name, until]) => until > now && covers(one.name, name),
    );
  }
}

function first<K>(map: ReadonlyMap<K, unknown>): K {
  return map.keys().next().value as K;
}

/** Whether one thing that is allowed has an address. */
type Covers = (one: Allowed, address: Address) => boolean;

/**
 * Whether a list has an address. A prefix that has more than a translator's addresses does not speak of those behind it: for one of these
 * the list must have them, too.
 */
function listed(only: readonly Allowed[], address: Address, covering: Covers): boolean {
  const { addresses, bits } = embeddedIn(address);
  const behind = addresses.every((four) => only.some((one) => covering(one, four)));
  return only.some((one) => covering(one, address) && (behind || "name" in one || one.prefix.bits >= bits));
}

/** Whether `name` is the allowed one; `*.example.org` are all names below. */
function covers(allowed: string, name: string): boolean {
  if (!allowed.startsWith("*.")) return allowed === name;
  return name.endsWith(allowed.slice(1));
}

/** What `allow=` says: NAME, ADDRESS or PREFIX, each maybe with a port, for which one of IPv6 stands in brackets; undefined where it says nothing. */
export function parseAllowed(text: string): Allowed | undefined {
  const bare = text.includes("::") || text.split(":").length > 2 ? parsePrefix(text) : undefined;
  if (bare !== undefined) return { prefix: bare };
  const [, six, plain = "", digits] = /^(?:\[([^\]]*)\]|([^[\]]*?))(?::(\d{1,5}))?$/.exec(text) ?? [];
  const port = digits === undefined ? {} : { port: Number(digits) };
  if ((port.port ?? 1) > MOST_PORT || port.port === 0) return undefined;
  const prefix = parsePrefix(six ?? plain);
  const bracketed = typeof prefix?.address === "bigint";
  if (prefix !== undefined && bracketed === (six !== undefined)) return { prefix, ...port };
  return six === undefined && NAME.test(plain) ? { name: plain.toLowerCase(), ...port } : undefined;
}

const MOST_PORT = 65535;
/** Labels of letters, digits, - and _; the last one is no number, or it would be an address that is none. */
const NAME = /^(\*\.)?([a-z0-9_]([a-z0-9_-]*[a-z0-9_])?\.)*[a-z_]([a-z0-9_-]*[a-z0-9_])?$/i;
