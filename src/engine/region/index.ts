/**
 * What compiles regions, as one module: an engine may be made without it and be given it later, as a start does not wait for it.
 */
export { RegionChecker } from "./checker.js";
export { readCounts } from "./exit-counts.js";
export { dumpText } from "./pass-text.js";
export { RegionCache } from "./region-cache.js";
