/**
 * The library for pages: what a file is, where it boots, which machine it would get, converted and exported. The build makes one file of
 * it, `dist/browser/locore.js`, which a browser loads as it is; nothing leaves the page. Engines are not in it.
 *
 * ```ts
 * const image = recognise(new Uint8Array(await file.arrayBuffer()));
 * const where = [...verdicts(image), ...ownVerdicts(image)];
 * ```
 */
export { recognise } from "../formats/index.js";
export type { KnownImage } from "../formats/index.js";
export type { Fact } from "../formats/image.js";
export { FormatError } from "../formats/format-error.js";
export { namedFile } from "../formats/named-file.js";
export type { NamedFile } from "../formats/named-file.js";
export { claimsX86, LOADERS, RULES, traps, verdicts, x86Verdicts } from "../verdicts/index.js";
export type { FailedCheck, LoaderFacts, NamedRule, Outcome, Trap, Verdict } from "../verdicts/index.js";
export { ownLoaders, ownRefusals, ownVerdicts } from "../boot/own-verdicts.js";
export { buildPlan, LoaderRegistry, tableLines } from "../boot/index.js";
export { BootError, faultText, NoLoaderError, OptionError } from "../boot/boot-error.js";
export type { BootOptions, NamedBytes } from "../boot/options.js";
export type { Plan } from "../boot/plan.js";
export { convert, CONVERT_TARGETS, ConvertError } from "../convert/index.js";
export type { Conversion, ConvertOptions, ConvertTarget, X86Kernel, X86Target } from "../convert/index.js";
export { EXPORT_TARGETS, exportGuest } from "../export/index.js";
export type {
  ConvertedFile,
  Export,
  ExportFile,
  ExportRequest,
  ExportTarget,
  Loss,
} from "../export/index.js";
