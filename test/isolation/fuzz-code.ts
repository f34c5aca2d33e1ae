/**
 * Random instruction streams: raw bytes, instructions with likely prefixes and operands, and short sequences that
 * a system program would hold (control registers, descriptor tables, far transfers, ports, string instructions,
 * stores into code nearby). Knows encodings, no engine.
 *
 * Specification: Intel SDM vol. 2A §2.1 (instruction format), vol. 2D appendix A (opcode maps).
 */
import type { Random } from "../support/random.js";

/** Code size of the segment the bytes are meant for; they may well run in another. */
export type CodeSize = 16 | 32 | 64;

const BYTE = 0x100;
const PREFIXES = [0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0xf0, 0xf2, 0xf3];
/** Selectors of the descriptor table in `fuzz-worlds.ts`, with every RPL, and some beyond it. */
const SELECTORS = Array.from({ length: 28 }, (_, i) => i * 8);
/** Ports and model-specific registers that a CPU looks at itself or that hosts act on. */
const MSRS = [
  ...[0x10, 0x1b, 0x3b, 0x48, 0x49, 0x8b, 0xfe, 0x10a, 0x174, 0x175, 0x176, 0x1a0, 0x200, 0x201, 0x250],
  ...[0x277, 0x2ff, 0x6e0, 0x800, 0x80b, 0x830, 0xda0],
  ...[0xc0000080, 0xc0000081, 0xc0000082, 0xc0000083, 0xc0000084, 0xc0000100, 0xc0000101, 0xc0000102],
  0xc0000103,
];
/** Registers that an XSETBV or a control register is likely to be given. */
const CONTROL_VALUES = [
  ...[0x80050033, 0x80010001, 0x00050033, 0x11, 0x10, 0x60000010, 0x80000001, 0x8005003b, 0x80050037],
  ...[0x20, 0x6a0, 0x3006a0, 0x1706e0, 0x0, 0x7ff, 0x8000, 0x9000, 0x8fff, 0xfee00000, 0xa0000, 0xfffff000],
];

const byte = (random: Random): number => random.below(BYTE);
const bytes = (random: Random, count: number): number[] => Array.from({ length: count }, () => byte(random));
const word = (value: number): number[] => [value & 0xff, (value >>> 8) & 0xff];
const dword = (value: number): number[] => [...word(value & 0xffff), ...word(value >>> 16)];
const selector = (random: Random): number =>
  random.pick(SELECTORS) | (random.below(4) === 0 ? byte(random) & 7 : 0);

/** ModRM with operands as programs have them: registers, short displacements, now and then anything. */
function modrm(random: Random, size: CodeSize, reg = random.below(8)): number[] {
  const kind = random.below(10);
  const rm = random.below(8);
  if (kind < 4) return [0xc0 | (reg << 3) | rm];
  if (kind === 9) return [(random.below(4) << 6) | (reg << 3) | rm, ...bytes(random, 5)];
  const mod = random.below(2);
  const sib = size !== 16 && rm === 4 ? [byte(random)] : [];
  return [(mod << 6) | (reg << 3) | rm, ...sib, ...(mod === 1 ? [byte(random)] : [])];
}

function prefixes(random: Random, size: CodeSize): number[] {
  const list: number[] = [];
  while (random.below(6) === 0) list.push(random.pick(PREFIXES));
  if (size === 64 && random.below(2)) list.push(0x40 | random.below(16));
  return list;
}

function opcode(random: Random): number[] {
  const kind = random.below(20);
  if (kind < 12) return [byte(random)];
  if (kind < 18) return [0x0f, byte(random)];
  return [0x0f, kind === 18 ? 0x38 : 0x3a, byte(random)];
}

function instruction(random: Random, size: CodeSize): number[] {
  return [
    ...prefixes(random, size),
    ...opcode(random),
    ...modrm(random, size),
    ...bytes(random, random.below(5)),
  ];
}

/** A sequence of a system program, from a seed and the code size. */
type Template = (random: Random, size: CodeSize) => number[];

/** MOV of a constant into one of the first four registers at the code's natural size, up to 32 bits. */
function load(size: CodeSize, register: number, value: number): number[] {
  return size === 16 ? [0x66, 0xb8 | register, ...dword(value)] : [0xb8 | register, ...dword(value)];
}

const TEMPLATES: readonly Template[] = [
  // MOV CRn/DRn, both ways.
  (r, size) => [...load(size, 0, r.pick(CONTROL_VALUES)), 0x0f, 0x22, 0xc0 | (r.pick([0, 2, 3, 4, 8]) << 3)],
  (r) => [0x0f, 0x20 | r.below(4), 0xc0 | r.below(64)],
  // RDMSR, WRMSR.
  (r, size) => [...load(size, 1, r.pick(MSRS)), 0x0f, r.pick([0x30, 0x32])],
  (r, size) => [...load(size, 1, r.pick(MSRS)), ...load(size, 0, r.below(2 ** 32)), 0x31, 0xd2, 0x0f, 0x30],
  // Descriptor tables, task register, segment loads, VERR and friends.
  (r, size) => [0x0f, 0x01, ...modrm(r, size)],
  (r, size) => [...load(size, 0, selector(r)), 0x0f, 0x00, 0xc0 | (r.below(8) << 3)],
  (r, size) => [...load(size, 0, selector(r)), 0x8e, 0xc0 | (r.below(8) << 3)],
  (r, size) => [...load(size, 0, selector(r)), 0x0f, r.pick([0x02, 0x03]), 0xc0 | (r.below(8) << 3)],
  // Far jumps and calls, direct and through memory; far returns; interrupt returns with a frame or without.
  (r, size) => [
    r.pick([0x9a, 0xea]),
    ...(size === 16 ? word(byte(r) * 8) : dword(0x100000 + r.below(0x8000))),
    ...word(selector(r)),
  ],
  (r, size) => [0xff, ...modrm(r, size, r.pick([3, 5]))],
  (r, size) => [
    ...load(size, 0, selector(r)),
    0x50,
    ...load(size, 0, 0x100000 + r.below(0x8000)),
    0x50,
    ...(size === 64 && r.below(2) ? [0x48] : []),
    r.pick([0xcb, 0xca, 0xcf]),
    ...word(byte(r)),
  ],
  (r, size) => [...(size === 64 && r.below(2) ? [0x48] : []), r.pick([0xcf, 0xcb, 0xc3])],
  // SYSCALL, SYSRET, SYSENTER, SYSEXIT, software interrupts.
  (r, size) => [...(size === 64 && r.below(2) ? [0x48] : []), 0x0f, r.pick([0x05, 0x07, 0x34, 0x35])],
  (r) => r.pick([[0xcd, byte(r)], [0xcc], [0xce], [0xf1], [0x0f, 0x0b], [0x0f, 0xff]]),
  // Interrupt windows, halts, flag loads.
  (r) =>
    r.pick([[0xfa], [0xfb], [0xfb, 0xf4], [0xf4], [0x9d], [0x9c, 0x9d], [0xfb, 0x17], [0x17], [0xfb, 0xfa]]),
  (r, size) => [
    ...load(size, 0, r.pick([0x2, 0x202, 0x302, 0x102, 0x4202, 0x23202, 0x40202, 0x7202])),
    0x50,
    0x9d,
  ],
  // Ports.
  (r) =>
    r.pick([
      [0xe4, byte(r)],
      [0xe5, byte(r)],
      [0xe6, byte(r)],
      [0xe7, byte(r)],
      [0xec],
      [0xed],
      [0xee],
      [0xef],
    ]),
  // String instructions with small, large and absurd counts.
  (r, size) => [
    ...load(size, 1, r.pick([0, 1, 2, 17, 255, 4096, 70000, 0x7fffffff, 0xffffffff])),
    ...(r.below(8) === 0 ? [r.pick([0xfc, 0xfd])] : []),
    ...(r.below(4) === 0 ? [0x67] : []),
    ...(r.below(4) === 0 ? [0x66] : []),
    r.pick([0xf2, 0xf3]),
    ...(size === 64 && r.below(3) === 0 ? [0x48] : []),
    r.pick([0xa4, 0xa5, 0xa6, 0xa7, 0xaa, 0xab, 0xac, 0xad, 0xae, 0xaf, 0x6c, 0x6d, 0x6e, 0x6f]),
  ],
  // Stores into the code that follows: absolute, relative to RIP, and by a string instruction.
  (r, size) =>
    size === 16
      ? [0x2e, 0xc6, 0x06, ...word(r.below(0x8000)), byte(r)]
      : size === 32
        ? [0xc7, 0x05, ...dword(0x100000 + r.below(0x8000)), ...bytes(r, 4)]
        : [0xc7, 0x05, ...dword(r.below(64) - 16), ...bytes(r, 4)],
  (r, size) =>
    size === 64
      ? [0x48, 0x8d, 0x3d, ...dword(r.below(32)), ...load(size, 1, r.below(40)), 0xf3, 0xaa]
      : [0xaa],
  (r, size) =>
    size === 64
      ? [0xf0, 0x48, 0x0f, 0xc7, 0x0d, ...dword(r.below(64) - 32)]
      : [0x0f, 0xc7, ...modrm(r, size, 1)],
  // Saved state, cache and TLB control.
  (r, size) => [...(size === 64 && r.below(2) ? [0x48] : []), 0x0f, 0xae, ...modrm(r, size)],
  (r, size) => [0x0f, 0xc7, ...modrm(r, size)],
  (r, size) => [0x66, 0x0f, 0x38, r.pick([0x80, 0x81, 0x82]), ...modrm(r, size)],
  (r) =>
    r.pick([
      [0x0f, 0x08],
      [0x0f, 0x09],
      [0x0f, 0x06],
      [0x0f, 0xa2],
      [0x0f, 0x31],
      [0x0f, 0x01, byte(r)],
    ]),
  // Stack pointer and frames.
  (r, size) => [
    ...load(
      size,
      4,
      r.pick([0, 1, 2, 7, 8, 0xfff, 0x1001, 0x30000, 0x9fff8, 0xfffff, 0xffff, 0xfffffffe, 0x101004]),
    ),
  ],
  (r) => [0xc8, ...word(r.below(0x200)), r.below(40)],
  (r) =>
    r.pick([[0x60], [0x61], [0xc9], [0x1f], [0x07], [0x0f, 0xa1], [0x0f, 0xb2, 0x24, 0x24], [0x5c], [0x54]]),
  // Near control flow: short loops, calls, jumps to any place of the code.
  (r) => [r.pick([0xe0, 0xe1, 0xe2, 0xe3, 0xeb, 0x72, 0x74, 0x75, 0x7f]), r.below(60) - 20],
  (r, size) => [
    r.pick([0xe8, 0xe9]),
    ...(size === 16 ? word(r.below(0x1000)) : dword(r.below(0x2000) - 0x1000)),
  ],
  (r, size) => [
    ...load(size, 0, r.pick([0xfffff, 0x9ffff, 0xa0000, 0xfee00000, 0xfffffff8, 0x100ffd, 0x3ffffe])),
    0xff,
    r.pick([0xe0, 0xd0]),
  ],
  // Division and x87, which can trap in ways of their own.
  (r, size) => [
    ...(size === 64 && r.below(2) ? [0x48] : []),
    r.pick([0xf6, 0xf7]),
    ...modrm(r, size, r.pick([6, 7])),
  ],
  (r, size) => [0xd8 | r.below(8), ...modrm(r, size)],
  (r, size) => [
    ...(r.below(2) ? [r.pick([0x66, 0xf2, 0xf3])] : []),
    0x0f,
    r.pick([0x10, 0x28, 0x2a, 0x2c, 0x2d, 0x2e, 0x51, 0x58, 0x59, 0x5a, 0x5b, 0x5e, 0x6f, 0x7f, 0xe6, 0xf7]),
    ...modrm(r, size),
  ],
];

/** Fills `target` with a stream for the given code size. */
export function fillWithCode(target: Uint8Array, random: Random, size: CodeSize): void {
  let at = 0;
  while (at < target.length) {
    const kind = random.below(20);
    const piece =
      kind < 2
        ? bytes(random, 1 + random.below(8))
        : kind < 11
          ? instruction(random, size)
          : random.pick(TEMPLATES)(random, size);
    target.set(piece.slice(0, target.length - at), at);
    at += piece.length;
  }
}
