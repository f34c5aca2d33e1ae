/** R3.1: whatever a guest asks of a shared folder, the answer is one or a FileError, what is outside stays as it is, and nothing is left open. */
import assert from "node:assert/strict";
import { mkdirSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import type { HostFolder } from "../../../src/host/node/share/host-folder.js";
import { openHostFolder } from "../../../src/host/node/share/share-folder.js";
import { FileError, type FileChanges } from "../../../src/share/file-backend.js";
import { Random } from "../../support/random.js";
import { SELF, bytes, openDescriptors, shared, temporaryFolder } from "./share-under-test.js";

const CALLS = 10_000;
/** Files get no longer than this, so that the disk is not filled. */
const MOST_SIZE = 2 ** 20;
const LIMITS = { nodes: 50, descriptors: 5, handles: 12 };

const NUMBERS = [-1, 0, 1, 2, 3, 4, 7, 8, 255, 4096, 0xffff, MOST_SIZE] as const;
const HUGE = [2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 53, 2 ** 63, 2 ** 64, 0.5, Number.NaN] as const;
const NAMES = [
  "a",
  "b",
  "c",
  "link",
  "..",
  ".",
  "",
  "a/b",
  "/etc",
  "\0",
  "a\0b",
  "\n",
  "x".repeat(255),
  "x".repeat(300),
];
const ATTRIBUTES = [
  "user.a",
  "user.b",
  "user.",
  "security.x",
  "trusted.y",
  "",
  "user.\0",
  `user.${"x".repeat(300)}`,
];

class HostileGuest {
  readonly #random: Random;
  /** What it was given, and what it makes up. */
  readonly #nodes: number[];
  readonly #handles: number[] = [];

  constructor(
    readonly share: HostFolder,
    seed: number,
  ) {
    this.#random = new Random(seed);
    this.#nodes = [share.root];
  }

  /** Does one thing. Throws what the share throws. */
  act(): void {
    const random = this.#random;
    const { share } = this;
    const [node, other] = [this.#node(), this.#node()];
    const handle = this.#handle();
    const [name, newName] = [this.#name(), this.#name()];
    const number = (): number => (random.below(4) === 0 ? random.pick(HUGE) : random.pick(NUMBERS));
    const small = (): number => random.pick(NUMBERS);
    const mode = random.below(2 ** 16);
    const made = { mode, ...SELF, ...(random.below(9) === 0 ? { gid: number() } : {}) };
    const buffer = new Uint8Array(new SharedArrayBuffer(random.below(5000)));
    const found = ({ node: id }: { node: number }): void => void this.#nodes.push(id);
    const calls = [
      () => found(share.lookup(node, name)),
      () => found(share.lookup(share.root, name)),
      () => share.forget(node, number()),
      () => share.attributes(node, random.below(2) === 0 ? handle : undefined),
      () => share.setAttributes(node, this.#changes(number, small)),
      () => share.readLink(node),
      () => found(share.symlink(node, name, newName, made)),
      () => found(share.makeNode(node, name, made, number())),
      () => found(share.makeFolder(node, name, made)),
      () => share.removeFile(node, name),
      () => share.removeFolder(node, name),
      () => share.rename(node, name, other, newName, random.below(3) === 0 ? number() : 0),
      () => found(share.link(node, other, newName)),
      () => this.#handles.push(share.open(node, random.below(2 ** 20))),
      () => {
        const file = share.create(node, name, made, random.below(2 ** 20));
        found(file);
        this.#handles.push(file.handle);
      },
      () => share.read(handle, number(), buffer),
      () => share.write(handle, small(), buffer),
      () => share.write(handle, 2 ** 53, buffer),
      () => share.allocate(handle, number(), small(), small()),
      () => share.seek(handle, number(), small()),
      () => share.sync(handle, true),
      () => share.release(handle),
      () => this.#handles.push(share.openFolder(node)),
      () => share.readFolder(handle, number(), small()),
      () => share.syncFolder(handle),
      () => share.releaseFolder(handle),
      () => share.facts(),
      () => share.getXattr(node, this.#attribute()),
      () => share.listXattr(node),
      () => share.setXattr(node, this.#attribute(), buffer, small()),
      () => share.removeXattr(node, this.#attribute()),
    ];
    random.pick(calls)();
  }

  #changes(number: () => number, small: () => number): FileChanges {
    const random = this.#random;
    const changes: Record<string, unknown> = {};
    const time = (): unknown =>
      random.below(3) === 0 ? "now" : { seconds: number(), nanoseconds: number() };
    if (random.below(3) === 0) changes["mode"] = random.below(2 ** 16) | 0o700;
    if (random.below(9) === 0) changes["uid"] = random.pick([SELF.uid, 2 ** 32 - 1, 2 ** 40, -1, 0.5]);
    if (random.below(3) === 0) changes["size"] = random.below(4) === 0 ? random.pick(HUGE.slice(4)) : small();
    if (random.below(3) === 0) changes["accessed"] = time();
    if (random.below(3) === 0) changes["modified"] = time();
    if (random.below(2) === 0) changes["handle"] = this.#handle();
    return changes as FileChanges;
  }

  #node(): number {
    return this.#random.below(20) === 0
      ? this.#random.pick([0, -1, 2 ** 40, 0.5])
      : this.#random.pick(this.#nodes);
  }

  #handle(): number {
    if (this.#handles.length === 0 || this.#random.below(20) === 0) return this.#random.below(100);
    return this.#random.pick(this.#handles.slice(-20));
  }

  /** Any name, in memory that it may share. */
  #name(): Uint8Array {
    const name = bytes(
      this.#random.below(3) === 0 ? this.#random.pick(NAMES) : this.#random.pick(NAMES.slice(0, 4)),
    );
    if (this.#random.below(2) === 0) return name;
    const own = new Uint8Array(new SharedArrayBuffer(name.length));
    own.set(name);
    return own;
  }

  #attribute(): Uint8Array {
    return bytes(this.#random.pick(ATTRIBUTES));
  }
}

for (const access of ["rw", "read-only", "read-only without koffi"] as const)
  test(`R3.1 ${CALLS} calls of a hostile guest, ${access}: answers and FileErrors only, the folder beside is as before, nothing is left open`, async (t) => {
    const outer = temporaryFolder();
    const folder = path.join(outer, "inside");
    mkdirSync(folder);
    writeFileSync(path.join(outer, "beside"), "beside");
    for (const name of ["a", "b"]) mkdirSync(path.join(folder, name));
    writeFileSync(path.join(folder, "c"), "content");
    symlinkSync("../beside", path.join(folder, "link"));
    await shared(t, folder);
    const before = openDescriptors();
    const readOnly = access !== "rw";
    const share =
      access === "read-only without koffi"
        ? await openHostFolder(folder, { readOnly, limits: LIMITS })
        : await shared(t, folder, { readOnly, limits: LIMITS });
    if (share === undefined) return;
    const guest = new HostileGuest(share, 4711);
    let answers = 0;
    const refusals = new Set<number>();
    for (let count = 0; count < CALLS; count++)
      try {
        guest.act();
        answers++;
      } catch (error) {
        if (!(error instanceof FileError)) throw error;
        assert.ok(Number.isInteger(error.errno) && error.errno > 0 && error.errno < 4096, error.message);
        refusals.add(error.errno);
      }
    assert.ok(
      answers > CALLS / 20 && refusals.size > 8,
      `${answers} answers, errors ${[...refusals].join(" ")}`,
    );
    assert.ok(openDescriptors() - before <= LIMITS.descriptors + 2 * LIMITS.handles + 1);
    assert.ok(share.nodes <= LIMITS.nodes);
    share.close();
    assert.equal(openDescriptors(), before);
    assert.deepEqual(readdirSync(outer).sort(), ["beside", "inside"]);
    if (readOnly) assert.deepEqual(readdirSync(folder).sort(), ["a", "b", "c", "link"]);
  });
