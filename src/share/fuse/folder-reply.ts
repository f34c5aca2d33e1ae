/** The reply to READDIR and READDIRPLUS: as many entries as have room, and with the latter each looked up. */
import { FUSE_DIRENT, FUSE_ENTRY_OUT, LINUX_MODE } from "../../spec/fuse.js";
import { LINUX_ERRNO } from "../../spec/linux-errno.js";
import {
  FileError,
  type FileBackend,
  type FileHandle,
  type FileNode,
  type FolderEntry,
  type FoundNode,
} from "../file-backend.js";
import type { GuestNodes } from "../guest-nodes.js";
import { write64 } from "../numbers.js";
import { writeEntry, writeNoEntry } from "./fields.js";

/** The folder itself and the one above, which a back end leaves out; a guest finds them without asking. */
const DOTS: readonly Uint8Array[] = [Uint8Array.of(0x2e), Uint8Array.of(0x2e, 0x2e)];
const FOLDER_TYPE = LINUX_MODE.FOLDER >> LINUX_MODE.TYPE_SHIFT;
/** Bytes of a name, as a rule: how many entries are asked for. */
const USUAL_NAME = 8;

export interface FolderRoom {
  readonly view: DataView;
  /** Where the entries go, and the bytes that they may have. */
  readonly at: number;
  readonly room: number;
  /** How long the guest may remember what was looked up. */
  readonly seconds: number;
  readonly plus: boolean;
  idOf(node: FileNode): number;
}

export class FolderReply {
  #filled = 0;

  constructor(
    private readonly backend: FileBackend,
    private readonly nodes: GuestNodes,
    private readonly into: FolderRoom,
  ) {}

  /** Fills the room with entries from number `from` on; gives their bytes. Throws FileError. */
  fill(handle: FileHandle, from: number): number {
    const folder = this.nodes.nodeOf(handle, true);
    for (let number = from; number < DOTS.length; number++) {
      const { ino } = this.backend.attributes(folder);
      if (!this.#add(folder, { name: DOTS[number], ino, type: FOLDER_TYPE }, number + 1, true))
        return this.#filled;
    }
    const most = Math.ceil(this.into.room / this.#sizeOf(USUAL_NAME));
    let first = Math.max(from - DOTS.length, 0);
    // An empty reply is the end: where all of some entries are gone, the next follow.
    for (;;) {
      const entries = this.backend.readFolder(handle, first, most);
      for (const [index, entry] of entries.entries())
        if (!this.#add(folder, entry, DOTS.length + first + index + 1, false)) return this.#filled;
      first += entries.length;
      if (entries.length === 0 || this.#filled > 0) return this.#filled;
    }
  }

  #sizeOf(nameLength: number): number {
    const { NAME, ALIGN } = FUSE_DIRENT;
    const entry = Math.ceil((NAME + nameLength) / ALIGN) * ALIGN;
    return this.into.plus ? FUSE_ENTRY_OUT.SIZE + entry : entry;
  }

  /** False where there is no room for it. `next`: where to go on behind it. */
  #add(folder: FileNode, entry: FolderEntry, next: number, isDots: boolean): boolean {
    const { view, plus, seconds } = this.into;
    const size = this.#sizeOf(entry.name.length);
    if (this.#filled + size > this.into.room) return false;
    let at = this.into.at + this.#filled;
    let { ino, type } = entry;
    if (plus) {
      const found = isDots ? undefined : this.#lookup(folder, entry);
      if (found === "gone") return true;
      if (found === undefined) writeNoEntry(view, at, 0);
      else {
        const { node, attributes } = found;
        writeEntry(view, at, { id: this.into.idOf(node), attributes }, seconds);
        ({ ino } = attributes);
        type = attributes.mode >> LINUX_MODE.TYPE_SHIFT;
      }
      at += FUSE_ENTRY_OUT.SIZE;
    }
    view.setBigUint64(at + FUSE_DIRENT.INO, ino, true);
    write64(view, at + FUSE_DIRENT.NEXT, next);
    view.setUint32(at + FUSE_DIRENT.NAME_LENGTH, entry.name.length, true);
    view.setUint32(at + FUSE_DIRENT.TYPE, type, true);
    const end = this.into.at + this.#filled + size;
    const bytes = new Uint8Array(
      view.buffer,
      view.byteOffset + at + FUSE_DIRENT.NAME,
      end - at - FUSE_DIRENT.NAME,
    );
    bytes.fill(0);
    bytes.set(entry.name);
    this.#filled += size;
    return true;
  }

  /** Undefined: the guest has to look it up by itself. It may be gone since the list was made. */
  #lookup(folder: FileNode, { name }: FolderEntry): FoundNode | "gone" | undefined {
    try {
      this.nodes.expectNode();
      const found = this.backend.lookup(folder, name);
      this.nodes.found(found);
      return found;
    } catch (error) {
      if (!(error instanceof FileError)) throw error;
      return error.errno === LINUX_ERRNO.ENOENT ? "gone" : undefined;
    }
  }
}
