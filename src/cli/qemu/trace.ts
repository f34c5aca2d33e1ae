/** QEMU's words about logs of what a machine does. */
import { refuse, same, type Rule } from "./rules.js";

export const NO_LISTING = refuse(
  "executed code is not listed",
  "--trace port,mmio,irq,exit,msr,virtio writes what the machine does; npm run trace:compare compares every instruction with QEMU's (docs/trace-compare.md)",
);

/** Kinds of -d, and those of --trace that say the same; what the engine lacks is told anyway. */
const KINDS: Readonly<Record<string, readonly string[]>> = {
  int: ["irq", "exit"],
  cpu_reset: ["exit"],
  unimp: [],
  guest_errors: [],
};

/** -d KIND,…: only what a trace has. */
export const LOGGED: Rule = {
  about: `taken: int and cpu_reset as --trace irq,exit; unimp and guest_errors, which are told anyway; else ${NO_LISTING.about}`,
  judge(value, index) {
    const words = value.split(",");
    if (!words.every((word) => Object.hasOwn(KINDS, word))) return NO_LISTING.judge(value, index);
    const kinds = [...new Set(words.flatMap((word) => KINDS[word]))];
    return { taken: true, args: kinds.length > 0 ? ["--trace", kinds.join(",")] : [] };
  },
};

/** -D FILE. */
export const LOG_FILE = same("the same as --trace-file FILE", (file) => ["--trace-file", file]);
