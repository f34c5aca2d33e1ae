/**
 * Operations that the run loop inlines, chosen by counting what Debian's kernel executes while it boots. A longer
 * list makes the loop slower to compile, a shorter one calls more.
 */
export const HOT_OPERATIONS: readonly string[] = [];
