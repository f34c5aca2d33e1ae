/** What a network device needs from the network that it is plugged into: frames both ways, and no more at once than there is room for. */

/** An Ethernet frame, from the destination's address on, without its check sequence. */
export interface NetFrame {
  readonly bytes: Uint8Array;
  /**
   * A checksum that is still to be made: of the bytes from `start` on, put at `start + offset`, where the sum of the pseudo header
   * lies by now. Whoever sends the frame on over something that may break it makes it first (`completeChecksum`).
   */
  readonly checksum?: { readonly start: number; readonly offset: number };
  /** Its checksums were looked at, or it came by no wire. */
  readonly verified?: boolean;
  /**
   * It is a segment of TCP with more data than a packet may have: each of its packets gets so many bytes of them, `LEAST_SEGMENT` at
   * least (`cutSegments`). Its checksum is still to be made.
   */
  readonly segment?: number;
}

export const MAC_BYTES = 6;
/** Two addresses and a type. */
export const ETHERNET_HEADER = 14;
/** What there may be of a payload: a packet of ours is no longer. */
export const MOST_PAYLOAD = 65535;
export const MOST_FRAME = ETHERNET_HEADER + MOST_PAYLOAD;
/** Data of a packet that a long segment is cut into, at least, as in Linux: a packet costs as much as a frame of its own. */
export const LEAST_SEGMENT = 48;
/** What a payload may be told to be at most, and must be at least. */
export const LEAST_MTU = 1500;
export const MOST_MTU = 65520;
/** Pairs of queues of a card: each pair is two of the 31 queues that a transport has. */
export const MOST_PAIRS = 8;

/** A network as a device sees it. Calls come back at once. */
export interface NetBackend {
  /** Takes a frame, whose bytes it may keep; false where there is no room now: the device offers it again later. */
  send(frame: NetFrame): boolean;
  /** The next frame for the guest, `MOST_FRAME` bytes at most; undefined where there is none now. Its bytes are the device's. */
  receive(): NetFrame | undefined;
  /** Whether the cable is in; absent: always. A device looks at it whenever it looks for frames. */
  readonly up?: boolean;
}
