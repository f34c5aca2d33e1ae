/**
 * What `boot/` offers: from an image and options to a plan, and the plan's tables as text.
 */
export { buildPlan, type EngineOffer, type PlugIns, type Surroundings } from "./build-plan.js";
export { BootError, faultText, NoLoaderError, OptionError, type BootFault } from "./boot-error.js";
export { ask, choose, type Choice, type LoaderVerdict } from "./choose.js";
export type {
  BootProtocol,
  LoadContext,
  Loader,
  LoaderOptionSpec,
  RecogniseContext,
  Recognition,
} from "./loader.js";
export type { BootModule, BootOptions, ClockOptions, LoaderOptions, NamedBytes } from "./options.js";
export type { Plan } from "./plan.js";
export { LoaderRegistry } from "./registry.js";
export { tableLines } from "./table-lines.js";
