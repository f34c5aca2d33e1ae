/**
 * Reader for U-Boot's FIT: a device tree whose nodes hold images (kernels, trees, RAM disks) and configurations, which say
 * what goes together. Knows no loader; what an image is inside is told by whoever recognises images.
 *
 * Specification: U-Boot, doc/usage/fit/source_file_format.rst (numbers in spec/device-tree.ts).
 */
import { alignUp } from "../../bytes/align.js";
import { crc32 } from "../../codecs/crc32.js";
import { ByteView } from "../../bytes/byte-view.js";
import { hex } from "../../bytes/hex.js";
import { FDT_TOKEN_SIZE, FIT, FIT_HASH_NODE } from "../../spec/device-tree.js";
import {
  childNode,
  readDeviceTree,
  treeNumber,
  treeProperty,
  treeText,
  type DeviceTree,
  type TreeNode,
} from "../device-tree/device-tree.js";
import { FormatError, type FormatFault } from "../format-error.js";
import { once, type ImageBase } from "../image.js";
import { fitFacts } from "./facts.js";

/** For people, and in errors. */
export const FIT_NAME = "U-Boot FIT";

/** One image of a FIT. */
export interface FitSubimage {
  readonly name: string;
  /** File offset of its node. */
  readonly offset: number;
  readonly description: string | undefined;
  readonly type: string | undefined;
  readonly arch: string | undefined;
  readonly os: string | undefined;
  readonly compression: string | undefined;
  /** Physical addresses. */
  readonly load: number | undefined;
  readonly entry: number | undefined;
  /** The data and its file offset; undefined when it is not in the file. */
  readonly data: { readonly offset: number; readonly bytes: Uint8Array } | undefined;
  /** What the data is, where that can be told. */
  readonly content: string | undefined;
  /** Algorithms of its digests. */
  readonly hashes: readonly string[];
  /** What is wrong with its data. */
  readonly problems: readonly FormatFault[];
}

/** One configuration: names of images by role ("kernel", "fdt", "ramdisk", …). */
export interface FitConfiguration {
  readonly name: string;
  readonly offset: number;
  readonly description: string | undefined;
  readonly parts: Readonly<Record<string, string>>;
}

/** A FIT. */
export interface FitImage extends ImageBase {
  readonly format: "fit";
  readonly description: string | undefined;
  /** When it was made, seconds since 1970 UTC; U-Boot insists on it. */
  readonly timestamp: number | undefined;
  readonly images: readonly FitSubimage[];
  readonly configurations: readonly FitConfiguration[];
  /** Name of the configuration that is taken when none is asked for. */
  readonly defaultConfiguration: string | undefined;
  /** The kernel of that configuration, else the first of type kernel. */
  readonly kernel: FitSubimage | undefined;
  /** Those of all images. */
  readonly problems: readonly FormatFault[];
}

/** How whoever recognises images tells what is inside one. */
type Describe = (bytes: Uint8Array) => string | undefined;

/** What configurations name, in the order it is shown. */
const PARTS = ["kernel", "firmware", "fdt", "ramdisk", "loadables"] as const;
/** More than any FIT has; images may share data, so that each costs time without costing bytes of the file. */
const MAX_IMAGES = 256;
const MAX_HASHES = 4;
/** Data is looked at until that many times the file's size was: images of a FIT that was not made for it share none. */
const LOOKED_AT = 4;
const ARCH_NAMES: ReadonlyMap<string, string> = new Map([
  ["x86_64", "x86-64"],
  ["x86", "i386"],
]);

/** Whether a tree is a FIT. */
export function isFit({ root }: DeviceTree): boolean {
  return childNode(root, FIT.IMAGES) !== undefined;
}

/** Reads a FIT from its tree. Throws FormatError for one with too many images. */
export function readFit(bytes: Uint8Array, tree: DeviceTree, describe: Describe): FitImage {
  const nodes = childNode(tree.root, FIT.IMAGES)?.children ?? [];
  if (nodes.length > MAX_IMAGES) {
    const found = `${nodes.length} images`;
    const meaning = "No FIT has that many: it is damaged or made to waste time.";
    throw new FormatError(FIT_NAME, {
      offset: nodes[MAX_IMAGES].offset,
      found,
      expected: `at most ${MAX_IMAGES}`,
      meaning,
    });
  }
  const look = new Look(bytes.length * LOOKED_AT, describe);
  const images = nodes.map((node) => readSubimage(bytes, tree, node, look));
  const group = childNode(tree.root, FIT.CONFIGURATIONS);
  const configurations = (group?.children ?? []).map(readConfiguration);
  const defaultConfiguration = group === undefined ? undefined : treeText(group, FIT.DEFAULT);
  const kernel = kernelOf(images, configurations, defaultConfiguration);
  const base = {
    format: "fit" as const,
    bytes,
    arch: kernel?.arch === undefined ? "unknown" : (ARCH_NAMES.get(kernel.arch) ?? kernel.arch),
    description: treeText(tree.root, FIT.DESCRIPTION),
    timestamp: treeNumber(tree.root, FIT.TIMESTAMP),
    images,
    configurations,
    defaultConfiguration,
    kernel,
    problems: images.flatMap(({ problems }) => problems),
  };
  const facts = once(() => fitFacts(base));
  return {
    ...base,
    summary: summaryOf(base),
    get facts() {
      return facts();
    },
  };
}

/** The FIT in a file that begins with a device tree's magic number; undefined for any other tree. Throws FormatError. */
export function readFitFile(bytes: Uint8Array, describe: Describe): FitImage | undefined {
  const tree = readDeviceTree(bytes);
  return isFit(tree) ? readFit(bytes, tree, describe) : undefined;
}

function readConfiguration(node: TreeNode): FitConfiguration {
  const parts: Record<string, string> = {};
  for (const part of PARTS) {
    const name = treeText(node, part);
    if (name !== undefined) parts[part] = name;
  }
  return { name: node.name, offset: node.offset, description: treeText(node, FIT.DESCRIPTION), parts };
}

function kernelOf(
  images: readonly FitSubimage[],
  configurations: readonly FitConfiguration[],
  chosen: string | undefined,
): FitSubimage | undefined {
  const name = configurations.find((one) => one.name === chosen)?.parts["kernel"];
  return (
    images.find((one) => one.name === name) ?? images.find(({ type }) => type?.startsWith("kernel") === true)
  );
}

type Data = NonNullable<FitSubimage["data"]>;

/** What is found out about data by reading all of it: once for each place, and no more than a budget of bytes. */
class Look {
  readonly #sums = new Map<string, number>();
  readonly #contents = new Map<string, string | undefined>();
  readonly #describe: Describe;
  #left: number;

  constructor(budget: number, describe: Describe) {
    this.#left = budget;
    this.#describe = describe;
  }

  /** CRC-32; undefined when the budget is spent. */
  sum(data: Data): number | undefined {
    return this.#once(this.#sums, data, () => crc32(data.bytes));
  }

  /** What it is; undefined when that cannot be told, too. */
  content(data: Data): string | undefined {
    return this.#once(this.#contents, data, () => this.#describe(data.bytes));
  }

  #once<T>(known: Map<string, T>, { offset, bytes }: Data, find: () => T): T | undefined {
    const place = `${offset}:${bytes.length}`;
    if (!known.has(place) && bytes.length <= this.#left) {
      this.#left -= bytes.length;
      known.set(place, find());
    }
    return known.get(place);
  }
}

function readSubimage(bytes: Uint8Array, tree: DeviceTree, node: TreeNode, look: Look): FitSubimage {
  const problems: FormatFault[] = [];
  const data = locateData(bytes, tree, node, problems);
  const hashNodes = node.children.filter(({ name }) => FIT_HASH_NODE.test(name)).slice(0, MAX_HASHES);
  const hashes = hashNodes.map((hash) => checkHash(node, hash, data, look, problems));
  return {
    name: node.name,
    offset: node.offset,
    description: treeText(node, FIT.DESCRIPTION),
    type: treeText(node, FIT.TYPE),
    arch: treeText(node, FIT.ARCH),
    os: treeText(node, FIT.OS),
    compression: treeText(node, FIT.COMPRESSION),
    load: treeNumber(node, FIT.LOAD),
    entry: treeNumber(node, FIT.ENTRY),
    data,
    content: data === undefined ? undefined : look.content(data),
    hashes,
    problems,
  };
}

/** Data in the tree, or outside it at a place in the file. */
function locateData(
  bytes: Uint8Array,
  tree: DeviceTree,
  node: TreeNode,
  problems: FormatFault[],
): FitSubimage["data"] {
  const inside = treeProperty(node, FIT.DATA);
  if (inside !== undefined) return { offset: inside.offset, bytes: inside.value };
  const size = treeNumber(node, FIT.DATA_SIZE);
  const relative = treeNumber(node, FIT.DATA_OFFSET);
  const position =
    treeNumber(node, FIT.DATA_POSITION) ??
    (relative === undefined ? undefined : alignUp(tree.totalSize, FDT_TOKEN_SIZE) + relative);
  if (position === undefined || size === undefined) return undefined;
  const view = new ByteView(bytes);
  if (view.holds(position, size)) return { offset: position, bytes: view.slice(position, size) };
  problems.push({
    offset: node.offset,
    found: `data of "${node.name}" at ${hex(position)}, ${size} bytes`,
    expected: `it within the ${hex(bytes.length)} bytes of the file`,
    meaning: "The file is cut short, or was made with its data in another file.",
  });
  return undefined;
}

/** Checks a crc32 digest; others are named only. Gives the algorithm. */
function checkHash(
  node: TreeNode,
  hash: TreeNode,
  data: FitSubimage["data"],
  look: Look,
  problems: FormatFault[],
): string {
  const value = treeProperty(hash, FIT.VALUE);
  const algorithm = treeText(hash, FIT.ALGORITHM) ?? "unknown";
  if (algorithm !== "crc32" || value?.value.length !== 4 || data === undefined) return algorithm;
  const [found, expected] = [new ByteView(value.value).u32be(0), look.sum(data)];
  if (expected === undefined) return `${algorithm} (not checked: the images share too much data)`;
  if (found === expected) return algorithm;
  problems.push({
    offset: value.offset,
    found: `crc32 ${hex(found, 8)} of "${node.name}"`,
    expected: hex(expected, 8),
    meaning: "The data was changed after mkimage wrote it, or is damaged: U-Boot refuses it.",
  });
  return algorithm;
}

function summaryOf(image: Omit<FitImage, "facts" | "summary">): string {
  const { images, configurations, kernel } = image;
  const parts = [FIT_NAME, `${images.length} images`, `${configurations.length} configurations`];
  if (kernel !== undefined) {
    const what = kernel.content === undefined ? "" : ` (${kernel.content})`;
    parts.push(`kernel "${kernel.name}"${what}`);
  }
  return parts.join(", ");
}
