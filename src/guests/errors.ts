/**
 * What goes wrong while a guest is fetched or an initramfs is made, as one error type. Knows nobody who throws it.
 */

/** Why: an unknown name, a host without apt, nothing found in the archive, a failed transfer, damaged data. */
export type GuestFault = "unknown" | "no-apt" | "not-found" | "fetch" | "damaged" | "usage";

/** A guest that cannot be had. The message says what was being done, what was found, and what to do instead. */
export class GuestError extends Error {
  override readonly name = "GuestError";
  constructor(
    readonly fault: GuestFault,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}
