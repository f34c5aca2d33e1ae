/**
 * What a guest that serves commands is made of: a machine like it that was kept when it waited for its first command, or a kernel that boots,
 * which is kept then. Knows no thread.
 */
import type { StreamKinds } from "../cli/run/guest.js";
import type { RunRequest } from "../cli/run/request.js";
import type { Found, WarmGuest } from "../cli/run/warm/keeping.js";
import { commandBytes } from "../guests/index.js";
import { randomBytes } from "../host/node/random-bytes.js";
import type { HostSource, VmKeeper } from "./vm-host.js";

/** Of a guest that has commands of many. */
const KINDS: StreamKinds = { terminal: false, separateErrors: true };
const SEED_BYTES = 32;

export class ServingSource {
  readonly #request: RunRequest;
  #found: Found = {};

  constructor(request: RunRequest) {
    this.#request = request;
  }

  /** Why it boots; undefined where one that was kept went on. */
  get coldReason(): string | undefined {
    return this.#found.warm === undefined ? this.#found.reason : undefined;
  }

  /** The one that was kept, if there is one. Throws what a root or a folder is refused by, and as `boot` does. */
  async find(signal: AbortSignal): Promise<HostSource> {
    const { findKept } = await import("../cli/run/warm/keeping.js");
    signal.throwIfAborted();
    this.#found = await findKept(this.#request, KINDS);
    const { warm } = this.#found;
    return warm === undefined ? this.boot(signal) : goingOn(warm);
  }

  /** It boots. Throws what finding, fetching and packing it throw. */
  async boot(signal: AbortSignal): Promise<HostSource> {
    const [{ makeGuest }, { keepCopy, roomToKeep }] = await Promise.all([
      import("../cli/run/guest.js"),
      import("../cli/run/warm/keeping.js"),
    ]);
    const { keep } = this.#found;
    const by = keep === undefined ? "archive" : "hand";
    const guest = await makeGuest(this.#request, KINDS, { signal }, by);
    signal.throwIfAborted();
    const { source, command, modulesMissed } = guest;
    if (keep === undefined || command === undefined) return { source, modulesMissed };
    const { most } = roomToKeep(keep, guest);
    const keeper: VmKeeper = {
      most,
      take: async (copy, said) => void (await keepCopy(keep, guest, copy, said)),
    };
    return { source, modulesMissed, steps: commandBytes(command), ...(most > 0 && { keeper }) };
  }

  /** Throws the one away that was kept, and did not go on for this reason. */
  forget(why: string): void {
    const { keep } = this.#found;
    keep?.machines.forget(keep.key);
    this.#found = { ...(keep && { keep }), reason: `the machine that was kept did not go on: ${why}` };
  }
}

function goingOn({ source, command, said = "" }: WarmGuest): HostSource {
  return {
    source,
    steps: commandBytes(command, randomBytes(SEED_BYTES)),
    kept: { said: Buffer.from(said, "latin1") },
  };
}
