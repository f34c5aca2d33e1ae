/**
 * The escape key of the console: Ctrl-A begins a command to the monitor, everything else goes to the guest.
 * Pure: bytes in, bytes and commands out. The keys are those of QEMU's -nographic.
 */

/** Ctrl-A. */
const ESCAPE = 0x01;
/** Ctrl-C. */
const INTERRUPT = 0x03;
/** So many of them, and nothing between: whoever sits there wants to leave. */
const MANY_INTERRUPTS = 3;
const KEY_QUIT = "x".charCodeAt(0);
const KEY_HELP = "h".charCodeAt(0);
const KEY_SAVE = "s".charCodeAt(0);
const KEY_GDB = "g".charCodeAt(0);
const KEY_EXPLAIN = "i".charCodeAt(0);
const KEY_SEND = "a".charCodeAt(0);

/** "leave?" is no key: Ctrl-C came again and again, for the first time. */
export type EscapeCommand = "quit" | "help" | "save" | "gdb" | "explain" | "leave?";

/** What is said then. */
export const LEAVE_HINT = "locore: Ctrl-C is the guest's, Ctrl-A x quits";

/** What `Ctrl-A h` shows. */
export const ESCAPE_HELP = [
  "Ctrl-A x       quit: end the machine at once",
  "Ctrl-A s       save the machine to a snapshot and go on; locore restore goes on from it",
  "Ctrl-A g       let gdb attach; says where",
  "Ctrl-A i       say where the machine is, what it waits for, and why",
  "Ctrl-A h       this list",
  "Ctrl-A a       send Ctrl-A to the guest (Ctrl-A Ctrl-A does the same)",
];

export interface EscapeResult {
  /** For the guest, in order. */
  bytes: Uint8Array;
  /** For the monitor, in order. */
  commands: EscapeCommand[];
}

/** Remembers a Ctrl-A that came at the end of one block of input. */
export class EscapeKey {
  #pending = false;
  /** Ctrl-C, one behind the other; undefined once that was told. */
  #interrupts: number | undefined = 0;

  feed(input: Uint8Array): EscapeResult {
    const bytes: number[] = [];
    const commands: EscapeCommand[] = [];
    for (const byte of input) {
      if (!this.#pending) {
        if (this.#wantsToLeave(byte)) commands.push("leave?");
        if (byte === ESCAPE) this.#pending = true;
        else bytes.push(byte);
        continue;
      }
      this.#pending = false;
      if (byte === KEY_QUIT) commands.push("quit");
      else if (byte === KEY_HELP) commands.push("help");
      else if (byte === KEY_SAVE) commands.push("save");
      else if (byte === KEY_GDB) commands.push("gdb");
      else if (byte === KEY_EXPLAIN) commands.push("explain");
      else if (byte === KEY_SEND || byte === ESCAPE) bytes.push(ESCAPE);
      else bytes.push(ESCAPE, byte);
    }
    return { bytes: Uint8Array.from(bytes), commands };
  }

  /** Whether it shows now, for the first time. */
  #wantsToLeave(byte: number): boolean {
    if (this.#interrupts === undefined) return false;
    this.#interrupts = byte === INTERRUPT ? this.#interrupts + 1 : 0;
    if (this.#interrupts < MANY_INTERRUPTS) return false;
    this.#interrupts = undefined;
    return true;
  }
}
