/**
 * What a guest has of a share: nodes that it looked up, counted, and files and folders that it opened. Every number that it gives is
 * looked up here before the back end sees it, and there is a most of each.
 */
import { LINUX_ERRNO } from "../spec/linux-errno.js";
import {
  FileError,
  type FileAttributes,
  type FileBackend,
  type FileHandle,
  type FileNode,
  type FoundNode,
} from "./file-backend.js";

/** Some hundred bytes each: what a tree of a large system has. */
export const MOST_NODES = 2 ** 20;
/** What a process of the host may have open, as a rule. */
export const MOST_HANDLES = 2 ** 16;

interface HeldNode {
  lookups: number;
  /** The file as it was when it was opened last; -1: never. */
  size: number;
  seconds: number;
  nanoseconds: number;
}

interface Opened {
  readonly node: FileNode;
  readonly isFolder: boolean;
}

export interface GuestLimits {
  readonly nodes: number;
  readonly handles: number;
}

export class GuestNodes {
  readonly #nodes = new Map<FileNode, HeldNode>();
  readonly #opened = new Map<FileHandle, Opened>();
  readonly #root: HeldNode = { lookups: Infinity, size: -1, seconds: 0, nanoseconds: 0 };

  constructor(
    private readonly backend: FileBackend,
    private readonly most: GuestLimits = { nodes: MOST_NODES, handles: MOST_HANDLES },
  ) {}

  get nodes(): number {
    return this.#nodes.size;
  }

  get handles(): number {
    return this.#opened.size;
  }

  /** Whether the guest has the node: it looked it up, and has not forgotten it. */
  has(node: FileNode): boolean {
    return node === this.backend.root || this.#nodes.has(node);
  }

  /** Throws FileError where one more node would be too many; to be asked before a lookup. */
  expectNode(): void {
    if (this.#nodes.size >= this.most.nodes) throw new FileError(LINUX_ERRNO.ENFILE, "a node more");
  }

  /** Throws FileError where one more handle would be too many; to be asked before an open. */
  expectHandle(): void {
    if (this.#opened.size >= this.most.handles) throw new FileError(LINUX_ERRNO.EMFILE, "an open file more");
  }

  /** Counts a lookup. */
  found({ node }: FoundNode): void {
    if (node === this.backend.root) return;
    const held = this.#nodes.get(node);
    if (held === undefined) this.#nodes.set(node, { lookups: 1, size: -1, seconds: 0, nanoseconds: 0 });
    else held.lookups++;
  }

  /** Takes back lookups: at most as many as there were. */
  forget(node: FileNode, count: number): void {
    const held = this.#nodes.get(node);
    if (held === undefined || count <= 0) return;
    const taken = Math.min(count, held.lookups);
    held.lookups -= taken;
    if (held.lookups === 0) this.#nodes.delete(node);
    this.backend.forget(node, taken);
  }

  /** Whether a file is as it was when this was asked last: the same size, changed at the same time. */
  isAsBefore(node: FileNode, { size, modified: { seconds, nanoseconds } }: FileAttributes): boolean {
    const held = node === this.backend.root ? this.#root : this.#nodes.get(node);
    if (held === undefined) return false;
    const same = held.size === size && held.seconds === seconds && held.nanoseconds === nanoseconds;
    held.size = size;
    held.seconds = seconds;
    held.nanoseconds = nanoseconds;
    return same;
  }

  /** Notes what was opened. */
  opened(handle: FileHandle, node: FileNode, isFolder: boolean): void {
    this.#opened.set(handle, { node, isFolder });
  }

  /** The node of a handle of that kind. Throws FileError. */
  nodeOf(handle: FileHandle, isFolder: boolean): FileNode {
    const opened = this.#opened.get(handle);
    if (opened?.isFolder === isFolder) return opened.node;
    throw new FileError(LINUX_ERRNO.EBADF, `handle ${handle}`);
  }

  /** Whether the handle is an open folder. */
  isFolder(handle: FileHandle): boolean {
    return this.#opened.get(handle)?.isFolder === true;
  }

  /** Closes it. Throws FileError where there is none of that kind. */
  release(handle: FileHandle, isFolder: boolean): void {
    this.nodeOf(handle, isFolder);
    this.#opened.delete(handle);
    if (isFolder) this.backend.releaseFolder(handle);
    else this.backend.release(handle);
  }

  /** Closes and forgets all: the guest starts anew. */
  clear(): void {
    this.#opened.clear();
    this.#nodes.clear();
    this.#root.size = -1;
    this.backend.startAgain();
  }
}
