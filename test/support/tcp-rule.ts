/** A guest's connection to 192.0.2.1:80, which the host reaches at once: what is said to the network, and what it answers, as lines. */
import assert from "node:assert/strict";
import { parseAddress } from "../../src/net/ipv4.js";
import type { Segment } from "../../src/net/tcp/segment.js";
import { ACK, FIN, NetRig, PSH, RST, SYN, type Said, type TestConnection } from "./net-guest.js";

export const ENDS = { port: 40_000, remote: parseAddress("192.0.2.1")!, remotePort: 80 };
/** The guest's first number: the next are close to the end of all numbers, and go round. */
export const ISS = 0xffff_fff0;
export const NEXT = (ISS + 1) >>> 0;

export function bytes(length: number, first = 0): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (first + i) & 0xff);
}

/** A segment as a line: its flags, its numbers from where each side began, its data, its window if that is zero. */
function line({ flags, seq, ack, data, window }: Segment, peer: number): string {
  const names = Object.entries({ SYN, ACK, FIN, RST, PSH }).filter(([, bit]) => (flags & bit) !== 0);
  const numbers = `seq ${(seq - peer) | 0}${(flags & ACK) === 0 ? "" : ` ack ${(ack - ISS) | 0}`}`;
  return `${names.map(([name]) => name).join("+")} ${numbers}${data.length === 0 ? "" : ` ${data.length} bytes`}${window === 0 && (flags & RST) === 0 ? " no room" : ""}`;
}

export class Rule {
  readonly rig = new NetRig();
  /** The other side's first number. */
  peer = 0;

  /** The guest says something; numbers as they are. */
  say(said: Said): string[] {
    this.rig.tcp(ENDS, said);
    return this.heard();
  }

  heard(): string[] {
    return this.rig.segments().map((segment) => line(segment, this.peer));
  }

  /** What is heard in the next milliseconds. */
  after(milliseconds: number): string[] {
    this.rig.clock.advance(milliseconds);
    return this.heard();
  }

  get host(): TestConnection {
    return this.rig.host.connections[0];
  }

  /** Numbers behind those that each side began with. */
  at(seq: number, ack: number): { seq: number; ack: number } {
    return { seq: (ISS + seq) >>> 0, ack: (this.peer + ack) >>> 0 };
  }

  open(said: Said = { scale: 7, mss: 1460 }): this {
    this.rig.tcp(ENDS, { seq: ISS, flags: SYN, ...said });
    assert.deepEqual(this.rig.segments(), [], "nothing is said before the host is there");
    this.host.user.connected();
    const [answer] = this.rig.segments();
    assert.equal(answer.flags, SYN | ACK);
    this.peer = answer.seq;
    return this;
  }

  established(said?: Said): this {
    this.open(said);
    assert.deepEqual(this.say({ ...this.at(1, 1), flags: ACK }), []);
    return this;
  }
}
