/** A device's number in 32 bits, as `new_encode_dev` of Linux has it (<linux/kdev_t.h>): minor 31–20, major 19–8, minor 7–0. */
const LOW_MINOR = 0xff;
const MAJOR_SHIFT = 8;
const HIGH_MINOR_SHIFT = 12;

/** `major` below 2^12, `minor` below 2^20. */
export function encodeDevice(major: number, minor: number): number {
  const low = (minor & LOW_MINOR) | (major << MAJOR_SHIFT);
  return (low | ((minor & ~LOW_MINOR) << HIGH_MINOR_SHIFT)) >>> 0;
}
