/** Whose CPU an outcome comes from: what exemptions differ by. */
import { readFileSync } from "node:fs";

export const VENDORS = ["AMD", "Intel"] as const;
export type Vendor = (typeof VENDORS)[number];

/** CPUID's vendor strings, as /proc/cpuinfo has them. */
const IDENTIFIERS: Readonly<Record<string, Vendor>> = { AuthenticAMD: "AMD", GenuineIntel: "Intel" };
let host: Vendor | undefined;

/** The maker of the host's CPU, or undefined where it is neither. Reads /proc/cpuinfo. */
export function hostVendor(): Vendor | undefined {
  host ??= IDENTIFIERS[/^vendor_id\s*: (.*)$/m.exec(readFileSync("/proc/cpuinfo", "latin1"))?.[1] ?? ""];
  return host;
}

/** The maker that a CPU's name, or a line that has it, speaks of. Throws an Error that quotes it if there is none. */
export function vendorNamed(text: string): Vendor {
  const found = VENDORS.find((vendor) => text.includes(vendor));
  if (found === undefined) throw new Error(`no known maker of CPUs (${VENDORS.join(", ")}) in "${text}"`);
  return found;
}
