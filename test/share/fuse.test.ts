/** The FUSE server on a folder in memory (R3.1): what each operation answers, and what a guest that asks for more than it may gets. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { FuseServer } from "../../src/share/fuse/server.js";
import type { ShareCache } from "../../src/share/share-options.js";
import {
  FUSE_ATTR,
  FUSE_ATTR_OUT,
  FUSE_CAN,
  FUSE_CAN_TOO,
  FUSE_ENTRY_OUT,
  FUSE_OP,
  FUSE_OPENED,
  FUSE_SETS,
} from "../../src/spec/fuse.js";
import { LINUX_ERRNO as E } from "../../src/spec/linux-errno.js";
import { body, FuseGuest, listed, PieceMessage, request, type Reply } from "../support/fuse-guest.js";
import { MemoryFolder } from "../support/memory-folder.js";

const ROOT = 1;
const PAGE = 4096;
const READ_WRITE = 2;
const WRITE_ONLY = 1;

interface Setup {
  folder: MemoryFolder;
  guest: FuseGuest;
  server: FuseServer;
}

function setUp({
  cache = "auto",
  readOnly = false,
  limits = { nodes: 100, handles: 100 },
}: { cache?: ShareCache; readOnly?: boolean; limits?: { nodes: number; handles: number } } = {}): Setup {
  const folder = new MemoryFolder(readOnly);
  const server = new FuseServer(folder, { cache, limits });
  const guest = new FuseGuest(server);
  guest.init();
  return { folder, guest, server };
}

const nodeOf = ({ body: out }: Reply): number => Number(out.getBigUint64(FUSE_ENTRY_OUT.NODE, true));
const handleOf = ({ body: out }: Reply, at = 0): bigint => out.getBigUint64(at, true);
const text = ({ body: out }: Reply): string =>
  Buffer.from(out.buffer, out.byteOffset, out.byteLength).toString("latin1");
const attribute = ({ body: out }: Reply, offset: number): number =>
  out.getUint32(FUSE_ATTR_OUT.ATTR + offset, true);

function open(guest: FuseGuest, node: number, flags = READ_WRITE): bigint {
  const reply = guest.ask(FUSE_OP.OPEN, node, body(flags, 0));
  assert.equal(reply.errno, 0);
  return handleOf(reply);
}

const reading = (handle: bigint, offset: bigint, size: number): Uint8Array =>
  body(handle, offset, size, 0, 0n, 0, 0);
const writing = (
  handle: bigint,
  offset: bigint,
  data: Uint8Array,
  size = data.length,
  flags = 0,
): Uint8Array => body(handle, offset, size, flags, 0n, 0, 0, data);

describe("R3.1 FUSE: INIT", () => {
  test("what is taken follows what may be remembered", () => {
    const flags = (cache: ShareCache, readOnly = false): number => {
      const server = new FuseServer(new MemoryFolder(readOnly), { cache });
      return new FuseGuest(server).init().flags;
    };
    for (const cache of ["none", "auto", "always"] as const) {
      assert.ok((flags(cache) & FUSE_CAN.MAX_PAGES) !== 0);
      assert.ok((flags(cache) & FUSE_CAN.PARALLEL_DIROPS) !== 0);
      assert.equal((flags(cache) & FUSE_CAN.DO_READDIRPLUS) !== 0, cache !== "none");
      assert.equal((flags(cache) & FUSE_CAN.WRITEBACK_CACHE) !== 0, cache === "always");
      assert.equal((flags(cache) & FUSE_CAN.AUTO_INVAL_DATA) !== 0, cache === "auto");
      assert.equal(flags(cache, true) & FUSE_CAN.WRITEBACK_CACHE, 0);
    }
  });

  test("nothing is taken that was not offered, and flags2 only with INIT_EXT", () => {
    const { guest } = setUp();
    assert.deepEqual(guest.init(FUSE_CAN.MAX_PAGES, 31), {
      errno: 0,
      flags: FUSE_CAN.MAX_PAGES,
      flagsToo: 0,
    });
    const { flagsToo } = guest.init(FUSE_CAN.INIT_EXT, 38);
    assert.equal(flagsToo, FUSE_CAN_TOO.DIRECT_IO_ALLOW_MMAP);
  });

  test("a kernel of before virtio-fs is refused, one of after FUSE 7 is told ours, and before INIT nothing is done", () => {
    const { guest, server } = setUp();
    assert.equal(guest.init(0, 30).errno, E.EPROTO);
    const later = guest.ask(FUSE_OP.INIT, 0, body(8, 0, 0, 0));
    assert.deepEqual([later.errno, later.body.getUint32(0, true)], [0, 7]);
    assert.equal(guest.ask(FUSE_OP.LOOKUP, ROOT, body("a")).errno, E.EIO);
    assert.equal(server.nodes.nodes, 0);
  });
});

describe("R3.1 FUSE: names", () => {
  test("a file is looked up, asked for and forgotten as often as it was looked up", () => {
    const { folder, guest, server } = setUp();
    folder.put("folder/file", "text", 0o640);
    const node = guest.find("folder/file");
    const attributes = guest.ask(FUSE_OP.GETATTR, node, body(0, 0, 0n));
    assert.equal(attribute(attributes, FUSE_ATTR.BYTES), 4);
    assert.equal(attribute(attributes, FUSE_ATTR.MODE), 0o100640);
    guest.find("folder/file");
    assert.equal(guest.tell(FUSE_OP.FORGET, node, body(1n)), 0);
    assert.equal(guest.ask(FUSE_OP.GETATTR, node, body(0, 0, 0n)).errno, 0);
    assert.equal(guest.tell(FUSE_OP.BATCH_FORGET, 0, body(1, 0, BigInt(node), 9n)), 0);
    assert.equal(guest.ask(FUSE_OP.GETATTR, node, body(0, 0, 0n)).errno, E.ESTALE);
    assert.deepEqual([server.nodes.nodes, folder.looked], [1, 1]);
  });

  test("that a name is not there may be remembered as long as that it is", () => {
    const seconds = (cache: ShareCache): [number, bigint] => {
      const { errno, body: out } = setUp({ cache }).guest.ask(FUSE_OP.LOOKUP, ROOT, body("no"));
      return [errno, errno === 0 ? out.getBigUint64(FUSE_ENTRY_OUT.ENTRY_VALID, true) : 0n];
    };
    assert.deepEqual(seconds("none"), [E.ENOENT, 0n]);
    assert.deepEqual(seconds("auto"), [0, 1n]);
    assert.deepEqual(seconds("always"), [0, 86400n]);
  });

  for (const [what, name, errno] of [
    ["a slash", "a/b", E.EINVAL],
    ["nothing", "", E.EINVAL],
    ["a dot", ".", E.EINVAL],
    ["two dots", "..", E.EINVAL],
    ["256 bytes", "x".repeat(256), E.ENAMETOOLONG],
  ] as const)
    test(`a name of ${what} is refused wherever there is one`, () => {
      const { folder, guest } = setUp();
      folder.put("there", "");
      const node = BigInt(guest.find("there"));
      const before = folder.total;
      const answers = [
        guest.ask(FUSE_OP.LOOKUP, ROOT, body(name)),
        guest.ask(FUSE_OP.MKDIR, ROOT, body(0o755, 0, name)),
        guest.ask(FUSE_OP.MKNOD, ROOT, body(0o100644, 0, 0, 0, name)),
        guest.ask(FUSE_OP.CREATE, ROOT, body(READ_WRITE, 0o644, 0, 0, name)),
        guest.ask(FUSE_OP.SYMLINK, ROOT, body(name, "target")),
        guest.ask(FUSE_OP.LINK, ROOT, body(node, name)),
        guest.ask(FUSE_OP.UNLINK, ROOT, body(name)),
        guest.ask(FUSE_OP.RMDIR, ROOT, body(name)),
        guest.ask(FUSE_OP.RENAME, ROOT, body(1n, "there", name)),
        guest.ask(FUSE_OP.RENAME2, ROOT, body(1n, 0, 0, name, "there")),
      ];
      assert.deepEqual(
        answers.map((one) => one.errno),
        answers.map(() => errno),
      );
      assert.equal(folder.total, before);
    });

  test("a name that does not end in the request is refused", () => {
    const { guest } = setUp();
    assert.equal(guest.ask(FUSE_OP.LOOKUP, ROOT, Uint8Array.of(0x61)).errno, E.EINVAL);
  });

  test("folders, links and renames are made, and belong to who asks", () => {
    const { folder, guest } = setUp();
    const made = guest.ask(FUSE_OP.MKDIR, ROOT, body(0o750, 0, "folder"), { uid: 1000, gid: 100 });
    const attributes = guest.ask(FUSE_OP.GETATTR, nodeOf(made), body(0, 0, 0n));
    assert.equal(attribute(attributes, FUSE_ATTR.UID), 1000);
    assert.equal(attribute(attributes, FUSE_ATTR.GID), 100);
    const link = guest.ask(FUSE_OP.SYMLINK, nodeOf(made), body("link", "../some/where"));
    assert.equal(text(guest.ask(FUSE_OP.READLINK, nodeOf(link))), "../some/where");
    folder.put("file", "of the host");
    const file = BigInt(guest.find("file"));
    assert.equal(guest.ask(FUSE_OP.LINK, nodeOf(made), body(file, "hard")).errno, 0);
    assert.equal(guest.find("folder/hard"), Number(file));
    assert.equal(
      guest.ask(FUSE_OP.RENAME2, ROOT, body(BigInt(nodeOf(made)), 1, 0, "file", "hard")).errno,
      E.EEXIST,
    );
    assert.equal(
      guest.ask(FUSE_OP.RENAME2, ROOT, body(BigInt(nodeOf(made)), 4, 0, "file", "x")).errno,
      E.EINVAL,
    );
    assert.equal(guest.ask(FUSE_OP.RENAME, ROOT, body(BigInt(nodeOf(made)), "file", "moved")).errno, 0);
    assert.equal(Buffer.from(folder.get("folder/moved")!).toString(), "of the host");
    assert.equal(guest.ask(FUSE_OP.UNLINK, nodeOf(made), body("link")).errno, 0);
    assert.equal(guest.ask(FUSE_OP.RMDIR, ROOT, body("folder")).errno, E.ENOTEMPTY);
  });

  test("attributes are set: each that is named, and no other", () => {
    const { folder, guest } = setUp();
    folder.put("file", "0123456789", 0o4755);
    const node = guest.find("file");
    const set = (valid: number): Reply =>
      guest.ask(
        FUSE_OP.SETATTR,
        node,
        body(valid, 0, 0n, 3n, 0n, 111n, 222n, 0n, 11, 22, 0, 0o600, 0, 7, 8, 0),
      );
    const times = (reply: Reply): number[] => [
      attribute(reply, FUSE_ATTR.ACCESSED),
      attribute(reply, FUSE_ATTR.MODIFIED),
      attribute(reply, FUSE_ATTR.MODIFIED_NS),
    ];
    assert.deepEqual(times(set(FUSE_SETS.MODIFIED)), [1_700_000_000, 222, 22]);
    assert.deepEqual(times(set(FUSE_SETS.ACCESSED)), [111, 222, 22]);
    assert.equal(attribute(set(FUSE_SETS.UID), FUSE_ATTR.UID), 7);
    assert.equal(attribute(set(FUSE_SETS.KILL_SUIDGID | FUSE_SETS.BYTES), FUSE_ATTR.MODE), 0o100755);
    assert.equal(folder.get("file")!.length, 3);
    assert.equal(attribute(set(FUSE_SETS.MODE), FUSE_ATTR.MODE), 0o100600);
  });
});

describe("R3.1 FUSE: files", () => {
  const content = Uint8Array.from({ length: 40 * PAGE + 17 }, (_, i) => (i * 7 + (i >> 8)) & 0xff);
  for (const [how, cuts] of [
    ["in one piece", { request: [], room: [] }],
    [
      "header and pages",
      {
        request: [40, 80, ...Array.from({ length: 40 }, (_, i) => 80 + (i + 1) * PAGE)],
        room: [16, ...Array.from({ length: 40 }, (_, i) => 16 + (i + 1) * PAGE)],
      },
    ],
    ["a byte here and there", { request: [1, 3, 41, 79, 85, 4097], room: [1, 15, 17, 500, 501] }],
  ] as const)
    test(`what is written is read, ${how}`, () => {
      const { folder, guest } = setUp();
      folder.put("file", "");
      const handle = open(guest, guest.find("file"));
      const written = guest.ask(FUSE_OP.WRITE, 0, writing(handle, 5n, content), { cuts });
      assert.deepEqual([written.errno, written.body.getUint32(0, true)], [0, content.length]);
      const room = 16 + 42 * PAGE;
      const read = guest.ask(FUSE_OP.READ, 0, reading(handle, 5n, 42 * PAGE), { room, cuts });
      assert.equal(read.body.byteLength, content.length);
      assert.equal(text(read), Buffer.from(content).toString("latin1"));
      assert.equal(guest.ask(FUSE_OP.READ, 0, reading(handle, 2n ** 40n, 9)).body.byteLength, 0);
      assert.equal(guest.ask(FUSE_OP.RELEASE, 0, body(handle, 0, 0, 0n)).errno, 0);
      assert.equal(guest.ask(FUSE_OP.READ, 0, reading(handle, 0n, 9)).errno, E.EBADF);
      assert.equal(folder.opened, 0);
    });

  test("what cannot be is refused: more than there is or has room, beyond all files, a handle of nothing or a folder's", () => {
    const { folder, guest } = setUp();
    folder.put("file", "text");
    const handle = open(guest, guest.find("file"));
    const list = handleOf(guest.ask(FUSE_OP.OPENDIR, ROOT, body(0, 0)));
    const answers: [Reply, number][] = [
      [guest.ask(FUSE_OP.READ, 0, reading(handle, 0n, 100), { room: 50 }), E.EINVAL],
      [guest.ask(FUSE_OP.READ, 0, reading(handle, 0n, 2 ** 21), { room: 2 ** 22 }), E.EINVAL],
      [guest.ask(FUSE_OP.READ, 0, reading(handle, 2n ** 63n, 1)), E.EFBIG],
      [guest.ask(FUSE_OP.WRITE, 0, writing(handle, 0n, new Uint8Array(4), 5)), E.EINVAL],
      [guest.ask(FUSE_OP.WRITE, 0, writing(handle, -1n, new Uint8Array(4))), E.EFBIG],
      [guest.ask(FUSE_OP.READ, 0, reading(list, 0n, 1)), E.EBADF],
      [guest.ask(FUSE_OP.READDIR, ROOT, reading(handle, 0n, PAGE)), E.EBADF],
      [guest.ask(FUSE_OP.RELEASEDIR, ROOT, body(handle, 0, 0, 0n)), E.EBADF],
      [guest.ask(FUSE_OP.LSEEK, 0, body(handle, 0n, 0, 0)), E.EINVAL],
      [guest.ask(FUSE_OP.GETATTR, ROOT, body(1, 0, handle)), E.EBADF],
      [guest.ask(FUSE_OP.OPEN, ROOT, body(READ_WRITE, 0)), E.EACCES],
    ];
    for (const [index, [{ errno }, expected]] of answers.entries())
      assert.equal(errno, expected, `answer ${index}`);
  });

  test("a file keeps its pages from one open to the next unless it was changed, as cache says", () => {
    const kept = (cache: ShareCache): boolean[] => {
      const { folder, guest } = setUp({ cache });
      folder.put("file", "text");
      const node = guest.find("file");
      const flags = (): boolean => {
        const reply = guest.ask(FUSE_OP.OPEN, node, body(0, 0));
        guest.ask(FUSE_OP.RELEASE, node, body(handleOf(reply), 0, 0, 0n));
        return (reply.body.getUint32(8, true) & FUSE_OPENED.KEEP_CACHE) !== 0;
      };
      const first = [flags(), flags()];
      folder.tick(1000);
      folder.put("file", "more");
      return [...first, flags(), flags()];
    };
    assert.deepEqual(kept("none"), [false, false, false, false]);
    assert.deepEqual(kept("auto"), [false, true, false, true]);
    assert.deepEqual(kept("always"), [true, true, true, true]);
  });

  test("a kernel that writes back may read what it opened to write, and says itself where it appends", () => {
    const { folder, guest } = setUp({ cache: "always" });
    folder.put("file", "text");
    const appending = 0o2000;
    const handle = open(guest, guest.find("file"), WRITE_ONLY | appending);
    assert.equal(text(guest.ask(FUSE_OP.READ, 0, reading(handle, 0n, 9))), "text");
    guest.ask(FUSE_OP.WRITE, 0, writing(handle, 1n, Buffer.from("o")));
    assert.equal(Buffer.from(folder.get("file")!).toString(), "toxt");
  });

  test("who writes into a program takes its rights away, unless it is root", () => {
    const { folder, guest } = setUp();
    folder.put("program", "text", 0o6755);
    const node = guest.find("program");
    const handle = open(guest, node);
    guest.ask(FUSE_OP.WRITE, node, writing(handle, 0n, Buffer.from("a")));
    assert.equal(attribute(guest.ask(FUSE_OP.GETATTR, node, body(0, 0, 0n)), FUSE_ATTR.MODE), 0o106755);
    const kill = 1 << 2;
    guest.ask(FUSE_OP.WRITE, node, writing(handle, 0n, Buffer.from("a"), 1, kill));
    assert.equal(attribute(guest.ask(FUSE_OP.GETATTR, node, body(0, 0, 0n)), FUSE_ATTR.MODE), 0o100755);
  });

  test("what a kernel does better by itself is not there: FLUSH, ACCESS, COPY_FILE_RANGE, IOCTL, POLL", () => {
    const { guest } = setUp();
    for (const opcode of [
      FUSE_OP.FLUSH,
      FUSE_OP.ACCESS,
      FUSE_OP.COPY_FILE_RANGE,
      FUSE_OP.IOCTL,
      FUSE_OP.POLL,
      FUSE_OP.INTERRUPT,
      0,
      1000,
      0xffffffff,
    ])
      assert.equal(guest.ask(opcode, ROOT, new Uint8Array(64)).errno, E.ENOSYS);
  });
});

describe("R3.1 FUSE: folders", () => {
  function list(guest: FuseGuest, plus: boolean, room: number): string[] {
    const handle = handleOf(guest.ask(FUSE_OP.OPENDIR, ROOT, body(0, 0)));
    const names: string[] = [];
    let offset = 0n;
    for (;;) {
      const opcode = plus ? FUSE_OP.READDIRPLUS : FUSE_OP.READDIR;
      const reply = guest.ask(opcode, ROOT, reading(handle, offset, room), { room: room + 16 });
      assert.equal(reply.errno, 0);
      const entries = listed(reply, plus);
      if (entries.length === 0) return names;
      names.push(...entries.map(({ name }) => name));
      offset = entries.at(-1)!.next;
    }
  }

  for (const plus of [false, true])
    test(`${plus ? "READDIRPLUS" : "READDIR"} gives every entry once, whatever the room`, () => {
      const { folder, guest, server } = setUp({ limits: { nodes: 1000, handles: 100 } });
      const names = Array.from({ length: 300 }, (_, i) => `${"n".repeat(i % 90)}${i}`);
      for (const name of names) folder.put(name, "");
      for (const room of [512, PAGE, 65536])
        assert.deepEqual(list(guest, plus, room), [".", "..", ...names], `${room} bytes of room`);
      assert.equal(server.nodes.nodes, plus ? 300 : 0);
      assert.equal(folder.looked, plus ? 300 : 0);
    });

  test("an entry that is gone is left out; one node too many is left to be looked up", () => {
    const { folder, guest, server } = setUp({ limits: { nodes: 2, handles: 9 } });
    for (const name of ["a", "b", "c"]) folder.put(name, "");
    const handle = handleOf(guest.ask(FUSE_OP.OPENDIR, ROOT, body(0, 0)));
    const names = (from: bigint): [string, boolean][] =>
      listed(
        guest.ask(FUSE_OP.READDIRPLUS, ROOT, reading(handle, from, PAGE), { room: PAGE + 16 }),
        true,
      ).map(({ name, node }) => [name, node !== 0]);
    assert.deepEqual(names(2n), [
      ["a", true],
      ["b", true],
      ["c", false],
    ]);
    guest.ask(FUSE_OP.UNLINK, ROOT, body("a"));
    assert.deepEqual(
      names(2n).map(([name]) => name),
      ["b", "c"],
    );
    assert.equal(server.nodes.nodes, 2);
  });
});

describe("R3.1 FUSE: extended attributes", () => {
  test("are set, listed, read with their length first, and removed", () => {
    const { folder, guest } = setUp();
    folder.put("file", "");
    const node = guest.find("file");
    assert.equal(guest.ask(FUSE_OP.SETXATTR, node, body(5, 0, "user.a", Buffer.from("value"))).errno, 0);
    assert.equal(guest.ask(FUSE_OP.GETXATTR, node, body(0, 0, "user.a")).body.getUint32(0, true), 5);
    assert.equal(text(guest.ask(FUSE_OP.GETXATTR, node, body(64, 0, "user.a"))), "value");
    assert.equal(guest.ask(FUSE_OP.GETXATTR, node, body(4, 0, "user.a")).errno, E.ERANGE);
    assert.equal(text(guest.ask(FUSE_OP.LISTXATTR, node, body(64, 0))), "user.a\0");
    assert.equal(guest.ask(FUSE_OP.REMOVEXATTR, node, body("user.a")).errno, 0);
    assert.equal(guest.ask(FUSE_OP.GETXATTR, node, body(0, 0, "user.a")).errno, E.ENODATA);
    assert.equal(
      guest.ask(FUSE_OP.SETXATTR, node, body(50, 0, "user.a", Buffer.from("value"))).errno,
      E.EINVAL,
    );
  });

  test("one of 64 KiB is set and read, one of more is refused", () => {
    const { folder, guest } = setUp();
    folder.put("file", "");
    const node = guest.find("file");
    const value = new Uint8Array(65536).fill(0x41);
    assert.equal(guest.ask(FUSE_OP.SETXATTR, node, body(65536, 0, "user.a", value)).errno, 0);
    assert.equal(
      text(guest.ask(FUSE_OP.GETXATTR, node, body(65536, 0, "user.a"), { room: 70000 })).length,
      65536,
    );
    const more = body(70000, 0, "user.a", new Uint8Array(70000));
    assert.equal(guest.ask(FUSE_OP.SETXATTR, node, more).errno, E.E2BIG);
  });
});

describe("R3.1 FUSE: what a guest may hold", () => {
  test("nodes and open files have a most, and what is given back is had again", () => {
    const { folder, guest } = setUp({ limits: { nodes: 3, handles: 2 } });
    for (const name of ["a", "b", "c", "d"]) folder.put(name, "");
    const [a, b] = [guest.find("a"), guest.find("b")];
    guest.find("c");
    assert.equal(guest.find("d"), -E.ENFILE);
    assert.equal(guest.ask(FUSE_OP.MKDIR, ROOT, body(0o755, 0, "e")).errno, E.ENFILE);
    assert.equal(folder.get("e"), undefined);
    open(guest, a);
    const handle = open(guest, b);
    assert.equal(guest.ask(FUSE_OP.OPEN, b, body(0, 0)).errno, E.EMFILE);
    assert.equal(guest.ask(FUSE_OP.OPENDIR, ROOT, body(0, 0)).errno, E.EMFILE);
    guest.ask(FUSE_OP.RELEASE, b, body(handle, 0, 0, 0n));
    open(guest, b);
    guest.tell(FUSE_OP.FORGET, b, body(1n));
    assert.ok(guest.find("d") > 0);
  });

  test("all is given back at the end, at another INIT, and when another guest begins", () => {
    const again: ((setup: Setup) => void)[] = [
      ({ guest }) => assert.equal(guest.ask(FUSE_OP.DESTROY, ROOT).errno, 0),
      ({ guest }) => void guest.init(),
      ({ server }) => server.reset(),
      ({ folder }) => void new FuseServer(folder, { cache: "auto" }),
    ];
    for (const one of again) {
      const setup = setUp();
      setup.folder.put("folder/file", "");
      open(setup.guest, setup.guest.find("folder/file"));
      assert.deepEqual([setup.folder.looked, setup.folder.opened], [2, 1]);
      one(setup);
      assert.deepEqual([setup.folder.looked, setup.folder.opened], [0, 0]);
    }
  });

  test("a request that is none, or has no room for an answer, is none", () => {
    const { server } = setUp();
    const lookup = request(FUSE_OP.LOOKUP, 1n, body("a"));
    assert.equal(server.serve(new PieceMessage(lookup.subarray(0, 39), new Uint8Array(PAGE))), -1);
    assert.equal(server.serve(new PieceMessage(lookup, new Uint8Array(15))), -1);
    assert.equal(server.serve(new PieceMessage(lookup, new Uint8Array(16))), 16);
    const longer = lookup.slice();
    new DataView(longer.buffer).setUint32(0, 43, true);
    const room = new Uint8Array(PAGE);
    assert.equal(server.serve(new PieceMessage(longer, room)), 16);
    assert.equal(new DataView(room.buffer).getInt32(4, true), -E.EINVAL);
  });

  test("nothing of a share that is read-only is changed", () => {
    const { folder, guest } = setUp({ readOnly: true });
    folder.put("file", "text");
    const node = guest.find("file");
    const answers = [
      guest.ask(FUSE_OP.MKDIR, ROOT, body(0o755, 0, "x")),
      guest.ask(FUSE_OP.MKNOD, ROOT, body(0o100644, 0, 0, 0, "x")),
      guest.ask(FUSE_OP.CREATE, ROOT, body(READ_WRITE, 0o644, 0, 0, "x")),
      guest.ask(FUSE_OP.SYMLINK, ROOT, body("x", "y")),
      guest.ask(FUSE_OP.LINK, ROOT, body(BigInt(node), "x")),
      guest.ask(FUSE_OP.UNLINK, ROOT, body("file")),
      guest.ask(FUSE_OP.RENAME, ROOT, body(1n, "file", "x")),
      guest.ask(FUSE_OP.OPEN, node, body(READ_WRITE, 0)),
      guest.ask(FUSE_OP.SETATTR, node, body(FUSE_SETS.MODE, 0, new Uint8Array(80))),
      guest.ask(FUSE_OP.SETXATTR, node, body(1, 0, "user.a", Buffer.from("v"))),
    ];
    assert.deepEqual(
      answers.map(({ errno }) => errno),
      answers.map(() => E.EROFS),
    );
  });
});
