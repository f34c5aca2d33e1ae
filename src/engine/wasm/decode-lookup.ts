/** Generated code that looks decoded instructions up; the decode cache (decode-cache.ts) does the same in TypeScript. */
import type { FunctionBuilder } from "../ir/function-builder.js";
import type { Value } from "../ir/ir.js";
import * as layout from "../x86/layout.js";

/** Address of the lookup entry for (RAM offset, mode); `lookupWord` in decode-cache.ts is its twin. */
export function lookupEntry(b: FunctionBuilder, ramOffset: Value, mode: Value): Value {
  const mixed = b.xor(b.xor(ramOffset, b.shrU(ramOffset, b.i32(16))), b.shl(mode, b.i32(5)));
  const index = b.and(mixed, b.i32(layout.LOOKUP_ENTRIES - 1));
  return b.add(b.mul(index, b.i32(layout.LOOKUP_ENTRY_SIZE)), b.i32(layout.LOOKUP));
}

/** Whether the entry at `entry` is that of (RAM offset, mode), i32. */
export function isEntryOf(b: FunctionBuilder, entry: Value, ramOffset: Value, mode: Value): Value {
  return b.and(b.eq(b.load("i32.load", entry), ramOffset), b.eq(b.load("i32.load", entry, 4), mode));
}
