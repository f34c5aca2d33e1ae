/**
 * A network card: frames between a driver's buffers and the network that it is plugged into. A checksum that the driver left out
 * goes along with its frame; one that the network left out the driver is told of, or it is made here.
 *
 * Specification: VIRTIO 1.2 §5.1.
 */
import { bool, list, optional, record, refine } from "../../bytes/shape.js";
import { completeChecksum } from "../../net/checksum.js";
import { etherType } from "../../net/heads.js";
import { IPV4_PAYLOAD } from "../../net/ipv4.js";
import { ETHERTYPE } from "../../net/packet.js";
import { IPV6_PAYLOAD } from "../../net/ipv6/packet.js";
import { parseMac } from "../../net/mac.js";
import {
  ETHERNET_HEADER,
  LEAST_MTU,
  LEAST_SEGMENT,
  MAC_BYTES,
  MOST_FRAME,
  MOST_MTU,
  type NetBackend,
  type NetFrame,
} from "../../net/net-backend.js";
import { cutSegments, isSound, tagBytes } from "../../net/segmentation.js";
import { carried, carriedShape, question, type CarriedConnection } from "../../net/tcp/carried.js";
import { headLength } from "../../net/tcp/segment.js";
import { VIRTIO_FEATURE } from "../../spec/virtio.js";
import {
  VIRTIO_ID,
  VIRTIO_NET_CONFIG as CONFIG,
  VIRTIO_NET_CONTROL as CONTROL,
  VIRTIO_NET_FEATURE as F,
  VIRTIO_NET_HEADER as HEADER,
} from "../../spec/virtio-devices.js";
import { BYTE_BITS } from "../bus/access-bytes.js";
import type { AccessSize } from "../device.js";
import type { PlanPart, Wires } from "../part.js";
import { PartError } from "../resources.js";
import { RingFault, type Chain } from "./chain.js";
import { configValue } from "./config-space.js";
import {
  accepts,
  command,
  filterShape,
  initialFilter,
  MOST_COMMAND,
  type NetFilterState,
} from "./net-filter.js";
import {
  initialReceiver,
  MOST_HELD_BYTES,
  NetReceiver,
  receiverShape,
  type NetReceiverState,
} from "./net-receiver.js";
import {
  initialSteering,
  MOST_PAIRS,
  receivedBy,
  sentBy,
  steeringShape,
  type NetSteeringState,
} from "./net-steering.js";
import { virtioPart } from "./part.js";
import { serveQueue, type VirtioBus, type VirtioDevice } from "./virtio-device.js";

/** A network card as a part has it, in its `config`; beside it there may be a `version`. */
export interface NetConfig {
  /** By which name the machine is handed the network. */
  readonly net: string;
  /** Six pairs of hexadecimal digits. */
  readonly mac: string;
  /** Of payload, 1500 to 65520 bytes. */
  readonly mtu: number;
  /** Pairs of queues, 1 to 8; absent: one. */
  readonly queues?: number;
}

export interface NetState {
  filter: NetFilterState;
  /** Of the first pair of queues. */
  receiver: NetReceiverState;
  /** What the driver was last told of the cable; absent, as in older snapshots: that it is in. */
  link?: boolean;
  /** The driver is to tell the network where it is, and has not said that it knows. */
  announce?: boolean;
  /** Connections that it has carried; absent in older snapshots. */
  connections?: CarriedConnection[];
  /** Of a card with several pairs: of the second pair on, and which is for whom. */
  others?: NetReceiverState[];
  steering?: NetSteeringState;
}

/** Queues of a pair, the first pair being 0 (§5.1.2). */
const QUEUES_OF_PAIR = 2;
const QUEUE_SIZE = 256;
const CONTROL_QUEUE_SIZE = 64;
/** After so many bytes the guest's CPUs go on before the next frame. */
const TURN_BYTES = 512 * 1024;
/** Of a number of pairs in a command. */
const PAIRS_BYTES = 2;
/** A checksum's bytes. */
const CHECKSUM_BYTES = 2;

/** A card as it is made: with its address as bytes, and with a number of pairs. */
interface Card extends NetConfig {
  readonly address: Uint8Array;
  readonly queues: number;
}

function configOf({ name, config = {} }: PlanPart): Card {
  const refuse = (key: string, expected: string): never => {
    const found = `${key} ${JSON.stringify(config[key])}`;
    throw new PartError(name, found, expected, "A network card needs to know it.");
  };
  const { net, mac, mtu, queues = 1 } = config;
  const within = (value: unknown, first: number, last: number): value is number =>
    typeof value === "number" && Number.isInteger(value) && value >= first && value <= last;
  const address = typeof mac === "string" ? parseMac(mac) : undefined;
  return {
    net: typeof net === "string" ? net : refuse("net", "the name of a network"),
    address: address ?? refuse("mac", "the address of one station: 52:54:00:12:34:56"),
    mac: mac as string,
    mtu: within(mtu, LEAST_MTU, MOST_MTU) ? mtu : refuse("mtu", `${LEAST_MTU} to ${MOST_MTU}`),
    queues: within(queues, 1, MOST_PAIRS) ? queues : refuse("queues", `1 to ${MOST_PAIRS} pairs of queues`),
  };
}

const FEATURES = [
  F.CSUM,
  F.GUEST_CSUM,
  F.MTU,
  F.MAC,
  F.GUEST_TSO4,
  F.GUEST_TSO6,
  F.HOST_TSO4,
  F.HOST_TSO6,
  F.MRG_RXBUF,
  F.STATUS,
  F.CTRL_VQ,
  F.CTRL_RX,
  F.CTRL_RX_EXTRA,
  F.GUEST_ANNOUNCE,
  F.CTRL_MAC_ADDR,
].reduce<number>((all, bit) => all | (1 << bit), 0);

/** Segments that are to be cut, by their version of IP: where their payload begins, what their heads say, who takes them. */
const GSO = [
  { payload: IPV4_PAYLOAD, gso: HEADER.GSO_TCPV4, fromDriver: F.HOST_TSO4, toDriver: F.GUEST_TSO4 },
  { payload: IPV6_PAYLOAD, gso: HEADER.GSO_TCPV6, fromDriver: F.HOST_TSO6, toDriver: F.GUEST_TSO6 },
] as const;

function gsoOf(frame: Uint8Array): (typeof GSO)[number] {
  return GSO[etherType(frame) === ETHERTYPE.IPV6 ? 1 : 0];
}

class Net implements VirtioDevice {
  readonly features: number;
  readonly #network: NetBackend | undefined;
  /** A queue's each, of every pair. */
  readonly #receivers: readonly NetReceiver[];
  readonly #head = new Uint8Array(HEADER.SIZE);
  readonly #headView = new DataView(this.#head.buffer);
  /** Queues that still have a frame for which the network had no room, who has waited longest first. */
  readonly #blocked = new Set<number>();
  /** Frames that were taken from the network and not handed on yet. */
  #coming = 0;
  /** What a guest that was saved is asked about its connections, which the network may know nothing of. */
  readonly #questions: NetFrame[];
  /** What the cable was when it was last looked at. */
  #up: boolean;

  constructor(
    private readonly about: Card,
    private readonly wires: Wires,
    private readonly bus: VirtioBus,
    private readonly state: NetState,
  ) {
    this.features = about.queues > 1 ? FEATURES | (1 << F.MQ) : FEATURES;
    this.#network = wires.net(about.net);
    this.#receivers = [state.receiver, ...(state.others ?? [])].map(
      (one, pair) =>
        new NetReceiver(
          pair * QUEUES_OF_PAIR,
          { bus, memory: () => wires.memory(), buffers: QUEUE_SIZE },
          one,
        ),
    );
    // Which of them waited when the machine was saved nobody wrote down.
    for (let pair = 0; pair < this.#offeredPairs; pair++) this.#blocked.add(pair * QUEUES_OF_PAIR + 1);
    this.#questions = (state.connections ??= []).map(question);
    const network = this.#network;
    // A driver that runs already was saved with its machine: by an older locore, or it was told. Where it is now nobody knows.
    this.#up = network?.up ?? network !== undefined;
    state.link ??= bus.has(F.STATUS) || this.#up;
    if (this.#up !== state.link || (this.#up && bus.has(F.GUEST_ANNOUNCE))) this.#announceLink(this.#up);
    if (network === undefined) return;
    wires.wake.hold(`packet of ${about.net}`);
    wires.completions.attach(() => this.#poll(network));
  }

  readConfig(offset: number, size: AccessSize): number {
    const bytes = new Uint8Array(CONFIG.SIZE);
    const view = new DataView(bytes.buffer);
    const { filter, link, announce } = this.state;
    bytes.set(filter.mac, CONFIG.MAC);
    const status = (link === true ? CONFIG.LINK_UP : 0) | (announce === true ? CONFIG.ANNOUNCE : 0);
    view.setUint16(CONFIG.STATUS, status, true);
    if (this.about.queues > 1) view.setUint16(CONFIG.MAX_PAIRS, this.about.queues, true);
    view.setUint16(CONFIG.MTU, this.about.mtu, true);
    return configValue(bytes, offset, size);
  }

  /** A legacy driver without a command for it writes its address byte by byte (§5.1.4.3). */
  writeConfig(offset: number, size: AccessSize, value: number): void {
    const legacy = !this.bus.has(VIRTIO_FEATURE.VERSION_1) && !this.bus.has(F.CTRL_MAC_ADDR);
    if (legacy && size === 1 && offset < CONFIG.MAC + MAC_BYTES) this.state.filter.mac[offset] = value;
  }

  reset(): void {
    const { state } = this;
    this.#blocked.clear();
    state.announce = false;
    state.connections = [];
    this.#questions.length = 0;
    Object.assign(state.filter, initialFilter(this.about.address));
    for (const one of [state.receiver, ...(state.others ?? [])]) Object.assign(one, initialReceiver());
    if (state.steering !== undefined) Object.assign(state.steering, initialSteering());
  }

  /** The driver is told, in a turn of its own, that the cable is in another network, which has to be told where it is (§5.1.6.5.4), or in none. */
  #announceLink(up: boolean): void {
    this.wires.completions.announce(this.about.net, () => {
      this.state.link = up;
      this.state.announce = up && this.bus.has(F.GUEST_ANNOUNCE);
      this.bus.configChanged();
    });
  }

  notified(index: number): void {
    const pair = Math.floor(index / QUEUES_OF_PAIR);
    if (index === this.#controlQueue) this.#control(index);
    else if (pair >= this.#offeredPairs) return;
    else if (index % QUEUES_OF_PAIR === 0) this.#receivers[pair].deliver();
    else this.#transmit(index);
  }

  /** Pairs that the driver may use: without the feature there is one (§5.1.2). */
  get #offeredPairs(): number {
    return this.bus.has(F.MQ) ? this.about.queues : 1;
  }

  get #controlQueue(): number {
    return this.#offeredPairs * QUEUES_OF_PAIR;
  }

  // ── From the driver ─────────────────────────────────────────────────────────────────────────────────────

  #transmit(index: number): void {
    const { bus } = this;
    const queue = bus.queue(index);
    this.#blocked.delete(index);
    if (queue === undefined) return;
    let spent = 0;
    while (queue.pop(bus.chain)) {
      const { chain } = bus;
      const frame = this.#frameOf(chain);
      if (frame !== undefined && this.#network?.send(frame) === false) {
        this.#blocked.add(index);
        queue.unpop(chain);
        break;
      }
      if (frame !== undefined) this.#sent(index, frame);
      queue.push(chain, 0);
      spent += Math.max(chain.readable, ETHERNET_HEADER);
      if (spent < TURN_BYTES) continue;
      bus.again(index);
      break;
    }
    bus.tell(index);
  }

  #sent(index: number, { bytes }: NetFrame): void {
    const { steering, connections = [] } = this.state;
    carried(connections, bytes, true);
    if (steering !== undefined && steering.pairs > 1)
      sentBy(steering, Math.floor(index / QUEUES_OF_PAIR), bytes);
  }

  /** What is to be sent; undefined for what is no frame, which costs the driver nothing but the frame. */
  #frameOf(chain: Chain): NetFrame | undefined {
    const memory = this.wires.memory();
    const head = this.#headBytes();
    const length = chain.readable - head;
    if (length < 0) throw new RingFault("a packet without its head");
    if (length < ETHERNET_HEADER || length > MOST_FRAME) return undefined;
    chain.copyFrom(memory, 0, this.#head.subarray(0, head));
    const bytes = new Uint8Array(length);
    chain.copyFrom(memory, head, bytes);
    const type = this.#head[HEADER.GSO_TYPE];
    const segment = this.#headView.getUint16(HEADER.GSO_SIZE, true);
    const version = GSO.find(({ gso }) => gso === type);
    const cuts = version !== undefined && segment >= LEAST_SEGMENT && this.bus.has(version.fromDriver);
    if (type !== HEADER.GSO_NONE && !cuts) return undefined;
    const needsSum = (this.#head[HEADER.FLAGS] & HEADER.NEEDS_CSUM) !== 0 && this.bus.has(F.CSUM);
    if (!needsSum) return cuts ? undefined : { bytes };
    const start = this.#headView.getUint16(HEADER.CSUM_START, true);
    const offset = this.#headView.getUint16(HEADER.CSUM_OFFSET, true);
    if (start + offset + CHECKSUM_BYTES > length) return undefined;
    return { bytes, checksum: { start, offset }, ...(cuts && { segment }) };
  }

  #headBytes(): number {
    const counts = this.bus.has(VIRTIO_FEATURE.VERSION_1) || this.bus.has(F.MRG_RXBUF);
    return counts ? HEADER.SIZE : HEADER.LEGACY_SIZE;
  }

  #control(index: number): void {
    serveQueue(this.bus, index, MOST_COMMAND, (queue, chain) => {
      const memory = this.wires.memory();
      if (chain.readable < CONTROL.HEAD || chain.readable > MOST_COMMAND || chain.writable < 1)
        throw new RingFault("a command without its head or room for an answer");
      const bytes = new Uint8Array(chain.readable);
      chain.copyFrom(memory, 0, bytes);
      const done = this.#command(bytes, bytes.subarray(CONTROL.HEAD));
      chain.copyTo(memory, 0, Uint8Array.of(done ? CONTROL.OK : CONTROL.ERR));
      queue.push(chain, 1);
      return chain.readable;
    });
  }

  /** Carries out a command; whether it is one and was done. */
  #command(bytes: Uint8Array, data: Uint8Array): boolean {
    const [kind, which] = bytes;
    if (kind === CONTROL.ANNOUNCE && this.bus.has(F.GUEST_ANNOUNCE)) {
      if (which === CONTROL.ANNOUNCE_ACK) this.state.announce = false;
      return which === CONTROL.ANNOUNCE_ACK;
    }
    if (kind === CONTROL.MQ) return which === CONTROL.MQ_PAIRS_SET && this.#usePairs(data);
    return command(this.state.filter, bytes, data);
  }

  #usePairs(data: Uint8Array): boolean {
    const { steering } = this.state;
    if (steering === undefined || data.length !== PAIRS_BYTES || !this.bus.has(F.MQ)) return false;
    const pairs = data[0] | (data[1] << BYTE_BITS);
    if (pairs < 1 || pairs > this.about.queues) return false;
    steering.pairs = pairs;
    for (const receiver of this.#receivers.slice(pairs)) receiver.stop();
    return true;
  }

  // ── From the network ────────────────────────────────────────────────────────────────────────────────────

  #poll(network: NetBackend): void {
    const source = this.about.net;
    const up = network.up ?? true;
    if (up !== this.#up) {
      this.#up = up;
      this.#announceLink(up);
    }
    if (this.#blocked.size > 0) {
      const waiting = [...this.#blocked];
      this.#blocked.clear();
      this.wires.completions.announce(source, () =>
        this.bus.guarded(() => waiting.forEach((index) => this.#transmit(index))),
      );
    }
    const heads: Uint8Array[] = [];
    // A queue that is full holds the others back: nothing is lost, and nobody runs ahead.
    const most = Math.min(...this.#receivers.slice(0, this.#pairs).map((one) => one.room));
    const room = most - this.#coming;
    let bytes = 0;
    while (heads.length < room && bytes < MOST_HELD_BYTES) {
      const frame = (up ? this.#questions.shift() : undefined) ?? network.receive();
      if (frame === undefined) break;
      bytes += frame.bytes.length;
      if (!accepts(this.state.filter, frame.bytes)) continue;
      // A head says where TCP's begins, not that there is a tag before it.
      const takes = this.bus.has(gsoOf(frame.bytes).toDriver) && this.bus.has(F.GUEST_CSUM);
      const whole = takes && tagBytes(frame.bytes) === 0;
      // It may be another guest's: what its head says the driver believes.
      if (!isSound(frame)) continue;
      for (const one of whole ? [frame] : cutSegments(frame)) heads.push(this.#behindHead(one));
    }
    if (heads.length === 0) return;
    this.#coming += heads.length;
    this.wires.completions.announce(source, () => {
      this.#coming -= heads.length;
      this.bus.guarded(() => this.#hand(heads));
    });
  }

  /** Pairs that the driver uses. */
  get #pairs(): number {
    return this.bus.has(F.MQ) ? (this.state.steering?.pairs ?? 1) : 1;
  }

  /** Frames behind their heads, each to the queue that is its flow's. */
  #hand(heads: readonly Uint8Array[]): void {
    const { steering, connections = [] } = this.state;
    for (const one of heads) carried(connections, one.subarray(HEADER.SIZE), false);
    if (steering === undefined || this.#pairs === 1) {
      this.#receivers[0].take(heads);
      return;
    }
    const byPair = this.#receivers.map((): Uint8Array[] => []);
    for (const one of heads) byPair[receivedBy(steering, one.subarray(HEADER.SIZE))].push(one);
    byPair.forEach((some, pair) => {
      if (some.length > 0) this.#receivers[pair].take(some);
    });
  }

  #behindHead(frame: NetFrame): Uint8Array {
    const told = this.bus.has(F.GUEST_CSUM);
    const { bytes, checksum, verified, segment } = told ? frame : completeChecksum(frame);
    const all = new Uint8Array(HEADER.SIZE + bytes.length);
    all.set(bytes, HEADER.SIZE);
    if (!told) return all;
    if (checksum !== undefined) {
      const view = new DataView(all.buffer);
      all[HEADER.FLAGS] = HEADER.NEEDS_CSUM;
      if (segment !== undefined) {
        const { gso, payload } = gsoOf(bytes);
        all[HEADER.GSO_TYPE] = gso;
        view.setUint16(HEADER.GSO_SIZE, segment, true);
        view.setUint16(HEADER.HEAD_LENGTH, payload + headLength(bytes.subarray(payload)), true);
      }
      view.setUint16(HEADER.CSUM_START, checksum.start, true);
      view.setUint16(HEADER.CSUM_OFFSET, checksum.offset, true);
    } else if (verified === true) all[HEADER.FLAGS] = HEADER.DATA_VALID;
    return all;
  }
}

/** A network card. */
export const virtioNetPart = virtioPart<NetState>({
  type: "virtio-net",
  summary: "virtio network card",
  id: VIRTIO_ID.NET,
  queues: (part) => [
    ...new Array<number>(QUEUES_OF_PAIR * configOf(part).queues).fill(QUEUE_SIZE),
    CONTROL_QUEUE_SIZE,
  ],
  check: (part) => void configOf(part),
  shape(part) {
    const { queues } = configOf(part);
    const receiver = receiverShape(QUEUE_SIZE);
    const shape = record<NetState>({
      filter: filterShape(),
      receiver,
      link: optional(bool),
      announce: optional(bool),
      connections: optional(carriedShape),
      others: optional(list(receiver, { max: MOST_PAIRS - 1 })),
      steering: optional(steeringShape(queues)),
    });
    return refine(shape, ({ others = [], steering }) => {
      if (others.length === queues - 1 && (steering !== undefined) === queues > 1) return undefined;
      const found = `${others.length}, ${steering === undefined ? "without" : "with"} steering`;
      return { at: ".others", found, expected: `those of a card with ${queues} pairs of queues` };
    });
  },
  initial(part) {
    const { queues, address } = configOf(part);
    const one: NetState = { filter: initialFilter(address), receiver: initialReceiver() };
    if (queues === 1) return one;
    const others = Array.from({ length: queues - 1 }, initialReceiver);
    return { ...one, others, steering: initialSteering() };
  },
  create: (part, wires, bus, state) => new Net(configOf(part), wires, bus, state),
});
