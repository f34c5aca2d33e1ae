/**
 * Breakpoints and watchpoints of a debugger, which the guest must not see. A linear page with a breakpoint is never in the
 * instruction TLB: whoever comes to it, compiled code as well, asks, and the run loop goes on by single instructions there. A page
 * with a watchpoint has no fast data tags, as with one of the guest's own (breakpoints.ts).
 */
import * as L from "../layout.js";
import type { Breakpoint } from "./breakpoints.js";

/** The first access that reached a watchpoint. */
export interface WatchedAccess {
  linear: number;
  length: number;
  write: boolean;
}

/** Bit of DR6 of what is no breakpoint of the guest's. */
export const NOT_THE_GUESTS = 0;

export class Stops {
  private addresses: ReadonlySet<number> = new Set();
  private pages: ReadonlySet<number> = new Set();
  /** Watchpoints in the form of breakpoints.ts. */
  watches: readonly Breakpoint[] = [];
  /** Set by an access that reaches a watchpoint. */
  reached: WatchedAccess | undefined;
  /** One instruction of a page with breakpoints is let in. */
  stepping = false;

  /** Linear pages with breakpoints. */
  get codePages(): Iterable<number> {
    return this.pages;
  }

  /** Whether there is any breakpoint. */
  get any(): boolean {
    return this.pages.size > 0;
  }

  setBreakpoints(addresses: readonly number[]): void {
    this.addresses = new Set(addresses);
    this.pages = new Set(addresses.map((address) => Math.floor(address / L.PAGE_SIZE)));
  }

  /** Whether an instruction at a linear address is one to stop at. */
  stopsAt(linear: number): boolean {
    return this.addresses.has(linear);
  }

  /** Whether the page of a linear address has breakpoints. */
  inPage(linear: number): boolean {
    return this.any && this.pages.has(Math.floor(linear / L.PAGE_SIZE));
  }

  /** Whether a fetch from a linear address must wait until the run loop has looked. */
  holdFetch(linear: number): boolean {
    return !this.stepping && this.inPage(linear);
  }
}
