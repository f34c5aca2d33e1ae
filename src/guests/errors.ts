/**
 * What goes wrong while a guest is fetched or an initramfs is made, as one error type. Knows nobody who throws it.
 */

/**
 * Why: an unknown name, a host without apt, nothing found in the archive, an archive that cannot be reached or stopped
 * sending, another failed transfer, damaged data, a disk that does not take what is to be kept, or a wrong request.
 */
export type GuestFault =
  "unknown" | "no-apt" | "not-found" | "network" | "fetch" | "damaged" | "storage" | "usage";

/** A guest that cannot be had. The message says what was being done, what was found, and what to do instead. */
export class GuestError extends Error {
  override readonly name = "GuestError";
  /** The system's name of the error ("ENOSPC", "EACCES", …) where the fault is "storage". */
  readonly code: string | undefined;

  constructor(
    readonly fault: GuestFault,
    message: string,
    options: ErrorOptions & { code?: string | undefined } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = options.code;
  }
}
