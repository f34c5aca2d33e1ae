/**
 * Random guests of a shared folder over 9P: sequences of requests with fids that they have, had or never had, fields that are nearly
 * right, and pieces of any size. Whatever they ask costs at most an error: nothing throws, a reply lies within its room and answers its
 * request, and what is held is what the guest has and no more than it may.
 */
import assert from "node:assert/strict";
import { MOST_XATTR_BYTES } from "../../src/share/ninep/fids.js";
import { NinePServer } from "../../src/share/ninep/server.js";
import { SHARE_CACHES } from "../../src/share/share-options.js";
import { LINUX_ERRNO as E } from "../../src/spec/linux-errno.js";
import { NINEP_HEADER, NINEP_NONE, NINEP_RLERROR, NINEP_T as T } from "../../src/spec/ninep.js";
import { PieceMessage } from "../support/fuse-guest.js";
import { MemoryFolder } from "../support/memory-folder.js";
import { fields, message, ninePReply, type Field } from "../support/ninep-guest.js";
import { Random } from "../support/random.js";
import { cutsOf, DATA, KINDS, anyU32, anyU64 } from "./message-values.js";

const FOLDER = { bytes: 2 ** 17, files: 400 };
/** Requests of one guest, after which another has another folder. */
const LIFE = 1000;
const LARGEST_ERRNO = 4095;
const ERROR_LENGTH = NINEP_HEADER.SIZE + 4;
const NAMES = ["a", "b", "c", "folder", "link", "x".repeat(255), "ümlaut", " "];
const BAD_NAMES = ["", ".", "..", "a/b", "../a", "a\0", "x".repeat(256), "y".repeat(5000)];
const TARGETS = ["a", "../../etc/passwd", "/", "t".repeat(4095), "t".repeat(4096), ""];
const ROOMS = [0, 10, 11, 12, 24, 31, 67, 160, 512, 4096, 65536 + 16];
/** Fids of a guest: few, so that they meet. */
const FIDS = 16;

type Draft = readonly [type: number, of: Uint8Array];

class RandomGuest {
  /** Fids that it has, as far as it knows. */
  readonly #has = new Set<number>([0]);

  constructor(
    private readonly server: NinePServer,
    private readonly random: Random,
    private readonly seen: Set<string>,
  ) {}

  /** Sends one request and looks at what comes back. */
  step(): void {
    const { random } = this;
    const [type, of] = this.#draft();
    const bytes = message(type, random.below(2 ** 16), of);
    const sent = random.below(6) === 0 ? this.#damaged(bytes) : bytes;
    const room = new Uint8Array(random.below(4) === 0 ? random.pick(ROOMS) : 4096);
    const cuts = { request: cutsOf(this.random, sent.length), room: cutsOf(this.random, room.length) };
    this.#look(sent, room, this.server.serve(new PieceMessage(sent, room, cuts)));
  }

  #look(sent: Uint8Array, room: Uint8Array, length: number): void {
    if (sent.length < NINEP_HEADER.SIZE || room.length < ERROR_LENGTH) {
      assert.equal(length, -1);
      return;
    }
    assert.ok(length >= NINEP_HEADER.SIZE && length <= room.length, `${length} of ${room.length} bytes`);
    const view = new DataView(sent.buffer, sent.byteOffset);
    const reply = ninePReply(room, length);
    assert.equal(reply.length, length);
    assert.equal(reply.tag, view.getUint16(NINEP_HEADER.TAG, true));
    const type = view.getUint8(NINEP_HEADER.TYPE);
    // Gone whatever is answered.
    if ((type === T.CLUNK || type === T.REMOVE) && sent.length >= ERROR_LENGTH)
      this.#has.delete(view.getUint32(NINEP_HEADER.SIZE, true));
    if (reply.type === NINEP_RLERROR) {
      assert.equal(length, ERROR_LENGTH);
      assert.ok(reply.errno > 0 && reply.errno <= LARGEST_ERRNO, `error ${reply.errno}`);
      this.seen.add(`error ${reply.errno}`);
    } else {
      assert.equal(reply.type, type + 1);
      this.seen.add(`${type}`);
      this.#learn(type, view, reply.body);
    }
  }

  /** Keeps what the server gave. */
  #learn(type: number, request: DataView, body: DataView): void {
    const [first, second] = [NINEP_HEADER.SIZE, NINEP_HEADER.SIZE + 4];
    if (type === T.VERSION) this.begun(false);
    else if (type === T.ATTACH) this.#has.add(request.getUint32(first, true));
    else if (type === T.XATTRWALK) this.#has.add(request.getUint32(second, true));
    else if (type === T.WALK && body.getUint16(0, true) === request.getUint16(second + 4, true))
      this.#has.add(request.getUint32(second, true));
  }

  /** It has the root, or nothing at all. */
  begun(attached: boolean): void {
    this.#has.clear();
    if (attached) this.#has.add(0);
  }

  #damaged(bytes: Uint8Array): Uint8Array {
    const { random } = this;
    switch (random.below(4)) {
      case 0:
        return bytes.slice(0, random.below(bytes.length + 1));
      case 1:
        new DataView(bytes.buffer).setUint32(NINEP_HEADER.LENGTH, anyU32(this.random), true);
        return bytes;
      case 2:
        bytes[NINEP_HEADER.TYPE] = random.below(256);
        return bytes;
      default:
        for (let i = random.below(4); i >= 0; i--) bytes[random.below(bytes.length)] = random.below(256);
        return bytes;
    }
  }

  #fid(): number {
    if (this.random.below(20) === 0) return anyU32(this.random);
    return this.#has.size === 0 ? 0 : this.random.pick([...this.#has]);
  }

  #newFid(): number {
    return this.random.below(20) === 0 ? anyU32(this.random) : this.random.below(FIDS);
  }

  #name(): string {
    return this.random.pick(this.random.below(8) === 0 ? BAD_NAMES : NAMES);
  }

  #count(): number {
    return this.random.below(8) === 0 ? anyU32(this.random) : this.random.below(4000);
  }

  #offset(): bigint {
    const { random } = this;
    if (random.below(8) === 0) return anyU64(this.random);
    return BigInt(random.below(random.below(2) === 0 ? 20_000 : 200));
  }

  #draft(): Draft {
    const { random } = this;
    if (random.below(300) === 0)
      return [T.VERSION, fields(anyU32(this.random), random.pick(["9P2000.L", "9P2000"]))];
    const drafts = [
      () => this.#fids(),
      () => this.#fids(),
      () => this.#names(),
      () => this.#files(),
      () => this.#files(),
      () => this.#rest(),
    ];
    return random.pick(drafts)();
  }

  #walk(): Draft {
    const { random } = this;
    const names = Array.from({ length: random.below(random.below(6) === 0 ? 18 : 3) }, () =>
      random.below(5) === 0 ? ".." : random.below(4) === 0 ? "deep" : this.#name(),
    );
    const count = random.below(20) === 0 ? random.below(2 ** 16) : names.length;
    return [T.WALK, fields(this.#fid(), this.#newFid(), [2, count], ...names)];
  }

  #fids(): Draft {
    const { random } = this;
    const nobody = random.below(9) === 0 ? anyU32(this.random) : NINEP_NONE;
    const tree = random.below(9) === 0 ? "elsewhere" : "/";
    const options: (() => Draft)[] = [
      () => [T.ATTACH, fields(this.#newFid(), nobody, "user", tree, anyU32(this.random))],
      () => this.#walk(),
      () => this.#walk(),
      () => this.#walk(),
      () => [T.CLUNK, fields(this.#fid())],
      () => [T.REMOVE, fields(this.#fid())],
      () => [T.RENAME, fields(this.#fid(), this.#fid(), this.#name())],
      () => [T.FLUSH, fields([2, random.below(2 ** 16)])],
    ];
    return random.pick(options)();
  }

  #names(): Draft {
    const { random } = this;
    const fid = (): number => this.#fid();
    const name = (): string => this.#name();
    const u32 = (): number => anyU32(this.random);
    const options: (() => Draft)[] = [
      () => [T.SYMLINK, fields(fid(), name(), random.pick(TARGETS), u32())],
      () => [T.MKNOD, fields(fid(), name(), random.pick(KINDS), u32(), u32(), u32())],
      () => [T.MKDIR, fields(fid(), name(), u32(), u32())],
      () => [T.LINK, fields(fid(), fid(), name())],
      () => [T.RENAMEAT, fields(fid(), name(), fid(), name())],
      () => [T.UNLINKAT, fields(fid(), name(), random.pick([0, 0x200, 0x200, 1]))],
      () => [T.READLINK, fields(fid())],
      () => [T.GETATTR, fields(fid(), anyU64(this.random))],
      () => {
        const numbers: Field[] = [random.below(2 ** 9), u32(), u32(), u32(), this.#offset()];
        return [T.SETATTR, fields(fid(), ...numbers, anyU64(this.random), anyU64(this.random), 111n, 222n)];
      },
      () => [T.STATFS, fields(fid())],
    ];
    return random.pick(options)();
  }

  #files(): Draft {
    const { random } = this;
    const fid = (): number => this.#fid();
    const options: (() => Draft)[] = [
      () => [T.LOPEN, fields(fid(), random.below(3) === 0 ? anyU32(this.random) : random.pick([0, 2]))],
      () => [
        T.LCREATE,
        fields(fid(), this.#name(), anyU32(this.random), anyU32(this.random), anyU32(this.random)),
      ],
      () => [T.READ, fields(fid(), this.#offset(), this.#count())],
      () => {
        const data = DATA.subarray(0, random.below(random.below(3) === 0 ? 20 : DATA.length));
        const count = random.below(8) === 0 ? anyU32(this.random) : data.length;
        const offset = random.below(2) === 0 ? 0n : this.#offset();
        return [T.WRITE, fields(fid(), offset, count, data)];
      },
      () => [T.READDIR, fields(fid(), random.below(2) === 0 ? 0n : this.#offset(), this.#count())],
      () => [T.FSYNC, fields(fid(), random.below(2))],
      () => [T.LOCK, fields(fid(), [1, random.below(4)], 0, 0n, anyU64(this.random), 1, "guest")],
      () => [T.GETLOCK, fields(fid(), [1, random.below(4)], 0n, anyU64(this.random), 1, "guest")],
    ];
    return random.pick(options)();
  }

  #rest(): Draft {
    const { random } = this;
    const name = (): string => random.pick(["user.a", "user.b", "", this.#name()]);
    const options: (() => Draft)[] = [
      () => [T.XATTRWALK, fields(this.#fid(), this.#newFid(), name())],
      () => {
        const size = random.below(8) === 0 ? anyU64(this.random) : BigInt(random.below(20));
        return [T.XATTRCREATE, fields(this.#fid(), name(), size, random.below(3))];
      },
      () => [random.below(256), DATA.subarray(0, random.below(100))],
    ];
    return random.pick(options)();
  }
}

const VERSION = message(T.VERSION, 0xffff, fields(65536, "9P2000.L"));
const ATTACH = message(T.ATTACH, 1, fields(0, NINEP_NONE, "", "", 0));

/** Sends `messages` requests; gives which types succeeded at least once, by number, and which errors there were. */
export function fuzzNineP(messages: number, seed: number): Set<string> {
  const random = new Random(seed);
  const seen = new Set<string>();
  for (let sent = 0; sent < messages; sent += LIFE) {
    const folder = new MemoryFolder(random.below(4) === 0, FOLDER);
    folder.put("folder/deep/file", "text");
    folder.put("a", DATA);
    const limits = { nodes: 4 + random.below(20), handles: 1 + random.below(3) };
    const server = new NinePServer(folder, { cache: random.pick(SHARE_CACHES), limits });
    const begin = (): void => {
      for (const one of [VERSION, ATTACH]) server.serve(new PieceMessage(one, new Uint8Array(4096)));
      guest.begun(true);
    };
    const guest = new RandomGuest(server, random, seen);
    begin();
    for (let step = sent; step < Math.min(sent + LIFE, messages); step++) {
      folder.tick(random.below(2));
      try {
        guest.step();
        const { nodes, handles } = server.nodes;
        const { fids, places, xattrBytes } = server.fids.count;
        assert.deepEqual(
          [folder.looked, folder.opened],
          [nodes, handles],
          "what is held is what the guest has",
        );
        assert.ok(
          nodes <= places && places <= limits.nodes && fids <= limits.nodes,
          `${places} places, ${fids} fids`,
        );
        assert.ok(handles <= limits.handles && xattrBytes <= MOST_XATTR_BYTES, `${handles} handles`);
        assert.ok(fids > 0 || (places === 0 && handles === 0 && xattrBytes === 0), "held for nobody");
      } catch (error) {
        throw new Error(`message ${step} of seed ${seed}`, { cause: error });
      }
      // One that began with another version can do nothing any more.
      if (random.below(100) === 0) begin();
    }
    server.reset();
    assert.deepEqual([folder.looked, folder.opened], [0, 0]);
  }
  return seen;
}

/** Errors that random guests must come to, so that what they test is what they seem to. */
export const EXPECTED_ERRORS = [
  ...[E.EINVAL, E.ENFILE, E.EMFILE, E.EBADF, E.ENAMETOOLONG, E.EFBIG, E.EROFS, E.EIO, E.EOPNOTSUPP, E.E2BIG],
  ...[E.EISDIR, E.ENOENT, E.ENOTDIR, E.ENODATA, E.EPERM],
];
