/**
 * The one error type of the guest-physical memory map. Knows no loader; outer layers say what they were doing.
 */
import { hex } from "../bytes/hex.js";

/** A claim, size or alignment that cannot be. `address` is guest-physical, bytes. */
export class MemoryMapError extends Error {
  override readonly name = "MemoryMapError";

  constructor(
    /** Guest-physical address the rule failed at. */
    readonly address: number,
    readonly found: string,
    readonly expected: string,
    readonly meaning: string,
  ) {
    super(`guest-physical ${hex(address)}: found ${found}; expected ${expected}. ${meaning}`);
  }
}
