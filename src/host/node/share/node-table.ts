/**
 * The nodes of a share, and the descriptors by which they are held.
 *
 * A node is one file of the host as long as it is known. While its descriptor is open the host cannot give its inode number to another
 * file. Descriptors are few, so those that were not used for longest are closed; such a node is found again by the folder and the name
 * at which it was seen last, and is gone (ESTALE) if something else is there: another device, inode number, type or time of birth.
 * A node that something is opened of keeps its descriptor. A folder stays known as long as nodes in it are.
 */
import { FileError, type FileNode } from "../../../share/file-backend.js";
import type { HostCalls, HostStat } from "./host-calls.js";
import { ERRNO, KERNEL_FILE_SYSTEMS, MODE } from "./linux-numbers.js";

export interface NodeLimits {
  /** Nodes that are known at a time. */
  readonly nodes: number;
  /** Descriptors of nodes that are open at a time, at least 2; what is opened of nodes comes on top. */
  readonly descriptors: number;
}

/** Folders above a node that are opened again to find it. */
const MOST_DEPTH = 4096;
const CLOSED = -1;

/** A mounted file system, by its device and the mount that it is seen through. */
class Mount {
  /** Those that are known, by their inode numbers. */
  readonly nodes = new Map<bigint, Node>();

  constructor(
    readonly key: number,
    readonly device: number,
    /** It has files that are the kernel's own: nothing below its root is had. */
    readonly isKernels: boolean,
  ) {}
}

export class Node {
  readonly ino: bigint;
  /** The type bits of its mode. */
  readonly type: number;
  readonly #bornSeconds: number;
  readonly #bornNanoseconds: number;
  /** CLOSED, or what names it. */
  descriptor = CLOSED;
  lookups = 0;
  /** How often it is open. */
  opened = 0;
  /** Nodes whose place is in it. */
  children = 0;
  /** Where it was seen last; undefined of the root, and where it cannot be said. */
  parent: Node | undefined;
  name: Uint8Array = NO_NAME;
  /** Its neighbours among those with a descriptor that may be closed: towards the one used last, and the one used longest ago. */
  newer: Node | undefined;
  older: Node | undefined;
  isListed = false;
  /** Something else has its inode number now. */
  isGone = false;

  constructor(
    readonly id: FileNode,
    readonly mount: Mount,
    facts: HostStat,
  ) {
    this.ino = facts.ino;
    this.type = facts.mode & MODE.type;
    this.#bornSeconds = facts.bornSeconds;
    this.#bornNanoseconds = facts.bornNanoseconds;
  }

  /** Whether these facts are of the same file. */
  is(facts: HostStat): boolean {
    return (
      this.ino === facts.ino &&
      this.mount.key === mountKey(facts) &&
      this.type === (facts.mode & MODE.type) &&
      this.#bornSeconds === facts.bornSeconds &&
      this.#bornNanoseconds === facts.bornNanoseconds
    );
  }
}

const NO_NAME = new Uint8Array();
/** Mounts have small numbers, which are given again when they are free. */
const MOUNTS = 2 ** 21;

function mountKey(facts: HostStat): number {
  return facts.dev * MOUNTS + (facts.mount % MOUNTS);
}

export interface SeenNode {
  readonly node: Node;
  readonly facts: HostStat;
}

export class NodeTable {
  readonly root: Node;
  readonly #nodes = new Map<FileNode, Node>();
  readonly #mounts = new Map<number, Mount>();
  readonly #calls: HostCalls;
  readonly #limits: NodeLimits;
  #nextId: FileNode = 1;
  /** Whether the name looked up last was opened for it: the next, which is often beside it, is opened at once, without a look before. */
  #wasNew = false;
  /** Descriptors that may be closed: how many, and both ends of their list. */
  #listed = 0;
  #newest: Node | undefined;
  #oldest: Node | undefined;

  /** `descriptor`: the root's, which is the table's from now on. */
  constructor(calls: HostCalls, descriptor: number, limits: NodeLimits) {
    this.#calls = calls;
    this.#limits = limits;
    this.root = this.#add(calls.stat(descriptor), descriptor);
    this.root.opened = 1;
    this.#unlist(this.root);
  }

  /** How many are known. */
  get size(): number {
    return this.#nodes.size;
  }

  /** Whether the root is among the kernel's own files. */
  get isKernels(): boolean {
    return this.root.mount.isKernels;
  }

  /** Throws FileError: the guest has no such node, or it is another file by now. */
  find(id: FileNode): Node {
    const node = this.#nodes.get(id);
    if (node === undefined || node.isGone) throw new FileError(ERRNO.ESTALE, "no such node");
    return node;
  }

  /** A descriptor that names a node; it is good until the next call here. Throws FileError. */
  descriptor(node: Node): number {
    if (node.descriptor !== CLOSED) {
      if (node.isListed && this.#newest !== node) {
        this.#unlist(node);
        this.#list(node);
      }
      return node.descriptor;
    }
    const closed: Node[] = [];
    let at: Node | undefined = node;
    for (; at !== undefined && at.descriptor === CLOSED; at = at.parent) {
      if (at.isGone || closed.length === MOST_DEPTH) throw new FileError(ERRNO.ESTALE, "not found again");
      closed.push(at);
    }
    if (at === undefined) throw new FileError(ERRNO.ESTALE, "moved away");
    let above = at;
    for (const next of closed.reverse()) {
      this.#findAgain(above, next);
      above = next;
    }
    return node.descriptor;
  }

  /** As `descriptor`, of a folder whose names are asked for: none of the kernel's own. */
  folderDescriptor(node: Node): number {
    if (node.type !== MODE.folder) throw new FileError(ERRNO.ENOTDIR, "no folder");
    if (node.mount.isKernels) throw new FileError(ERRNO.EACCES, "the kernel's own files");
    return this.descriptor(node);
  }

  /** What a folder has by a name, looked up once more. Throws FileError. */
  lookup(parent: Node, name: Uint8Array): SeenNode {
    const folder = this.folderDescriptor(parent);
    if (!this.#wasNew) {
      const facts = this.#calls.statName(folder, name);
      const known = this.#known(facts);
      // A node with a descriptor keeps its number: this is the very file.
      if (known !== undefined && known.descriptor !== CLOSED) {
        this.#place(known, parent, name);
        known.lookups++;
        return { node: known, facts };
      }
    }
    return this.adopt(parent, name, this.#open(folder, name));
  }

  /** A node of what a descriptor names, which is the table's from now on, seen at a place and looked up once more. Throws FileError. */
  adopt(parent: Node, name: Uint8Array, descriptor: number): SeenNode {
    let isOurs = false;
    try {
      const facts = this.#calls.stat(descriptor);
      let node = this.#known(facts);
      if (node !== undefined && node.descriptor === CLOSED) {
        if (node.is(facts)) {
          node.descriptor = descriptor;
          isOurs = true;
          this.#list(node);
        } else {
          this.#lose(node);
          node = undefined;
        }
      }
      if (node === undefined) {
        node = this.#add(facts, descriptor);
        isOurs = true;
      }
      this.#wasNew = isOurs;
      node.lookups++;
      this.#place(node, parent, name);
      return { node, facts };
    } finally {
      if (!isOurs) this.#calls.close(descriptor);
    }
  }

  /** A name was moved there: the node that is known of it has its place there now. Throws nothing. */
  moved(parent: Node, name: Uint8Array): void {
    try {
      const known = this.#known(this.#calls.statName(this.descriptor(parent), name));
      if (known === undefined) return;
      this.#place(known, parent, name);
      this.#dropUnused(known);
    } catch {
      // It was moved on; it is found by its descriptor, or not.
    }
  }

  /** Something is opened of it: it keeps its descriptor. */
  hold(node: Node): void {
    if (node.opened++ === 0) this.#unlist(node);
  }

  /** What was opened of it is closed. */
  letGo(node: Node): void {
    if (--node.opened > 0) return;
    if (node.descriptor !== CLOSED) this.#list(node);
    this.#dropUnused(node);
  }

  forget(id: FileNode, count: number): void {
    const node = this.#nodes.get(id);
    if (node === undefined || node === this.root) return;
    node.lookups = Math.max(0, node.lookups - count);
    this.#dropUnused(node);
  }

  /** Takes back every lookup. */
  forgetAll(): void {
    for (const { id, lookups } of [...this.#nodes.values()]) this.forget(id, lookups);
  }

  /** Closes descriptors that were not used for longest: half of those that may be, never the one used last. Whether there was one. */
  closeSome(): boolean {
    const most = Math.ceil(this.#listed / 2);
    const had = this.#listed > most;
    while (this.#listed > most) this.#closeOldest();
    return had;
  }

  close(): void {
    for (const node of this.#nodes.values())
      if (node.descriptor !== CLOSED) this.#calls.close(node.descriptor);
    this.#nodes.clear();
  }

  /** Opens a name; where the process has no descriptor left, after some were closed. */
  #open(folder: number, name: Uint8Array): number {
    try {
      return this.#calls.openName(folder, name);
    } catch (error) {
      if (!(error instanceof FileError) || error.errno !== ERRNO.EMFILE) throw error;
      // The folder's own was used last, and stays.
      if (!this.closeSome()) throw error;
      return this.#calls.openName(folder, name);
    }
  }

  #findAgain(parent: Node, node: Node): void {
    const descriptor = this.#open(this.descriptor(parent), node.name);
    try {
      if (!node.is(this.#calls.stat(descriptor)))
        throw new FileError(ERRNO.ESTALE, "something else has its name");
    } catch (error) {
      this.#calls.close(descriptor);
      throw error;
    }
    node.descriptor = descriptor;
    if (node.opened === 0) this.#list(node);
  }

  #known(facts: HostStat): Node | undefined {
    return this.#mounts.get(mountKey(facts))?.nodes.get(facts.ino);
  }

  #add(facts: HostStat, descriptor: number): Node {
    if (this.#nodes.size >= this.#limits.nodes) throw new FileError(ERRNO.ENFILE, "too many nodes");
    const key = mountKey(facts);
    let mount = this.#mounts.get(key);
    if (mount === undefined) {
      const isKernels = KERNEL_FILE_SYSTEMS.has(this.#calls.fileSystem(descriptor).type);
      this.#mounts.set(key, (mount = new Mount(key, facts.dev, isKernels)));
    }
    const node = new Node(this.#nextId++, mount, facts);
    node.descriptor = descriptor;
    this.#nodes.set(node.id, node);
    mount.nodes.set(node.ino, node);
    this.#list(node);
    return node;
  }

  /** Its inode number is another file's now. */
  #lose(node: Node): void {
    node.isGone = true;
    this.#unnumber(node);
  }

  #unnumber(node: Node): void {
    const { nodes, key } = node.mount;
    if (nodes.get(node.ino) !== node) return;
    nodes.delete(node.ino);
    if (nodes.size === 0) this.#mounts.delete(key);
  }

  #place(node: Node, parent: Node, name: Uint8Array): void {
    if (node === this.root) return;
    if (node.parent !== parent) {
      if (node.type === MODE.folder && !this.#mayBeIn(node, parent)) return;
      const before = node.parent;
      node.parent = parent;
      parent.children++;
      if (before !== undefined) {
        before.children--;
        this.#dropUnused(before);
      }
    }
    if (!isSame(node.name, name)) node.name = name;
  }

  /** Whether a folder is in none of its own; where the host moved folders, an old place may say so, and is struck out. */
  #mayBeIn(node: Node, parent: Node): boolean {
    let depth = 0;
    for (let at: Node | undefined = parent; at !== undefined; at = at.parent) {
      if (at === node) return false;
      if (at.parent === node) {
        at.parent = undefined;
        node.children--;
        return true;
      }
      if (depth++ === MOST_DEPTH) return false;
    }
    return true;
  }

  #dropUnused(unused: Node): void {
    let node: Node | undefined = unused;
    while (
      node !== undefined &&
      node !== this.root &&
      node.lookups === 0 &&
      node.children === 0 &&
      node.opened === 0
    ) {
      this.#nodes.delete(node.id);
      this.#unnumber(node);
      this.#unlist(node);
      if (node.descriptor !== CLOSED) this.#calls.close(node.descriptor);
      node.descriptor = CLOSED;
      const parent: Node | undefined = node.parent;
      node.parent = undefined;
      if (parent !== undefined) parent.children--;
      node = parent;
    }
  }

  /** Puts it at the end of those used last, and closes the one that is too many. */
  #list(node: Node): void {
    node.isListed = true;
    node.older = this.#newest;
    if (this.#newest !== undefined) this.#newest.newer = node;
    this.#newest = node;
    this.#oldest ??= node;
    if (++this.#listed > this.#limits.descriptors) this.#closeOldest();
  }

  #unlist(node: Node): void {
    if (!node.isListed) return;
    node.isListed = false;
    const { newer, older } = node;
    if (newer === undefined) this.#newest = older;
    else newer.older = older;
    if (older === undefined) this.#oldest = newer;
    else older.newer = newer;
    node.newer = undefined;
    node.older = undefined;
    this.#listed--;
  }

  #closeOldest(): void {
    const node = this.#oldest;
    if (node === undefined) return;
    this.#unlist(node);
    this.#calls.close(node.descriptor);
    node.descriptor = CLOSED;
  }
}

function isSame(one: Uint8Array, other: Uint8Array): boolean {
  if (one.length !== other.length) return false;
  for (let at = 0; at < one.length; at++) if (one[at] !== other[at]) return false;
  return true;
}
