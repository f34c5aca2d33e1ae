/** Frames of the remote serial protocol. */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  asText,
  packet,
  PACKET_SIZE,
  PacketReader,
  type PacketEvent,
} from "../../../src/diagnose/gdb/packets.js";

function read(text: string): PacketEvent[] {
  return [...new PacketReader().push(Buffer.from(text, "latin1"))];
}

function packets(text: string): string[] {
  return read(text).map((event) => (event.kind === "packet" ? asText(event.bytes) : event.kind));
}

test("R3.11 a packet is what lies between $ and #, if its sum is right", () => {
  assert.deepEqual(packets("+$g#67$?#3f"), ["g", "?"]);
  assert.deepEqual(packets("$g#68"), ["bad"]);
  assert.deepEqual(packets("$g#zz"), ["bad"]);
  assert.deepEqual(packets("noise-\x03"), ["again", "break"]);
});

test("R3.11 what a frame is made of is escaped, both ways, and packets may come in any pieces", () => {
  const all = Uint8Array.from({ length: 256 }, (_, i) => i);
  const framed = packet(all);
  const reader = new PacketReader();
  const events = [...framed].flatMap((byte) => [...reader.push(Uint8Array.of(byte))]);
  assert.deepEqual(events, [{ kind: "packet", bytes: all }]);
});

test("R3.11 a break inside of a packet is a byte of it; a packet that is cut by another one is forgotten", () => {
  assert.deepEqual(packets("$a\x03#64"), ["a\x03"]);
  assert.deepEqual(packets("$m12$g#67"), ["g"]);
});

test("R3.11 a packet that is too long is refused as a whole, whatever its length, and the next one is read", () => {
  const long = "x".repeat(PACKET_SIZE + 1);
  const sum = [...long].reduce((all, char) => (all + char.charCodeAt(0)) & 0xff, 0);
  assert.deepEqual(packets(`$${long}#${sum.toString(16).padStart(2, "0")}$g#67`), ["bad", "g"]);
});
