/** Kernel images made into other kernel images. The one door into this folder. */
export { convert, CONVERT_TARGETS, placeText } from "./convert.js";
export type {
  Conversion,
  ConvertOptions,
  ConvertTarget,
  UnwrappedKernel,
  WrappedKernel,
  WrapTarget,
} from "./convert.js";
export type { X86Kernel, X86Target } from "./x86.js";
export { ConvertError } from "./convert-error.js";
export type { Placement, PlacementRequest } from "./placement.js";
