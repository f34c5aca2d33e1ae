/**
 * What a debugger has asked a machine to stop at: breakpoints and watchpoints by their addresses, and what a stop means by them.
 * Software and hardware breakpoints are the same here, as neither changes a byte of the guest. Knows no packet.
 */
import type { Watchpoint } from "../../engine/contract.js";
import type { DebugExit } from "../../machine/scheduler.js";
import { SIZE_4K } from "../../spec/x86-system.js";

/** By the numbers of `Z` packets. */
export const STOP_KINDS = ["software", "hardware", "write", "read", "access"] as const;
export type StopKind = (typeof STOP_KINDS)[number];

/** One request. `length`: bytes that are watched; of breakpoints it means nothing. */
export interface StopPoint {
  kind: StopKind;
  linear: bigint;
  length: number;
}

/** What a stop came to by the requests. */
export interface StopReason {
  kind: StopKind;
  /** The instruction's address, or the watched one. */
  linear: bigint;
}

/** More than anybody sets by hand, and few enough to be looked through. */
const MOST_POINTS = 1024;
/** Bytes that one request may watch. */
const MOST_WATCHED = 64 * 1024;
const PAGE = BigInt(SIZE_4K);

function isBreakpoint({ kind }: { kind: StopKind }): boolean {
  return kind === "software" || kind === "hardware";
}

function same(a: StopPoint, b: StopPoint): boolean {
  return a.kind === b.kind && a.linear === b.linear && (isBreakpoint(a) || a.length === b.length);
}

/** A request in pieces that lie in one page each. */
function* pieces({ kind, linear, length }: StopPoint): Generator<Watchpoint> {
  const end = linear + BigInt(length);
  for (let at = linear; at < end;) {
    const next = (at / PAGE + 1n) * PAGE;
    const to = next < end ? next : end;
    yield { linear: at, length: Number(to - at), reads: kind !== "write" };
    at = to;
  }
}

function covers({ linear, length }: StopPoint, at: bigint, size: number): boolean {
  return at < linear + BigInt(length) && linear < at + BigInt(size);
}

export class StopPoints {
  #points: readonly StopPoint[] = [];
  #changed = false;

  /** Whether the machine has not heard of the last change. */
  takeChanged(): boolean {
    const changed = this.#changed;
    this.#changed = false;
    return changed;
  }

  /** False where it is not possible: too many, too long. One that is there already is there once. */
  add(point: StopPoint): boolean {
    if (this.#points.some((one) => same(one, point))) return true;
    if (this.#points.length >= MOST_POINTS) return false;
    const end = point.linear + BigInt(point.length);
    if (!isBreakpoint(point) && !(point.length >= 1 && point.length <= MOST_WATCHED && end <= 1n << 64n))
      return false;
    this.#points = [...this.#points, point];
    this.#changed = true;
    return true;
  }

  /** One that is not there is no mistake. */
  remove(point: StopPoint): void {
    const rest = this.#points.filter((one) => !same(one, point));
    if (rest.length === this.#points.length) return;
    this.#points = rest;
    this.#changed = true;
  }

  clear(): void {
    if (this.#points.length > 0) this.#changed = true;
    this.#points = [];
  }

  get breakpoints(): bigint[] {
    return this.#points.filter(isBreakpoint).map(({ linear }) => linear);
  }

  get watchpoints(): Watchpoint[] {
    return this.#points.filter((one) => !isBreakpoint(one)).flatMap((one) => [...pieces(one)]);
  }

  /** What a stop is; undefined where nobody has asked for it: a write to what is watched for reads only. */
  reason(exit: DebugExit): StopReason | undefined {
    if (exit.reason === "breakpoint") {
      const found = this.#points.find((one) => isBreakpoint(one) && one.linear === exit.linear);
      return found && { kind: found.kind, linear: exit.linear };
    }
    const other = exit.access === "read" ? "write" : "read";
    const found = this.#points.find(
      (one) => !isBreakpoint(one) && one.kind !== other && covers(one, exit.linear, exit.length),
    );
    if (found === undefined) return undefined;
    return { kind: found.kind, linear: found.linear > exit.linear ? found.linear : exit.linear };
  }
}
