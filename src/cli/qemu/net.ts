/**
 * QEMU's words for cards and what they are plugged into: -netdev with -device, -nic, -net. Here a card and its network are one word, `--net`;
 * ports of the host that lead to the guest are `--publish`.
 */
import { UsageError, type ForeignUse, type Meaning } from "../args.js";
import { parseNet } from "../net-option.js";
import { parseSuboptions } from "../values.js";
import type { QemuWord } from "./rules.js";

type Facts = Map<string, string>;

/** What is written in our words: of the card's network, and of the run. */
interface Ours {
  readonly net: string[];
  readonly publish: string[];
  readonly notes: string[];
}

const CARDS = /^virtio-net(-device|-pci(-(non-)?transitional)?)?$/;
/** Models of -nic and -net that are a card of ours. */
const MODELS = /^virtio(-net)?(-device|-pci)?$/;
const OTHER_MODEL = "the guest finds a virtio card";
/** What -net may be plugged into. */
const NET_KINDS = ["user", "tap", "socket", "bridge", "vde", "l2tpv3"];
/** What is about QEMU's side, or so here. */
const IDLE_CARD = [
  "id",
  "bus",
  "addr",
  "netdev",
  "mq",
  "vectors",
  "romfile",
  "bootindex",
  "disable-legacy",
  "disable-modern",
  "csum",
  "gso",
];
const IDLE_USER = ["id", "name", "ipv4", "ipv6", "hostname"];
const IDLE_STREAM = ["id", "name", "reconnect", "reconnect-ms", "addr.tight"];
const IDLE_TAP = ["id", "name", "vhost", "vhostforce", "queues", "sndbuf", "vnet_hdr", "br"];
/** What QEMU's user network has where nothing is said, and ours always. */
const USER_ADDRESSES: Readonly<Record<string, readonly string[]>> = {
  net: ["10.0.2.0/24", "10.0.2.0"],
  host: ["10.0.2.2"],
  dns: ["10.0.2.3"],
  dhcpstart: ["10.0.2.15"],
};
const GUEST = "10.0.2.15";
/** hostfwd=[tcp|udp]:[ADDR]:PORT-[ADDR]:PORT */
const HOSTFWD = /^(tcp|udp)?:([^:]*):(\d+)-([^:]*):(\d+)$/;
const YES = ["on", "y", "yes", "true"];
const NO = ["off", "n", "no", "false"];

/** Two commas are one of a value. */
function quoted(value: string): string {
  return value.replaceAll(",", ",,");
}

/** Whether a switch of a word is on; absent: off. Throws UsageError for what QEMU takes for neither. */
function isOn(said: string, facts: Facts, key: string): boolean {
  const value = facts.get(key) ?? NO[0];
  if (!YES.includes(value) && !NO.includes(value))
    throw new UsageError(`${said}: ${key}=${value} is neither on nor off`, `${key}=on or ${key}=off`);
  return YES.includes(value);
}

/** Names what is not known of a word. */
function only(said: string, facts: Facts, ...known: readonly (readonly string[])[]): void {
  const other = [...facts.keys()].find((key) => !known.some((some) => some.includes(key)));
  if (other !== undefined)
    throw new UsageError(`${said}: ${other} cannot be set here`, `leave ${other}= out`);
}

function forwarded(said: string, text: string, ours: Ours): void {
  const [match, protocol = "tcp", address = "", port, guest = "", guestPort] = HOSTFWD.exec(text) ?? [];
  if (match === undefined)
    throw new UsageError(`${said}: hostfwd=${text} is no port`, "hostfwd=tcp::2222-:22");
  if (guest !== "" && guest !== GUEST)
    throw new UsageError(
      `${said}: the guest is ${GUEST}, not ${guest}`,
      `hostfwd=${protocol}:${address}:${port}-:${guestPort}`,
    );
  const at = address === "" ? "" : `${address}:`;
  const published = `${at}${port}:${guestPort}${protocol === "udp" ? "/udp" : ""}`;
  ours.publish.push("--publish", published);
  if (address === "")
    ours.notes.push(
      `port ${port} is open on this host's loopback alone; --publish 0.0.0.0:${published} opens it to others`,
    );
}

function user(said: string, pairs: readonly [string, string][], ours: Ours): void {
  const facts = new Map(pairs);
  only(said, facts, IDLE_USER, Object.keys(USER_ADDRESSES), ["hostfwd", "restrict"]);
  for (const [key, usual] of Object.entries(USER_ADDRESSES)) {
    const value = facts.get(key);
    if (value !== undefined && !usual.includes(value))
      throw new UsageError(
        `${said}: the network's addresses are QEMU's usual ones`,
        `leave ${key}= out: it is ${usual[0]}`,
      );
  }
  ours.net.push("user");
  if (isOn(said, facts, "restrict")) ours.net.push("deny=*");
  else ours.notes.push("the guest does not reach this host; --net user,host=yes lets it");
  for (const [key, value] of pairs) if (key === "hostfwd") forwarded(said, value, ours);
}

function stream(said: string, facts: Facts, ours: Ours): void {
  const path = facts.get("addr.path");
  if (facts.get("addr.type") !== "unix" || path === undefined)
    throw new UsageError(
      `${said}: peers are reached by a path of this host`,
      "-netdev stream,id=n,addr.type=unix,addr.path=PATH",
    );
  only(said, facts, IDLE_STREAM, ["addr.type", "addr.path", "addr.abstract", "server"]);
  if (isOn(said, facts, "addr.abstract"))
    throw new UsageError(
      `${said}: peers are reached by a path, and an abstract address is none`,
      "leave addr.abstract= out at both ends",
    );
  ours.net.push(`socket=${quoted(path)}`);
  if (isOn(said, facts, "server")) ours.net.push("listen=yes");
}

function tap(said: string, facts: Facts, ours: Ours): void {
  const name = facts.get("ifname");
  if (name === undefined)
    throw new UsageError(`${said}: a tap has to be named`, `${said},ifname=tap0,script=no,downscript=no`);
  only(said, facts, IDLE_TAP, ["ifname", "script", "downscript"]);
  ours.net.push(`tap=${quoted(name)}`);
  if ([facts.get("script"), facts.get("downscript")].some((script) => script !== "no"))
    ours.notes.push("no script is run; script=no,downscript=no says so");
}

/** What a card is plugged into. */
function network(said: string, kind: string, pairs: readonly [string, string][]): Ours {
  const ours: Ours = { net: [], publish: [], notes: [] };
  if (kind === "user") user(said, pairs, ours);
  else if (kind === "stream") stream(said, new Map(pairs), ours);
  else if (kind === "tap") tap(said, new Map(pairs), ours);
  else if (kind === "socket")
    throw new UsageError(
      `${said}: peers are reached by a path of this host`,
      "-netdev stream,id=n,addr.type=unix,addr.path=PATH, and server=on at one end",
    );
  else
    throw new UsageError(
      `${said}: no card is plugged into ${kind}`,
      "there are user, stream and tap, and --net switch=NAME for machines of this host",
    );
  return ours;
}

function meaning(said: string, { net, publish, notes }: Ours, card: readonly string[]): Meaning {
  const args = ["--net", [...net, ...card].join(",")];
  return { args, run: publish, ...(notes.length > 0 && { note: `${said}: ${notes.join("; ")}` }) };
}

/** There is one card, and one word for it. */
function one(uses: readonly ForeignUse[], others: readonly ForeignUse[]): ForeignUse {
  const [first, second] = [...uses, ...others];
  if (second !== undefined)
    throw new UsageError(
      `${second.said}: there is one card, and ${first.said} is it`,
      "leave one of the two out",
    );
  return first;
}

function isCard({ value }: ForeignUse): boolean {
  return CARDS.test(parseSuboptions(value, "driver")[0][1]);
}

/** What the card that is plugged into `id` says of itself. */
function cardOf(devices: readonly ForeignUse[], id: string | undefined): string[] {
  const properties = devices.filter(isCard).map(({ value }) => new Map(parseSuboptions(value, "driver")));
  const card = properties.find((one) => one.get("netdev") === id);
  const [mac, mtu] = [card?.get("mac"), card?.get("host_mtu")];
  return [...(mac === undefined ? [] : [`mac=${mac}`]), ...(mtu === undefined ? [] : [`mtu=${mtu}`])];
}

/** -netdev KIND,id=ID,…: with the -device that names it. */
export const NETDEV: QemuWord = {
  name: "netdev",
  aliases: [],
  value: "KIND",
  about:
    "user is --net user, its hostfwd= --publish, restrict=on deny=*; stream with a path is --net socket=PATH, with server=on listen=yes; tap,ifname=NAME is --net tap=NAME; mac= and host_mtu= of its -device go along; there is one card",
  means(uses, others) {
    const { said, value } = one(uses, others("nic").filter(isNic));
    const [[, kind], ...pairs] = parseSuboptions(value, "type");
    const id = new Map(pairs).get("id");
    if (id === undefined)
      throw new UsageError(`${said}: a network needs id=, by which its card names it`, `${said},id=n`);
    return meaning(said, network(said, kind, pairs), cardOf(others("device"), id));
  },
};

function isNic({ value }: ForeignUse): boolean {
  return value !== "none";
}

function cardWords(facts: Facts, macKey: string): string[] {
  const mac = facts.get(macKey);
  return mac === undefined ? [] : [`mac=${mac}`];
}

/** -nic KIND,model=,mac=,…: both in one. */
export const NIC: QemuWord = {
  name: "nic",
  aliases: [],
  value: "KIND",
  about: "none is taken; as -netdev, with the card's mac= and model= beside it; every card is a virtio card",
  means(uses) {
    const cards = uses.filter(isNic);
    if (cards.length === 0) return {};
    const { said, value } = one(cards, []);
    const [[, kind], ...pairs] = parseSuboptions(value, "type");
    const facts = new Map(pairs);
    const ours = network(
      said,
      kind,
      pairs.filter(([key]) => key !== "model" && key !== "mac"),
    );
    if (!MODELS.test(facts.get("model") ?? "")) ours.notes.push(OTHER_MODEL);
    return meaning(said, ours, cardWords(facts, "mac"));
  },
};

/** -net nic and -net user, as they were before; what is a value of --net is no word of QEMU's. */
export const NET: QemuWord = {
  name: "net",
  aliases: [],
  value: "KIND",
  about:
    "nic is taken beside -net user, which is --net user; with model= and macaddr=; what is plugged in is one",
  means(uses) {
    const cards = uses.filter(({ value }) => /^nic(,|$)/.test(value));
    const [plugged, ...more] = uses.filter((use) => !cards.includes(use));
    const facts = new Map(cards.flatMap(({ value }) => parseSuboptions(value, "type")));
    const [card] = cards;
    if (card !== undefined)
      only(card.said, facts, ["type", "model", "macaddr", "name", "id", "netdev", "vectors", "vlan", "addr"]);
    if (plugged === undefined) {
      if (facts.has("macaddr"))
        throw new UsageError(
          `${card.said}: a card and its network are one word here`,
          `--net user,mac=${facts.get("macaddr")}`,
        );
      return {};
    }
    if (more.length > 0)
      throw new UsageError(
        `${more[0].said}: there is one card, and ${plugged.said} is it`,
        "leave one of the two out",
      );
    const [[, kind], ...pairs] = parseSuboptions(plugged.value, "type");
    if (!NET_KINDS.includes(kind)) {
      // It is meant as ours, and wrong.
      parseNet(plugged.value);
      return {};
    }
    const ours = network(
      plugged.said,
      kind,
      pairs.filter(([key]) => key !== "vlan"),
    );
    if (!MODELS.test(facts.get("model") ?? "")) ours.notes.push(OTHER_MODEL);
    return meaning(plugged.said, ours, cardWords(facts, "macaddr"));
  },
};

/** A -device that is a card belongs to a -netdev, which has taken what it says. */
export function withCards(row: QemuWord): QemuWord {
  return {
    ...row,
    means(uses, others) {
      const ids = others("netdev").map(({ value }) => new Map(parseSuboptions(value, "type")).get("id"));
      const cards = uses.filter(isCard);
      for (const { said, value } of cards) {
        const [, ...properties] = parseSuboptions(value, "driver");
        const facts = new Map(properties);
        only(said, facts, IDLE_CARD, ["mac", "host_mtu"]);
        const netdev = facts.get("netdev");
        if (netdev === undefined || !ids.includes(netdev))
          throw new UsageError(
            `${said}: a card needs the network that it is plugged into`,
            `-netdev user,id=${netdev ?? "n"} -device virtio-net-device,netdev=${netdev ?? "n"}, or --net user`,
          );
      }
      if (cards.length > 1) one(cards, []);
      const rest = uses.filter((use) => !cards.includes(use));
      return rest.length === 0 ? {} : row.means(rest, others);
    },
  };
}
