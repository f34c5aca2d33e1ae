/** Operations of records that stand for no instruction of their own; see the interpreter. */

/** In the order of their numbers. */
export const PSEUDO_OPERATIONS = [
  "relookup",
  "continue",
  "crossing",
  "undefined",
  "too_long",
  "beyond_limit",
  "unimplemented",
  "device_not_available",
  "mov_absolute",
] as const;

const numberOf = (name: (typeof PSEUDO_OPERATIONS)[number]): number => PSEUDO_OPERATIONS.indexOf(name);

/** Their numbers. */
export const PSEUDO = {
  relookup: numberOf("relookup"),
  continue: numberOf("continue"),
  crossing: numberOf("crossing"),
  undefined: numberOf("undefined"),
  tooLong: numberOf("too_long"),
  beyondLimit: numberOf("beyond_limit"),
  unimplemented: numberOf("unimplemented"),
  deviceNotAvailable: numberOf("device_not_available"),
  movAbsolute: numberOf("mov_absolute"),
};
