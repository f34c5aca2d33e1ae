/**
 * Tables of a cluster's size, L2 tables and refcount blocks: read when they are needed, changed in memory, written when the image is
 * brought to the disk. Their number in memory is bounded.
 */
import { BlockError } from "../block-error.js";
import type { BlockFile } from "../block-file.js";
import { hex } from "../../bytes/hex.js";
import { alignDown, alignUp } from "../../bytes/align.js";

/** Bytes of tables in memory, and how many there may be at least: of the largest ones, too few would be read over and over. */
const MOST_BYTES = 1 << 23;
const FEWEST = 4;
/** What is written at least: less would be read by the host first. */
const PIECE = 4096;

/** What of a table was changed, as it was when it was asked for. */
export interface Change {
  readonly table: Table;
  readonly from: number;
  readonly bytes: Uint8Array;
}

/** A table in memory. */
export class Table {
  readonly view: DataView;
  /** What was changed, bytes: from `#from` to `#to`. */
  #from = Infinity;
  #to = 0;
  /** A change was taken that may not be in the file yet. */
  #taken = false;

  constructor(
    readonly offset: number,
    readonly bytes: Uint8Array,
  ) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  get dirty(): boolean {
    return this.#to > 0 || this.#taken;
  }

  /** To be called for every change. */
  changed(from: number, length: number): void {
    this.#from = Math.min(this.#from, from);
    this.#to = Math.max(this.#to, from + length);
  }

  write(file: BlockFile): void {
    if (this.#to === 0) return;
    const { from, to } = this.#range();
    file.write(this.offset + from, this.bytes.subarray(from, to));
    this.#from = Infinity;
    this.#to = 0;
  }

  /** What was changed, to be written later by `writeChange`; until then, or until `putBack`, it counts as changed. */
  take(): Change | undefined {
    if (this.#to === 0) return undefined;
    const { from, to } = this.#range();
    this.#from = Infinity;
    this.#to = 0;
    this.#taken = true;
    return { table: this, from, bytes: this.bytes.slice(from, to) };
  }

  /** Writes a change that was taken; what was changed since is not written. */
  writeChange({ from, bytes }: Change, file: BlockFile): void {
    file.write(this.offset + from, bytes);
    this.#taken = false;
  }

  /** A change that was taken is not written after all. */
  putBack({ from, bytes }: Change): void {
    this.changed(from, bytes.length);
    this.#taken = false;
  }

  #range(): { from: number; to: number } {
    return {
      from: alignDown(this.#from, Math.min(PIECE, this.bytes.length)),
      to: Math.min(this.bytes.length, alignUp(this.#to, PIECE)),
    };
  }
}

export class Tables {
  readonly #file: BlockFile;
  readonly #cluster: number;
  readonly #most: number;
  readonly #what: string;
  readonly #makeRoom: () => void;
  /** The one that was used last is the last one. */
  readonly #tables = new Map<number, Table>();
  #last: Table | undefined;

  /** `makeRoom` is called where there is no room for another table and all are changed: it has them written. */
  constructor(file: BlockFile, cluster: number, what: string, makeRoom: () => void) {
    this.#file = file;
    this.#cluster = cluster;
    this.#what = what;
    this.#makeRoom = makeRoom;
    this.#most = Math.max(FEWEST, Math.floor(MOST_BYTES / cluster));
  }

  get dirty(): boolean {
    for (const table of this.#tables.values()) if (table.dirty) return true;
    return false;
  }

  /** The table that lies there. `at`: where it is named. Throws BlockError where none can. */
  get(offset: number, at: number): Table {
    if (this.#last?.offset === offset) return this.#last;
    const there = this.#tables.get(offset);
    if (there !== undefined) {
      this.#tables.delete(offset);
      this.#tables.set(offset, there);
      return (this.#last = there);
    }
    if (offset % this.#cluster !== 0 || offset + this.#cluster > this.#file.size)
      throw new BlockError(
        at,
        `${this.#what} at ${hex(offset)}`,
        `a cluster in a file of ${this.#file.size} bytes`,
        "The image is damaged; qemu-img check says more.",
      );
    this.#room();
    const bytes = new Uint8Array(this.#cluster);
    this.#file.read(offset, bytes);
    return this.#keep(new Table(offset, bytes));
  }

  /** A new one, empty, which is changed as a whole. */
  add(offset: number): Table {
    this.#room();
    const table = new Table(offset, new Uint8Array(this.#cluster));
    table.changed(0, this.#cluster);
    return this.#keep(table);
  }

  /** Writes those that were changed. */
  write(): void {
    for (const table of this.#tables.values()) table.write(this.#file);
  }

  /** What was changed, to be written later. */
  take(): Change[] {
    return [...this.#tables.values()].flatMap((table) => table.take() ?? []);
  }

  /** Nobody needs the one that lies there any more. */
  forget(offset: number): void {
    this.#tables.delete(offset);
    if (this.#last?.offset === offset) this.#last = undefined;
  }

  #keep(table: Table): Table {
    this.#tables.set(table.offset, table);
    return (this.#last = table);
  }

  #room(): void {
    if (this.#tables.size < this.#most) return;
    if (!this.#dropOne()) {
      this.#makeRoom();
      this.#dropOne();
    }
  }

  /** Forgets the one that was used longest ago of those that are as in the file. */
  #dropOne(): boolean {
    for (const [offset, table] of this.#tables) {
      if (table.dirty) continue;
      this.forget(offset);
      return true;
    }
    return false;
  }
}
