/** A device's configuration as drivers read it: bytes of fields, and zeros behind them. */
import { BYTE_BITS } from "../bus/access-bytes.js";
import type { AccessSize } from "../device.js";

/** The value of `size` bytes at `offset`. */
export function configValue(bytes: Uint8Array, offset: number, size: AccessSize): number {
  let value = 0;
  for (let i = 0; i < size; i++) value |= (bytes[offset + i] ?? 0) << (BYTE_BITS * i);
  return value >>> 0;
}
