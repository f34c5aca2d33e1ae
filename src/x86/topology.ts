/** How many CPUs a machine can have: the one limit that options, plans and engines share. */

/** More would only share one thread's time. APIC ids have 8 bits, 255 means "all", and the I/O APIC takes the id after the last CPU. */
export const MAXIMUM_CPUS = 64;
