/**
 * The kinds of memory that a PC's firmware reports, and their numbers as Linux and PVH guests read them.
 * Knows nothing of how a map is made.
 *
 * Specification: ACPI 6.5 §15, table 15.8 "Address Range Types".
 */

/** What an e820 entry means; see `E820_NUMBERS` for the number of each. */
export type E820Type = "ram" | "reserved" | "acpi" | "nvs" | "unusable";

/** One range of guest-physical memory: `start` and `size` in bytes. */
export interface E820Entry {
  start: number;
  size: number;
  type: E820Type;
}

/** AddressRangeMemory, -Reserved, -ACPI, -NVS, -Unusable. */
export const E820_NUMBERS: Readonly<Record<E820Type, number>> = {
  ram: 1,
  reserved: 2,
  acpi: 3,
  nvs: 4,
  unusable: 5,
};
