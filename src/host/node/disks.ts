/** The disks of a machine as the host has them: opened as they were asked for, each under the name that its part has for it. */
import { existsSync } from "node:fs";
import { diskName, type BootDisk } from "../../boot/options.js";
import type { BlockBackend, BlockSource } from "../../block/backend.js";
import { BlockError } from "../../block/block-error.js";
import { OverlayDisk } from "../../block/overlay.js";
import { SECTOR } from "../../block/raw.js";
import { DiskChain, type ChainOptions } from "./disk-chain.js";
import { DiskFlusher } from "./disk-flusher.js";
import type { DiskRequest } from "./disk-request.js";
import { checkCount, checkSame } from "./disks-again.js";
import type { NativeCalls } from "./native-calls.js";
import type { DiskToSave } from "../../snapshot/disks.js";
import type { Snapshot } from "../../snapshot/read.js";
import type { SharedMemory } from "../shared.js";

/** A disk that is open. */
interface OpenDisk {
  request: DiskRequest;
  backend: BlockBackend;
  chain: DiskChain;
}

/** Opens a disk's files; none stays open where that fails. */
function opened(request: DiskRequest, options: ChainOptions): OpenDisk {
  const chain = new DiskChain(options);
  try {
    return { request, backend: chain.open(request), chain };
  } catch (error) {
    chain.close();
    throw error;
  }
}

/** The same disk, to be read only: of an overlay that is not there yet, what lies below. */
function lookedAt({ overlay, ...request }: DiskRequest): DiskRequest {
  if (overlay === undefined || !existsSync(overlay)) return { ...request, access: "read" };
  return { ...request, file: overlay, format: "qcow2", access: "read" };
}

/** A disk to be looked at: it is not changed, and nobody is kept from it. Throws DiskError. */
export function lookAtDisk(request: DiskRequest): { source: BlockSource; close(): void } {
  const { backend, chain } = opened(lookedAt(request), { lock: false });
  return { source: backend, close: () => chain.close() };
}

/** What there is to plan of disks. They are not changed, and nobody is kept from them. Throws DiskError. */
export function diskFacts(requests: readonly DiskRequest[]): BootDisk[] {
  return requests.map((request) => {
    const { serial = "", access } = request;
    const { source, close } = lookAtDisk(request);
    close();
    return { sectors: source.size / SECTOR, readOnly: access === "read", serial };
  });
}

export interface DisksOptions {
  /** Of the machine, whose bell rings when a disk has been flushed; absent: whoever flushes waits. */
  shared?: SharedMemory | undefined;
  /** System calls that Node lacks; absent: locks are files, and nothing that is discarded leaves a file. */
  native?: NativeCalls | undefined;
}

/** The disks of a machine that runs. */
export class Disks {
  readonly backends: ReadonlyMap<string, BlockBackend>;
  readonly #open: OpenDisk[] = [];
  readonly #flusher: DiskFlusher | undefined;

  /** Opens and locks all of them. Throws DiskError; none is open then. */
  constructor(requests: readonly DiskRequest[], { shared, native }: DisksOptions = {}) {
    this.#flusher = shared && new DiskFlusher(shared);
    try {
      for (const request of requests)
        this.#open.push(opened(request, { flusher: this.#flusher, native, lock: true }));
    } catch (error) {
      this.abandon();
      throw error;
    }
    this.backends = new Map(this.#open.map(({ backend }, index) => [diskName(index), backend]));
  }

  /** Tells disks what has been flushed: to be called between slices. */
  poll(): void {
    this.#flusher?.poll();
  }

  /** What a snapshot is to hold of them; what is written to files is on the disk then. Throws BlockError. */
  save(): DiskToSave[] {
    return this.#open.map(({ request, backend, chain }, index) => {
      backend.flush();
      const { file, access, serial = "" } = request;
      const pieces = backend instanceof OverlayDisk ? backend.pieces() : [];
      return {
        name: diskName(index),
        file,
        access,
        serial,
        size: backend.size,
        files: chain.identities(),
        pieces,
      };
    });
  }

  /** Puts back what a snapshot holds of them. Throws DiskError for one that is not the disk it was, and what reading the snapshot throws. */
  goOn({ disks, fillDisks }: Pick<Snapshot, "disks" | "fillDisks">): void {
    checkCount(
      disks,
      this.#open.map(({ request }) => request),
    );
    for (const [index, { request, backend, chain }] of this.#open.entries())
      checkSame(disks[index], request, { size: backend.size, files: chain.identities() });
    fillDisks(this.backends);
  }

  /** Brings all that was written to the disk, and closes them. Gives what that failed with; they are closed then too. */
  close(): BlockError | undefined {
    let failed: BlockError | undefined;
    for (const { backend } of this.#open) {
      try {
        backend.flush();
      } catch (error) {
        if (!(error instanceof BlockError)) throw error;
        failed ??= error;
      }
    }
    this.abandon();
    return failed;
  }

  /** Closes them as they are. */
  abandon(): void {
    this.#flusher?.close();
    for (const { chain } of this.#open.splice(0)) chain.close();
  }
}
