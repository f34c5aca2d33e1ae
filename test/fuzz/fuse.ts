/**
 * Random guests of a shared folder: sequences of FUSE requests with nodes and handles that they have, had or never had, fields that are
 * nearly right, and pieces of any size. Whatever they ask costs at most an error: nothing throws, a reply lies within its room and answers
 * its request, and what is held is what the guest has and no more than it may.
 */
import assert from "node:assert/strict";
import { FuseServer } from "../../src/share/fuse/server.js";
import { SHARE_CACHES } from "../../src/share/share-options.js";
import {
  FUSE_ENTRY_OUT,
  FUSE_IN_HEADER,
  FUSE_OP,
  FUSE_OPEN_OUT,
  FUSE_OUT_HEADER,
  FUSE_ROOT_ID,
} from "../../src/spec/fuse.js";
import { LINUX_ERRNO as E } from "../../src/spec/linux-errno.js";
import { body, listed, PieceMessage, replyOf, request, type Reply } from "../support/fuse-guest.js";
import { MemoryFolder } from "../support/memory-folder.js";
import { Random } from "../support/random.js";
import { cutsOf, DATA, KINDS, anyU32, anyU64 } from "./message-values.js";

const FOLDER = { bytes: 2 ** 17, files: 400 };
/** Requests of one guest, after which another has another folder. */
const LIFE = 1000;
const LARGEST_ERRNO = 4095;
const MIB = 2 ** 20;
const NAMES = ["a", "b", "c", "folder", "link", "x".repeat(255), "ümlaut", " "];
const BAD_NAMES = ["", ".", "..", "a/b", "../a", "x".repeat(256), "y".repeat(5000)];
const TARGETS = ["a", "../../etc/passwd", "/", "t".repeat(4095), "t".repeat(4096), ""];
const ROOMS = [0, 15, 16, 17, 24, 104, 120, 144, 160, 512, 4096, 65536 + 16];

type Draft = readonly [opcode: number, of: Uint8Array];

class RandomGuest {
  readonly nodes: bigint[] = [BigInt(FUSE_ROOT_ID)];
  readonly files: bigint[] = [];
  readonly folders: bigint[] = [];
  #unique = 1n;

  constructor(
    private readonly server: FuseServer,
    private readonly random: Random,
    private readonly seen: Set<string>,
  ) {}

  /** Sends one request and looks at what comes back. */
  step(): void {
    const { random } = this;
    const [opcode, of] = this.#draft();
    const bytes = request(opcode, this.#node(), of, { uid: anyU32(this.random), gid: anyU32(this.random) });
    const view = new DataView(bytes.buffer);
    view.setBigUint64(FUSE_IN_HEADER.UNIQUE, ++this.#unique, true);
    const sent = random.below(6) === 0 ? this.#damaged(bytes) : bytes;
    const room = new Uint8Array(random.below(4) === 0 ? random.pick(ROOMS) : 4096);
    const cuts = { request: cutsOf(this.random, sent.length), room: cutsOf(this.random, room.length) };
    const length = this.server.serve(new PieceMessage(sent, room, cuts));
    this.#look(sent, room, length);
  }

  #look(sent: Uint8Array, room: Uint8Array, length: number): void {
    const opcode = sent.length >= 8 ? new DataView(sent.buffer, sent.byteOffset).getUint32(4, true) : -1;
    const silent = opcode === FUSE_OP.FORGET || opcode === FUSE_OP.BATCH_FORGET;
    if (sent.length < FUSE_IN_HEADER.SIZE || (!silent && room.length < FUSE_OUT_HEADER.SIZE)) {
      assert.equal(length, -1);
      return;
    }
    if (silent) {
      assert.equal(length, 0);
      this.seen.add(`${opcode}`);
      return;
    }
    assert.ok(length >= FUSE_OUT_HEADER.SIZE && length <= room.length, `${length} of ${room.length} bytes`);
    const reply = replyOf(room, length);
    assert.equal(new DataView(room.buffer).getUint32(FUSE_OUT_HEADER.LENGTH, true), length);
    assert.equal(
      reply.unique,
      new DataView(sent.buffer, sent.byteOffset).getBigUint64(FUSE_IN_HEADER.UNIQUE, true),
    );
    assert.ok(reply.errno <= LARGEST_ERRNO);
    assert.ok(reply.errno === 0 || length === FUSE_OUT_HEADER.SIZE, "an error with a body");
    this.seen.add(reply.errno === 0 ? `${opcode}` : `error ${reply.errno}`);
    if (reply.errno === 0) this.#learn(opcode, reply);
  }

  /** Keeps what the server gave, some of it. */
  #learn(opcode: number, reply: Reply): void {
    const { body: out } = reply;
    const keep = (list: bigint[], value: bigint): void => {
      list[list.length < 60 ? list.length : 1 + this.random.below(59)] = value;
    };
    switch (opcode) {
      case FUSE_OP.LOOKUP:
      case FUSE_OP.MKDIR:
      case FUSE_OP.MKNOD:
      case FUSE_OP.SYMLINK:
      case FUSE_OP.LINK:
      case FUSE_OP.CREATE: {
        const node = out.getBigUint64(FUSE_ENTRY_OUT.NODE, true);
        if (node !== 0n) keep(this.nodes, node);
        if (opcode === FUSE_OP.CREATE)
          keep(this.files, out.getBigUint64(FUSE_ENTRY_OUT.SIZE + FUSE_OPEN_OUT.HANDLE, true));
        break;
      }
      case FUSE_OP.OPEN:
        keep(this.files, out.getBigUint64(FUSE_OPEN_OUT.HANDLE, true));
        break;
      case FUSE_OP.OPENDIR:
        keep(this.folders, out.getBigUint64(FUSE_OPEN_OUT.HANDLE, true));
        break;
      case FUSE_OP.READDIR:
      case FUSE_OP.READDIRPLUS:
        for (const { node } of listed(reply, opcode === FUSE_OP.READDIRPLUS))
          if (node !== undefined && node !== 0) keep(this.nodes, BigInt(node));
        break;
      case FUSE_OP.INIT:
      case FUSE_OP.DESTROY:
        this.nodes.length = 1;
        break;
    }
  }

  #damaged(bytes: Uint8Array): Uint8Array {
    const { random } = this;
    switch (random.below(4)) {
      case 0:
        return bytes.slice(0, random.below(bytes.length + 1));
      case 1:
        new DataView(bytes.buffer).setUint32(FUSE_IN_HEADER.LENGTH, anyU32(this.random), true);
        return bytes;
      case 2:
        new DataView(bytes.buffer).setUint32(FUSE_IN_HEADER.OPCODE, random.below(60), true);
        return bytes;
      default:
        for (let i = random.below(4); i >= 0; i--) bytes[random.below(bytes.length)] = random.below(256);
        return bytes;
    }
  }

  #node(): bigint {
    return this.random.below(8) === 0 ? anyU64(this.random) : this.random.pick(this.nodes);
  }

  #handle(list: readonly bigint[]): bigint {
    if (list.length === 0 || this.random.below(8) === 0) return anyU64(this.random);
    return this.random.pick(list);
  }

  #name(): string {
    return this.random.pick(this.random.below(8) === 0 ? BAD_NAMES : NAMES);
  }

  #size(): number {
    return this.random.below(8) === 0 ? anyU32(this.random) : this.random.below(4000);
  }

  #offset(): bigint {
    return this.random.below(8) === 0
      ? anyU64(this.random)
      : BigInt(this.random.below(this.random.below(2) === 0 ? 20_000 : 200));
  }

  #draft(): Draft {
    const { random } = this;
    const drafts = [() => this.#names(), () => this.#files(), () => this.#folders(), () => this.#rest()];
    return random.pick(drafts)();
  }

  #names(): Draft {
    const { random } = this;
    const options: (() => Draft)[] = [
      () => [FUSE_OP.LOOKUP, body(this.#name())],
      () => [FUSE_OP.GETATTR, body(random.below(2), 0, this.#handle(this.files))],
      () => [
        FUSE_OP.SETATTR,
        body(
          random.below(2 ** 12),
          0,
          this.#handle(this.files),
          this.#offset(),
          0n,
          anyU64(this.random),
          anyU64(this.random),
          0n,
          anyU32(this.random),
          anyU32(this.random),
          0,
          anyU32(this.random),
          0,
          anyU32(this.random),
          anyU32(this.random),
          0,
        ),
      ],
      () => [FUSE_OP.READLINK, body()],
      () => [FUSE_OP.SYMLINK, body(this.#name(), random.pick(TARGETS))],
      () => [FUSE_OP.MKNOD, body(random.pick(KINDS), anyU32(this.random), 0, 0, this.#name())],
      () => [FUSE_OP.MKDIR, body(anyU32(this.random), 0, this.#name())],
      () => [FUSE_OP.UNLINK, body(this.#name())],
      () => [FUSE_OP.RMDIR, body(this.#name())],
      () => [FUSE_OP.RENAME, body(this.#node(), this.#name(), this.#name())],
      () => [FUSE_OP.RENAME2, body(this.#node(), random.below(5), 0, this.#name(), this.#name())],
      () => [FUSE_OP.LINK, body(this.#node(), this.#name())],
    ];
    return random.pick(options)();
  }

  #files(): Draft {
    const { random } = this;
    const handle = (): bigint => this.#handle(this.files);
    const options: (() => Draft)[] = [
      () => [FUSE_OP.OPEN, body(random.below(3) === 0 ? anyU32(this.random) : 2, random.below(2))],
      () => [FUSE_OP.CREATE, body(anyU32(this.random), anyU32(this.random), 0, 0, this.#name())],
      () => [FUSE_OP.READ, body(handle(), this.#offset(), this.#size(), 0, 0n, 0, 0)],
      () => {
        const data = DATA.subarray(0, random.below(DATA.length));
        const size = random.below(8) === 0 ? anyU32(this.random) : data.length;
        return [FUSE_OP.WRITE, body(handle(), this.#offset(), size, random.below(8), 0n, 0, 0, data)];
      },
      () => [FUSE_OP.RELEASE, body(handle(), 0, 0, 0n)],
      () => [FUSE_OP.FSYNC, body(handle(), random.below(2), 0)],
      () => [FUSE_OP.FALLOCATE, body(handle(), this.#offset(), this.#offset(), random.below(4), 0)],
      () => [FUSE_OP.LSEEK, body(handle(), this.#offset(), 2 + random.below(4), 0)],
    ];
    return random.pick(options)();
  }

  #folders(): Draft {
    const { random } = this;
    const handle = (): bigint => this.#handle(this.folders);
    const reading = (): Uint8Array =>
      body(handle(), random.below(2) === 0 ? 0n : this.#offset(), this.#size(), 0, 0n, 0, 0);
    const options: (() => Draft)[] = [
      () => [FUSE_OP.OPENDIR, body(0, 0)],
      () => [FUSE_OP.READDIR, reading()],
      () => [FUSE_OP.READDIRPLUS, reading()],
      () => [FUSE_OP.RELEASEDIR, body(handle(), 0, 0, 0n)],
      () => [FUSE_OP.FSYNCDIR, body(handle(), 0, 0)],
      () => [FUSE_OP.FORGET, body(random.below(2) === 0 ? 1n : anyU64(this.random))],
      () => [
        FUSE_OP.BATCH_FORGET,
        body(random.below(4), 0, this.#node(), 1n, this.#node(), anyU64(this.random)),
      ],
    ];
    return random.pick(options)();
  }

  #rest(): Draft {
    const { random } = this;
    const name = (): string => random.pick(["user.a", "user.b", "security.capability", this.#name()]);
    const options: (() => Draft)[] = [
      () => [FUSE_OP.STATFS, body()],
      () => [FUSE_OP.GETXATTR, body(this.#size(), 0, name())],
      () => [FUSE_OP.LISTXATTR, body(this.#size(), 0)],
      () => {
        const value = DATA.subarray(0, random.below(200));
        return [
          FUSE_OP.SETXATTR,
          body(random.below(8) === 0 ? anyU32(this.random) : value.length, random.below(4), name(), value),
        ];
      },
      () => [FUSE_OP.REMOVEXATTR, body(name())],
      () => [random.below(64), DATA.subarray(0, random.below(100))],
    ];
    const begins: (() => Draft)[] = [
      () => [
        FUSE_OP.INIT,
        body(
          random.below(8) === 0 ? anyU32(this.random) : 7,
          30 + random.below(9),
          anyU32(this.random),
          random.below(2 ** 31),
          anyU32(this.random),
        ),
      ],
      () => [FUSE_OP.DESTROY, body()],
    ];
    return random.pick(random.below(150) === 0 ? begins : options)();
  }
}

const BEGINS = request(FUSE_OP.INIT, 0n, body(7, 38, MIB, 2 ** 31 - 1, 0, new Uint8Array(44)));

/** Sends `messages` requests; gives which operations succeeded at least once, by number, and which errors there were. */
export function fuzzFuse(messages: number, seed: number): Set<string> {
  const random = new Random(seed);
  const seen = new Set<string>();
  for (let sent = 0; sent < messages; sent += LIFE) {
    const folder = new MemoryFolder(random.below(4) === 0, FOLDER);
    folder.put("folder/deep/file", "text");
    folder.put("a", DATA);
    const limits = { nodes: 2 + random.below(8), handles: 2 + random.below(10) };
    const server = new FuseServer(folder, { cache: random.pick(SHARE_CACHES), limits });
    server.serve(new PieceMessage(BEGINS, new Uint8Array(4096)));
    const guest = new RandomGuest(server, random, seen);
    for (let step = sent; step < Math.min(sent + LIFE, messages); step++) {
      folder.tick(random.below(2));
      try {
        guest.step();
        const { nodes, handles } = server.nodes;
        assert.deepEqual(
          [folder.looked, folder.opened],
          [nodes, handles],
          "what is held is not what the guest has",
        );
        assert.ok(nodes <= limits.nodes && handles <= limits.handles, `${nodes} nodes, ${handles} handles`);
      } catch (error) {
        throw new Error(`message ${step} of seed ${seed}`, { cause: error });
      }
      // One that began with another version can do nothing any more.
      if (random.below(500) === 0) server.serve(new PieceMessage(BEGINS, new Uint8Array(4096)));
    }
    server.reset();
    assert.deepEqual([folder.looked, folder.opened], [0, 0]);
  }
  return seen;
}

/** Errors that random guests must come to, so that what they test is what they seem to. */
export const EXPECTED_ERRORS = [
  E.EINVAL,
  E.ENFILE,
  E.EMFILE,
  E.ESTALE,
  E.EBADF,
  E.ENAMETOOLONG,
  E.EFBIG,
  E.EROFS,
  E.EIO,
  E.ENOSYS,
  E.ERANGE,
];
