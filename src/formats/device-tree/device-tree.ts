/**
 * Reader for a flattened device tree: nodes and properties, each with its file offset. Bounded: nothing in the file makes
 * it read for long, deep or outside. Knows no property's meaning.
 *
 * Specification: Devicetree Specification 0.4 §5 (numbers in spec/device-tree.ts).
 */
import { alignUp } from "../../bytes/align.js";
import { ByteView } from "../../bytes/byte-view.js";
import { hex } from "../../bytes/hex.js";
import { FDT } from "../../spec/arm-boot.js";
import {
  FDT_HEADER,
  FDT_LAST_COMPATIBLE,
  FDT_LONGEST_NAME,
  FDT_TOKEN,
  FDT_TOKEN_SIZE,
  FDT_VERSION,
} from "../../spec/device-tree.js";
import { FormatError, reading } from "../format-error.js";

/** For people, and in errors. */
export const DEVICE_TREE = "device tree";
/** Deeper and larger than any machine's tree. */
const MAX_DEPTH = 64;
const MAX_ITEMS = 1 << 18;
/** Longer than any text in a tree that is read here. */
const LONGEST_TEXT = 4096;

/** One property. */
export interface TreeProperty {
  readonly name: string;
  /** File offset of the value. */
  readonly offset: number;
  readonly value: Uint8Array;
}

/** One node; the root's name is empty. */
export interface TreeNode {
  readonly name: string;
  /** File offset of its FDT_BEGIN_NODE token. */
  readonly offset: number;
  readonly properties: readonly TreeProperty[];
  readonly children: readonly TreeNode[];
}

/** A tree. */
export interface DeviceTree {
  /** Bytes that it takes in the file. */
  readonly totalSize: number;
  readonly version: number;
  readonly root: TreeNode;
}

interface OpenNode {
  name: string;
  offset: number;
  properties: TreeProperty[];
  children: TreeNode[];
}

/** Whether the magic number is there. */
export function hasTreeMagic(view: ByteView): boolean {
  return view.holds(FDT_HEADER.MAGIC, 4) && view.u32be(FDT_HEADER.MAGIC) === FDT.MAGIC_VALUE;
}

/** Reads a tree from the start of `bytes`. The caller has checked the magic number. Throws FormatError. */
export function readDeviceTree(bytes: Uint8Array): DeviceTree {
  return reading(DEVICE_TREE, "the tree", () => {
    const view = new ByteView(bytes);
    view.check(0, FDT_HEADER.SIZE);
    const [version, compatible] = [view.u32be(FDT_HEADER.VERSION), view.u32be(FDT_HEADER.LAST_COMP_VERSION)];
    if (version < FDT_VERSION || compatible > FDT_LAST_COMPATIBLE + 1) {
      throw new FormatError(DEVICE_TREE, {
        offset: FDT_HEADER.VERSION,
        found: `version ${version}, compatible with readers of ${compatible}`,
        expected: `version ${FDT_VERSION}`,
        meaning: "It is older than 2006, newer than this program, or its header is damaged.",
      });
    }
    return { totalSize: totalSize(view), version, root: new TreeReader(view).read() };
  });
}

function totalSize(view: ByteView): number {
  const size = view.u32be(FDT_HEADER.TOTALSIZE);
  if (size >= FDT_HEADER.SIZE && size <= view.length) return size;
  throw new FormatError(DEVICE_TREE, {
    offset: FDT_HEADER.TOTALSIZE,
    found: `totalsize ${hex(size)}`,
    expected: `at most the ${hex(view.length)} bytes of the file`,
    meaning: "The file is cut short, or its header is damaged: fetch or build it again.",
  });
}

/** Walks the structure block once. */
class TreeReader {
  readonly #struct: ByteView;
  readonly #strings: ByteView;
  readonly #open: OpenNode[] = [];
  /** Names by their offsets in the strings: properties share them. */
  readonly #names = new Map<number, string>();
  #at = 0;
  #items = 0;

  constructor(view: ByteView) {
    const part = (offsetAt: number, sizeAt: number): ByteView =>
      view.view(view.u32be(offsetAt), view.u32be(sizeAt));
    this.#struct = part(FDT_HEADER.OFF_DT_STRUCT, FDT_HEADER.SIZE_DT_STRUCT);
    this.#strings = part(FDT_HEADER.OFF_DT_STRINGS, FDT_HEADER.SIZE_DT_STRINGS);
  }

  read(): TreeNode {
    for (;;) {
      const at = this.#at;
      const token = this.#struct.u32be(at);
      this.#at += FDT_TOKEN_SIZE;
      if (++this.#items > MAX_ITEMS)
        throw this.#fault(at, `more than ${MAX_ITEMS} tokens`, "a machine's tree");
      switch (token) {
        case FDT_TOKEN.NOP:
          break;
        case FDT_TOKEN.BEGIN_NODE:
          this.#begin(at);
          break;
        case FDT_TOKEN.PROP:
          this.#property(at);
          break;
        case FDT_TOKEN.END_NODE: {
          const root = this.#end(at);
          if (root !== undefined) return root;
          break;
        }
        default:
          throw this.#fault(at, `token ${hex(token)}`, "a node, a property, or the end of a node");
      }
    }
  }

  #begin(at: number): void {
    if (this.#open.length >= MAX_DEPTH)
      throw this.#fault(at, `a node ${MAX_DEPTH + 1} levels deep`, "a machine's tree");
    const limit = Math.min(this.#struct.length - this.#at, FDT_LONGEST_NAME);
    const name = this.#struct.cString(this.#at, limit);
    if (name === undefined)
      throw this.#fault(at, `a node name without end in ${limit} bytes`, "a NUL after it");
    this.#at = alignUp(this.#at + name.length + 1, FDT_TOKEN_SIZE);
    this.#open.push({ name, offset: this.#struct.base + at, properties: [], children: [] });
  }

  #property(at: number): void {
    const node = this.#open.at(-1);
    if (node === undefined) throw this.#fault(at, "a property before the root node", "the root node");
    const [size, nameAt] = [this.#struct.u32be(this.#at), this.#struct.u32be(this.#at + 4)];
    const valueAt = this.#at + 2 * FDT_TOKEN_SIZE;
    const value = this.#struct.slice(valueAt, size);
    const name = this.#nameAt(nameAt);
    if (name === undefined) {
      throw this.#fault(
        this.#at + 4,
        `a property name at ${hex(nameAt)} of the strings`,
        "text that ends within them",
      );
    }
    node.properties.push({ name, offset: this.#struct.base + valueAt, value });
    this.#at = alignUp(valueAt + size, FDT_TOKEN_SIZE);
  }

  /** A property's name; undefined outside the strings, or without an end. */
  #nameAt(offset: number): string | undefined {
    const known = this.#names.get(offset);
    if (known !== undefined || !this.#strings.holds(offset, 1)) return known;
    const name = this.#strings.cString(offset, FDT_LONGEST_NAME);
    if (name !== undefined) this.#names.set(offset, name);
    return name;
  }

  /** Closes the innermost node; gives the root when it was that. */
  #end(at: number): TreeNode | undefined {
    const node = this.#open.pop();
    if (node === undefined) throw this.#fault(at, "the end of a node that never began", "the root node");
    const parent = this.#open.at(-1);
    if (parent === undefined) return node;
    parent.children.push(node);
    return undefined;
  }

  #fault(at: number, found: string, expected: string): FormatError {
    const meaning = "The tree is damaged: fetch or build it again.";
    return new FormatError(DEVICE_TREE, { offset: this.#struct.base + at, found, expected, meaning });
  }
}

/** A child by its name. */
export function childNode(node: TreeNode, name: string): TreeNode | undefined {
  return node.children.find((child) => child.name === name);
}

/** A property by its name. */
export function treeProperty(node: TreeNode, name: string): TreeProperty | undefined {
  return node.properties.find((property) => property.name === name);
}

/** A property's first text; undefined when it is absent or not ended by NUL. Throws FormatError for one that is too long. */
export function treeText(node: TreeNode, name: string): string | undefined {
  const property = treeProperty(node, name);
  if (property === undefined) return undefined;
  const text = new ByteView(property.value).cString(0, LONGEST_TEXT);
  if (text !== undefined || property.value.length <= LONGEST_TEXT) return text;
  throw new FormatError(DEVICE_TREE, {
    offset: property.offset,
    found: `"${name}" without an end in ${LONGEST_TEXT} bytes`,
    expected: `text of less than ${LONGEST_TEXT} characters`,
    meaning: "The tree is damaged, or made to waste memory.",
  });
}

/** A property of one or two cells as a number; undefined when it is absent, of another size, or above 2^53 - 1. */
export function treeNumber(node: TreeNode, name: string): number | undefined {
  const value = treeProperty(node, name)?.value;
  if (value === undefined) return undefined;
  const view = new ByteView(value);
  if (value.length === 4) return view.u32be(0);
  if (value.length !== 8) return undefined;
  const wide = view.u64be(0);
  return wide <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(wide) : undefined;
}
