/**
 * The one error type of the guest-physical memory map. Knows no loader; outer layers say what they were doing.
 */

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
    super(`at guest-physical ${hexAddress(address)}: found ${found}, expected ${expected} (${meaning})`);
  }
}

/** A guest-physical address or size for people: `0x1000000`. */
export function hexAddress(value: number): string {
  return `0x${value.toString(16)}`;
}
