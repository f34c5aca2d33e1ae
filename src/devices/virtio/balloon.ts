/**
 * A balloon: pages that the guest gives away, and pages of which it reports that they are free. Nobody needs their bytes, so they
 * become zeros: the engine's memory cannot be given back piece by piece, but a snapshot leaves zeros out.
 *
 * Specification: VIRTIO 1.2 §5.5.
 */
import { record, u32 } from "../../bytes/shape.js";
import type { CheckedMemory } from "../../memory/checked-memory.js";
import {
  VIRTIO_BALLOON_CONFIG,
  VIRTIO_BALLOON_FEATURE,
  VIRTIO_BALLOON_PAGE,
  VIRTIO_ID,
} from "../../spec/virtio-devices.js";
import type { AccessSize } from "../device.js";
import type { PlanPart, Wires } from "../part.js";
import { PartError } from "../resources.js";
import { Socket } from "../socket.js";
import type { Chain } from "./chain.js";
import { configValue } from "./config-space.js";
import { virtioPart } from "./part.js";
import { serveQueue, type VirtioBus, type VirtioDevice } from "./virtio-device.js";

export interface BalloonState {
  /** Pages of 4 KiB that the guest is asked to give away, and that it says it has given. */
  pages: number;
  actual: number;
}

/** Asks the guest to give away so many pages of 4 KiB in all. */
export const BALLOON_TARGET = new Socket<(pages: number) => void>("balloon's target");

const QUEUE_SIZE = 128;
/** Queues of features that are not offered are not there (as drivers count them). */
const QUEUES = { INFLATE: 0, DEFLATE: 1, REPORTING: 2 } as const;
/** Page numbers that are looked at in one request; Linux sends 256. */
const MOST_NUMBERS = 1024;
const NUMBER_BYTES = 4;
/** After so many bytes the guest's CPUs go on before the next request. */
const TURN_BYTES = 16 * 2 ** 20;
/** What one request may report; Linux reports 32 pieces of 4 MiB at most. */
const MOST_REPORTED = 128 * 2 ** 20;

class Balloon implements VirtioDevice {
  readonly features = (1 << VIRTIO_BALLOON_FEATURE.DEFLATE_ON_OOM) | (1 << VIRTIO_BALLOON_FEATURE.REPORTING);
  readonly #numbers = new Uint8Array(MOST_NUMBERS * NUMBER_BYTES);
  readonly #view = new DataView(this.#numbers.buffer);

  constructor(
    private readonly wires: Wires,
    private readonly bus: VirtioBus,
    private readonly state: BalloonState,
  ) {}

  readConfig(offset: number, size: AccessSize): number {
    const { pages, actual } = this.state;
    return configValue(new Uint8Array(Uint32Array.of(pages, actual).buffer), offset, size);
  }

  writeConfig(offset: number, size: AccessSize, value: number): void {
    if (offset === VIRTIO_BALLOON_CONFIG.ACTUAL && size === 4) this.state.actual = value >>> 0;
  }

  reset(): void {
    this.state.actual = 0;
  }

  /** See `BALLOON_TARGET`. */
  target(pages: number): void {
    if (pages === this.state.pages) return;
    this.state.pages = pages;
    this.bus.configChanged();
  }

  notified(index: number): void {
    const memory = this.wires.memory();
    serveQueue(this.bus, index, TURN_BYTES, (queue, chain) => {
      const bytes =
        index === QUEUES.INFLATE
          ? this.#inflate(memory, chain)
          : index === QUEUES.REPORTING
            ? report(memory, chain)
            : 0;
      queue.push(chain, 0);
      return bytes;
    });
  }

  /** Numbers of pages that the guest will not look at until it takes them back. */
  #inflate(memory: CheckedMemory, chain: Chain): number {
    const length = chain.copyFrom(memory, 0, this.#numbers);
    const end = length - (length % NUMBER_BYTES);
    for (let at = 0; at < end; at += NUMBER_BYTES)
      zero(memory, this.#view.getUint32(at, true) * VIRTIO_BALLOON_PAGE, VIRTIO_BALLOON_PAGE);
    return (end / NUMBER_BYTES) * VIRTIO_BALLOON_PAGE;
  }
}

/** Pieces of memory that are free. Gives how many bytes were looked at. */
function report(memory: CheckedMemory, chain: Chain): number {
  let bytes = 0;
  for (let index = chain.readableCount; index < chain.count && bytes < MOST_REPORTED; index++) {
    const length = Math.min(chain.length(index), MOST_REPORTED - bytes);
    zero(memory, chain.address(index), length);
    bytes += length;
  }
  return bytes;
}

/** Makes bytes zeros, page by page; a page that is zeros already is not written, and so not one that changed. */
function zero(memory: CheckedMemory, start: number, length: number): void {
  for (let at = 0; at < length; at += VIRTIO_BALLOON_PAGE) {
    const size = Math.min(VIRTIO_BALLOON_PAGE, length - at);
    const bytes = memory.view(start + at, size);
    if (bytes !== undefined && !isZero(bytes)) memory.writable(start + at, size)?.fill(0);
  }
}

/** Whole words where they lie so, as all of a page does. */
function isZero(bytes: Uint8Array): boolean {
  const { buffer, byteOffset, length } = bytes;
  const aligned =
    byteOffset % Uint32Array.BYTES_PER_ELEMENT === 0 && length % Uint32Array.BYTES_PER_ELEMENT === 0;
  const words = aligned ? new Uint32Array(buffer, byteOffset, length / Uint32Array.BYTES_PER_ELEMENT) : bytes;
  for (const word of words) if (word !== 0) return false;
  return true;
}

function pagesOf({ name, config }: PlanPart): number {
  const pages = config?.["pages"] ?? 0;
  if (Number.isInteger(pages) && (pages as number) >= 0 && (pages as number) < 2 ** 32)
    return pages as number;
  throw new PartError(
    name,
    `pages ${JSON.stringify(pages)}`,
    "a number of pages of 4 KiB",
    "0 asks for none.",
  );
}

/** A balloon. `config.pages`: what the guest is asked to give away from the beginning, in pages of 4 KiB. */
export const virtioBalloonPart = virtioPart<BalloonState>({
  type: "virtio-balloon",
  summary: "virtio memory balloon",
  id: VIRTIO_ID.BALLOON,
  queues: () => [QUEUE_SIZE, QUEUE_SIZE, QUEUE_SIZE],
  check: (part) => void pagesOf(part),
  shape: () => record<BalloonState>({ pages: u32, actual: u32 }),
  initial: (part) => ({ pages: pagesOf(part), actual: 0 }),
  create(_part, wires, bus, state) {
    const balloon = new Balloon(wires, bus, state);
    wires.offer(BALLOON_TARGET, (pages) => balloon.target(pages));
    return balloon;
  },
});
