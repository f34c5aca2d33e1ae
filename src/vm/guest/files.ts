/** Files of the guest, read and written by its own programs. */
import {
  ABORT_SIGNAL,
  ANYTHING,
  checkOptions,
  checkValue,
  DATA,
  TEXT,
  type KindsOf,
} from "../option-kinds.js";
import { VmError } from "../vm-error.js";
import { Execution, type ExecResult } from "./execution.js";
import type { GuestCommands } from "./commands.js";
import { checkBytes } from "./job.js";

/** Bytes of a file that is read, where nobody says something else. */
const USUAL_LIMIT = 256 << 20;

export interface FileOptions {
  readonly signal?: AbortSignal | undefined;
  /** Bytes of a file that is read; a longer one is refused. Absent: 256 MiB. */
  readonly maxBytes?: number | undefined;
}

export type SignalOption = Pick<FileOptions, "signal">;

const SIGNAL_KINDS: KindsOf<SignalOption> = { signal: ABORT_SIGNAL };
const OPTION_KINDS: KindsOf<FileOptions> = { ...SIGNAL_KINDS, maxBytes: ANYTHING };

/** What a file is. */
export interface FileFacts {
  readonly kind: "file" | "folder" | "other";
  /** Bytes. */
  readonly size: number;
  /** Permissions: 0o644. */
  readonly mode: number;
  /** When it was written, ms since 1970. */
  readonly mtimeMs: number;
}

/** Of the file's mode: what it is, and who may do what. `stat(2)`. */
const KIND = 0o170000;
const PERMISSIONS = 0o7777;
const KINDS: Readonly<Record<number, FileFacts["kind"]>> = { 0o100000: "file", 0o040000: "folder" };
const MS_PER_SECOND = 1000;

/** Names apart by zero bytes: whatever else is in them. */
const LIST = `cd -- "$1" || exit
for each in * .*; do
  case $each in . | ..) continue ;; esac
  [ -e "$each" ] || [ -L "$each" ] || continue
  printf '%s\\0' "$each"
done`;

export class GuestFiles {
  readonly #commands: GuestCommands;

  /** A user does not make one: it is `vm.fs`. */
  constructor(commands: GuestCommands) {
    this.#commands = commands;
  }

  /** All of a file. Rejects with VmError "file" where the guest cannot read it. */
  async read(path: string, options: FileOptions = {}): Promise<Uint8Array> {
    checkOptions("fs.read", options, OPTION_KINDS);
    checkValue("fs.read", path, TEXT);
    const { signal, maxBytes = USUAL_LIMIT } = options;
    checkBytes("maxBytes", maxBytes);
    const tooLong = (): VmError =>
      new VmError("file", `read ${path}`, {
        found: `more than ${maxBytes} bytes`,
        expected: "a file that is not longer",
        meaning: "maxBytes says how long it may be.",
      });
    const command = new Execution(
      this.#commands,
      ["sh", "-c", 'exec cat <"$1"', "sh", path],
      { signal, maxOutputBytes: maxBytes },
      { whenCut: tooLong },
    );
    const { status, stdoutBytes, stderr } = await command;
    if (status !== 0) throw refused("read", path, stderr, status);
    return stdoutBytes;
  }

  /** The same as UTF-8. */
  async readText(path: string, options: FileOptions = {}): Promise<string> {
    return new TextDecoder().decode(await this.read(path, options));
  }

  /** Writes a whole file, over one that is there. Rejects with VmError "file" where the guest cannot write it. */
  async write(path: string, data: string | Uint8Array, options: SignalOption = {}): Promise<void> {
    await this.#run("write", 'exec cat >"$1"', path, options, data);
  }

  /** Names in a folder, sorted, also those that begin with a dot. Rejects with VmError "file". */
  async list(path: string, options: SignalOption = {}): Promise<string[]> {
    const { stdout } = await this.#run("list", LIST, path, options);
    return stdout.split("\0").slice(0, -1).sort();
  }

  /** What a file is; of a link, what it leads to. Rejects with VmError "file" where there is none. */
  async stat(path: string, options: SignalOption = {}): Promise<FileFacts> {
    const { stdout } = await this.#run("stat", 'exec stat -L -c "%f %s %Y" -- "$1"', path, options);
    const [mode = "", size, seconds] = stdout.split(" ");
    const bits = parseInt(mode, 16);
    return {
      kind: KINDS[bits & KIND] ?? "other",
      size: Number(size),
      mode: bits & PERMISSIONS,
      mtimeMs: Number(seconds) * MS_PER_SECOND,
    };
  }

  /** Whether there is a file or a folder of this name. */
  async exists(path: string, options: SignalOption = {}): Promise<boolean> {
    const { stdout } = await this.#run("exists", '[ ! -e "$1" ] || echo yes', path, options);
    return stdout !== "";
  }

  /** Makes a folder, and those above it; one that is there is left as it is. Rejects with VmError "file". */
  async mkdir(path: string, options: SignalOption = {}): Promise<void> {
    await this.#run("mkdir", 'exec mkdir -p -- "$1"', path, options);
  }

  /** Removes a file, or a folder with all that is in it; what is not there is no error. Rejects with VmError "file". */
  async remove(path: string, options: SignalOption = {}): Promise<void> {
    if (/^[./]*$/.test(path))
      throw new VmError("option", `remove ${path}`, { found: "the root, or no name", expected: "a file" });
    await this.#run("remove", 'exec rm -rf -- "$1"', path, options);
  }

  async #run(
    what: string,
    script: string,
    path: string,
    options: SignalOption,
    stdin?: string | Uint8Array,
  ): Promise<ExecResult> {
    checkOptions(`fs.${what}`, options, SIGNAL_KINDS);
    checkValue(`fs.${what}`, path, TEXT);
    if (stdin !== undefined) checkValue(`fs.${what}`, stdin, DATA);
    const { signal } = options;
    const result = await new Execution(this.#commands, ["sh", "-c", script, "sh", path], { signal, stdin });
    if (result.status !== 0) throw refused(what, path, result.stderr, result.status);
    return result;
  }
}

function refused(what: string, path: string, stderr: string, status: number): VmError {
  return new VmError("file", `${what} ${path}`, {
    found: `${JSON.stringify(stderr.trim())}, status ${status}`,
    expected: "the guest to do it",
  });
}
