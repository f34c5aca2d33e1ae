/**
 * How a machine ends: kinds, routes and the exit status of each, in one table. Knows no device and no host; the
 * command line prints what is here and exits with it.
 *
 * A debug exit with value v has the status (v << 1) | 1, as in QEMU, so every odd number is a guest's. Ours are even:
 * a test suite that ends by debug exit can never take a failure of ours for a result.
 */

/** What happened, as a person would say it. "failed": a device of somebody's own broke; "saved": it goes on from its snapshot. */
export type EndKind =
  | "off"
  | "saved"
  | "reset"
  | "halted"
  | "crashed"
  | "stuck"
  | "failed"
  | "timeout"
  | "interrupted"
  | "io-error";

/** The end of a machine. Plain data: it crosses from the worker and is printed with `--json`. */
export interface MachineEnd {
  kind: EndKind;
  /** What the machine itself came to, where `kind` is a diagnosis beyond it: a guest that panicked and then reset. */
  machine?: EndKind;
  /** The mechanism: "acpi-s5", "i8042", "port-cf9", "triple-fault", "debug-exit", "signal SIGTERM", … */
  route: string;
  /** Exit status of the process, 0–255. */
  status: number;
  /** One line for a person when the route does not say it all: a panic line, an engine's error. */
  reason?: string;
}

/**
 * Exit statuses of the command line, all even. One place; the README's table is checked against it. `internal` and
 * `ioFailed` are EX_SOFTWARE and EX_IOERR of BSD's sysexits.
 */
export const EXIT_STATUS = {
  ok: 0,
  usage: 2,
  crashed: 4,
  engineUnavailable: 6,
  imageRefused: 8,
  stuck: 10,
  deviceFailed: 12,
  internal: 70,
  ioFailed: 74,
  timeout: 124,
  interrupted: 130,
} as const;

const STATUS_OF_KIND: Record<EndKind, number> = {
  off: EXIT_STATUS.ok,
  reset: EXIT_STATUS.ok,
  halted: EXIT_STATUS.ok,
  saved: EXIT_STATUS.ok,
  crashed: EXIT_STATUS.crashed,
  stuck: EXIT_STATUS.stuck,
  failed: EXIT_STATUS.deviceFailed,
  timeout: EXIT_STATUS.timeout,
  interrupted: EXIT_STATUS.interrupted,
  "io-error": EXIT_STATUS.ioFailed,
};

/** Bits of a process status that the host keeps. */
const STATUS_MASK = 0xff;

/** Builds an end with the documented status of its kind. */
export function machineEnd(kind: EndKind, route: string, reason?: string): MachineEnd {
  const end: MachineEnd = { kind, route, status: STATUS_OF_KIND[kind] };
  if (reason !== undefined) end.reason = reason;
  return end;
}

/** The end by the debug-exit port: `(value << 1) | 1`, as QEMU's isa-debug-exit has it. Never 0. */
export function debugExitEnd(route: string, value: number): MachineEnd {
  return { kind: "off", route, status: ((value << 1) | 1) & STATUS_MASK, reason: `value ${value}` };
}

/** Ends that a panicking guest comes to by itself. An orderly power-off or a host's wish is none of them. */
const ENDS_OF_A_PANIC: readonly EndKind[] = ["reset", "halted", "crashed", "stuck"];

/**
 * The end as it is reported once the console was taken into account: a guest that panicked and then reset,
 * halted or hung has crashed, with the panic line as the reason. Route and what the machine did stay what they were.
 */
export function withPanic(end: MachineEnd, panicLine: string | undefined): MachineEnd {
  if (panicLine === undefined || !ENDS_OF_A_PANIC.includes(end.kind)) return end;
  return { ...machineEnd("crashed", end.route, panicLine), machine: end.kind };
}
