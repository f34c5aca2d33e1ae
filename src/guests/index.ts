/**
 * Real guests: a catalogue of kernels and programs that can be fetched, and a builder for the initramfs they boot
 * with. The door into this folder; `light.ts` is a smaller one.
 */
export { GuestError } from "./errors.js";
export type { GuestFault } from "./errors.js";
export { replaceFile } from "./cache/atomic-file.js";
export { defaultCacheFolder, ignoredCacheHome } from "./cache/folder.js";
export { changedNs, inputAt, isUnchanged, SETTLING_MS } from "./cache/input.js";
export type { Input } from "./cache/input.js";
export { STALE_MS as STALE_LOCK_MS } from "./cache/lock-age.js";
export { withFreeLock } from "./cache/lock.js";
export { allGuestNames, guestNames, listGuests, pullGuest } from "./pull.js";
export type { GuestListing, PulledGuest, PullOptions, PullProgress } from "./pull.js";
export { buildInitramfs, initramfsBytes } from "./initramfs/initramfs.js";
export type { AddedFile, InitramfsOptions } from "./initramfs/initramfs.js";
export { packInitramfs } from "./off-thread.js";
export { fetchPackages } from "./initramfs/package-set.js";
export type { FetchedPackage, PackageRequest, PackageSet } from "./initramfs/package-set.js";
export type { PackageFilesOptions } from "./initramfs/package-files.js";
export { EXIT_LINE, exitStatusIn, INIT_LINE, shellQuote } from "./initramfs/init-script.js";
export type { GuestEnd } from "./initramfs/init-script.js";
export { moduleFolder } from "./kernel-modules/module-folder.js";
export { moduleSet } from "./kernel-modules/module-set.js";
export type { KernelModule, ModuleSet, ModuleSource } from "./kernel-modules/module-set.js";
export { pullModules } from "./kernel-modules/pull-modules.js";
export { runInitramfs } from "./initramfs/run-initramfs.js";
export type { RunInitramfsOptions } from "./initramfs/run-initramfs.js";
export { commandBytes, reseedProgram, setHandOverTime } from "./initramfs/run-steps.js";
export { EXEC_CONTROL, EXEC_PORTS, EXEC_SLOTS, slotPorts } from "./initramfs/exec-init.js";
export type { SlotPorts } from "./initramfs/exec-init.js";
export { RUN_PORTS } from "./initramfs/run-options.js";
export { givenVariable } from "./initramfs/run-scripts.js";
export type {
  RunAddress,
  RunCommandOptions,
  RunMount,
  RunRoot,
  RunStartOptions,
} from "./initramfs/run-options.js";
