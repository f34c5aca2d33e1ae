/** R3.7 Names that a hostile guest asks for: what they may not do to whoever reads them as text, and what the host's nameservers see of them. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { parseAddress } from "../../src/net/ipv4.js";
import { parseAllowed } from "../../src/net/policy.js";
import { NAMESERVER, NetRig, SYN, type NetRigOptions } from "../support/net-guest.js";

const A = 1;
const AAAA = 28;
const TXT = 16;

/** A question; each byte of a label is a character. */
function question(labels: readonly string[], type: number, more: readonly number[] = []): Uint8Array {
  const name = labels.flatMap((label) => [label.length, ...Buffer.from(label, "latin1")]);
  return Uint8Array.of(0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, ...name, 0, 0, type, 0, 1, ...more);
}

/** A network whose host finds an address for whatever it is asked, and remembers what that was. */
function believing(options: NetRigOptions = {}): { rig: NetRig; looked: string[] } {
  const rig = new NetRig(options);
  const looked: string[] = [];
  rig.host.lookup = (name, _, done) => {
    looked.push(name);
    done({ addresses: ["8.8.8.8"], seconds: 60 });
  };
  return { rig, looked };
}

function codeOf(rig: NetRig, message: Uint8Array): number | undefined {
  rig.udp(NAMESERVER, 53, message);
  return rig.datagrams().at(0)?.data[3];
}

const NO_NAME = 0x83;
const OK = 0x80;

describe("R3.7 names that are none", () => {
  const odd = [
    ["8", "8", "8", "8\0", "example", "org"],
    ["8.8.8.8\0", "example", "org"],
    ["a.b", "example", "org"],
    ["8.8.8.8 ", "example", "org"],
    ["\x1b[2J", "example", "org"],
    ["a\n", "example", "org"],
    ["\xe9", "example", "org"],
    ["www", "example.org"],
  ];

  test("a label that holds more than letters, digits, - and _ is nobody's: it opens nothing, is looked up nowhere, and told to nobody", () => {
    for (const policy of [
      { host: false, only: [parseAllowed("*.example.org")!] },
      { host: false, only: [] },
    ]) {
      const { rig, looked } = believing({ policy });
      for (const labels of odd)
        for (const type of [A, AAAA, TXT])
          assert.equal(codeOf(rig, question(labels, type)), NO_NAME, labels.join());
      rig.tcp({ port: 1, remote: parseAddress("8.8.8.8")!, remotePort: 22 }, { seq: 5, flags: SYN });
      assert.deepEqual([looked, rig.host.asked, rig.host.connections], [[], [], []]);
      assert.deepEqual(rig.refused, ["tcp 8.8.8.8:22: nothing allows it"]);
    }
  });

  test("numbers are addresses in disguise; a name may begin with one", () => {
    const { rig, looked } = believing();
    for (const name of ["2130706433", "127.1", "0x7f.1", "0X7F000001", "127.0.0.1", "0177.0.0.01", "a.0x"])
      assert.equal(codeOf(rig, question(name.split("."), A)), NO_NAME, name);
    assert.deepEqual(looked, []);
    for (const name of ["3com.com", "_dns.a-b.example", "xn--a", "0x7f.example"])
      assert.equal(codeOf(rig, question(name.split("."), A)), OK, name);
    assert.deepEqual(looked, ["3com.com", "_dns.a-b.example", "xn--a", "0x7f.example"]);
  });
});

describe("R3.7 questions that the host's nameservers are asked", () => {
  const option = [0, 0, 41, 0x10, 0, 0, 0, 0x80, 0, 0, 0];
  const said = (message: Uint8Array, counts: readonly number[], flags = 1): Uint8Array => {
    const bytes = message.slice();
    bytes.set([flags >> 8, flags & 0xff], 2);
    bytes.set(counts, 4);
    return bytes;
  };

  test("are made anew: of what the guest put behind its question nothing is left, but whether it understands more", () => {
    const plain = question(["example", "org"], TXT);
    const asked = (message: Uint8Array): Uint8Array[] => {
      const { rig } = believing();
      rig.udp(NAMESERVER, 53, message);
      return rig.host.asked;
    };
    assert.deepEqual(asked(plain), [plain]);
    const junk = question(["example", "org"], TXT, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
    assert.deepEqual(asked(said(junk, [0, 1, 9, 9, 9, 9, 9, 9], 0x037f)), [said(plain, [0, 1], 0x0110)]);
    const more = question(["example", "org"], TXT, [...option.slice(0, 10), 2, 66, 66]);
    const own = question(["example", "org"], TXT, [0, 0, 41, 1232 >> 8, 1232 & 0xff, 0, 0, 0x80, 0, 0, 0]);
    assert.deepEqual(asked(said(more, [0, 1, 0, 0, 0, 0, 0, 1], 0x0100)), [
      said(own, [0, 1, 0, 0, 0, 0, 0, 1], 0x0100),
    ]);
  });

  test("are about records of the Internet: other classes, keys, signatures and zones are not done", () => {
    const { rig } = believing();
    const NOT_DONE = 0x84;
    for (const type of [249, 250, 251, 252])
      assert.equal(codeOf(rig, question(["example", "org"], type)), NOT_DONE, `${type}`);
    const chaos = question(["version", "bind"], TXT);
    chaos[chaos.length - 1] = 3;
    assert.equal(codeOf(rig, chaos), NOT_DONE);
    assert.deepEqual(rig.host.asked, []);
  });
});
