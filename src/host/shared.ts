/**
 * The memory that the machine's thread (the worker) and the host's thread (main) share, and the rules by which
 * they wake each other. Knows no host API: how main is woken is handed in.
 *
 * ```
 *  console       a ring each way: worker → main, main → worker
 *  channels      likewise, one pair for each named port of the machine
 *  control       words:  0 bell   main rings it: adds 1, then notifies; the worker waits on it
 *                        1 stop   main sets it to 1 to end the machine
 *                        2 save   main sets it to 1 to have the machine saved; the worker takes it back
 *                        3 size   of the terminal, columns << 16 | rows; 0 while main knows none
 *                        4 debug  main sets it to 1 once a debugger may come
 *                        5 explain  main sets it to 1 to be told where the machine is; the worker takes it back
 *                        6 hold   main sets it to 1 to have the machine stand still, to 0 to have it go on
 *  saveTo        the path of the file to save to, length first, set before the save word
 * ```
 * The worker sleeps only in `Atomics.wait` on the bell, with the value it loaded *before* it looked at the rings,
 * so that a ring in between is never lost. Main must not block: it is called back (`wakeMain`) once for each
 * time it found a ring empty or full and set its "wanted" word, and looks at the ring once more after setting it.
 */
import type { ConsoleEnd } from "../machine/console.js";
import type { Channel } from "../devices/part.js";
import { Ring } from "./ring.js";

const BELL = 0;
const STOP = 1;
const SAVE = 2;
const SIZE = 3;
const DEBUG = 4;
const EXPLAIN = 5;
const HOLD = 6;
const CONTROL_WORDS = 7;
/** Bytes of a path: as many as Linux takes, and characters of four bytes. */
const LONGEST_PATH = 4 * 4096;
const PATH_AT = Int32Array.BYTES_PER_ELEMENT;
/** Rows are the lower half of the size's word. */
const ROW_BITS = 16;
const MOST_CHARACTERS = 2 ** ROW_BITS - 1;

/** A guest that prints faster than the terminal shows is held back after this many bytes. */
const OUTPUT_CAPACITY = 1 << 18;
/** Pasted input waits here until the guest has read it. */
const INPUT_CAPACITY = 1 << 16;

/** What a channel is like, where it is not as the console. */
export interface StreamOptions {
  /** Bytes that may wait each way, a power of two. */
  capacity?: number;
  /** A full ring holds back only who writes in the guest; absent: the worker waits until there is room. */
  patient?: boolean;
  /** Input that the guest has not taken is saved with its machine; absent: it is of this run alone. */
  inputSaved?: boolean;
}

/** A ring each way. */
export interface SharedStream extends Omit<StreamOptions, "capacity"> {
  /** Worker → main. */
  output: SharedArrayBuffer;
  /** Main → worker. */
  input: SharedArrayBuffer;
}

/** What crosses to the worker: pieces of shared memory. */
export interface SharedMemory extends SharedStream {
  control: SharedArrayBuffer;
  /** Bytes of a path and the path, for the next snapshot that is asked for; none: where the run was told to. */
  saveTo: SharedArrayBuffer;
  /** The host's ends of named ports, by their names. */
  channels: ReadonlyMap<string, SharedStream>;
}

function allocateStream(output = OUTPUT_CAPACITY, input = INPUT_CAPACITY): SharedStream {
  return { output: Ring.allocate(output).buffer, input: Ring.allocate(input).buffer };
}

/** Makes the memory of one machine: empty rings, a bell that never rang. */
export function allocateShared(
  channels: readonly string[] = [],
  options: ReadonlyMap<string, StreamOptions> = new Map<string, StreamOptions>(),
): SharedMemory {
  return {
    ...allocateStream(),
    control: new SharedArrayBuffer(CONTROL_WORDS * Int32Array.BYTES_PER_ELEMENT),
    saveTo: new SharedArrayBuffer(PATH_AT + LONGEST_PATH),
    channels: new Map(
      channels.map((name) => {
        const { capacity, ...others } = options.get(name) ?? {};
        return [name, { ...allocateStream(capacity, capacity), ...others }];
      }),
    ),
  };
}

function ring(control: Int32Array): void {
  Atomics.add(control, BELL, 1);
  Atomics.notify(control, BELL);
}

/** How large a console is, 1 to 65535 each. */
export interface ConsoleSize {
  columns: number;
  rows: number;
}

/**
 * Ends the sleep of an idle machine's thread, from any thread: what a back end does once the run loop will find its answer
 * (`Completions.attach`).
 */
export function ringBell(shared: SharedMemory): void {
  ring(new Int32Array(shared.control));
}

/** Main's end of a stream. No call blocks. */
export class MainStream {
  readonly #output: Ring;
  readonly #input: Ring;
  readonly #changed: () => void;

  /** `changed`: tells the worker that it may go on. */
  constructor({ output, input }: SharedStream, changed: () => void) {
    this.#output = new Ring(output);
    this.#input = new Ring(input);
    this.#changed = changed;
  }

  /**
   * Takes output, at most `limit` bytes. When there is none, the answer is empty and the worker will call back at the next
   * byte.
   */
  takeOutput(limit: number): Uint8Array {
    if (this.#output.available === 0) {
      this.#output.want();
      if (this.#output.available === 0) return new Uint8Array(0);
    }
    const bytes = this.#output.read(limit);
    this.#changed();
    return bytes;
  }

  /** Whether the guest has written more than could be taken; looked at before what can be is taken. */
  get kept(): boolean {
    return this.#output.kept;
  }

  /**
   * Gives input; returns how much was taken. If that is not all, the worker will call back. `whole`: all at once or nothing, unless it is
   * more than there is ever room for.
   */
  giveInput(bytes: Uint8Array, whole = false): number {
    const isWhole = whole && bytes.length <= this.#input.capacity;
    const write = (rest: Uint8Array): number =>
      isWhole && this.#input.space < rest.length ? 0 : this.#input.write(rest);
    let taken = write(bytes);
    if (taken < bytes.length) {
      this.#input.want();
      taken += write(bytes.subarray(taken));
    }
    this.#changed();
    return taken;
  }

  /** No more input will come. */
  closeInput(): void {
    this.#input.close();
    this.#changed();
  }
}

/** Main's side: the machine's console, its channels, and what it asks of the machine. No call blocks. */
export class MainSide extends MainStream {
  readonly channels: ReadonlyMap<string, MainStream>;
  readonly #control: Int32Array;
  readonly #saveTo: SharedArrayBuffer;

  constructor(shared: SharedMemory) {
    const control = new Int32Array(shared.control);
    const changed = (): void => ring(control);
    super(shared, changed);
    this.#control = control;
    this.#saveTo = shared.saveTo;
    this.channels = new Map([...shared.channels].map(([name, one]) => [name, new MainStream(one, changed)]));
  }

  /** Asks the machine to end. */
  requestStop(): void {
    Atomics.store(this.#control, STOP, 1);
    this.#ring();
  }

  /** Asks for a snapshot. `file`: another one than the run was told. Throws RangeError for a path that no system has. */
  requestSave(file?: string): void {
    const path = new TextEncoder().encode(file ?? "");
    if (path.length > LONGEST_PATH) throw new RangeError(`a path of ${path.length} bytes`);
    new Uint8Array(this.#saveTo, PATH_AT).set(path);
    new Int32Array(this.#saveTo, 0, 1)[0] = path.length;
    Atomics.store(this.#control, SAVE, 1);
    this.#ring();
  }

  /** Asks the machine to stand still, or to go on. */
  requestHold(held: boolean): void {
    Atomics.store(this.#control, HOLD, held ? 1 : 0);
    this.#ring();
  }

  /** A debugger may come. */
  requestDebugger(): void {
    Atomics.store(this.#control, DEBUG, 1);
    this.#ring();
  }

  /** Asks where the machine is, and why. */
  requestDiagnosis(): void {
    Atomics.store(this.#control, EXPLAIN, 1);
    this.#ring();
  }

  /** Tells how large the terminal is; a size that no terminal has is not passed on. */
  resize({ columns, rows }: ConsoleSize): void {
    if (!(columns > 0 && rows > 0)) return;
    const [width, height] = [columns, rows].map((one) => Math.min(one, MOST_CHARACTERS));
    Atomics.store(this.#control, SIZE, (width << ROW_BITS) | height);
    this.#ring();
  }

  #ring(): void {
    ring(this.#control);
  }
}

/** The worker's end of a stream: a console's, or a channel's. */
class WorkerStream implements ConsoleEnd, Channel {
  readonly keep: ((waits: boolean) => void) | undefined;
  readonly inputSaved: boolean;
  readonly #output: Ring;
  readonly #input: Ring;
  readonly #control: Int32Array;
  readonly #wakeMain: () => void;
  /** Something is missing behind what was written: whatever followed would be read as what it is not. */
  #cut = false;

  constructor(
    { output, input, patient, inputSaved = false }: SharedStream,
    control: Int32Array,
    wakeMain: () => void,
  ) {
    this.#output = new Ring(output);
    this.#input = new Ring(input);
    this.#control = control;
    this.#wakeMain = wakeMain;
    this.inputSaved = inputSaved;
    if (patient !== true) return;
    this.keep = (waits) => {
      if (waits === this.#output.kept) return;
      this.#output.keep(waits);
      // Who waits for the last byte may have found it before it was known to be the last.
      if (!waits) wakeMain();
    };
  }

  /** Passes output on; waits while the ring is full. Gives up only when the machine is asked to end, and then for good. */
  write(bytes: Uint8Array): void {
    if (this.#cut) return;
    let rest = bytes;
    for (;;) {
      const bell = Atomics.load(this.#control, BELL);
      rest = rest.subarray(this.#output.write(rest));
      if (this.#output.takeWanted()) this.#wakeMain();
      this.#cut = rest.length > 0 && Atomics.load(this.#control, STOP) === 1;
      if (rest.length === 0 || this.#cut) return;
      Atomics.wait(this.#control, BELL, bell);
    }
  }

  room(): number {
    return this.#output.space;
  }

  read(limit: number): Uint8Array {
    const bytes = this.#input.read(limit);
    if (bytes.length > 0 && this.#input.takeWanted()) this.#wakeMain();
    return bytes;
  }

  inputOpen(): boolean {
    return !this.#input.closed || this.#input.available > 0;
  }
}

/** The worker's side: the machine's console and channels, the stop word, and the only place where the worker sleeps. */
export class WorkerSide extends WorkerStream {
  readonly channels: ReadonlyMap<string, Channel>;
  readonly #control: Int32Array;
  readonly #saveTo: SharedArrayBuffer;
  /** Value of the bell when the rings and words were last looked at. */
  #heard = 0;
  #size = 0;

  /** `wakeMain` makes main look at all rings; it must work from inside a long synchronous call. */
  constructor(shared: SharedMemory, wakeMain: () => void) {
    const control = new Int32Array(shared.control);
    super(shared, control, wakeMain);
    this.#control = control;
    this.#saveTo = shared.saveTo;
    this.channels = new Map(
      [...shared.channels].map(([name, one]) => [name, new WorkerStream(one, control, wakeMain)]),
    );
  }

  /** Whether main wants the machine to end. Looked at once a slice; also marks the bell as heard. */
  get stopRequested(): boolean {
    this.#heard = Atomics.load(this.#control, BELL);
    return Atomics.load(this.#control, STOP) === 1;
  }

  /** Whether main wants a snapshot; a request is answered once. */
  takeSaveRequest(): boolean {
    return Atomics.load(this.#control, SAVE) === 1 && Atomics.exchange(this.#control, SAVE, 0) === 1;
  }

  /** The file that main named when it asked for a snapshot, if it did. */
  get saveFile(): string | undefined {
    const [length] = new Int32Array(this.#saveTo, 0, 1);
    // What decodes text takes no shared memory.
    const path = new Uint8Array(this.#saveTo, PATH_AT, length).slice();
    return length === 0 ? undefined : new TextDecoder().decode(path);
  }

  /** Whether main wants the machine to stand still. */
  get holdRequested(): boolean {
    return Atomics.load(this.#control, HOLD) === 1;
  }

  /** Whether a debugger may come. */
  get debuggerRequested(): boolean {
    return Atomics.load(this.#control, DEBUG) === 1;
  }

  /** Whether main wants to be told where the machine is; a request is answered once. */
  takeDiagnosisRequest(): boolean {
    return Atomics.load(this.#control, EXPLAIN) === 1 && Atomics.exchange(this.#control, EXPLAIN, 0) === 1;
  }

  /** How large the terminal is, when that is another size than the last time. */
  takeSize(): ConsoleSize | undefined {
    const size = Atomics.load(this.#control, SIZE);
    if (size === this.#size) return undefined;
    this.#size = size;
    return { columns: size >>> ROW_BITS, rows: size & MOST_CHARACTERS };
  }

  /** Sleeps until main rings or `milliseconds` have passed; `undefined` is for ever. */
  wait(milliseconds: number | undefined): void {
    Atomics.wait(this.#control, BELL, this.#heard, milliseconds ?? Infinity);
  }
}
