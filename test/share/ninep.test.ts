/** The 9P2000.L server on a folder in memory (R3.1): what each request answers, and what a guest that asks for more than it may gets. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { MOST_XATTR_BYTES } from "../../src/share/ninep/fids.js";
import { MOST_MESSAGE, NinePServer } from "../../src/share/ninep/server.js";
import type { ShareCache } from "../../src/share/share-options.js";
import { LINUX_ERRNO as E } from "../../src/spec/linux-errno.js";
import { NINEP_NONE, NINEP_SETS, NINEP_T as T } from "../../src/spec/ninep.js";
import { PieceMessage } from "../support/fuse-guest.js";
import { MemoryFolder } from "../support/memory-folder.js";
import { fields, message, NinePGuest, ninePListed, textOf, type NinePReply } from "../support/ninep-guest.js";

const PAGE = 4096;
const READ_WRITE = 2;
const EXCLUSIVE = 0o200;
const ROOT = 0;
/** Of GETATTR's reply. */
const AT = {
  qidType: 8,
  version: 9,
  path: 13,
  mode: 21,
  uid: 25,
  gid: 29,
  links: 33,
  bytes: 49,
  modified: 89,
};

interface Setup {
  folder: MemoryFolder;
  guest: NinePGuest;
  server: NinePServer;
}

function setUp({
  cache = "auto",
  readOnly = false,
  uid = 0,
  limits = { nodes: 100, handles: 100 },
}: {
  cache?: ShareCache;
  readOnly?: boolean;
  uid?: number;
  limits?: { nodes: number; handles: number };
} = {}): Setup {
  const folder = new MemoryFolder(readOnly);
  const server = new NinePServer(folder, { cache, limits });
  const guest = new NinePGuest(server);
  guest.begin(undefined, uid);
  return { folder, guest, server };
}

const attributes = (guest: NinePGuest, fid: number): NinePReply => guest.ask(T.GETATTR, fields(fid, -1n));
const mode = (guest: NinePGuest, fid: number): number => attributes(guest, fid).body.getUint32(AT.mode, true);
const clunk = (guest: NinePGuest, fid: number): number => guest.ask(T.CLUNK, fields(fid)).errno;
const count = ({ body }: NinePReply): number => body.getUint32(0, true);
const write = (guest: NinePGuest, fid: number, text: string, offset = 0n): NinePReply =>
  guest.ask(T.WRITE, fields(fid, offset, text.length, Buffer.from(text, "latin1")));

describe("R3.1 9P: VERSION and ATTACH", () => {
  const version = (guest: NinePGuest, most: number, name: string): [number, number, string] => {
    const reply = guest.ask(T.VERSION, fields(most, name));
    return reply.errno !== 0 ? [reply.errno, 0, ""] : [0, count(reply), textOf(reply, 6)];
  };

  test("messages are as long as both can, and what is not 9P2000.L is not known", () => {
    const { guest } = setUp();
    assert.deepEqual(version(guest, 8192, "9P2000.L"), [0, 8192, "9P2000.L"]);
    assert.deepEqual(version(guest, 2 ** 31, "9P2000.L"), [0, MOST_MESSAGE, "9P2000.L"]);
    assert.deepEqual(version(guest, 8192, "9P2000.u"), [0, 8192, "unknown"]);
    assert.equal(guest.ask(T.ATTACH, fields(0, NINEP_NONE, "", "", 0)).errno, E.EIO);
    assert.deepEqual(version(guest, 100, "9P2000.L"), [E.EINVAL, 0, ""]);
  });

  test("the root is attached as often as wanted, with no other tree, no authority and no fid twice", () => {
    const { guest } = setUp();
    const attach = (fid: number, authority: number, tree: string): number =>
      guest.ask(T.ATTACH, fields(fid, authority, "user", tree, 1000)).errno;
    assert.deepEqual(
      [attach(1, NINEP_NONE, ""), attach(2, NINEP_NONE, "/"), attach(2, NINEP_NONE, "/")],
      [0, 0, E.EINVAL],
    );
    assert.deepEqual([attach(3, 1, ""), attach(3, NINEP_NONE, "/etc")], [E.EBADF, E.ENOENT]);
    assert.equal(guest.ask(T.AUTH, fields(9, "", "", 0)).errno, E.EOPNOTSUPP);
    assert.equal(guest.ask(T.FLUSH, fields([2, 1])).errno, 0);
  });

  test("with cache=none a file's version is 0, by which Linux keeps nothing of it", () => {
    const versions = (cache: ShareCache): number[] => {
      const { folder, guest } = setUp({ cache });
      const seen = (content: string): number => {
        folder.tick(1000);
        folder.put("file", content);
        guest.walk(ROOT, 1, "file");
        const found = attributes(guest, 1).body.getUint32(AT.version, true);
        clunk(guest, 1);
        return found;
      };
      return [seen("a"), seen("b")];
    };
    assert.deepEqual(versions("none"), [0, 0]);
    const [before, after] = versions("auto");
    assert.ok(before !== 0 && after !== 0 && before !== after);
  });
});

describe("R3.1 9P: WALK", () => {
  test("a walk goes as far as there are names; one that stops halfway gives what was found, and no fid", () => {
    const { folder, guest, server } = setUp();
    folder.put("a/b/file", "text");
    const whole = guest.walk(ROOT, 1, "a", "b", "file");
    assert.deepEqual([whole.errno, whole.body.getUint16(0, true), whole.length], [0, 3, 7 + 2 + 3 * 13]);
    const half = guest.walk(ROOT, 2, "a", "none", "file");
    assert.deepEqual([half.errno, half.body.getUint16(0, true)], [0, 1]);
    assert.equal(clunk(guest, 2), E.EBADF);
    assert.equal(guest.walk(ROOT, 2, "none").errno, E.ENOENT);
    assert.equal(guest.walk(1, 2, "below").errno, E.ENOTDIR);
    assert.equal(guest.walk(1, 2).errno, 0);
    assert.equal(guest.walk(ROOT, 1).errno, E.EINVAL);
    assert.deepEqual([clunk(guest, 1), clunk(guest, 2)], [0, 0]);
    assert.deepEqual([folder.looked, server.fids.count.places], [0, 0]);
  });

  test(".. goes up and stops at the root", () => {
    const { folder, guest } = setUp();
    folder.put("a/b/file", "text");
    const path = (fid: number): bigint => attributes(guest, fid).body.getBigUint64(AT.path, true);
    guest.walk(ROOT, 1, "a", "b");
    assert.equal(guest.walk(1, 2, "..").errno, 0);
    guest.walk(ROOT, 3, "a");
    assert.equal(path(2), path(3));
    assert.equal(guest.walk(1, 4, "..", "..", "..", "..", "..").errno, 0);
    assert.equal(path(4), path(ROOT));
    assert.equal(guest.walk(4, 5, "..", "a", "..", "a", "b").errno, 0);
    assert.equal(path(5), path(1));
    // A fid that goes elsewhere itself.
    assert.equal(guest.walk(5, 5, "file").errno, 0);
    assert.equal(mode(guest, 5) & 0o170000, 0o100000);
  });

  test("more than 16 names, names that are not there, and no room for the answer are refused", () => {
    const { guest } = setUp();
    assert.equal(guest.walk(ROOT, 1, ...Array.from({ length: 17 }, () => "..")).errno, E.EINVAL);
    assert.equal(guest.ask(T.WALK, fields(ROOT, 1, [2, 2], "..")).errno, E.EINVAL);
    assert.equal(guest.ask(T.WALK, fields(ROOT, 1, [2, 1], [2, 9], "")).errno, E.EINVAL);
    assert.equal(guest.ask(T.WALK, fields(ROOT, 1, [2, 1], ".."), { room: 20 }).errno, E.EINVAL);
    assert.equal(clunk(guest, 1), E.EBADF);
  });
});

describe("R3.1 9P: names", () => {
  for (const [what, name, errno] of [
    ["a slash", "a/b", E.EINVAL],
    ["nothing", "", E.EINVAL],
    ["a dot", ".", E.EINVAL],
    ["two dots", "..", E.EINVAL],
    ["a NUL", "a\0b", E.EINVAL],
    ["256 bytes", "x".repeat(256), E.ENAMETOOLONG],
  ] as const)
    test(`a name of ${what} is refused wherever there is one`, () => {
      const { folder, guest } = setUp();
      folder.put("there", "");
      guest.walk(ROOT, 1, "there");
      guest.walk(ROOT, 2);
      const answers = [
        ...(name === ".." ? [] : [guest.walk(ROOT, 3, name)]),
        guest.ask(T.MKDIR, fields(ROOT, name, 0o755, 0)),
        guest.ask(T.MKNOD, fields(ROOT, name, 0o100644, 0, 0, 0)),
        guest.ask(T.LCREATE, fields(2, name, READ_WRITE, 0o644, 0)),
        guest.ask(T.SYMLINK, fields(ROOT, name, "target", 0)),
        guest.ask(T.LINK, fields(ROOT, 1, name)),
        guest.ask(T.UNLINKAT, fields(ROOT, name, 0)),
        guest.ask(T.UNLINKAT, fields(ROOT, name, 0x200)),
        guest.ask(T.RENAME, fields(1, ROOT, name)),
        guest.ask(T.RENAMEAT, fields(ROOT, "there", ROOT, name)),
        guest.ask(T.RENAMEAT, fields(ROOT, name, ROOT, "there")),
      ];
      assert.deepEqual(
        answers.map((one) => one.errno),
        answers.map(() => errno),
      );
    });

  test("folders, links and nodes are made, belong to who asks, and none of them is held", () => {
    const { folder, guest } = setUp({ uid: 1000 });
    folder.put("file", "of the host");
    assert.equal(guest.ask(T.MKDIR, fields(ROOT, "folder", 0o750, 100)).body.getUint8(0), 0x80);
    guest.walk(ROOT, 1, "folder");
    const { body } = attributes(guest, 1);
    assert.deepEqual(
      [AT.mode, AT.uid, AT.gid].map((at) => body.getUint32(at, true)),
      [0o040750, 1000, 100],
    );
    assert.equal(guest.ask(T.SYMLINK, fields(1, "link", "../some/where", 0)).body.getUint8(0), 0x02);
    guest.walk(1, 2, "link");
    assert.equal(textOf(guest.ask(T.READLINK, fields(2)), 2), "../some/where");
    assert.equal(guest.ask(T.MKNOD, fields(1, "pipe", 0o010600, 0, 0, 0)).errno, 0);
    assert.equal(guest.ask(T.MKNOD, fields(1, "disk", 0o060600, 8, 0, 0)).errno, E.EPERM);
    guest.walk(ROOT, 3, "file");
    assert.equal(guest.ask(T.LINK, fields(1, 3, "hard")).errno, 0);
    assert.equal(attributes(guest, 3).body.getUint32(AT.links, true), 2);
    for (const fid of [1, 2, 3]) clunk(guest, fid);
    assert.equal(folder.looked, 0);
  });

  test("what is renamed and removed, by name and by fid", () => {
    const { folder, guest } = setUp();
    folder.put("folder/file", "text");
    folder.put("other", "");
    assert.equal(guest.ask(T.RENAMEAT, fields(ROOT, "other", ROOT, "moved")).errno, 0);
    guest.walk(ROOT, 1, "folder");
    guest.walk(1, 2, "file");
    guest.walk(1, 3, "file");
    assert.equal(guest.ask(T.RENAME, fields(2, ROOT, "here")).errno, 0);
    assert.ok(folder.get("here") !== undefined && folder.get("folder/file") === undefined);
    assert.equal(guest.ask(T.RENAME, fields(2, 1, "again")).errno, 0, "it knows where it is now");
    folder.put("folder/file", "something else");
    assert.equal(guest.ask(T.REMOVE, fields(3)).errno, E.ENOENT, "another one does not");
    assert.equal(guest.ask(T.UNLINKAT, fields(1, "file", 0)).errno, 0, "what is there by now is left alone");
    assert.equal(clunk(guest, 3), E.EBADF, "and is gone all the same");
    assert.equal(guest.ask(T.UNLINKAT, fields(ROOT, "folder", 0x200)).errno, E.ENOTEMPTY);
    assert.equal(guest.ask(T.UNLINKAT, fields(ROOT, "folder", 0)).errno, E.EISDIR);
    assert.equal(guest.ask(T.UNLINKAT, fields(ROOT, "moved", 4)).errno, E.EINVAL);
    assert.equal(guest.ask(T.UNLINKAT, fields(ROOT, "moved", 0)).errno, 0);
    assert.equal(guest.ask(T.REMOVE, fields(2)).errno, 0);
    assert.equal(guest.ask(T.REMOVE, fields(1)).errno, 0);
    assert.deepEqual([folder.total, folder.looked], [0, 0]);
    assert.equal(guest.ask(T.RENAME, fields(ROOT, ROOT, "x")).errno, E.EINVAL);
    assert.equal(guest.ask(T.REMOVE, fields(ROOT)).errno, E.EINVAL);
  });

  test("attributes are set: each that is named, and no other", () => {
    const { folder, guest } = setUp();
    folder.put("file", "0123456789", 0o644);
    guest.walk(ROOT, 1, "file");
    const set = (valid: number): DataView => {
      const values = fields(1, valid, 0o600, 7, 8, 3n, 111n, 11n, 222n, 22n);
      assert.equal(guest.ask(T.SETATTR, values).errno, 0);
      return attributes(guest, 1).body;
    };
    const times = (body: DataView): number[] =>
      [AT.modified, AT.modified + 8].map((at) => body.getUint32(at, true));
    const { MODIFIED, MODIFIED_GIVEN, UID, BYTES, MODE } = NINEP_SETS;
    assert.deepEqual(times(set(MODIFIED)), [1_700_000_000, 0]);
    assert.deepEqual(times(set(MODIFIED | MODIFIED_GIVEN)), [222, 22]);
    assert.equal(set(UID).getUint32(AT.uid, true), 7);
    assert.equal(set(BYTES).getUint32(AT.bytes, true), 3);
    assert.equal(set(MODE).getUint32(AT.mode, true), 0o100600);
    assert.equal(guest.ask(T.SETATTR, fields(1, BYTES, 0, 0, 0, -1n, 0n, 0n, 0n, 0n)).errno, E.EFBIG);
    const late = fields(1, MODIFIED | MODIFIED_GIVEN, 0, 0, 0, 0n, 0n, 0n, 0n, BigInt(1e9));
    assert.equal(guest.ask(T.SETATTR, late).errno, E.EINVAL);
    assert.equal(guest.ask(T.STATFS, fields(1)).body.getUint32(4, true), PAGE);
  });
});

describe("R3.1 9P: files", () => {
  const content = Uint8Array.from({ length: 40 * PAGE + 17 }, (_, i) => (i * 7 + (i >> 8)) & 0xff);
  const pages = (first: number): number[] => [
    first,
    ...Array.from({ length: 40 }, (_, i) => first + (i + 1) * PAGE),
  ];
  for (const [how, cuts] of [
    ["in one piece", { request: [], room: [] }],
    ["header and pages", { request: pages(23), room: pages(11) }],
    ["a byte here and there", { request: [1, 3, 22, 24, 85, 4097], room: [1, 10, 12, 500, 501] }],
  ] as const)
    test(`what is written is read, ${how}`, () => {
      const { folder, guest } = setUp();
      folder.put("file", "");
      guest.open(1, "file", READ_WRITE);
      const written = guest.ask(T.WRITE, fields(1, 5n, content.length, content), { cuts });
      assert.deepEqual([written.errno, count(written)], [0, content.length]);
      const read = guest.ask(T.READ, fields(1, 5n, 2 ** 20), { room: 11 + 42 * PAGE, cuts });
      assert.equal(count(read), content.length);
      assert.equal(textOf(read, 4), Buffer.from(content).toString("latin1"));
      assert.equal(count(guest.ask(T.READ, fields(1, 2n ** 40n, 9))), 0);
      assert.equal(textOf(guest.ask(T.READ, fields(1, 5n, 9), { room: 14 }), 4).length, 3);
      assert.equal(guest.ask(T.FSYNC, fields(1, 1)).errno, 0);
      assert.equal(clunk(guest, 1), 0);
      assert.deepEqual([folder.opened, folder.looked], [0, 0]);
    });

  test("a file is made, and its folder's fid is its own then", () => {
    const { folder, guest } = setUp();
    guest.walk(ROOT, 1);
    const make = (fid: number): number =>
      guest.ask(T.LCREATE, fields(fid, "new", READ_WRITE | EXCLUSIVE, 0o640, 5)).errno;
    assert.equal(make(1), 0);
    assert.equal(count(write(guest, 1, "text")), 4);
    assert.equal(mode(guest, 1), 0o100640);
    assert.equal(make(1), E.EBADF);
    guest.walk(ROOT, 2);
    assert.equal(make(2), E.EEXIST);
    assert.equal(Buffer.from(folder.get("new")!).toString(), "text");
    guest.ask(T.UNLINKAT, fields(ROOT, "new", 0));
    assert.equal(
      textOf(guest.ask(T.READ, fields(1, 0n, 9)), 4),
      "text",
      "one that is gone is read by who has it open",
    );
  });

  test("what cannot be is refused: a message that is longer than it is, beyond all files, a fid that is not open or a folder's", () => {
    const { folder, guest } = setUp();
    folder.put("file", "text");
    guest.open(1, "file", READ_WRITE);
    guest.walk(ROOT, 2, "file");
    guest.walk(ROOT, 3);
    guest.ask(T.LOPEN, fields(3, 0));
    const data = new Uint8Array(4);
    const answers: [NinePReply, number][] = [
      [guest.ask(T.WRITE, fields(1, 0n, 5, data)), E.EINVAL],
      [guest.ask(T.WRITE, fields(1, 0n, -1, data)), E.EINVAL],
      [guest.ask(T.WRITE, fields(1, -1n, 4, data)), E.EFBIG],
      [guest.ask(T.READ, fields(1, 2n ** 63n, 1)), E.EFBIG],
      [guest.ask(T.READ, fields(2, 0n, 1)), E.EBADF],
      [guest.ask(T.READ, fields(3, 0n, 1)), E.EISDIR],
      [guest.ask(T.READ, fields(9, 0n, 1)), E.EBADF],
      [guest.ask(T.READ, fields(1, 0n)), E.EINVAL],
      [guest.ask(T.READDIR, fields(1, 0n, PAGE)), E.EBADF],
      [guest.ask(T.LOPEN, fields(1, 0)), E.EBADF],
      [guest.ask(T.LOPEN, fields(ROOT, READ_WRITE)), E.EISDIR],
      [guest.ask(T.SYMLINK, fields(ROOT, "a", "t".repeat(20_000), 0)), E.E2BIG],
    ];
    for (const [index, [{ errno }, expected]] of answers.entries())
      assert.equal(errno, expected, `answer ${index}`);
  });

  test("who writes into a program takes its rights away, unless it is root", () => {
    for (const [uid, expected] of [
      [0, 0o106755],
      [1000, 0o100755],
    ]) {
      const { folder, guest } = setUp({ uid });
      folder.put("program", "text", 0o6755);
      guest.open(1, "program", READ_WRITE);
      assert.equal(count(write(guest, 1, "a")), 1);
      assert.equal(mode(guest, 1), expected);
    }
  });

  test("locks are granted: the guest's kernel keeps them", () => {
    const { folder, guest } = setUp();
    folder.put("file", "text");
    guest.open(1, "file", READ_WRITE);
    const lock = guest.ask(T.LOCK, fields(1, [1, 1], 0, 0n, 0n, 42, "guest"));
    assert.deepEqual([lock.errno, lock.body.getUint8(0)], [0, 0]);
    const held = guest.ask(T.GETLOCK, fields(1, [1, 1], 5n, 6n, 42, "guest"));
    assert.deepEqual(
      [held.body.getUint8(0), held.body.getBigUint64(1, true), textOf(held, 23)],
      [2, 5n, "guest"],
    );
  });

  test("READDIR gives every entry once, whatever the room, the folder and the one above first", () => {
    const { folder, guest } = setUp();
    const names = Array.from({ length: 40 }, (_, i) => `folder/${"n".repeat(i + 1)}`);
    for (const name of names) folder.put(name, "");
    guest.open(1, "folder", 0);
    for (const room of [80, 200, 4096]) {
      const found: string[] = [];
      for (let from = 0n; ;) {
        const entries = ninePListed(guest.ask(T.READDIR, fields(1, from, room)));
        if (entries.length === 0) break;
        found.push(...entries.map(({ name }) => name));
        from = entries.at(-1)!.next;
      }
      assert.deepEqual(found, [".", "..", ...names.map((name) => name.slice(7))]);
    }
    assert.equal(guest.ask(T.READDIR, fields(1, 0n, 10)).errno, E.EINVAL);
    const [own, above] = ninePListed(guest.ask(T.READDIR, fields(1, 0n, 4000)));
    assert.equal(own.path, attributes(guest, 1).body.getBigUint64(AT.path, true));
    assert.equal(above.path, attributes(guest, ROOT).body.getBigUint64(AT.path, true));
  });
});

describe("R3.1 9P: extended attributes", () => {
  const set = (guest: NinePGuest, fid: number, value: string, flags = 0): number[] => {
    guest.walk(1, fid);
    const made = guest.ask(T.XATTRCREATE, fields(fid, "user.a", BigInt(value.length), flags)).errno;
    return [made, value === "" || made !== 0 ? 0 : write(guest, fid, value).errno, clunk(guest, fid)];
  };
  const get = (guest: NinePGuest, name: string): string | number => {
    const found = guest.ask(T.XATTRWALK, fields(1, 9, name));
    if (found.errno !== 0) return found.errno;
    const value = textOf(guest.ask(T.READ, fields(9, 0n, PAGE)), 4);
    assert.deepEqual([Number(found.body.getBigUint64(0, true)), clunk(guest, 9)], [value.length, 0]);
    return value;
  };

  test("are set when all of them is written, read, listed and removed", () => {
    const { folder, guest } = setUp();
    folder.put("file", "");
    guest.walk(ROOT, 1, "file");
    assert.deepEqual(set(guest, 2, "value"), [0, 0, 0]);
    assert.deepEqual(
      [get(guest, "user.a"), get(guest, ""), get(guest, "user.b")],
      ["value", "user.a\0", E.ENODATA],
    );
    assert.deepEqual(set(guest, 2, "other", 1), [0, 0, E.EEXIST]);
    guest.walk(1, 2);
    guest.ask(T.XATTRCREATE, fields(2, "user.a", 9n, 0));
    assert.equal(write(guest, 2, "past", 1n).errno, E.EINVAL);
    assert.equal(clunk(guest, 2), E.EINVAL, "half of it is none");
    assert.equal(get(guest, "user.a"), "value");
    assert.deepEqual(set(guest, 2, ""), [0, 0, 0]);
    assert.equal(get(guest, "user.a"), "");
    assert.deepEqual(set(guest, 2, "", 2), [0, 0, 0]);
    assert.equal(get(guest, "user.a"), E.ENODATA);
  });

  test("one of more than 64 KiB is refused, and no more of them are held than may be", () => {
    const { folder, guest, server } = setUp();
    folder.put("file", "");
    guest.walk(ROOT, 1, "file");
    const create = (fid: number, bytes: bigint): number => {
      guest.walk(1, fid);
      return guest.ask(T.XATTRCREATE, fields(fid, "user.a", bytes, 0)).errno;
    };
    assert.deepEqual([create(2, 65537n), create(3, -1n)], [E.E2BIG, E.E2BIG]);
    const answers = Array.from({ length: 65 }, (_, i) => create(10 + i, 65536n));
    assert.deepEqual([answers.filter((one) => one === 0).length, answers.at(-1)], [64, E.ENOMEM]);
    assert.equal(server.fids.count.xattrBytes, MOST_XATTR_BYTES);
    clunk(guest, 10);
    assert.equal(create(99, 65536n), 0);
  });
});

describe("R3.1 9P: what a guest may have", () => {
  test("fids, places and open files have a most, and what is given back is had again", () => {
    const { folder, guest } = setUp({ limits: { nodes: 4, handles: 1 } });
    for (const name of ["a", "b", "c"]) folder.put(name, "");
    folder.put("1/2/3/4/5/file", "");
    assert.equal(guest.open(1, "a", 0).errno, 0);
    guest.walk(ROOT, 2, "b");
    assert.equal(guest.ask(T.LOPEN, fields(2, 0)).errno, E.EMFILE);
    guest.walk(ROOT, 3);
    assert.equal(guest.walk(ROOT, 4).errno, E.ENFILE);
    clunk(guest, 1);
    assert.equal(guest.ask(T.LOPEN, fields(2, 0)).errno, 0);
    const deep = guest.walk(ROOT, 4, "1", "2", "3", "4", "5");
    assert.deepEqual([deep.errno, deep.body.getUint16(0, true)], [0, 3], "one was taken: b");
    assert.equal(guest.walk(ROOT, 4, "1", "2").errno, 0, "what was not kept is there again");
  });

  test("all is given back at another VERSION, and when another guest begins", () => {
    const again: ((setup: Setup) => void)[] = [
      ({ guest }) => void guest.ask(T.VERSION, fields(8192, "9P2000.L")),
      ({ guest }) => void guest.ask(T.VERSION, fields(8192, "9P2000.u")),
      ({ server }) => server.reset(),
    ];
    for (const one of again) {
      const setup = setUp();
      setup.folder.put("folder/file", "");
      setup.guest.open(1, "folder/file", 0);
      assert.deepEqual([setup.folder.looked, setup.folder.opened], [2, 1]);
      one(setup);
      assert.deepEqual([setup.folder.looked, setup.folder.opened], [0, 0]);
      assert.deepEqual(setup.server.fids.count, { fids: 0, places: 0, xattrBytes: 0 });
    }
  });

  test("a request that is none, or has no room for an error, is none", () => {
    const { server } = setUp();
    const walk = message(T.WALK, 1, fields(ROOT, 1, [2, 0]));
    assert.equal(server.serve(new PieceMessage(walk.subarray(0, 6), new Uint8Array(PAGE))), -1);
    assert.equal(server.serve(new PieceMessage(walk, new Uint8Array(10))), -1);
    assert.equal(server.serve(new PieceMessage(walk.subarray(0, 16), new Uint8Array(11))), 11);
    assert.equal(server.serve(new PieceMessage(walk, new Uint8Array(11))), 9);
  });

  test("nothing of a share that is read-only is changed", () => {
    const { folder, guest } = setUp({ readOnly: true });
    folder.put("file", "text");
    guest.walk(ROOT, 1, "file");
    guest.walk(ROOT, 2);
    const answers = [
      guest.ask(T.MKDIR, fields(ROOT, "x", 0o755, 0)),
      guest.ask(T.MKNOD, fields(ROOT, "x", 0o100644, 0, 0, 0)),
      guest.ask(T.LCREATE, fields(2, "x", READ_WRITE, 0o644, 0)),
      guest.ask(T.SYMLINK, fields(ROOT, "x", "y", 0)),
      guest.ask(T.LINK, fields(ROOT, 1, "x")),
      guest.ask(T.UNLINKAT, fields(ROOT, "file", 0)),
      guest.ask(T.RENAMEAT, fields(ROOT, "file", ROOT, "x")),
      guest.ask(T.RENAME, fields(1, ROOT, "x")),
      guest.ask(T.LOPEN, fields(1, READ_WRITE)),
      guest.ask(T.SETATTR, fields(1, NINEP_SETS.MODE, 0, 0, 0, 0n, 0n, 0n, 0n, 0n)),
      guest.ask(T.XATTRCREATE, fields(2, "user.a", 1n, 0)),
      guest.ask(T.REMOVE, fields(1)),
    ];
    assert.deepEqual(
      answers.map(({ errno }) => errno),
      answers.map(() => E.EROFS),
    );
  });
});
