/**
 * The kernels of a matrix: their names are checked before anything runs, and one that has to be fetched is fetched once, before its first
 * cell begins. A kernel that cannot be had is told its cells, and keeps no other waiting for the same failure again.
 */
import { existsSync } from "node:fs";
import { allGuestNames, pullGuest } from "../../guests/index.js";
import { UsageError } from "../args.js";
import { closest } from "../closest.js";
import { explain } from "../failure.js";
import type { Pulling } from "../guest-files.js";
import { findKernel } from "../run/kernel.js";
import { DEFAULT_KERNEL } from "../run/request.js";
import { reasonOf } from "../run/refused.js";
import type { RunReason } from "../run/outcome.js";

/** Why a cell cannot be begun. */
export interface Missing {
  reason: RunReason;
  message: string;
}

/** Throws UsageError for a kernel that is neither a file nor a name that is known. */
export function checkKernel(name: string): void {
  if (name.includes("/") || existsSync(name) || allGuestNames().includes(name)) return;
  const guess = closest(name, allGuestNames());
  throw new UsageError(
    `--matrix kernel=${name}: no such file or folder, and no guest of that name`,
    guess === undefined ? "locore guests list" : `did you mean ${guess}?`,
  );
}

/** What fetches. A kernel's name is a guest's, and its modules come with it. */
export interface KernelFetching {
  busybox(): Promise<unknown>;
  kernel(name: string): Promise<unknown>;
}

/** The usual one. */
export function fetchingGuests(pulling: Pulling): KernelFetching {
  return {
    busybox: () => pullGuest("busybox", pulling),
    kernel: (name) => findKernel(name, pulling),
  };
}

export class MatrixKernels {
  readonly #found = new Map<string, Promise<Missing | undefined>>();
  #last: Promise<unknown> = Promise.resolve();

  constructor(readonly fetching: KernelFetching) {}

  /** Fetches what a kernel's cells all need; why they cannot be had, where that is so. Never rejects. */
  async ready(kernel: string | undefined): Promise<Missing | undefined> {
    const busybox = await this.#once("busybox", () => this.fetching.busybox());
    if (busybox !== undefined) return busybox;
    const name = kernel ?? DEFAULT_KERNEL;
    if (existsSync(name) || !allGuestNames().includes(name)) return undefined;
    return this.#once(name, () => this.fetching.kernel(name));
  }

  #once(name: string, fetch: () => Promise<unknown>): Promise<Missing | undefined> {
    const known = this.#found.get(name);
    if (known !== undefined) return known;
    const found = this.#last.then(fetch).then(
      () => undefined,
      (error: unknown) => ({
        reason: reasonOf(error),
        message: explain(error)
          .lines.join("\n")
          .replace(/^locore: /, ""),
      }),
    );
    this.#found.set(name, found);
    this.#last = found;
    return found;
  }
}
