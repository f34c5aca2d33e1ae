/**
 * A console without a serial port's slowness (hvc0), and named ports beside it. A port is bytes, nothing is added or lost: what
 * the driver has no room for waits here, and outside of it.
 *
 * Specification: VIRTIO 1.2 §5.3.
 */
import {
  bool,
  bytes,
  list,
  optional,
  record,
  refine,
  u16,
  u32,
  whole,
  type Shape,
} from "../../bytes/shape.js";
import {
  VIRTIO_CONSOLE_CONFIG,
  VIRTIO_CONSOLE_EVENT,
  VIRTIO_CONSOLE_FEATURE,
  VIRTIO_CONSOLE_MESSAGE,
  VIRTIO_ID,
} from "../../spec/virtio-devices.js";
import type { AccessSize, Hold } from "../device.js";
import type { Channel, PlanPart, Wires } from "../part.js";
import { PartError } from "../resources.js";
import { CONSOLE_CONFIG } from "../serial/parts.js";
import { Socket } from "../socket.js";
import { RingFault } from "./chain.js";
import { configValue } from "./config-space.js";
import { virtioPart } from "./part.js";
import { serveQueue, type VirtioBus, type VirtioDevice } from "./virtio-device.js";

/** A control message that waits for room. */
interface Message {
  port: number;
  event: number;
  value: number;
}

export interface ConsoleState {
  columns: number;
  rows: number;
  /** For the driver, the oldest first. */
  messages: Message[];
  ports: PortState[];
}

interface PortState {
  /** The driver said that it is ready for it. */
  ready: boolean;
  /** Somebody in the guest has it open. */
  open: boolean;
  /** Input that the guest had no room for yet. */
  held: Uint8Array;
  /** The guest was told that no more will come. */
  ended: boolean;
  /** Bytes that were sent of the next chain, which waits in its queue until there is room outside; absent: none waits. */
  sent?: number;
}

/** Tells the guest how large its console is: characters a line, and lines. */
export const CONSOLE_SIZE = new Socket<(columns: number, rows: number) => void>("console's size");

const QUEUE_SIZE = 64;
const MOST_PORTS = 16;
const CONTROL_IN = 2;
const CONTROL_OUT = 3;
/** Bytes of a named port's input that are taken from outside ahead of the guest. */
const MOST_HELD = 64 * 1024;
/** What of it may wait outside when a machine is saved. */
const MOST_SAVED = 4 * 1024 * 1024;
/** Answers that wait for a driver which asks and does not listen. */
const MOST_MESSAGES = 4 * MOST_PORTS;
const MOST_OUTPUT = 2 ** 20;
/** After so many bytes the guest's CPUs go on before the next request. */
const TURN_BYTES = 64 * 1024;
const LONGEST_NAME = 64;

/** A port's queues: what it receives, and what it sends. */
function receiveQueue(port: number): number {
  return port === 0 ? 0 : 2 * port + 2;
}

const NOTHING = new Uint8Array(0);

function joined(first: Uint8Array, second: Uint8Array): Uint8Array {
  const all = new Uint8Array(first.length + second.length);
  all.set(first);
  all.set(second, first.length);
  return all;
}

function transmitQueue(port: number): number {
  return receiveQueue(port) + 1;
}

function portOf(queue: number): number {
  return queue < CONTROL_IN ? 0 : Math.floor(queue / 2) - 1;
}

function isControl(queue: number): boolean {
  return queue === CONTROL_IN || queue === CONTROL_OUT;
}

/** Names of the ports beside the console. */
function namesOf({ name, config }: PlanPart): readonly string[] {
  const names: unknown = config?.["ports"] ?? [];
  const right = (one: unknown): boolean =>
    typeof one === "string" && one.length > 0 && one.length <= LONGEST_NAME;
  if (Array.isArray(names) && names.length < MOST_PORTS && names.every(right)) return names as string[];
  throw new PartError(
    name,
    `ports ${JSON.stringify(names)}`,
    `at most ${MOST_PORTS - 1} names of ports`,
    "Each is a text of at most 64 characters.",
  );
}

/** By which channel port 0 is reached, where it is not the machine's console; undefined for none. */
function terminalOf({ name, config }: PlanPart): string | undefined {
  const terminal: unknown = config?.["terminal"];
  const multiport = Array.isArray(config?.["ports"]) && config["ports"].length > 0;
  if (terminal === undefined || (typeof terminal === "string" && multiport)) return terminal;
  throw new PartError(
    name,
    `terminal ${JSON.stringify(terminal)}`,
    "the name of a channel, beside named ports",
    "A terminal of its own hears from its driver only where there are further ports.",
  );
}

class VirtioConsole implements VirtioDevice {
  readonly features: number;
  readonly #channels: readonly (Channel | undefined)[];
  readonly #isConsole: boolean;
  /** Bytes of each port that were read and not delivered yet. */
  readonly #coming: number[];
  /** What keeps the machine alive for each port from which more may come. */
  readonly #holds: (Hold | undefined)[];
  /** The same for each port whose output waits for room. */
  readonly #kept: (Hold | undefined)[];
  /** Ports whose output is about to go on. */
  readonly #going = new Set<number>();
  /** Ports that have input which came with a saved machine: their drivers may have room, and ask for nothing. */
  readonly #laden = new Set<number>();

  constructor(
    private readonly names: readonly string[],
    part: PlanPart,
    private readonly wires: Wires,
    private readonly bus: VirtioBus,
    private readonly state: ConsoleState,
  ) {
    const F = VIRTIO_CONSOLE_FEATURE;
    this.features = (1 << F.SIZE) | (1 << F.EMERG_WRITE) | (names.length > 0 ? 1 << F.MULTIPORT : 0);
    this.#isConsole = part.config?.["backend"] === CONSOLE_CONFIG.backend;
    this.#coming = new Array<number>(names.length + 1).fill(0);
    const terminal = terminalOf(part);
    this.#channels = [
      terminal === undefined ? undefined : wires.channel(terminal),
      ...names.map((name) => wires.channel(name)),
    ];
    this.#holds = this.#channels.map((channel, port) =>
      channel?.inputOpen?.() === true ? wires.wake.hold(`input of port ${port}`) : undefined,
    );
    this.#kept = this.#channels.map(() => undefined);
    state.ports.forEach(({ sent, held }, port) => {
      if (held.length > 0 && this.#isRealTime) this.#laden.add(port);
      if (sent !== undefined) this.#keep(port, sent);
      // Of a life before a reset of the machine something may have waited.
      else this.#channels[port]?.keep?.(false);
      wires.completions.attach(() => this.#goOn(port));
    });
    if (this.#isConsole) wires.console.connect({ receive: (bytes) => this.#receive(0, bytes) });
    this.#channels.forEach((channel, port) => {
      if (channel !== undefined) wires.completions.attach(() => this.#poll(port, channel));
    });
  }

  readConfig(offset: number, size: AccessSize): number {
    const bytes = new Uint8Array(VIRTIO_CONSOLE_CONFIG.SIZE);
    const view = new DataView(bytes.buffer);
    view.setUint16(VIRTIO_CONSOLE_CONFIG.COLUMNS, this.state.columns, true);
    view.setUint16(VIRTIO_CONSOLE_CONFIG.ROWS, this.state.rows, true);
    view.setUint32(VIRTIO_CONSOLE_CONFIG.PORTS, this.names.length + 1, true);
    return configValue(bytes, offset, size);
  }

  /** A byte that a kernel writes before it has queues. */
  writeConfig(offset: number, _size: AccessSize, value: number): void {
    if (offset === VIRTIO_CONSOLE_CONFIG.EMERG_WRITE && this.#isConsole)
      this.wires.console.transmit(value & 0xff);
  }

  reset(): void {
    const { columns, rows } = this.state;
    this.state.ports.forEach((_, port) => this.#keep(port, undefined));
    Object.assign(this.state, initialState(this.names.length + 1), { columns, rows });
  }

  started(): void {
    if (this.#multiport) return;
    // Linux looks at the size only when it hears that it is another.
    this.bus.configChanged();
    if (this.#isConsole) this.wires.console.receiveReady();
  }

  notified(index: number): void {
    if (isControl(index)) {
      if (index === CONTROL_OUT) this.#readControl();
      this.#sendControl();
      return;
    }
    const port = portOf(index);
    if (index === receiveQueue(port)) this.#roomFor(port);
    else this.#transmit(port, index);
  }

  /** See `CONSOLE_SIZE`. */
  resize(columns: number, rows: number): void {
    const { state } = this;
    if (columns === state.columns && rows === state.rows) return;
    Object.assign(state, { columns, rows });
    this.bus.configChanged();
    if (this.#multiport && state.ports[0].ready)
      this.bus.guarded(() => {
        this.#tell(0, VIRTIO_CONSOLE_EVENT.RESIZE, 0);
        this.#sendControl();
      });
  }

  saving(): void {
    this.state.ports.forEach((state, port) => {
      const channel = this.#channels[port];
      if (channel?.inputSaved !== true || !state.open || !this.#isRealTime) return;
      const bytes = channel.read(MOST_HELD + MOST_SAVED - this.#coming[port] - state.held.length);
      if (bytes.length === 0) return;
      state.held = joined(state.held, bytes);
      this.#laden.add(port);
    });
  }

  /** When something comes from outside is of the host's time, and no run is like another. */
  get #isRealTime(): boolean {
    return this.wires.machine.clock.deterministic === undefined;
  }

  get #multiport(): boolean {
    return this.bus.has(VIRTIO_CONSOLE_FEATURE.MULTIPORT);
  }

  // ── Bytes ───────────────────────────────────────────────────────────────────────────────────────────────

  #transmit(port: number, index: number): void {
    serveQueue(this.bus, index, TURN_BYTES, (queue, chain) => {
      if (chain.readable > MOST_OUTPUT) throw new RingFault(`${chain.readable} bytes to be sent at once`);
      const from = this.state.ports[port].sent ?? 0;
      const rest = Math.max(0, chain.readable - from);
      const now = Math.min(rest, this.#room(port));
      chain.read(this.wires.memory(), from, now, (piece) => {
        this.#send(port, piece);
        return true;
      });
      if (now < rest) {
        queue.unpop(chain);
        this.#keep(port, from + now);
        return "left";
      }
      queue.push(chain, 0);
      this.#keep(port, undefined);
      return now;
    });
  }

  /**
   * Bytes that are sent at once. A reader that is slow holds back who writes to its port in the guest, not the machine. Where runs repeat,
   * the machine waits: when there is room is of the host's time.
   */
  #room(port: number): number {
    const channel = this.#channels[port];
    const waits = channel?.keep === undefined || !this.#isRealTime;
    return waits ? Infinity : (channel.room?.() ?? Infinity);
  }

  /** A chain waits for room, of which so many bytes were sent; undefined: none does any more. */
  #keep(port: number, sent: number | undefined): void {
    const state = this.state.ports[port];
    const waits = sent !== undefined;
    if (waits) state.sent = sent;
    else delete state.sent;
    if (waits === (this.#kept[port] !== undefined)) return;
    this.#kept[port]?.release();
    this.#kept[port] = waits ? this.wires.wake.hold(`output of port ${port}`) : undefined;
    this.#channels[port]?.keep?.(waits);
  }

  /** Looks for room for the output that waits. */
  #goOn(port: number): void {
    if (this.#kept[port] === undefined || this.#going.has(port) || this.#room(port) === 0) return;
    this.#going.add(port);
    this.wires.completions.announce(this.#nameOf(port), () => {
      this.#going.delete(port);
      const index = transmitQueue(port);
      if (this.bus.queue(index) === undefined) this.#keep(port, undefined);
      else this.bus.guarded(() => this.#transmit(port, index));
    });
  }

  #send(port: number, bytes: Uint8Array): void {
    const channel = this.#channels[port];
    if (channel !== undefined) channel.write(bytes);
    else if (port === 0 && this.#isConsole) for (const byte of bytes) this.wires.console.transmit(byte);
  }

  /** Puts input into what the driver has for it; gives how many bytes had room. */
  #receive(port: number, bytes: Uint8Array): number {
    let taken = 0;
    const index = receiveQueue(port);
    const queue = this.#listens(port) ? this.bus.queue(index) : undefined;
    if (queue === undefined) return 0;
    const { chain } = this.bus;
    this.bus.guarded(() => {
      while (taken < bytes.length && queue.pop(chain)) {
        const written = chain.copyTo(this.wires.memory(), 0, bytes.subarray(taken));
        queue.push(chain, written);
        taken += written;
        // A chain without room takes nothing, and there may be any number of them.
        if (written === 0) throw new RingFault("a request for input without room");
      }
      this.bus.tell(index);
    });
    return taken;
  }

  /** With control messages, only who has said so is listening. */
  #listens(port: number): boolean {
    return !this.#multiport || this.state.ports[port].ready;
  }

  #roomFor(port: number): void {
    const state = this.state.ports[port];
    if (port === 0 && this.#isConsole) this.wires.console.receiveReady();
    else if (state.held.length > 0) state.held = state.held.slice(this.#receive(port, state.held));
  }

  /** Looks for input of a port. */
  #poll(port: number, channel: Channel): void {
    const state = this.state.ports[port];
    if (this.#laden.delete(port))
      this.wires.completions.announce(this.#nameOf(port), () => this.#roomFor(port));
    const room = MOST_HELD - state.held.length - this.#coming[port];
    if (!state.open || room <= 0) return;
    const bytes = channel.read(room);
    if (bytes.length === 0) {
      if (state.held.length + this.#coming[port] === 0 && channel.inputOpen?.() === false) this.#endOf(port);
      return;
    }
    const copy = bytes.slice();
    this.#coming[port] += copy.length;
    this.wires.completions.announce(this.#nameOf(port), () => {
      this.#coming[port] -= copy.length;
      state.held = joined(state.held, copy);
      this.#roomFor(port);
    });
  }

  /** Everything was delivered, and no more will come: who reads on finds the end. */
  #endOf(port: number): void {
    this.#holds[port]?.release();
    this.#holds[port] = undefined;
    const state = this.state.ports[port];
    if (state.ended) return;
    state.ended = true;
    this.wires.completions.announce(this.#nameOf(port), () =>
      this.bus.guarded(() => {
        this.#tell(port, VIRTIO_CONSOLE_EVENT.PORT_OPEN, 0);
        this.#sendControl();
      }),
    );
  }

  #nameOf(port: number): string {
    return port === 0 ? "terminal" : `port ${this.names[port - 1]}`;
  }

  // ── Control messages ────────────────────────────────────────────────────────────────────────────────────

  #readControl(): void {
    const bytes = new Uint8Array(VIRTIO_CONSOLE_MESSAGE.SIZE);
    const view = new DataView(bytes.buffer);
    serveQueue(this.bus, CONTROL_OUT, TURN_BYTES, (queue, chain) => {
      const length = chain.copyFrom(this.wires.memory(), 0, bytes);
      queue.push(chain, 0);
      const event = view.getUint16(VIRTIO_CONSOLE_MESSAGE.EVENT, true);
      const value = view.getUint16(VIRTIO_CONSOLE_MESSAGE.VALUE, true);
      if (length === bytes.length) this.#heard(view.getUint32(VIRTIO_CONSOLE_MESSAGE.ID, true), event, value);
      return length;
    });
  }

  #heard(id: number, event: number, value: number): void {
    const E = VIRTIO_CONSOLE_EVENT;
    const { ports } = this.state;
    if (event === E.DEVICE_READY && value === 1)
      ports.forEach((_, port) => this.#tell(port, E.DEVICE_ADD, 0));
    const port = ports.at(id);
    if (id >= ports.length || port === undefined) return;
    if (event === E.PORT_OPEN) port.open = value === 1;
    if (event !== E.PORT_READY) return;
    port.ready = value === 1;
    if (!port.ready) return;
    // Who finds the port by its name finds somebody at its other end.
    this.#tell(id, E.PORT_OPEN, 1);
    port.ended = false;
    if (id > 0) this.#tell(id, E.PORT_NAME, 0);
    else {
      this.#tell(0, E.CONSOLE_PORT, 1);
      this.#tell(0, E.RESIZE, 0);
    }
    this.#roomFor(id);
  }

  #tell(port: number, event: number, value: number): void {
    const { messages } = this.state;
    if (messages.length < MOST_MESSAGES) messages.push({ port, event, value });
  }

  #sendControl(): void {
    const { messages } = this.state;
    const { chain } = this.bus;
    const queue = this.bus.queue(CONTROL_IN);
    if (queue === undefined || messages.length === 0) return;
    let sent = 0;
    while (sent < messages.length && queue.pop(chain))
      queue.push(chain, chain.copyTo(this.wires.memory(), 0, this.#encoded(messages[sent++])));
    messages.splice(0, sent);
    this.bus.tell(CONTROL_IN);
  }

  #encoded({ port, event, value }: Message): Uint8Array {
    const tail = this.#tail(port, event);
    const bytes = new Uint8Array(VIRTIO_CONSOLE_MESSAGE.SIZE + tail.length);
    const view = new DataView(bytes.buffer);
    view.setUint32(VIRTIO_CONSOLE_MESSAGE.ID, port, true);
    view.setUint16(VIRTIO_CONSOLE_MESSAGE.EVENT, event, true);
    view.setUint16(VIRTIO_CONSOLE_MESSAGE.VALUE, value, true);
    bytes.set(tail, VIRTIO_CONSOLE_MESSAGE.SIZE);
    return bytes;
  }

  #tail(port: number, event: number): Uint8Array {
    const { columns, rows } = this.state;
    if (event === VIRTIO_CONSOLE_EVENT.RESIZE) return new Uint8Array(Uint16Array.of(columns, rows).buffer);
    if (event === VIRTIO_CONSOLE_EVENT.PORT_NAME) return new TextEncoder().encode(this.names[port - 1]);
    return new Uint8Array(0);
  }
}

/** 80 × 25, until somebody knows better. */
function initialState(ports: number): ConsoleState {
  return {
    columns: 80,
    rows: 25,
    messages: [],
    ports: Array.from({ length: ports }, () => ({ ready: false, open: false, held: NOTHING, ended: false })),
  };
}

function shape(part: PlanPart): Shape<ConsoleState> {
  const ports = namesOf(part).length + 1;
  const message = refine(record<Message>({ port: u32, event: u16, value: u16 }), ({ port, event }) =>
    port < ports && (port > 0 || event !== VIRTIO_CONSOLE_EVENT.PORT_NAME)
      ? undefined
      : { at: ".port", found: `${port}`, expected: `a port below ${ports} that has what is told` },
  );
  return record<ConsoleState>({
    columns: u16,
    rows: u16,
    messages: list(message, { max: MOST_MESSAGES }),
    ports: list(
      record<PortState>({
        ready: bool,
        open: bool,
        held: bytes({ max: MOST_HELD + MOST_SAVED }),
        ended: bool,
        sent: optional(whole(0, MOST_OUTPUT)),
      }),
      ports,
    ),
  });
}

/**
 * A console, and ports beside it. `config.backend`: "console" for the machine's own; `config.ports`: names of further ones;
 * `config.terminal`: the channel that the console is connected to instead.
 */
export const virtioConsolePart = virtioPart<ConsoleState>({
  type: "virtio-console",
  summary: "virtio console",
  id: VIRTIO_ID.CONSOLE,
  // The control queues are there only beside further ports.
  queues: (part) => {
    const { length } = namesOf(part);
    return Array.from({ length: length === 0 ? 2 : 2 * length + 4 }, () => QUEUE_SIZE);
  },
  check: (part) => void [namesOf(part), terminalOf(part)],
  shape,
  initial: (part) => initialState(namesOf(part).length + 1),
  create(part, wires, bus, state) {
    const made = new VirtioConsole(namesOf(part), part, wires, bus, state);
    wires.offer(CONSOLE_SIZE, (columns, rows) => made.resize(columns, rows));
    return made;
  },
});
