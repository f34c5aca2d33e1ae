/** A file of all frames of a network, which may be read while it grows: each frame is in it once it was seen. */
import fs from "node:fs";
import { completeChecksum } from "../../../net/checksum.js";
import type { NetFrame } from "../../../net/net-backend.js";
import { pcapngHeader, pcapngPacket } from "../../../net/pcapng.js";
import { hostReason } from "../disk-error.js";
import { NetError } from "./net-error.js";

const NS_PER_MS = 1e6;

export class Capture {
  #file: number | undefined;
  /** Of the host's monotonic clock's beginning, since 1970. */
  readonly #began = BigInt(Math.round(performance.timeOrigin * NS_PER_MS));

  /** Throws NetError. `failed`: told once when no more can be written. */
  constructor(
    readonly path: string,
    private readonly failed: (why: string) => void,
  ) {
    try {
      this.#file = fs.openSync(path, "w");
      fs.writeSync(this.#file, pcapngHeader("locore", "net0"));
    } catch (cause) {
      throw new NetError(
        `capture ${path}`,
        hostReason(cause),
        "a file that can be written",
        "Correct its path.",
      );
    }
  }

  /** A frame, with the checksum that it gets behind this. A segment that is to be cut is one frame. */
  take(frame: NetFrame, toGuest: boolean): void {
    if (this.#file === undefined) return;
    const whole =
      frame.checksum === undefined ? frame : completeChecksum({ ...frame, bytes: frame.bytes.slice() });
    const ns = this.#began + BigInt(Math.round(performance.now() * NS_PER_MS));
    try {
      fs.writeSync(this.#file, pcapngPacket(whole.bytes, ns, toGuest));
    } catch (cause) {
      this.close();
      this.failed(hostReason(cause));
    }
  }

  close(): void {
    if (this.#file !== undefined) fs.closeSync(this.#file);
    this.#file = undefined;
  }
}
