/** Files of the guest, read and written by its own programs. */
import { checkNames, type NameOf } from "../options.js";
import { VmError } from "../vm-error.js";
import { Execution } from "./execution.js";
import type { GuestCommands } from "./commands.js";
import { checkBytes } from "./job.js";

/** Bytes of a file that is read, where nobody says something else. */
const USUAL_LIMIT = 256 << 20;

export interface FileOptions {
  readonly signal?: AbortSignal | undefined;
  /** Bytes of a file that is read; a longer one is refused. Absent: 256 MiB. */
  readonly maxBytes?: number | undefined;
}

const WRITE_NAMES: NameOf<Pick<FileOptions, "signal">> = { signal: true };
const NAMES: NameOf<FileOptions> = { ...WRITE_NAMES, maxBytes: true };

export class GuestFiles {
  readonly #commands: GuestCommands;

  /** A user does not make one: it is `vm.fs`. */
  constructor(commands: GuestCommands) {
    this.#commands = commands;
  }

  /** All of a file. Rejects with VmError "file" where the guest cannot read it. */
  async read(path: string, options: FileOptions = {}): Promise<Uint8Array> {
    checkNames("fs.read", options, NAMES);
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

  /** Writes a whole file, over one that is there. Rejects with VmError "file" where the guest cannot write it. */
  async write(
    path: string,
    data: string | Uint8Array,
    options: Pick<FileOptions, "signal"> = {},
  ): Promise<void> {
    checkNames("fs.write", options, WRITE_NAMES);
    const command = new Execution(this.#commands, ["sh", "-c", 'exec cat >"$1"', "sh", path], {
      signal: options.signal,
      stdin: data,
    });
    const { status, stderr } = await command;
    if (status !== 0) throw refused("write", path, stderr, status);
  }
}

function refused(what: string, path: string, stderr: string, status: number): VmError {
  return new VmError("file", `${what} ${path}`, {
    found: `${JSON.stringify(stderr.trim())}, status ${status}`,
    expected: `a file that the guest can ${what}`,
  });
}
