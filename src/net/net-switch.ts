/**
 * A learning Ethernet switch: behind which port a station is, it knows from what the station sends. What is for all of a group, or for a
 * station that nobody knows, goes to every other port. A port that has no room loses its frame; nobody else waits for it.
 *
 * Specification: IEEE 802.1D §7.7 to 7.9, without spanning trees: its ports are machines.
 */
import { isGroup } from "./mac.js";
import { ETHERNET_HEADER, MAC_BYTES, type NetFrame } from "./net-backend.js";

/** A station that has said nothing for so long is known no more, ms (§7.9.2). */
const AGE_MS = 300_000;
/** Stations behind one port: one that makes up addresses costs itself its own. */
const MOST_STATIONS = 256;
/** Reserved for links, never handed on (§7.12.6): 01:80:c2:00:00:00 to 0f. */
const LINK_ONLY = [0x01, 0x80, 0xc2, 0x00, 0x00] as const;
const LINK_ONLY_LAST = 0x0f;
const BYTE = 256;

/** Who is plugged in, as the switch sees it. */
export interface SwitchPort {
  /** Whether there is room for a frame of so many bytes; absent: `send` says. What goes to many is copied for those that have. */
  hasRoom?(bytes: number): boolean;
  /** Takes a frame, whose bytes it may keep; false where there is no room: the frame is lost. */
  send(frame: NetFrame): boolean;
}

/** A port, as who is plugged in sees it. */
export interface Plugged {
  /** Takes a frame, whose bytes the switch may keep. */
  send(frame: NetFrame): void;
  unplug(): void;
}

/** What a switch has done, for people and tests. */
export interface SwitchCounts {
  readonly ports: number;
  readonly stations: number;
  /** Frames that a port had no room for. */
  readonly lost: number;
}

interface Station {
  readonly port: Port;
  readonly heard: number;
}

interface Port {
  readonly user: SwitchPort;
  /** Addresses behind it, who was heard longest ago first. */
  readonly stations: Set<number>;
}

/** The address at `at`, as a number. */
function addressAt(bytes: Uint8Array, at: number): number {
  let all = 0;
  for (let i = at; i < at + MAC_BYTES; i++) all = all * BYTE + bytes[i];
  return all;
}

function isLinkOnly(bytes: Uint8Array): boolean {
  return LINK_ONLY.every((byte, index) => bytes[index] === byte) && bytes[LINK_ONLY.length] <= LINK_ONLY_LAST;
}

export class NetSwitch {
  readonly #ports = new Set<Port>();
  readonly #stations = new Map<number, Station>();
  #lost = 0;

  /** `now`: milliseconds, of whatever beginning. */
  constructor(private readonly now: () => number) {}

  get counts(): SwitchCounts {
    return { ports: this.#ports.size, stations: this.#stations.size, lost: this.#lost };
  }

  plug(user: SwitchPort): Plugged {
    const port: Port = { user, stations: new Set() };
    this.#ports.add(port);
    return {
      send: (frame) => this.#take(port, frame),
      unplug: () => {
        this.#ports.delete(port);
        for (const address of port.stations) this.#stations.delete(address);
        port.stations.clear();
      },
    };
  }

  #take(from: Port, frame: NetFrame): void {
    const { bytes } = frame;
    if (!this.#ports.has(from) || bytes.length < ETHERNET_HEADER || isLinkOnly(bytes)) return;
    if (!isGroup(bytes.subarray(MAC_BYTES))) this.#learn(from, addressAt(bytes, MAC_BYTES));
    const to = isGroup(bytes) ? undefined : this.#portOf(addressAt(bytes, 0));
    if (to === from) return;
    if (to !== undefined) this.#give(to, frame);
    else this.#flood(from, frame);
  }

  #learn(port: Port, address: number): void {
    this.#forget(address);
    const { stations } = port;
    if (stations.size === MOST_STATIONS)
      for (const oldest of stations) {
        this.#forget(oldest);
        break;
      }
    stations.add(address);
    this.#stations.set(address, { port, heard: this.now() });
  }

  #forget(address: number): void {
    this.#stations.get(address)?.port.stations.delete(address);
    this.#stations.delete(address);
  }

  #portOf(address: number): Port | undefined {
    const station = this.#stations.get(address);
    if (station === undefined || this.now() - station.heard <= AGE_MS) return station?.port;
    this.#forget(address);
    return undefined;
  }

  /** Each gets bytes of its own: who takes a frame may write into it. */
  #flood(from: Port, frame: NetFrame): void {
    for (const port of [...this.#ports]) {
      if (port === from) continue;
      if (port.user.hasRoom?.(frame.bytes.length) === false) this.#lost++;
      else this.#give(port, { ...frame, bytes: frame.bytes.slice() });
    }
  }

  #give(port: Port, frame: NetFrame): void {
    if (!port.user.send(frame)) this.#lost++;
  }
}
