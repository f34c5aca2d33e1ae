/**
 * Byte strings for the decoder's comparison: every opcode of every map behind every combination of prefixes, with
 * ModRM and SIB bytes of every class. Knows nothing of what they mean beyond where prefixes, opcode and ModRM stand.
 */
import type { Random } from "../../support/random.js";
import { STRIDE } from "./reference.js";

/** Opcode maps by their leading bytes. */
const MAPS = [[], [0x0f], [0x0f, 0x38], [0x0f, 0x3a]];
const OPCODES = 256;

/** Prefixes, also in wrong orders, doubled, and with REX where it does not count. */
export const PREFIXES: readonly (readonly number[])[] = [
  [],
  [0x66],
  [0xf2],
  [0xf3],
  [0x67],
  [0x48],
  [0x41],
  [0x44],
  [0x4f],
  [0x40],
  [0x66, 0x48],
  [0x48, 0x66],
  [0x66, 0x67, 0x42],
  [0xf2, 0x66],
  [0x66, 0xf3],
  [0xf3, 0xf2],
  [0xf2, 0xf3, 0x4c],
  [0xf3, 0x49],
  [0xf2, 0x48],
  [0x66, 0xf2, 0x4d],
  [0x64],
  [0x65, 0x67, 0x45],
  [0x2e, 0x36],
  [0x3e, 0x64, 0x26],
  [0xf0],
  [0xf0, 0x66, 0x41],
  [0xf0, 0x48],
  [0xf2, 0xf0],
  [0x40, 0x48, 0x43],
  [0x66, 0x66, 0x67, 0x67],
];

/** ModRM bytes of every mod, with and without SIB, displacement and base. */
function modrmBytes(reg: number): number[] {
  const low = [0x00, 0x02, 0x04, 0x05, 0x06, 0x41, 0x44, 0x83, 0x84, 0x85, 0xc0, 0xc3, 0xc4, 0xc7];
  return low.map((byte) => byte | (reg << 3));
}

/** Bytes whose corners matter: SIB without base or index, signs of displacements and immediates. */
const CORNERS = [0x00, 0x7f, 0x80, 0xff, 0x25, 0x65, 0xa4, 0xe4];

/** A buffer of strings `STRIDE` bytes apart. */
export class Strings {
  readonly bytes: Uint8Array;
  count = 0;

  constructor(
    capacity: number,
    private readonly random: Random,
  ) {
    this.bytes = new Uint8Array(capacity * STRIDE);
  }

  get isFull(): boolean {
    return this.count * STRIDE === this.bytes.length;
  }

  /** Adds one string: `head`, then random bytes with corners among them. */
  add(head: readonly number[]): void {
    const at = this.count++ * STRIDE;
    this.bytes.set(head, at);
    for (let i = head.length; i < STRIDE; i++) {
      this.bytes[at + i] = this.random.below(3) === 0 ? this.random.pick(CORNERS) : this.random.below(256);
    }
  }
}

/** Heads of all systematic strings. `perOpcode`: ModRM bytes for each prefix and opcode, 0 for all classes. */
export function* systematic(random: Random, perOpcode: number): Generator<number[]> {
  for (const map of MAPS) {
    for (let opcode = 0; opcode < OPCODES; opcode++) {
      for (const prefix of PREFIXES) {
        const head = [...prefix, ...map, opcode];
        if (perOpcode > 0) {
          for (let n = 0; n < perOpcode; n++) yield [...head, random.pick(modrmBytes(random.below(8)))];
        } else {
          for (let reg = 0; reg < 8; reg++) for (const modrm of modrmBytes(reg)) yield [...head, modrm];
        }
      }
    }
  }
}

/** Bytes behind C4: a map that exists or not, with R, X and B of both values; map 2 most, where most of ours are. */
const VEX_FIRST = [0xe1, 0xe2, 0xe3, 0xe2, 0xc2, 0xa2, 0x42, 0x62, 0x23, 0xe0, 0xe4, 0xff];
/** Bytes behind those, or behind C5: W, vvvv, L and pp. */
const VEX_LAST = [0x78, 0x79, 0x7a, 0x7b, 0xf8, 0xfb, 0x7c, 0x40, 0xe1, 0x0a, 0xc3, 0x32];

/** Heads of VEX-encoded strings: each opcode behind every form of the prefix, alone and behind other prefixes. */
export function* vexEncoded(random: Random): Generator<number[]> {
  for (let opcode = 0; opcode < OPCODES; opcode++) {
    for (const last of VEX_LAST) {
      // Below F0 no VEX-encoded instruction is ours: a sample does.
      const firsts = opcode >= 0xf0 ? VEX_FIRST : [random.pick(VEX_FIRST)];
      for (const first of firsts) yield [0xc4, first, last, opcode, random.below(256)];
      if (opcode % 8 !== 7) continue;
      yield [...random.pick(PREFIXES), 0xc4, random.pick(VEX_FIRST), last, opcode, random.below(256)];
      yield [0xc5, last | (random.below(2) << 7), opcode, random.below(256)];
    }
  }
}

/** Heads of every ModRM byte behind an opcode, for each mandatory prefix. */
export function* everyModrm(): Generator<number[]> {
  for (const map of MAPS) {
    for (let opcode = 0; opcode < OPCODES; opcode++) {
      for (const prefix of [[], [0x66], [0xf2], [0xf3]]) {
        for (let modrm = 0; modrm < 256; modrm++) yield [...prefix, ...map, opcode, modrm];
      }
    }
  }
}

/** Heads of nothing but chance: up to five prefixes of any kind, an opcode of any map. */
export function randomHead(random: Random): number[] {
  const kinds = [0x66, 0x67, 0xf2, 0xf3, 0xf0, 0x2e, 0x36, 0x3e, 0x26, 0x64, 0x65, 0x40 | random.below(16)];
  const prefixes = Array.from({ length: random.below(6) }, () => random.pick(kinds));
  return [...prefixes, ...random.pick(MAPS), random.below(OPCODES), random.below(256)];
}
