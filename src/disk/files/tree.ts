/**
 * Files of a file system on a disk, read only. A reader (`ext.ts`, `fat.ts`) knows its own nodes; finding a path, with symbolic links
 * that stay inside the file system, is the same for all.
 */
import { BlockError } from "../../block/block-error.js";

export type NodeKind = "file" | "folder" | "link" | "other";

/** A file, folder or link as its reader knows it. */
export interface FileNode {
  readonly kind: NodeKind;
  /** Bytes of its content. */
  readonly size: number;
}

/** An entry of a folder. */
export interface FolderEntry<Node extends FileNode> {
  readonly name: string;
  /** Reads what it is; throws BlockError. */
  node(): Node;
}

/** What a file system's reader does; all of it may throw BlockError. */
export interface TreeReader<Node extends FileNode = FileNode> {
  readonly root: Node;
  /** "." and ".." left out. */
  list(folder: Node): readonly FolderEntry<Node>[];
  find(folder: Node, name: string): FolderEntry<Node> | undefined;
  /** The whole content of a file or the target of a link; BlockError when it has more than `limit` bytes. */
  read(node: Node, limit: number): Uint8Array;
}

/** A file that was found. */
export interface FoundFile {
  /** Where it really is, links followed. */
  readonly path: string;
  readonly kind: NodeKind;
  readonly size: number;
  /** Its content. BlockError when it has more than `limit` bytes. */
  read(limit: number): Uint8Array;
  /** Names in a folder. */
  names(): string[];
}

/** Files by path. */
export interface FileTree {
  /**
   * What is at a path from the root; undefined where nothing is, and where a link leads nowhere or in circles. Throws BlockError for
   * a file system that is damaged on the way.
   */
  open(path: string): FoundFile | undefined;
}

/** Links that are followed for one path, as Linux does. */
const MOST_LINKS = 40;
/** Bytes of a link's target, as Linux has it. */
const LONGEST_TARGET = 4096;
/** Folders in a path: links may make it longer than it was. */
const DEEPEST = 256;

/** Where in the tree: the folders from the root on, by name. */
interface Place<Node> {
  names: string[];
  nodes: Node[];
}

/** Files by path, of a reader. */
export function fileTree<Node extends FileNode>(reader: TreeReader<Node>): FileTree {
  return {
    open(path) {
      const place = walk(reader, path);
      if (place === undefined) return undefined;
      const node = place.nodes[place.nodes.length - 1];
      return {
        path: `/${place.names.join("/")}`,
        kind: node.kind,
        size: node.size,
        read: (limit) => {
          if (node.kind === "file") return reader.read(node, limit);
          throw new BlockError(0, `a ${node.kind} at ${path}`, "a file", "Nothing can be read of it.");
        },
        names: () => (node.kind === "folder" ? reader.list(node).map(({ name }) => name) : []),
      };
    },
  };
}

function walk<Node extends FileNode>(reader: TreeReader<Node>, path: string): Place<Node> | undefined {
  const place: Place<Node> = { names: [], nodes: [reader.root] };
  const ahead = path.split("/").reverse();
  let links = 0;
  while (ahead.length > 0) {
    const name = ahead.pop() ?? "";
    if (name === "" || name === ".") continue;
    if (name === "..") {
      place.names.pop();
      if (place.nodes.length > 1) place.nodes.pop();
      continue;
    }
    const folder = place.nodes[place.nodes.length - 1];
    if (folder.kind !== "folder" || place.nodes.length > DEEPEST) return undefined;
    const entry = reader.find(folder, name);
    if (entry === undefined) return undefined;
    const node = entry.node();
    if (node.kind !== "link") {
      place.names.push(entry.name);
      place.nodes.push(node);
      continue;
    }
    if (++links > MOST_LINKS) return undefined;
    const target = new TextDecoder().decode(reader.read(node, LONGEST_TARGET));
    if (target.startsWith("/")) {
      place.names = [];
      place.nodes = [reader.root];
    }
    ahead.push(...target.split("/").reverse());
  }
  return place;
}
