/** A network behind a channel: its frames cross between the machine's thread and whoever has the sockets. */
import type { Channel } from "../devices/part.js";
import { encodeFrame, FrameReader } from "../net/frame-stream.js";
import type { NetBackend, NetFrame } from "../net/net-backend.js";

const PREFIX = "locore.net.";
/** Bytes that are taken from the channel at a time. */
const BLOCK = 65536;

/** The channel of the network that parts know by `net`. */
export function netChannel(net: string): string {
  return PREFIX + net;
}

/** The machine's end. */
class ChannelNet implements NetBackend {
  readonly #reader = new FrameReader();

  constructor(private readonly channel: Channel) {}

  /** A channel that is full is not waited for: the peer of a cable may take nothing for as long as it likes, and the guest goes on. */
  send(frame: NetFrame): boolean {
    const bytes = encodeFrame(frame);
    if ((this.channel.room?.() ?? Infinity) < bytes.length) return false;
    this.channel.write(bytes);
    return true;
  }

  receive(): NetFrame | undefined {
    for (;;) {
      const frame = this.#reader.next();
      if (frame !== undefined) return frame;
      const bytes = this.channel.read(BLOCK);
      if (bytes.length === 0) return undefined;
      this.#reader.push(bytes);
    }
  }
}

/** The networks among the channels of a machine, by the names that its parts have for them. */
export function netsOf(channels: ReadonlyMap<string, Channel>): Map<string, NetBackend> {
  const nets = [...channels].filter(([name]) => name.startsWith(PREFIX));
  return new Map(nets.map(([name, channel]) => [name.slice(PREFIX.length), new ChannelNet(channel)]));
}
