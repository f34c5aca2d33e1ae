/**
 * What a machine is when nobody says otherwise, each value with its reason.
 */

const MIB = 1024 * 1024;

/** Debian's kernel, its decompression buffer and a shell fit four times over. */
export const DEFAULT_MEMORY = 256 * MIB;
export const DEFAULT_CPUS = 1;

/** One tick is one nanosecond: clock arithmetic stays in exact integers. */
export const TSC_HZ = 1_000_000_000;
/**
 * Input of the APIC timer and the crystal of CPUID 0x15 (Linux takes the one for the other): one tick is ten
 * nanoseconds, ten TSC ticks, and 32 bits of it last 42 s.
 */
export const APIC_HZ = 100_000_000;

/** 2020-01-01 00:00 UTC: for runs that must not depend on the host's date; later than any certificate's start. */
export const DEFAULT_RTC_START = 1_577_836_800;
