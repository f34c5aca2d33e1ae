/** A machine as a user of the library holds it. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import type { Diagnosis } from "../diagnose/diagnosis.js";
import { fileReason } from "../cli/failure.js";
import { inFile } from "../cli/naming.js";
import { EXEC_CONTROL, EXEC_SLOTS } from "../guests/index.js";
import { FAST_READING, readSnapshotFile } from "../host/node/snapshot-file.js";
import type { RunReport } from "../host/run.js";
import { machineEnd } from "../machine/end.js";
import type { SnapshotAbout } from "../snapshot/about.js";
import { readCardMtu } from "../snapshot/card-mtu.js";
import { readAbout } from "../snapshot/file.js";
import { readPortNames } from "../snapshot/port-names.js";
import { begun, begunServing } from "./beginning.js";
import type { GuestCommands } from "./guest/commands.js";
import { Execution, type ExecOptions } from "./guest/execution.js";
import { GuestFiles } from "./guest/files.js";
import { shellText, type ShellValue } from "./guest/job.js";
import { renewRandomNumbers } from "./guest/renewal.js";
import { openShell, type Shell, type ShellOptions } from "./guest/shell.js";
import { netOfCopy, netWish } from "./network.js";
import { checkRestore, checkStart, isRun, type RestoreOptions, type VmOptions } from "./options.js";
import { disksOf } from "./option-words.js";
import { bootSource, runRequest } from "./source.js";
import type { Terminal } from "./terminal.js";
import { VmError } from "./vm-error.js";
import type { HostSource, VmHost } from "./vm-host.js";

const NS_PER_US = 1000;
/** Where a copy is written on its way. */
const COPY = "copy.snap";

/**
 * A number that no command of a saved machine has reached. They are counted from 1, and from here on in a machine that goes on: a command
 * takes longer than a microsecond of its machine's time, which grows from life to life.
 */
function lastJobBy({ clockNs }: SnapshotAbout): number {
  return Math.ceil(clockNs / NS_PER_US) + EXEC_SLOTS;
}

/** Throws VmError "option" for what is no path. */
function pathOf(file: string | URL): string {
  if (typeof file !== "string" && !(file instanceof URL))
    throw new VmError("option", "file", { found: `a ${typeof file}`, expected: "a path or a URL" });
  return file instanceof URL ? fileURLToPath(file) : path.resolve(file);
}

/** What `read` finds in a snapshot. Throws VmError "snapshot" for a file that cannot be read, and SnapshotError, which names it, for one that is none. */
function lookInto<T>(snapshot: string, read: Parameters<typeof readSnapshotFile<T>>[1]): T {
  try {
    return readSnapshotFile(snapshot, read);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).syscall === undefined) throw inFile(snapshot, cause);
    const found = fileReason(cause);
    const expected = "a file that vm.snapshot or locore boot --snapshot has written";
    throw new VmError("snapshot", `snapshot ${snapshot}`, { found, expected }, { cause });
  }
}

/**
 * One machine, in a thread of its own. `Vm.start` makes it of a kernel, `Vm.restore` of a snapshot. It keeps the process alive until it
 * has ended: `stop()`, `await using`, or by itself.
 */
export class Vm {
  readonly #host: VmHost;
  readonly #options: VmOptions | RestoreOptions;
  readonly #hasShares: boolean;
  readonly #files: GuestFiles | undefined;
  /**
   * Why the kernel was booted, and no machine went on that was kept: a sentence for people. Undefined where one went on, for machines without
   * `run`, and for those that were restored.
   */
  readonly coldReason: string | undefined;

  private constructor(
    host: VmHost,
    options: VmOptions | RestoreOptions,
    { hasShares = false, coldReason }: { hasShares?: boolean; coldReason?: string | undefined } = {},
  ) {
    this.#host = host;
    this.#options = options;
    this.#hasShares = hasShares;
    this.coldReason = coldReason;
    this.#files = host.commands && new GuestFiles(host.commands);
  }

  /**
   * Starts a machine. Resolves when its guest runs; with `run`, when it takes commands. Rejects with VmError "option", "no-exec",
   * "timeout" (`startTimeoutMs`) and "ended", with what reading and planning throw (the errors of `locore`, by their names), and with the reason of `signal`.
   */
  static async start(options: VmOptions = {}): Promise<Vm> {
    checkStart(options);
    const wish = netWish(options.net);
    const way = { options, wish, mtu: undefined, maxResets: options.maxResets ?? 0 };
    const hasShares = Object.keys(options.shares ?? {}).length > 0;
    if (isRun(options)) {
      const request = runRequest(options, wish);
      const { host, coldReason } = await begunServing({ ...way, serving: "from boot" }, request);
      return new Vm(host, options, { hasShares, coldReason });
    }
    const source = async (signal: AbortSignal): Promise<HostSource> => ({
      source: await bootSource(options, wish, signal),
    });
    return new Vm(await begun({ ...way, serving: "no", source }), options, { hasShares });
  }

  /**
   * Goes on with a machine that was saved. Its disks are given again, and its network. Rejects with SnapshotError for a file that is
   * none, with VmError "snapshot" for one that cannot be read, and as `start` does.
   */
  static async restore(file: string | URL, options: RestoreOptions = {}): Promise<Vm> {
    checkRestore(options);
    const snapshot = pathOf(file);
    const { ports, mtu, about } = lookInto(snapshot, (source) => ({
      ports: readPortNames(source, FAST_READING),
      mtu: readCardMtu(source, FAST_READING),
      about: readAbout(source, FAST_READING),
    }));
    const { clock = "jump" } = options;
    const disks = disksOf(options.disks ?? []);
    const host = await begun({
      options,
      wish: netWish(options.net),
      mtu,
      serving: ports.includes(EXEC_CONTROL) ? { lastJob: lastJobBy(about) } : "no",
      // As it was when it was saved: without what it began with, it cannot begin again.
      maxResets: 0,
      source: () => Promise.resolve({ source: { snapshot, clock, ...(disks.length > 0 && { disks }) } }),
    });
    if (host.commands !== undefined && !(await renewRandomNumbers(host.commands)))
      options.onMessage?.("the guest could not renew its random numbers: other copies may have the same");
    options.signal?.throwIfAborted();
    return new Vm(host, options);
  }

  /** The guest's console. */
  get console(): Terminal {
    return this.#host.console;
  }

  /** How the machine ended. Rejects when it broke: an engine that cannot go on, a bug of ours. */
  get end(): Promise<RunReport> {
    return this.#host.end;
  }

  /** Whether the guest takes commands: whether there is `exec`, `fs` and `shell`. */
  get canExec(): boolean {
    return this.#host.commands !== undefined;
  }

  /**
   * Runs a command in the guest: a program and its arguments, or a text for `sh -c`. Four run at once, others wait. Throws VmError
   * "no-exec" where the guest takes none.
   */
  exec(command: string | readonly string[], options?: ExecOptions): Execution {
    return new Execution(this.#commands("exec"), command, options);
  }

  /**
   * Runs a text by `sh -c`, as it is written: vm.sh`wc -l <${file}`. A value is one word, whatever is in it; a list is one for each. Throws
   * VmError "no-exec" where the guest takes none.
   */
  sh(text: TemplateStringsArray, ...values: ShellValue[]): Execution {
    return this.exec(shellText(text, values));
  }

  /** The guest's files. Throws VmError "no-exec" where the guest takes no commands. */
  get fs(): GuestFiles {
    this.#commands("fs");
    return this.#files!;
  }

  /** A shell on a terminal of the guest's, one at a time. Rejects with VmError "no-exec" where the guest takes no commands. */
  async shell(options: ShellOptions = {}): Promise<Shell> {
    return openShell(this.#commands("shell"), this.#host.terminal, options);
  }

  /** The machine stands still, and its clock with it; resolves once it does. */
  pause(): Promise<void> {
    return this.#host.hold(true);
  }

  /** It goes on. */
  resume(): Promise<void> {
    return this.#host.hold(false);
  }

  /** Saves the machine to a file and goes on; gives the file's bytes. Rejects with VmError "snapshot" and "ended". */
  async snapshot(file: string | URL): Promise<number> {
    if (this.#hasShares)
      throw new VmError("snapshot", "snapshot", {
        found: "a machine that shares a folder",
        expected: "none",
        meaning:
          "What the guest has open there is nowhere but in this process. Copy what it needs with vm.fs.",
      });
    return this.#host.save(pathOf(file));
  }

  /**
   * A second machine that goes on where this one is. Its network is made anew, as this one's was asked for but without its published
   * ports and its capture, unless `options` say something else; so are its disks, from their files.
   */
  async fork(options: RestoreOptions = {}): Promise<Vm> {
    checkRestore(options);
    const folder = await mkdtemp(path.join(tmpdir(), "locore-"));
    try {
      const file = path.join(folder, COPY);
      await this.snapshot(file);
      return await Vm.restore(file, { ...this.#again(), ...options });
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }

  /** Where the machine is and why it does not go on, as `locore doctor` would say it. Rejects with VmError "ended". */
  diagnose(): Promise<Diagnosis> {
    return this.#host.diagnose();
  }

  /** Ends the machine at once, as pulling its plug would; gives how it ended. Harmless when it has ended. */
  stop(): Promise<RunReport> {
    this.#host.stop(machineEnd("interrupted", "vm.stop()"));
    return this.end;
  }

  /** Ends the machine; resolves once its thread, its files and its sockets are gone. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop().catch(() => undefined);
  }

  /** What a copy is given again. */
  #again(): RestoreOptions {
    const { disks, net, jit, onMessage } = this.#options;
    return {
      ...(disks && { disks }),
      ...(net !== undefined && { net: netOfCopy(net) }),
      ...(jit && { jit }),
      ...(onMessage && { onMessage }),
      clock: "hold",
    };
  }

  #commands(what: string): GuestCommands {
    const { commands } = this.#host;
    if (commands !== undefined) return commands;
    throw new VmError("no-exec", what, {
      found: "a guest with an init of its own",
      expected: "one whose init is locore's",
      meaning: "Vm.start() without a kernel, or with run: true, starts one; vm.console is there in any case.",
    });
  }
}
