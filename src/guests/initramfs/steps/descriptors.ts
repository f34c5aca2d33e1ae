/** Numbers of descriptors in a run's process 1. */

/** The console, as the kernel opens it for process 1. */
export const CONSOLE = 2;
/** The machine's ports, which the shell has opened before. */
export const PORTS = { control: 9, stdin: 8, stdout: 7, stderr: 6 } as const;
/** The command's ends of its pipes. */
export const STREAMS = { stdin: 20, stdout: 21, stderr: 22 } as const;
/** The other ends. */
export const RELAYED = { stdin: 23, stdout: 24, stderr: 25 } as const;
/** Through which a relay says that all was carried. */
export const OVER = { reads: 26, writes: 27 } as const;
