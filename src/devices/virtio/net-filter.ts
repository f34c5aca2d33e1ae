/**
 * Which frames a network device hands to its driver: its modes, and the addresses that it was told, by the commands of its control
 * queue.
 *
 * Specification: VIRTIO 1.2 §5.1.6.5.
 */
import { bytes, list, record, whole, type Shape } from "../../bytes/shape.js";
import { BROADCAST_MAC, isGroup, sameMac } from "../../net/mac.js";
import { MAC_BYTES } from "../../net/net-backend.js";
import { VIRTIO_NET_CONTROL as C } from "../../spec/virtio-devices.js";

export interface NetFilterState {
  /** The address of the device itself; the driver may give it another. */
  mac: Uint8Array;
  /** A bit for each of the modes of `VIRTIO_NET_CONTROL.RX`. */
  modes: number;
  /** Addresses besides, of one station each and of groups. */
  stations: Uint8Array[];
  groups: Uint8Array[];
}

/** A driver that has more is sent everything of that kind. */
const MOST_ADDRESSES = 64;
const MODES = 6;
const COUNT_BYTES = 4;

/** Until the driver says otherwise, every frame is for it: a driver without a control queue may have several addresses. */
export function initialFilter(mac: Uint8Array): NetFilterState {
  return { mac: mac.slice(), modes: 1 << C.RX_PROMISC, stations: [], groups: [] };
}

/** What such a state must be. */
export function filterShape(): Shape<NetFilterState> {
  const addresses = list(bytes(MAC_BYTES), { max: MOST_ADDRESSES });
  return record<NetFilterState>({
    mac: bytes(MAC_BYTES),
    modes: whole(0, (1 << MODES) - 1),
    stations: addresses,
    groups: addresses,
  });
}

/** Whether a frame, which begins with its destination, is for the driver. */
export function accepts({ mac, modes, stations, groups }: NetFilterState, frame: Uint8Array): boolean {
  const on = (mode: number): boolean => (modes & (1 << mode)) !== 0;
  const among = (all: readonly Uint8Array[]): boolean => all.some((one) => sameMac(one, frame));
  if (on(C.RX_PROMISC)) return true;
  if (sameMac(BROADCAST_MAC, frame)) return !on(C.RX_NOBCAST);
  if (isGroup(frame)) return !on(C.RX_NOMULTI) && (on(C.RX_ALLMULTI) || among(groups));
  return !on(C.RX_NOUNI) && (on(C.RX_ALLUNI) || sameMac(mac, frame) || among(stations));
}

/** Addresses behind their number, at `at`; undefined where that is no list. */
function readAddresses(data: Uint8Array, at: number): { addresses: Uint8Array[]; end: number } | undefined {
  if (at + COUNT_BYTES > data.length) return undefined;
  const count = new DataView(data.buffer, data.byteOffset).getUint32(at, true);
  const first = at + COUNT_BYTES;
  const end = first + count * MAC_BYTES;
  if (end > data.length) return undefined;
  const addresses = Array.from({ length: Math.min(count, MOST_ADDRESSES + 1) }, (_, index) =>
    data.slice(first + index * MAC_BYTES, first + (index + 1) * MAC_BYTES),
  );
  return { addresses, end };
}

function setTable(state: NetFilterState, data: Uint8Array): boolean {
  const stations = readAddresses(data, 0);
  const groups = stations && readAddresses(data, stations.end);
  if (stations === undefined || groups === undefined || groups.end !== data.length) return false;
  const most = (one: { addresses: Uint8Array[] }, all: number): Uint8Array[] => {
    if (one.addresses.length <= MOST_ADDRESSES) return one.addresses;
    state.modes |= 1 << all;
    return [];
  };
  state.stations = most(stations, C.RX_ALLUNI);
  state.groups = most(groups, C.RX_ALLMULTI);
  return true;
}

/** Bytes of the longest command that makes sense; more is none. */
export const MOST_COMMAND = 64 * 1024;

/** Carries out a command with its data; whether it is one and was done. What is refused changes nothing. */
export function command(state: NetFilterState, [kind, which]: Uint8Array, data: Uint8Array): boolean {
  if (kind === C.RX && which < MODES && data.length === 1) {
    if ((data[0] & 1) !== 0) state.modes |= 1 << which;
    else state.modes &= ~(1 << which);
    return true;
  }
  if (kind !== C.MAC) return false;
  if (which === C.MAC_TABLE_SET) return setTable(state, data);
  if (which !== C.MAC_ADDR_SET || data.length !== MAC_BYTES || isGroup(data)) return false;
  state.mac = data.slice();
  return true;
}
