/**
 * A shared folder as a virtio device, whatever protocol its server speaks: each request is answered before the next is taken, whichever
 * queue it comes by.
 */
import type { ShareMessage } from "../../share/message.js";
import type { AccessSize } from "../device.js";
import type { Wires } from "../part.js";
import { RingFault } from "./chain.js";
import { ChainMessage } from "./chain-message.js";
import { configValue } from "./config-space.js";
import type { ShareState } from "./share-config.js";
import { serveQueue, type VirtioBus, type VirtioDevice } from "./virtio-device.js";

/** After so many bytes the guest's CPUs go on before the next request. */
const TURN_BYTES = 4 * 2 ** 20;

/** Answers the requests of a protocol. */
export interface ShareServer {
  /** Forgets all that the guest had. */
  reset(): void;
  /** Bytes of the reply; below 0 for a request that cannot even be refused. */
  serve(message: ShareMessage): number;
}

export interface ShareDeviceFacts {
  readonly features: number;
  readonly config: Uint8Array;
  /** What a request is that cannot even be refused. */
  readonly fault: string;
}

export class ShareDevice implements VirtioDevice {
  readonly features: number;
  readonly #message: ChainMessage;

  constructor(
    private readonly server: ShareServer,
    private readonly about: ShareDeviceFacts,
    private readonly on: { readonly wires: Wires; readonly bus: VirtioBus },
    private readonly state: ShareState,
  ) {
    this.features = about.features;
    this.#message = new ChainMessage(on.bus.chain);
  }

  readConfig(offset: number, size: AccessSize): number {
    return configValue(this.about.config, offset, size);
  }

  reset(): void {
    this.server.reset();
    this.state.asked = false;
  }

  notified(index: number): void {
    const memory = this.on.wires.memory();
    serveQueue(this.on.bus, index, TURN_BYTES, (queue, chain) => {
      this.state.asked = true;
      const written = this.server.serve(this.#message.take(memory));
      if (written < 0) throw new RingFault(this.about.fault);
      queue.push(chain, written);
      return chain.readable + chain.writable;
    });
  }
}
