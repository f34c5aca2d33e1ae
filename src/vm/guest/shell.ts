/** An interactive program on a terminal of the guest's. */
import type { ConsoleSize } from "../../host/shared.js";
import { Terminal, type TerminalWire } from "../terminal.js";
import { ABORT_SIGNAL, ANYTHING, checkOptions, LIST, OBJECT, TEXT, type KindsOf } from "../option-kinds.js";
import { afterPatience } from "../patience.js";
import { VmError } from "../vm-error.js";
import type { GuestCommands } from "./commands.js";
import { Execution } from "./execution.js";
import { jobScript, type JobOptions } from "./job.js";
import { KILL_PATIENCE_MS, stubborn } from "./stubborn.js";
import type { Slot } from "./slot.js";

export interface ShellOptions extends JobOptions {
  /** What runs there; absent: sh. */
  readonly command?: readonly string[] | undefined;
  /** How large the terminal is, characters: both, or neither. */
  readonly columns?: number | undefined;
  readonly rows?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

const KINDS: KindsOf<ShellOptions> = {
  cwd: TEXT,
  env: OBJECT,
  command: LIST,
  columns: ANYTHING,
  rows: ANYTHING,
  signal: ABORT_SIGNAL,
};
/** A terminal's size is said in 16 bits. */
const LARGEST = 0xffff;

const SIZE_KINDS: KindsOf<ConsoleSize> = { columns: ANYTHING, rows: ANYTHING };

/** Throws VmError "option" for what is no size, or half of one. */
function checkedSize({ columns, rows }: Pick<ShellOptions, "columns" | "rows">): ConsoleSize {
  const isSize = (size: number | undefined): boolean =>
    size !== undefined && Number.isInteger(size) && size > 0 && size <= LARGEST;
  if (isSize(columns) && isSize(rows)) return { columns: columns!, rows: rows! };
  throw new VmError("option", "shell", {
    found: `columns ${columns}, rows ${rows}`,
    expected: `both, each from 1 to ${LARGEST}`,
  });
}

/** The machine's only terminal, as a shell has it. */
export interface TerminalPort {
  give(bytes: Uint8Array): number;
  /** What the guest writes goes there; undefined: nowhere. */
  wire: TerminalWire | undefined;
  /** In a copy: once the shell of the first machine is gone, whose other end nobody has. */
  hungUp?: Promise<void>;
  resize(size: ConsoleSize): void;
}

const TERMINAL = "xterm";

/**
 * Bytes that a reader of a shell may lag behind. It is not for it to hold the guest back: Linux's driver of this terminal keeps a CPU
 * until the bytes that it sends are taken.
 */
const MOST_LAG = 64 << 20;

function overrun(): VmError {
  return new VmError("overrun", "shell", {
    found: `a reader more than ${MOST_LAG} bytes behind`,
    expected: "one that reads what the guest writes",
    meaning: "A shell's output cannot be held back; who reads vm.exec() slowly holds back its command.",
  });
}

/** Both ways of the program's terminal, and its end. */
export class Shell extends Terminal {
  readonly #commands: GuestCommands;
  readonly #slot: Slot;
  readonly #port: TerminalPort;
  /** The program's status. Rejects with VmError "ended" when the machine ends before. */
  readonly end: Promise<number>;

  /** A user does not make one: it comes from `vm.shell()`. */
  constructor(commands: GuestCommands, slot: Slot, port: TerminalPort, job: Uint8Array) {
    super(
      (bytes) => port.give(bytes),
      (wire) => (port.wire = wire),
      { bytes: MOST_LAG, error: overrun },
    );
    this.#commands = commands;
    this.#slot = slot;
    this.#port = port;
    this.end = new Promise<number>((resolve, reject) => {
      slot.begin(job, "terminal", {
        output: () => Promise.resolve(),
        ended: (status) => {
          this.#over(
            new VmError("ended", "shell", { found: `its end, status ${status}`, expected: "a shell" }),
          );
          resolve(status);
        },
        failed: (error) => {
          this.#over(error);
          reject(error);
        },
      });
    });
    this.end.catch(() => undefined);
  }

  /** The terminal has this size from now on. Throws VmError "option". */
  resize(size: ConsoleSize): void {
    checkOptions("resize", size, SIZE_KINDS);
    this.#port.resize(checkedSize(size));
  }

  /** Kills it, and all of its session; resolves once it is gone. Rejects with VmError "timeout" when the guest does not end it. */
  async close(): Promise<void> {
    if (this.#port.wire !== undefined) {
      this.#commands.signal(this.#slot, "KILL");
      // Its end comes behind what it wrote: a reader that stalls must not hold that back.
      this.#port.wire.finish(
        new VmError("ended", "shell", { found: "close()", expected: "a shell that is open" }),
      );
    }
    let forget: (() => void) | undefined;
    try {
      await Promise.race([
        this.end.catch(() => undefined),
        new Promise((_, reject) => {
          forget = afterPatience(KILL_PATIENCE_MS, () => reject(stubborn("shell")));
        }),
      ]);
    } finally {
      forget?.();
    }
  }

  /** The same, whether or not the guest ends it. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close().catch(() => undefined);
  }

  #over(error: Error): void {
    this.#port.wire?.finish(error);
    this.#port.wire = undefined;
  }
}

/**
 * Ends what has the terminal hvc0 (its device is 229:0), and waits until it is gone. What follows the name in /proc/PID/stat: its state, its
 * parent, its group, its session, its terminal.
 */
const HANG_UP = `
while :; do
  found=
  for each in /proc/[0-9]*/stat; do
    read -r line <"$each" || continue
    set -- \${line##*) }
    [ "$5" = ${229 << 8} ] || continue
    found=1
    each=\${each#/proc/}
    kill -KILL "\${each%/stat}"
  done 2>/dev/null
  [ -n "$found" ] || exit 0
  sleep 0.01
done`;

/** Begins it. Rejects with VmError "guest" while there is another one: the guest has one terminal. */
export async function openShell(
  commands: GuestCommands,
  port: TerminalPort,
  options: ShellOptions,
): Promise<Shell> {
  checkOptions("shell", options, KINDS);
  const hasSize = options.columns !== undefined || options.rows !== undefined;
  const size = hasSize ? checkedSize(options) : undefined;
  const { command = ["sh"], signal } = options;
  const job = jobScript(command, { ...options, env: { TERM: TERMINAL, ...options.env } });
  if (commands.runsOld) port.hungUp ??= new Execution(commands, HANG_UP).then(() => undefined);
  await port.hungUp;
  const slot = await commands.slot(signal);
  if (port.wire !== undefined) {
    commands.release(slot);
    throw new VmError("guest", "shell", {
      found: "another shell that is open",
      expected: "the guest's terminal to be free",
      meaning: "Close the other one first; vm.exec() runs commands at the same time.",
    });
  }
  if (size !== undefined) port.resize(size);
  return new Shell(commands, slot, port, job);
}
