/**
 * Random gdbs: packets that are right, nearly right or noise, in any pieces, to a machine that runs between them. Whatever they send
 * costs at most an error of its packet: nothing throws, every answer is a whole packet within its size, and what is remembered is
 * bounded.
 */
import assert from "node:assert/strict";
import { asText, packet, PACKET_SIZE } from "../../src/diagnose/gdb/packets.js";
import { GdbClient, smallMachine } from "../support/gdb-client.js";
import { COUNTER, debuggedGuest, SPINS } from "../support/gdb-guest.js";
import { Random } from "../support/random.js";

const GUEST = debuggedGuest(0xffff_ffff);
/** Packets of one machine, after which another one is made. */
const LIFE = 4000;
const HEAD = 4;
const ADDRESSES = [
  ...Object.values(GUEST.at),
  COUNTER,
  SPINS,
  0,
  0x7ffffe,
  0x800000,
  0xfee00000,
  0xffff_ffff,
  2 ** 53,
];
const LENGTHS = [0, 1, 2, 4, 8, 16, 4096, 65535, 0xffff_ffff];
const THREADS = ["", "0", "1", "2", "3", "-1", "p1.1", "p1.-1", "p-1", "px", "ffffffff", "123456789"];
const WORDS = [
  "?",
  "g",
  "G",
  "k",
  "D",
  "c",
  "s",
  "C05",
  "S05",
  "vCont?",
  "vCont",
  "vKill;1",
  "qSupported:x",
  "qC",
  "qfThreadInfo",
  "qsThreadInfo",
  "qAttached",
  "qOffsets",
  "qSymbol::",
  "QStartNoAckMode",
  "qqemu.sstep",
  "qqemu.sstepbits",
  "Qqemu.sstep=7",
  "Qqemu.sstep=1",
  "Qqemu.sstep=0",
  "Qqemu.PhyMemMode:1",
  "Qqemu.PhyMemMode:0",
  "qqemu.PhyMemMode",
  "R00",
  "!",
  "b",
  "T1",
  "H",
];
const COMMANDS = [
  "help",
  "info registers",
  "info irq",
  "info tlb",
  "info devices",
  "translate 200000",
  "translate",
  "log",
  "snapshot x",
  "x".repeat(2000),
];
const DOCUMENTS = [
  "features:read:target.xml",
  "memory-map:read:",
  "threads:read:",
  "exec-file:read:1",
  "features:write:x",
];

class RandomGdb {
  constructor(
    private readonly random: Random,
    private readonly registers: number,
  ) {}

  #hex(value: number): string {
    return value.toString(16);
  }

  #place(): string {
    return `${this.#hex(this.random.pick(ADDRESSES) + this.random.below(4))},${this.#hex(this.random.pick(LENGTHS))}`;
  }

  #digits(count: number): string {
    return Array.from({ length: count }, () => this.#hex(this.random.below(16))).join("");
  }

  content(): string {
    const { random } = this;
    const thread = random.pick(THREADS);
    const pick = random.below(14);
    if (pick === 0) return `m${this.#place()}`;
    if (pick === 1) return `M${this.#place()}:${this.#digits(random.below(20))}`;
    if (pick === 2)
      return `X${this.#place()}:${asText(Uint8Array.from({ length: random.below(9) }, () => random.below(256)))}`;
    if (pick === 3) return `${random.pick(["Z", "z"])}${random.below(6)},${this.#place()}`;
    if (pick === 4) return `H${random.pick(["g", "c", "x"])}${thread}`;
    if (pick === 5) return `p${this.#hex(random.below(this.registers + 2))}`;
    if (pick === 6)
      return `P${this.#hex(random.below(this.registers + 2))}=${this.#digits(random.pick([2, 8, 16, 20, 32]))}`;
    if (pick === 7)
      return `qXfer:${random.pick(DOCUMENTS)}:${this.#hex(random.below(9000))},${this.#hex(random.pick(LENGTHS))}`;
    if (pick === 8) return `qRcmd,${Buffer.from(random.pick(COMMANDS)).toString("hex")}`;
    if (pick === 9) return `vCont;${random.pick(["c", "s", "C05", "r100000,100100", "t", ""])}:${thread};c`;
    if (pick === 10) return `qThreadExtraInfo,${thread}`;
    if (pick === 11) return `G${this.#digits(random.below(1200))}`;
    if (pick === 12) return asText(Uint8Array.from({ length: random.below(12) }, () => random.below(256)));
    return random.pick(WORDS);
  }

  /** A packet in its frame, whole or damaged. */
  bytes(): Uint8Array {
    const { random } = this;
    const whole = packet(this.content());
    if (random.below(8) > 0) return whole;
    const damaged = whole.slice(0, random.below(whole.length + 1));
    if (damaged.length > 0) damaged[random.below(damaged.length)] = random.below(256);
    return damaged;
  }
}

/** Sends so many packets. Gives the first letters of what was answered. */
export async function fuzzGdb(packets: number, seed: number): Promise<Set<string>> {
  const random = new Random(seed);
  const seen = new Set<string>();
  for (let left = packets; left > 0;) {
    const machine = await smallMachine(GUEST.bytes, { deterministic: true });
    const client = new GdbClient(machine, {
      snapshot: (file) => `saved to ${file}`,
      architecture: random.pick(["i386", "i386:x86-64"]),
    });
    const gdb = new RandomGdb(random, 70);
    client.stub.attach();
    for (let life = 0; life < LIFE && left > 0 && machine.end === undefined; life++, left--) {
      const bytes = gdb.bytes();
      const cut = random.below(bytes.length + 1);
      client.stub.receive(bytes.subarray(0, cut));
      client.stub.receive(bytes.subarray(cut));
      if (random.below(20) === 0) client.stub.receive(Uint8Array.of(3));
      if (random.below(50) === 0) client.stub.detach();
      if (random.below(10) === 0) client.stub.attach();
      client.step(1 + random.below(2000));
      for (let answer = client.next(); answer !== undefined; answer = client.next()) {
        assert.ok(answer.length <= PACKET_SIZE, answer.slice(0, 80));
        seen.add(answer.slice(0, 1));
      }
      assert.ok(client.raw.length <= 4 * PACKET_SIZE, `${client.raw.length} bytes for one packet`);
      client.raw = "";
    }
    if (machine.end !== undefined) seen.add(`end ${machine.end.route.slice(0, HEAD)}`);
    assert.notEqual(machine.end?.route, "engine-error", machine.end?.reason);
    machine.dispose();
  }
  return seen;
}
