/**
 * What a guest has of a share over 9P: fids, each at a place, which is a node and the places by which the guest walked to it. A place
 * holds one lookup of its node and lives as long as a fid or a place below needs it. There is a most of fids, places and open files.
 */
import { LINUX_ERRNO } from "../../spec/linux-errno.js";
import {
  FileError,
  type FileBackend,
  type FileHandle,
  type FileNode,
  type FoundNode,
} from "../file-backend.js";
import type { GuestLimits, GuestNodes } from "../guest-nodes.js";

/** A node as the guest came to it. What was renamed since stands elsewhere: whoever needs the name looks it up again. */
export interface Place {
  readonly node: FileNode;
  /** Undefined of the root. */
  readonly above: { readonly place: Place; readonly name: Uint8Array } | undefined;
  users: number;
}

/** A value that is read, or written until the fid is given back. */
export interface XattrValue {
  readonly kind: "xattr-read" | "xattr-write";
  readonly name: Uint8Array;
  readonly value: Uint8Array;
  readonly flags: number;
  /** Bytes of it that were written. */
  filled: number;
}

/** What a fid is used for beside its place. */
export type FidUse = OpenUse | XattrValue;

interface OpenUse {
  readonly kind: "file" | "folder";
  readonly handle: FileHandle;
}

export interface Fid {
  place: Place;
  /** Whom it acts for. */
  readonly uid: number;
  use: FidUse | undefined;
}

/** Of xattrs that are read or written at one time, together. */
export const MOST_XATTR_BYTES = 2 ** 22;

export class Fids {
  readonly #fids = new Map<number, Fid>();
  readonly #root: Place;
  #places = 0;
  #xattrBytes = 0;

  constructor(
    backend: FileBackend,
    private readonly nodes: GuestNodes,
    private readonly most: GuestLimits,
  ) {
    this.#root = { node: backend.root, above: undefined, users: 1 };
  }

  get root(): Place {
    return this.#root;
  }

  /** Fids that the guest has, and places they stand at but for the root. */
  get count(): { fids: number; places: number; xattrBytes: number } {
    return { fids: this.#fids.size, places: this.#places, xattrBytes: this.#xattrBytes };
  }

  /** Throws FileError where the guest has no such fid. */
  get(number: number): Fid {
    const fid = this.#fids.get(number);
    if (fid === undefined) throw new FileError(LINUX_ERRNO.EBADF, `fid ${number}`);
    return fid;
  }

  /** Throws FileError unless `number` can be a new fid. */
  expectFree(number: number): void {
    if (this.#fids.has(number)) throw new FileError(LINUX_ERRNO.EINVAL, `fid ${number} again`);
    if (this.#fids.size >= this.most.nodes) throw new FileError(LINUX_ERRNO.ENFILE, "a fid more");
  }

  /** A new fid, at a place that becomes its own. `number` is free. */
  add(number: number, place: Place, uid: number): Fid {
    const fid: Fid = { place, uid, use: undefined };
    this.#fids.set(number, fid);
    return fid;
  }

  /** The fid is nobody's any more. What it had open is closed. Never throws. */
  remove(number: number): void {
    const fid = this.#fids.get(number);
    if (fid === undefined) return;
    this.#fids.delete(number);
    const { use } = fid;
    if (use !== undefined) this.#end(use);
    this.leave(fid.place);
  }

  #end(use: FidUse): void {
    if ("handle" in use) this.nodes.release(use.handle, use.kind === "folder");
    else this.#xattrBytes -= use.value.length;
  }

  /** The fid stands at another place, which becomes its own. */
  move(fid: Fid, place: Place): void {
    const { place: before } = fid;
    fid.place = place;
    this.leave(before);
  }

  /** Throws FileError where one more place would be too many; to be asked before a lookup that `below` is to keep. */
  expectPlace(): void {
    if (this.#places >= this.most.nodes) throw new FileError(LINUX_ERRNO.ENFILE, "a place more");
  }

  /** The place of what was found in a folder, for one user. */
  below(place: Place, name: Uint8Array, found: FoundNode): Place {
    this.nodes.found(found);
    this.#places++;
    return { node: found.node, above: { place: this.stay(place), name }, users: 1 };
  }

  /** One more user of the place. */
  stay(place: Place): Place {
    place.users++;
    return place;
  }

  /** One user less. */
  leave(place: Place): void {
    for (let one: Place | undefined = place; one !== undefined && --one.users === 0; one = one.above?.place) {
      this.#places--;
      this.nodes.forget(one.node, 1);
    }
  }

  /** Throws FileError where there is no room for so many bytes of xattr more. */
  expectXattr(bytes: number): void {
    if (this.#xattrBytes + bytes > MOST_XATTR_BYTES)
      throw new FileError(LINUX_ERRNO.ENOMEM, `${bytes} bytes of xattr more`);
  }

  /** The fid is for an xattr's value, for which there is room. */
  holdXattr(fid: Fid, of: Omit<XattrValue, "filled">): void {
    this.#xattrBytes += of.value.length;
    fid.use = { ...of, filled: 0 };
  }

  /** All are gone; what they had of the back end as well. */
  clear(): void {
    this.#fids.clear();
    this.#root.users = 1;
    this.#places = this.#xattrBytes = 0;
    this.nodes.clear();
  }
}
