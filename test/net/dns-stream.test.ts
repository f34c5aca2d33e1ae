/** R3.7 Questions by a connection, of a guest that means harm: many in one segment, more than it hears the answers of, and what is none. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ACK, FIN, NAMESERVER, NetRig, RST, SYN, type NetRigOptions } from "../support/net-guest.js";

const ENDS = { port: 5000, remote: NAMESERVER, remotePort: 53 };
const utf8 = (words: string): Uint8Array => new TextEncoder().encode(words);

/** A question for an address as it stands on a connection, behind its length. */
function framed(name: string): Uint8Array {
  const labels = name.split(".").flatMap((label) => [label.length, ...utf8(label)]);
  const message = [0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, ...labels, 0, 0, 1, 0, 1];
  return Uint8Array.of(0, message.length, ...message);
}

function repeated(bytes: Uint8Array, count: number): Uint8Array {
  const all = new Uint8Array(count * bytes.length);
  for (let i = 0; i < count; i++) all.set(bytes, i * bytes.length);
  return all;
}

/** A guest that is connected to the nameserver, with segments as long as can be. */
class Asker {
  readonly rig: NetRig;
  readonly peer: number;
  #sent = 1;
  #heard = 0;

  constructor(options: NetRigOptions = {}) {
    this.rig = new NetRig({ mtu: 65_520, ...options });
    this.rig.tcp(ENDS, { seq: 0, flags: SYN, mss: 65_480, scale: 7 });
    this.peer = this.rig.segments()[0].seq;
  }

  /** Says something and, unless `deaf`, that everything was heard. Gives the bytes of the answers, their flags, and the last window. */
  say(
    data: Uint8Array,
    { flags = ACK as number, deaf = false } = {},
  ): { bytes: number; flags: number; window: number } {
    const said = { seq: this.#sent, ack: this.peer + 1 + this.#heard, flags, data };
    this.rig.tcp(ENDS, said);
    this.#sent += data.length;
    const segments = this.rig.segments();
    const bytes = segments.reduce((sum, segment) => sum + segment.data.length, 0);
    if (!deaf) this.#heard += bytes;
    return {
      bytes,
      flags: segments.reduce((all, segment) => all | segment.flags, 0),
      window: segments.at(-1)?.window ?? Infinity,
    };
  }
}

describe("R3.7 questions by a connection", () => {
  test("thousands in one segment are all answered, one after the other", () => {
    for (const [options, name, answer] of [
      [{}, "host.locore", 2 + 29 + 16],
      [{ policy: { host: false, only: [] } }, "a.b", 2 + 21],
    ] as const) {
      const question = framed(name);
      const count = Math.floor(65_480 / question.length);
      const asker = new Asker(options);
      let { bytes } = asker.say(repeated(question, count));
      for (let more = 1; more > 0; bytes += more) more = asker.say(new Uint8Array(0)).bytes;
      assert.equal(bytes, count * answer);
    }
  });

  test("who does not hear the answers is asked for no more questions", () => {
    const asker = new Asker();
    const some = repeated(framed("host.locore"), 1000);
    let [said, window] = [0, Infinity];
    for (; window > 0 && said < 2 ** 22; said += some.length) ({ window } = asker.say(some, { deaf: true }));
    assert.ok(said < 2 ** 20, `${said} bytes of questions were taken`);
  });

  test("a question whose bytes come one by one is one; half a question at the end is none", () => {
    const asker = new Asker();
    const question = framed("host.locore");
    let bytes = 0;
    for (const byte of question) ({ bytes } = asker.say(Uint8Array.of(byte)));
    assert.equal(bytes, 2 + 29 + 16);
    assert.equal(asker.say(question.subarray(0, 9), { flags: ACK | FIN }).flags & (FIN | RST), FIN);
  });

  test("what is no question ends the connection, whatever came before it", () => {
    const asker = new Asker();
    const junk = Uint8Array.of(...framed("host.locore"), 0, 1, 7, ...framed("host.locore"));
    assert.equal(asker.say(junk).flags & RST, RST);
    assert.equal(asker.rig.stack.held.connections, 0);
    asker.rig.clock.advance(600_000);
    assert.equal(asker.rig.clock.armed, 0);
  });
});
