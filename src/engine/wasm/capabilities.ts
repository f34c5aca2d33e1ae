/** What the wasm engine can do, as the contract asks. */
import type { FeatureName } from "../../spec/cpuid.js";
import { withFeatures } from "../../x86/cpu-features.js";
import type { EngineCapabilities } from "../contract.js";
import { MAXIMUM_CPUS } from "../../x86/topology.js";
import { mostRam } from "./limits.js";

/** Without effect where they are not announced, and right where they are. */
const OFF_BY_DEFAULT: Partial<Record<FeatureName, boolean>> = {
  clwb: true,
  prefetchw: true,
  flush_l1d: true,
};

export const CAPABILITIES: EngineCapabilities = {
  countsExactly: true,
  deterministic: true,
  exactState: true,
  adoptsMemory: false,
  dirtyPages: true,
  debugging: true,
  kick: true,
  maxCpus: MAXIMUM_CPUS,
  maxRamBytes: mostRam(1),
  cpuFeatures: withFeatures(OFF_BY_DEFAULT),
};
