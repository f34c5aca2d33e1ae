/**
 * Entropy for a guest: the host's, or a sequence that is the same in every run where runs repeat exactly. It shares that with
 * the CPUs' RDRAND, so that it has no state of its own.
 *
 * Specification: VIRTIO 1.2 §5.4.
 */
import { record } from "../../bytes/shape.js";
import { VIRTIO_ID } from "../../spec/virtio-devices.js";
import type { Wires } from "../part.js";
import { virtioPart } from "./part.js";
import { serveQueue, type VirtioBus, type VirtioDevice } from "./virtio-device.js";

const QUEUE_SIZE = 8;
/** A request gets no more at once: a driver asks again for the rest. */
const MOST_BYTES = 4096;
const TURN_BYTES = 16 * MOST_BYTES;
const WORD_BYTES = 4;

class Rng implements VirtioDevice {
  readonly features = 0;
  readonly #bytes = new Uint8Array(MOST_BYTES);
  readonly #words = new DataView(this.#bytes.buffer);

  constructor(
    private readonly wires: Wires,
    private readonly bus: VirtioBus,
  ) {}

  readConfig(): number {
    return 0;
  }

  notified(index: number): void {
    serveQueue(this.bus, index, TURN_BYTES, (queue, chain) => {
      const length = Math.min(chain.writable, MOST_BYTES);
      for (let at = 0; at < length; at += WORD_BYTES) this.#words.setUint32(at, this.wires.random32(), true);
      chain.copyTo(this.wires.memory(), 0, this.#bytes.subarray(0, length));
      queue.push(chain, length);
      return length;
    });
  }
}

/** A source of entropy. */
export const virtioRngPart = virtioPart<object>({
  type: "virtio-rng",
  summary: "virtio entropy source",
  id: VIRTIO_ID.ENTROPY,
  queues: () => [QUEUE_SIZE],
  shape: () => record<object>({}),
  initial: () => ({}),
  create: (_part, wires, bus) => new Rng(wires, bus),
});
