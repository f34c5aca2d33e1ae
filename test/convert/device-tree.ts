/**
 * Adds to the /chosen node of a flattened device tree: what a boot loader does for Xen. Devicetree Specification 0.4,
 * chapter 5. Only for trees that QEMU wrote.
 */

const HEADER = { TOTAL_SIZE: 4, STRUCT: 8, STRINGS: 12, STRINGS_SIZE: 32, STRUCT_SIZE: 36 } as const;
const TOKEN = { BEGIN_NODE: 1, END_NODE: 2, PROP: 3, NOP: 4, END: 9 } as const;

export interface TreeNode {
  name: string;
  properties: Readonly<Record<string, string | readonly number[] | readonly string[]>>;
  children?: readonly TreeNode[];
}

const padded = (size: number): number => (size + 3) & ~3;

function word(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

function fill(bytes: Buffer): Buffer {
  return Buffer.concat([bytes, Buffer.alloc(padded(bytes.length) - bytes.length)]);
}

function valueBytes(value: TreeNode["properties"][string]): Buffer {
  if (typeof value === "string") return Buffer.from(`${value}\0`);
  return Buffer.concat(value.map((one) => (typeof one === "number" ? word(one) : Buffer.from(`${one}\0`))));
}

/** The tokens of a node's inside; names of properties go to `strings`. */
function inside(node: TreeNode, strings: { text: string; base: number }): Buffer {
  const parts: Buffer[] = [];
  for (const [name, value] of Object.entries(node.properties)) {
    const bytes = valueBytes(value);
    parts.push(word(TOKEN.PROP), word(bytes.length), word(strings.base + strings.text.length), fill(bytes));
    strings.text += `${name}\0`;
  }
  for (const child of node.children ?? []) {
    const name = fill(Buffer.from(`${child.name}\0`));
    parts.push(word(TOKEN.BEGIN_NODE), name, inside(child, strings), word(TOKEN.END_NODE));
  }
  return Buffer.concat(parts);
}

/** Where the first token after `/chosen`'s own properties is. */
function chosenEnd(tree: Buffer): number {
  let at = tree.readUInt32BE(HEADER.STRUCT);
  let found = false;
  for (;;) {
    const token = tree.readUInt32BE(at);
    if (found && token !== TOKEN.PROP && token !== TOKEN.NOP) return at;
    if (token === TOKEN.BEGIN_NODE) {
      const end = tree.indexOf(0, at + 4);
      found = tree.toString("latin1", at + 4, end) === "chosen";
      at += 4 + padded(end + 1 - at - 4);
    } else if (token === TOKEN.PROP) at += 12 + padded(tree.readUInt32BE(at + 4));
    else if (token === TOKEN.END) throw new Error("no /chosen");
    else at += 4;
  }
}

/** The tree with properties and nodes added to `/chosen`. */
export function addToChosen(bytes: Uint8Array, added: Omit<TreeNode, "name">): Uint8Array {
  const tree = Buffer.from(bytes);
  const start = tree.readUInt32BE(HEADER.STRUCT);
  const end = start + tree.readUInt32BE(HEADER.STRUCT_SIZE);
  const stringsAt = tree.readUInt32BE(HEADER.STRINGS);
  const oldStrings = tree.subarray(stringsAt, stringsAt + tree.readUInt32BE(HEADER.STRINGS_SIZE));
  const strings = { text: "", base: oldStrings.length };
  const at = chosenEnd(tree);
  const structure = Buffer.concat([
    tree.subarray(start, at),
    inside({ name: "", ...added }, strings),
    tree.subarray(at, end),
  ]);
  const head = Buffer.from(tree.subarray(0, start));
  const newStrings = Buffer.concat([oldStrings, Buffer.from(strings.text, "latin1")]);
  const made = Buffer.concat([head, structure, newStrings]);
  made.writeUInt32BE(made.length, HEADER.TOTAL_SIZE);
  made.writeUInt32BE(start + structure.length, HEADER.STRINGS);
  made.writeUInt32BE(newStrings.length, HEADER.STRINGS_SIZE);
  made.writeUInt32BE(structure.length, HEADER.STRUCT_SIZE);
  return made;
}
