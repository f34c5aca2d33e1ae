/** `--net`, `--publish` and `--pcap`: the guest's network, what of it is reached from outside, and a record of its frames. */
import type { BootNet } from "../boot/options.js";
import type { NetRequest, UserRequest } from "../host/node/net/net-request.js";
import { parseAddress } from "../net/ipv4.js";
import { parseIpv6 } from "../net/ipv6-text.js";
import type { Faults } from "../net/faults.js";
import { HOST_NAME } from "../net/network.js";
import { parseAllowed, type Allowed } from "../net/policy.js";
import type { Published } from "../net/stack.js";
import { UsageError, type Arguments, type OptionSpec } from "./args.js";
import { CABLE_USAGE, isCable, parseCable, type CableAsked } from "./cable-option.js";
import { faultsOf, isFault } from "./net-faults.js";
import { readCardWord, USUAL_MAC, USUAL_MTU } from "./card-words.js";
import { parseSuboptions } from "./values.js";

const USAGE =
  "--net user[,host=yes][,allow=NAME[:PORT]|ADDRESS[/BITS][:PORT]]…[,deny=*][,mac=MAC][,mtu=BYTES][,queues=N]" +
  "[,loss=1%][,delay=20ms][,jitter=5ms][,reorder=1%][,duplicate=1%][,corrupt=1%][,rate=10mbit][,seed=N]; or " +
  CABLE_USAGE;

/** The card is the machine's: a plan has it. */
export const NET_OPTION: OptionSpec = {
  name: "net",
  // What else QEMU's -net says, its own words take.
  values: /^(none$|user(?!.*,(hostfwd|restrict|id|name)=)|(socket|switch|tap)=)/,
  value: "none|user,…|socket=PATH,…|switch=NAME,…|tap=NAME,…",
  help:
    "a network card; none is the default. user: connections go out by this process, nobody needs to be root; the guest's own DHCP client gets 10.0.2.15, its kernel an address of IPv6. " +
    "host=yes: it reaches this host, as host.locore; allow=NAME:PORT or allow=10.0.0.0/8, again and again: these and nothing else, of this host only with allow=host.locore[:PORT] among them; deny=*: nothing; mtu=1500 to 65520; queues=1 to 8: pairs of queues of the card; " +
    "loss=1%, delay=20ms, jitter=5ms, reorder=, duplicate=, corrupt=1%, rate=10mbit, seed=N: what becomes of frames, each way. " +
    "socket=PATH[,listen=yes]: frames as QEMU's -netdev stream and passt exchange them; switch=NAME: an Ethernet of all machines of this user that name it; " +
    "tap=NAME: an interface of this host (Linux, koffi); locore run gives the guest addr=ADDRESS/BITS[,gateway=ADDRESS]; mac=MAC is another one in each run",
};

/** About the run. */
export const NET_RUN_OPTIONS: readonly OptionSpec[] = [
  {
    name: "publish",
    value: "[ADDR:]HOST:GUEST[/udp]",
    repeats: true,
    help: "connections to port HOST of this host go to port GUEST of the guest; of its loopback only, unless ADDR says otherwise",
  },
  {
    name: "pcap",
    value: "FILE",
    help: "write all frames of the network to a file (pcapng), which can be read while it grows",
  },
];

const MOST_PORT = 65535;
const LOOPBACK = "127.0.0.1";

/** What `--net user` says. */
export interface UserAsked {
  readonly card: BootNet;
  readonly policy: UserRequest["policy"];
  readonly faults?: Faults;
}

/** What `--net` says. */
export type NetAsked = UserAsked | CableAsked;

function allowedOf(text: string): Allowed {
  const allowed = parseAllowed(text);
  if (allowed === undefined)
    throw new UsageError(
      `--net allow=${text}: expected NAME, NAME:PORT, ADDRESS, ADDRESS/BITS or [IPV6]:PORT`,
      USAGE,
    );
  return allowed;
}

/** Reads the value of `--net`; undefined for none. Throws UsageError. */
export function parseNet(text: string): NetAsked | undefined {
  const [[first, kind], ...pairs] = parseSuboptions(text, "kind");
  if (isCable(first)) return parseCable(text, first, kind, pairs);
  if (first !== "kind" || (kind !== "none" && kind !== "user"))
    throw new UsageError(
      `--net ${text}: expected none or user first, or socket=PATH, switch=NAME or tap=NAME`,
      USAGE,
    );
  const card: BootNet = { mac: USUAL_MAC, mtu: USUAL_MTU };
  let [host, denies] = [false, false];
  const only: Allowed[] = [];
  const faults = faultsOf(pairs);
  for (const [key, value] of pairs) {
    if (key === "host" && (value === "yes" || value === "no" || value === "on")) host = value !== "no";
    else if (key === "allow") only.push(allowedOf(value));
    else if (key === "deny" && value === "*") denies = true;
    else if (!readCardWord(card, key, value) && !isFault(key))
      throw new UsageError(`--net ${text}: there is no ${key}=${value}`, USAGE);
  }
  if (kind === "none" && pairs.length > 0)
    throw new UsageError(`--net ${text}: without a network there is nothing to say of it`, USAGE);
  if (!host && only.some((one) => "name" in one && one.name === HOST_NAME))
    throw new UsageError(`--net ${text}: without host=yes nothing leads to ${HOST_NAME}`, `${text},host=yes`);
  if (kind === "none") return undefined;
  return {
    card,
    policy: { host, ...((denies || only.length > 0) && { only }) },
    ...(faults && { faults }),
  };
}

/** `[ADDR:]HOST:GUEST[/udp]`; an address of IPv6 stands in brackets. */
const PUBLISH = /^(?:(?:\[([^\]]+)\]|([^:]+)):)?(\d{1,5}):(\d{1,5})(?:\/(tcp|udp))?$/;

function parsePublish(text: string): Published {
  const [, six, four, hostPort, guestPort, protocol = "tcp"] = PUBLISH.exec(text) ?? [];
  const address = six ?? four ?? LOOPBACK;
  const isAddress = six === undefined ? parseAddress(address) !== undefined : parseIpv6(six) !== undefined;
  const ports = [hostPort, guestPort].map(Number);
  if (!isAddress || !ports.every((port) => port >= 1 && port <= MOST_PORT))
    throw new UsageError(`--publish ${text}: expected [ADDR:]HOST:GUEST[/udp]`, "--publish 8080:80");
  return { at: { address, port: ports[0] }, guestPort: ports[1], udp: protocol === "udp" };
}

/** Reads the values of `--publish`. Throws UsageError. */
export function parsePublished(texts: readonly string[]): Published[] {
  const all = texts.map(parsePublish);
  const names = all.map(({ at: { address, port }, udp }) => `${address}:${port}${udp ? "/udp" : ""}`);
  const twice = names.findIndex((name, index) => names.indexOf(name) !== index);
  if (twice >= 0)
    throw new UsageError(
      `--publish ${texts[twice]}: ${names[twice]} is published already`,
      "take another port",
    );
  const guests = all.filter(({ udp }) => udp).map(({ guestPort }) => guestPort);
  if (new Set(guests).size < guests.length)
    throw new UsageError(
      "--publish: a port of the guest for datagrams is published twice",
      "publish it once",
    );
  return all;
}

/** The network of a run whose --net is `text`, undefined for none. Throws UsageError for what makes no sense without one. */
export function readNet(
  args: Arguments,
  text = args.value("net"),
): (NetAsked & { readonly request: NetRequest }) | undefined {
  const asked = text === undefined ? undefined : parseNet(text);
  const [published, capture] = [args.values("publish"), args.value("pcap")];
  if (asked === undefined) {
    const without = published.length > 0 ? "--publish" : capture === undefined ? undefined : "--pcap";
    if (without !== undefined) throw new UsageError(`${without}: the guest has no network`, "--net user");
    return undefined;
  }
  const { faults } = asked;
  const any = { mtu: asked.card.mtu, ...(faults && { faults }), ...(capture !== undefined && { capture }) };
  if ("cable" in asked) {
    if (published.length > 0)
      throw new UsageError(
        "--publish: it is of the network in user mode; by a cable the guest's ports are reached as they are",
        "leave it out, or say --net user",
      );
    return { ...asked, request: { ...any, cable: asked.cable } };
  }
  return { ...asked, request: { ...any, policy: asked.policy, publish: parsePublished(published) } };
}
