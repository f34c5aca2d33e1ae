/** R3.1: random calls on a shared folder, and the same of Node's on another folder: both answer alike and end alike. */
import assert from "node:assert/strict";
import {
  chmodSync,
  closeSync,
  constants,
  ftruncateSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmdirSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeSync,
} from "node:fs";
import path from "node:path";
import { test } from "node:test";
import type { HostFolder } from "../../../src/host/node/share/host-folder.js";
import { FileError } from "../../../src/share/file-backend.js";
import { Random, randomBytes } from "../../support/random.js";
import {
  at,
  bytes,
  entries,
  made,
  openDescriptors,
  shared,
  temporaryFolder,
  text,
} from "./share-under-test.js";

const STEPS = 2000;
const S_IFREG = 0o100000;
const NAMES = ["a", "b", "c", "d", "e", "f", "a name that is longer"];
const MOST_DEPTH = 4;
const MOST_SIZE = 10_000;

/** What a call gave, or the error that it was refused with. */
function outcome(call: () => unknown): unknown {
  try {
    return call() ?? "done";
  } catch (error) {
    if (error instanceof FileError) return `error ${error.errno}`;
    const { errno } = error as NodeJS.ErrnoException;
    if (errno === undefined) throw error;
    return `error ${-errno}`;
  }
}

/** Folders of a tree, as paths below it. */
function foldersOf(root: string, below = ""): string[] {
  const names = readdirSync(path.join(root, below), { withFileTypes: true });
  const inner = names.filter((entry) => entry.isDirectory()).map(({ name }) => path.join(below, name));
  return [below, ...inner.flatMap((name) => foldersOf(root, name))];
}

/** Everything that is the same on two folders that were treated alike. */
function treeOf(root: string): unknown[] {
  return foldersOf(root).flatMap((folder) =>
    readdirSync(path.join(root, folder))
      .sort()
      .map((name) => {
        const file = path.join(root, folder, name);
        const stat = lstatSync(file);
        const facts = [path.join(folder, name), stat.mode, stat.nlink];
        if (stat.isSymbolicLink()) return [...facts, readlinkSync(file)];
        return stat.isFile() ? [...facts, readFileSync(file, "latin1")] : facts;
      }),
  );
}

/** One call, on the share by its nodes and on the model by its paths. */
type Step = readonly [name: string, onShare: () => unknown, onModel: () => unknown];

/** A file of the model, opened without following a link; what the share refuses as no file it refuses by another number. */
function opened<T>(file: string, flags: number, use: (descriptor: number) => T): T {
  if (lstatSync(file, { throwIfNoEntry: false })?.isFile() === false) {
    const error: NodeJS.ErrnoException = new Error("no file");
    error.errno = -13;
    throw error;
  }
  const descriptor = openSync(file, flags | constants.O_NOFOLLOW, 0o644);
  try {
    return use(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

class Pair {
  readonly #random: Random;

  constructor(
    readonly share: HostFolder,
    readonly model: string,
    seed: number,
  ) {
    this.#random = new Random(seed);
  }

  step(): Step {
    const random = this.#random;
    const folders = foldersOf(this.model);
    const folder = random.pick(folders);
    const other = random.pick(folders);
    const [name, newName] = [random.pick(NAMES), random.pick(NAMES)];
    const above = path.dirname(folder) === "." ? "" : path.dirname(folder);
    const steps = [
      () => this.#create(folder, name),
      () => this.#write(folder, name),
      () => this.#write(folder, name),
      () => this.#truncate(folder, name),
      () => this.#makeFolder(folder, name),
      () => this.#makeFolder(folder, name),
      () => this.#remove(folder, name, false),
      () => this.#remove(folder, name, true),
      // One that is there, and may be empty.
      () => this.#remove(above, path.basename(folder) || name, true),
      () => this.#rename(folder, name, other, newName),
      () => this.#rename(folder, name, other, newName),
      () => this.#link(folder, name, other, newName),
      () => this.#symlink(folder, name),
      () => this.#change(folder, name),
      () => this.#list(folder),
      () => this.#read(folder, name),
    ];
    return random.pick(steps)();
  }

  #path(folder: string, name: string): string {
    return path.join(this.model, folder, name);
  }

  /** The share's node of a name, and what is done with it; looked up by it, and forgotten again. */
  #with<T>(folder: string, name: string, use: (node: number, parent: number) => T): T {
    const parent = at(this.share, folder);
    const { node } = this.share.lookup(parent, bytes(name));
    try {
      return use(node, parent);
    } finally {
      if (this.#random.below(2) === 0) this.share.forget(node, 1);
    }
  }

  #create(folder: string, name: string): Step {
    const { O_RDWR, O_CREAT } = constants;
    const mode = this.#random.pick([0o644, 0o600, 0o666]);
    return [
      `create ${folder}/${name}`,
      () =>
        this.share.release(
          this.share.create(at(this.share, folder), bytes(name), made(S_IFREG | mode), O_RDWR).handle,
        ),
      () => {
        const file = this.#path(folder, name);
        const isNew = lstatSync(file, { throwIfNoEntry: false }) === undefined;
        opened(file, O_RDWR | O_CREAT, () => undefined);
        if (isNew) chmodSync(file, mode);
      },
    ];
  }

  #write(folder: string, name: string): Step {
    const offset = this.#random.below(MOST_SIZE);
    const data = randomBytes(1 + this.#random.below(1000), this.#random.below(3000));
    return [
      `write ${folder}/${name} ${offset} ${data.length}`,
      () =>
        this.#with(folder, name, (node) => {
          const handle = this.share.open(node, constants.O_RDWR);
          const length = this.share.write(handle, offset, data);
          this.share.release(handle);
          return length;
        }),
      () =>
        opened(this.#path(folder, name), constants.O_RDWR, (descriptor) =>
          writeSync(descriptor, data, 0, data.length, offset),
        ),
    ];
  }

  #read(folder: string, name: string): Step {
    const offset = this.#random.below(MOST_SIZE);
    return [
      `read ${folder}/${name} ${offset}`,
      () =>
        this.#with(folder, name, (node) => {
          const handle = this.share.open(node, 0);
          const into = new Uint8Array(MOST_SIZE);
          const length = this.share.read(handle, offset, into);
          this.share.release(handle);
          return Buffer.from(into.subarray(0, length)).toString("latin1");
        }),
      () =>
        opened(this.#path(folder, name), 0, (descriptor) => {
          const into = Buffer.alloc(MOST_SIZE);
          return into.subarray(0, readSync(descriptor, into, 0, MOST_SIZE, offset)).toString("latin1");
        }),
    ];
  }

  #truncate(folder: string, name: string): Step {
    const size = this.#random.below(MOST_SIZE);
    return [
      `truncate ${folder}/${name} ${size}`,
      () =>
        this.#with(folder, name, (node) => {
          const handle = this.share.open(node, constants.O_RDWR);
          const isByHandle = this.#random.below(2) === 0;
          this.share.setAttributes(node, isByHandle ? { size, handle } : { size });
          this.share.release(handle);
        }),
      () =>
        opened(this.#path(folder, name), constants.O_RDWR, (descriptor) => ftruncateSync(descriptor, size)),
    ];
  }

  #makeFolder(folder: string, name: string): Step {
    const isDeep = folder.split(path.sep).length >= MOST_DEPTH;
    const [parent, below] = isDeep ? ["", "top"] : [folder, name];
    return [
      `mkdir ${parent}/${below}`,
      () => void this.share.makeFolder(at(this.share, parent), bytes(below), made(0o755)),
      () => void mkdirSync(this.#path(parent, below), 0o755),
    ];
  }

  #remove(folder: string, name: string, isFolder: boolean): Step {
    return [
      `${isFolder ? "rmdir" : "unlink"} ${folder}/${name}`,
      () =>
        isFolder
          ? this.share.removeFolder(at(this.share, folder), bytes(name))
          : this.share.removeFile(at(this.share, folder), bytes(name)),
      () => (isFolder ? rmdirSync : unlinkSync)(this.#path(folder, name)),
    ];
  }

  #rename(folder: string, name: string, other: string, newName: string): Step {
    return [
      `rename ${folder}/${name} ${other}/${newName}`,
      () => this.share.rename(at(this.share, folder), bytes(name), at(this.share, other), bytes(newName), 0),
      () => renameSync(this.#path(folder, name), this.#path(other, newName)),
    ];
  }

  #link(folder: string, name: string, other: string, newName: string): Step {
    return [
      `link ${folder}/${name} ${other}/${newName}`,
      () =>
        this.#with(folder, name, (node) => void this.share.link(node, at(this.share, other), bytes(newName))),
      () => linkSync(this.#path(folder, name), this.#path(other, newName)),
    ];
  }

  #symlink(folder: string, name: string): Step {
    const target = this.#random.pick(["nowhere", "../nowhere", "/nowhere/at all"]);
    return [
      `symlink ${folder}/${name}`,
      () => void this.share.symlink(at(this.share, folder), bytes(name), bytes(target), made(0)),
      () => symlinkSync(target, this.#path(folder, name)),
    ];
  }

  #change(folder: string, name: string): Step {
    const file = this.#path(folder, name);
    const mode = this.#random.pick([0o700, 0o755]);
    const seconds = this.#random.below(1_000_000);
    // Node changes what a link leads to.
    if (lstatSync(file, { throwIfNoEntry: false })?.isSymbolicLink() === true)
      return this.#readLink(folder, name);
    const time = { seconds, nanoseconds: 0 };
    return [
      `change ${folder}/${name}`,
      () =>
        this.#with(folder, name, (node) => {
          const { modified } = this.share.setAttributes(node, { mode, accessed: time, modified: time });
          return modified.seconds;
        }),
      () => {
        chmodSync(file, mode);
        utimesSync(file, seconds, seconds);
        return lstatSync(file).mtimeMs / 1000;
      },
    ];
  }

  #readLink(folder: string, name: string): Step {
    return [
      `readlink ${folder}/${name}`,
      () => this.#with(folder, name, (node) => text(this.share.readLink(node))),
      () => readlinkSync(this.#path(folder, name)),
    ];
  }

  #list(folder: string): Step {
    const most = 1 + this.#random.below(8);
    return [
      `list ${folder}`,
      () =>
        entries(this.share, at(this.share, folder), most)
          .map(({ name, type }) => `${text(name)} ${type}`)
          .sort(),
      () =>
        readdirSync(path.join(this.model, folder))
          .map((name) => `${name} ${lstatSync(this.#path(folder, name)).mode >> 12}`)
          .sort(),
    ];
  }
}

for (const [seed, descriptors] of [
  [1, 1000],
  [20_260, 3],
] as const)
  test(`R3.1 ${STEPS} random calls with ${descriptors} descriptors answer as Node's do on another folder (seed ${seed})`, async (t) => {
    const [folder, model] = [temporaryFolder(), temporaryFolder()];
    const before = openDescriptors();
    const share = await shared(t, folder, { limits: { descriptors } });
    if (share === undefined) return;
    const pair = new Pair(share, model, seed);
    const seen = new Map<string, number>();
    for (let count = 0; count < STEPS; count++) {
      const [name, onShare, onModel] = pair.step();
      const expected = outcome(onModel);
      assert.deepEqual(outcome(onShare), expected, `step ${count}: ${name}`);
      const kind = `${name.split(" ", 1)[0]} ${typeof expected === "string" && expected.startsWith("error") ? expected : "done"}`;
      seen.set(kind, (seen.get(kind) ?? 0) + 1);
      if (count % 100 === 0) assert.deepEqual(treeOf(folder), treeOf(model), `after step ${count}`);
    }
    assert.deepEqual(treeOf(folder), treeOf(model));
    // The calls were worth making: each kind was done, and refused.
    for (const kind of [
      "create",
      "write",
      "read",
      "truncate",
      "mkdir",
      "rmdir",
      "unlink",
      "rename",
      "link",
      "symlink",
      "change",
      "list",
    ])
      assert.ok((seen.get(`${kind} done`) ?? 0) > 5, `${kind}: ${JSON.stringify([...seen])}`);
    share.close();
    assert.equal(openDescriptors(), before);
  });
