/**
 * A network card: frames between a driver's buffers and the network that it is plugged into. A checksum that the driver left out
 * goes along with its frame; one that the network left out the driver is told of, or it is made here.
 *
 * Specification: VIRTIO 1.2 §5.1.
 */
import { record } from "../../bytes/shape.js";
import { completeChecksum } from "../../net/checksum.js";
import { IPV4_PAYLOAD } from "../../net/ipv4.js";
import { parseMac } from "../../net/mac.js";
import {
  ETHERNET_HEADER,
  LEAST_MTU,
  MAC_BYTES,
  MOST_FRAME,
  MOST_MTU,
  type NetBackend,
  type NetFrame,
} from "../../net/net-backend.js";
import { cutSegments } from "../../net/segmentation.js";
import { headLength } from "../../net/tcp/segment.js";
import { VIRTIO_FEATURE } from "../../spec/virtio.js";
import {
  VIRTIO_ID,
  VIRTIO_NET_CONFIG as CONFIG,
  VIRTIO_NET_CONTROL as CONTROL,
  VIRTIO_NET_FEATURE as F,
  VIRTIO_NET_HEADER as HEADER,
} from "../../spec/virtio-devices.js";
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
}

export interface NetState {
  filter: NetFilterState;
  receiver: NetReceiverState;
}

const RECEIVE = 0;
const TRANSMIT = 1;
const CONTROL_QUEUE = 2;
const QUEUE_SIZE = 256;
const CONTROL_QUEUE_SIZE = 64;
/** After so many bytes the guest's CPUs go on before the next frame. */
const TURN_BYTES = 512 * 1024;
/** A checksum's bytes. */
const CHECKSUM_BYTES = 2;

function configOf({ name, config = {} }: PlanPart): NetConfig & { address: Uint8Array } {
  const refuse = (key: string, expected: string): never => {
    const found = `${key} ${JSON.stringify(config[key])}`;
    throw new PartError(name, found, expected, "A network card needs to know it.");
  };
  const { net, mac, mtu } = config;
  const address = typeof mac === "string" ? parseMac(mac) : undefined;
  const known = typeof mtu === "number" && Number.isInteger(mtu) && mtu >= LEAST_MTU && mtu <= MOST_MTU;
  return {
    net: typeof net === "string" ? net : refuse("net", "the name of a network"),
    address: address ?? refuse("mac", "the address of one station: 52:54:00:12:34:56"),
    mac: mac as string,
    mtu: known ? mtu : refuse("mtu", `${LEAST_MTU} to ${MOST_MTU}`),
  };
}

const FEATURES = [
  F.CSUM,
  F.GUEST_CSUM,
  F.MTU,
  F.MAC,
  F.GUEST_TSO4,
  F.HOST_TSO4,
  F.MRG_RXBUF,
  F.STATUS,
  F.CTRL_VQ,
  F.CTRL_RX,
  F.CTRL_RX_EXTRA,
  F.CTRL_MAC_ADDR,
].reduce<number>((all, bit) => all | (1 << bit), 0);

class Net implements VirtioDevice {
  readonly features = FEATURES;
  readonly #network: NetBackend | undefined;
  readonly #receiver: NetReceiver;
  readonly #head = new Uint8Array(HEADER.SIZE);
  readonly #headView = new DataView(this.#head.buffer);
  /** The network had no room for a frame, which the driver's queue still has; maybe so before the machine was saved. */
  #blocked = true;
  /** Frames that were taken from the network and not handed on yet. */
  #coming = 0;

  constructor(
    private readonly about: NetConfig & { address: Uint8Array },
    private readonly wires: Wires,
    private readonly bus: VirtioBus,
    private readonly state: NetState,
  ) {
    this.#network = wires.net(about.net);
    this.#receiver = new NetReceiver(
      RECEIVE,
      { bus, memory: () => wires.memory(), buffers: QUEUE_SIZE },
      state.receiver,
    );
    const network = this.#network;
    if (network === undefined) return;
    wires.wake.hold(`packet of ${about.net}`);
    wires.completions.attach(() => this.#poll(network));
  }

  readConfig(offset: number, size: AccessSize): number {
    const bytes = new Uint8Array(CONFIG.SIZE);
    const view = new DataView(bytes.buffer);
    bytes.set(this.state.filter.mac, CONFIG.MAC);
    view.setUint16(CONFIG.STATUS, this.#network === undefined ? 0 : CONFIG.LINK_UP, true);
    view.setUint16(CONFIG.MTU, this.about.mtu, true);
    return configValue(bytes, offset, size);
  }

  /** A legacy driver without a command for it writes its address byte by byte (§5.1.4.3). */
  writeConfig(offset: number, size: AccessSize, value: number): void {
    const legacy = !this.bus.has(VIRTIO_FEATURE.VERSION_1) && !this.bus.has(F.CTRL_MAC_ADDR);
    if (legacy && size === 1 && offset < CONFIG.MAC + MAC_BYTES) this.state.filter.mac[offset] = value;
  }

  reset(): void {
    this.#blocked = false;
    Object.assign(this.state.filter, initialFilter(this.about.address));
    Object.assign(this.state.receiver, initialReceiver());
  }

  notified(index: number): void {
    if (index === RECEIVE) this.#receiver.deliver();
    else if (index === TRANSMIT) this.#transmit();
    else this.#control();
  }

  // ── From the driver ─────────────────────────────────────────────────────────────────────────────────────

  #transmit(): void {
    const { bus } = this;
    const queue = bus.queue(TRANSMIT);
    if (queue === undefined) return;
    let spent = 0;
    while (queue.pop(bus.chain)) {
      const { chain } = bus;
      const frame = this.#frameOf(chain);
      this.#blocked = frame !== undefined && this.#network?.send(frame) === false;
      if (this.#blocked) {
        queue.unpop(chain);
        break;
      }
      queue.push(chain, 0);
      spent += Math.max(chain.readable, ETHERNET_HEADER);
      if (spent < TURN_BYTES) continue;
      bus.again(TRANSMIT);
      break;
    }
    bus.tell(TRANSMIT);
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
    const cuts = type === HEADER.GSO_TCPV4 && segment > 0 && this.bus.has(F.HOST_TSO4);
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

  #control(): void {
    serveQueue(this.bus, CONTROL_QUEUE, MOST_COMMAND, (queue, chain) => {
      const memory = this.wires.memory();
      if (chain.readable < CONTROL.HEAD || chain.readable > MOST_COMMAND || chain.writable < 1)
        throw new RingFault("a command without its head or room for an answer");
      const bytes = new Uint8Array(chain.readable);
      chain.copyFrom(memory, 0, bytes);
      const done = command(this.state.filter, bytes, bytes.subarray(CONTROL.HEAD));
      chain.copyTo(memory, 0, Uint8Array.of(done ? CONTROL.OK : CONTROL.ERR));
      queue.push(chain, 1);
      return chain.readable;
    });
  }

  // ── From the network ────────────────────────────────────────────────────────────────────────────────────

  #poll(network: NetBackend): void {
    const source = this.about.net;
    if (this.#blocked) {
      this.#blocked = false;
      this.wires.completions.announce(source, () => this.bus.guarded(() => this.#transmit()));
    }
    const heads: Uint8Array[] = [];
    const room = this.#receiver.room - this.#coming;
    let bytes = 0;
    while (heads.length < room && bytes < MOST_HELD_BYTES) {
      const frame = network.receive();
      if (frame === undefined) break;
      bytes += frame.bytes.length;
      if (!accepts(this.state.filter, frame.bytes)) continue;
      const whole = this.bus.has(F.GUEST_TSO4) && this.bus.has(F.GUEST_CSUM);
      for (const one of whole ? [frame] : cutSegments(frame)) heads.push(this.#behindHead(one));
    }
    if (heads.length === 0) return;
    this.#coming += heads.length;
    this.wires.completions.announce(source, () => {
      this.#coming -= heads.length;
      this.bus.guarded(() => this.#receiver.take(heads));
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
        all[HEADER.GSO_TYPE] = HEADER.GSO_TCPV4;
        view.setUint16(HEADER.GSO_SIZE, segment, true);
        view.setUint16(HEADER.HEAD_LENGTH, IPV4_PAYLOAD + headLength(bytes.subarray(IPV4_PAYLOAD)), true);
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
  queues: () => [QUEUE_SIZE, QUEUE_SIZE, CONTROL_QUEUE_SIZE],
  check: (part) => void configOf(part),
  shape: () => record<NetState>({ filter: filterShape(), receiver: receiverShape(QUEUE_SIZE) }),
  initial: (part) => ({ filter: initialFilter(configOf(part).address), receiver: initialReceiver() }),
  create: (part, wires, bus, state) => new Net(configOf(part), wires, bus, state),
});
