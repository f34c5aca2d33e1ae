/**
 * The other door into this folder, for a run that goes on from a machine that was kept: what neither fetches nor packs anything. The
 * rest of the folder takes longer to load than such a run has.
 */
export { defaultCacheFolder } from "./cache/folder.js";
export { changedNs, inputAt, isUnchanged, SETTLING_MS } from "./cache/input.js";
export type { Input } from "./cache/input.js";
export { STALE_MS as STALE_LOCK_MS } from "./cache/lock-age.js";
export { EXEC_PORTS } from "./initramfs/exec-init.js";
export { RUN_FAILED, RUN_PORTS } from "./initramfs/run-options.js";
export type { RunAddress, RunCommandOptions, RunMount, RunRoot } from "./initramfs/run-options.js";
export { commandBytes, setHandOverTime } from "./initramfs/run-steps.js";
