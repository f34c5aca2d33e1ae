/**
 * Limits and rights of segments outside 64-bit mode: type × B × granularity × limit × offset × kind of access, through
 * FS, ES and SS. The model is a few lines of this file.
 *
 * Specification: SDM vol. 3A §3.4.5.1 (types, expand-down), §5.3 (limit checking), §6.15 (#GP, #SS).
 */
import { al, ax, eax, ebx, ecx, edi, es, esi, fs, memory, ss, xmm0 } from "../../support/asm/index.js";
import type { Memory, MemorySize, SegmentOperand } from "../../support/asm/index.js";
import { prologue } from "../support/environments.js";
import { guest } from "../support/guest.js";
import type { Guest, GuestBuilder } from "../support/guest.js";
import { emitTrials, trialGates } from "../support/trials.js";
import type { Stub, Trial } from "../support/trials.js";

const SS_FAULT = 12;
const GP = 13;
const BASE = 0x500000n;
const CODE = 8;
const EXPANDS_DOWN = 4;
/** Writable data, or readable code. */
const EXTENDED_RIGHT = 2;
const TOP32 = 0xffffffff;
const TOP16 = 0xffff;

/** An access through a segment: its place is EBX. */
interface Access {
  name: string;
  segment: SegmentOperand;
  size: number;
  write: boolean;
  emit: Stub;
}

const through = (segment: SegmentOperand, size: MemorySize): Memory => memory(size, { base: ebx, segment });

const ACCESSES: readonly Access[] = [
  { name: "MOV AL, FS:", segment: fs, size: 1, write: false, emit: (a) => a.mov(al, through(fs, 8)) },
  { name: "MOV AX, FS:", segment: fs, size: 2, write: false, emit: (a) => a.mov(ax, through(fs, 16)) },
  { name: "MOV EAX, FS:", segment: fs, size: 4, write: false, emit: (a) => a.mov(eax, through(fs, 32)) },
  { name: "MOV FS:, AL", segment: fs, size: 1, write: true, emit: (a) => a.mov(through(fs, 8), al) },
  { name: "MOV FS:, EAX", segment: fs, size: 4, write: true, emit: (a) => a.mov(through(fs, 32), eax) },
  { name: "ADD FS:, EAX", segment: fs, size: 4, write: true, emit: (a) => a.add(through(fs, 32), eax) },
  { name: "CMP FS:, EAX", segment: fs, size: 4, write: false, emit: (a) => a.cmp(through(fs, 32), eax) },
  { name: "CMPXCHG8B FS:", segment: fs, size: 8, write: true, emit: (a) => a.cmpxchg8b(through(fs, 64)) },
  {
    name: "MOVDQU XMM0, FS:",
    segment: fs,
    size: 16,
    write: false,
    emit: (a) => a.movdqu(xmm0, through(fs, 128)),
  },
  { name: "PUSH FS:", segment: fs, size: 4, write: false, emit: (a) => a.push(through(fs, 32)).pop(eax) },
  { name: "POP FS:", segment: fs, size: 4, write: true, emit: (a) => a.push(eax).pop(through(fs, 32)) },
  { name: "LODSD FS:", segment: fs, size: 4, write: false, emit: (a) => a.mov(esi, ebx).db(0x64).lods(32) },
  { name: "STOSW", segment: es, size: 2, write: true, emit: (a) => a.mov(edi, ebx).stos(16) },
  { name: "SCASB", segment: es, size: 1, write: false, emit: (a) => a.mov(edi, ebx).scas(8) },
  { name: "MOV EAX, SS:", segment: ss, size: 4, write: false, emit: (a) => a.mov(eax, through(ss, 32)) },
  { name: "MOV SS:, AX", segment: ss, size: 2, write: true, emit: (a) => a.mov(through(ss, 16), ax) },
];

interface Segment {
  /** With the accessed bit. */
  type: number;
  big: boolean;
  granular: boolean;
  limit: number;
}

const LIMITS = [
  { granular: false, limit: 0 },
  { granular: false, limit: 0xff },
  { granular: false, limit: 0xffff },
  { granular: true, limit: 0 },
  { granular: true, limit: 0x10 },
  { granular: true, limit: 0xfffff },
];
const TYPES = [1, 3, 5, 7, 11, 15];
/** Distances of an access from the limit. */
const AROUND = [-16, -15, -8, -7, -4, -3, -2, -1, 0, 1];
const PLACES = [0, 1, 0x1000, 0xfff0, 0xfffc, 0xfffd, 0xffff, 0x10000, 0xfffffff0, 0xffffffff];

const bytes = ({ granular, limit }: Segment): number => (granular ? ((limit << 12) | 0xfff) >>> 0 : limit);

/** Whether the segment permits the access; undefined where the manual leaves it open. */
function permits(segment: Segment, access: Access, offset: number): boolean | undefined {
  const { type, big } = segment;
  const right = (type & EXTENDED_RIGHT) !== 0;
  if (access.write && (!right || (type & CODE) !== 0)) return false;
  const limit = bytes(segment);
  const last = offset + access.size - 1;
  const down = (type & CODE) === 0 && (type & EXPANDS_DOWN) !== 0;
  const top = down ? (big ? TOP32 : TOP16) : limit;
  if (down && offset <= limit) return false;
  // §5.3: with a limit of 4 GiB accesses that wrap may or may not fault.
  if (top === TOP32 && last > TOP32) return undefined;
  return last <= top;
}

function descriptorOf({ type, big, granular, limit }: Segment): bigint {
  const access = BigInt(0x80 | 0x60 | 0x10 | type);
  const flags = BigInt((granular ? 8 : 0) | (big ? 4 : 0));
  return (
    BigInt(limit & 0xffff) | (BASE << 16n) | (access << 40n) | (BigInt(limit >> 16) << 48n) | (flags << 52n)
  );
}

/** Whether a segment register can hold the segment at all. */
function loadable(segment: Segment, access: Access): boolean {
  const right = (segment.type & EXTENDED_RIGHT) !== 0;
  return access.segment !== ss || ((segment.type & CODE) === 0 && right);
}

function trialsOf(segment: Segment, access: Access, stub: number): Trial[] {
  if (!loadable(segment, access)) return [];
  const limit = bytes(segment);
  const offsets = new Set([...AROUND.map((distance) => (limit + distance) >>> 0), ...PLACES]);
  const vector = access.segment === ss ? SS_FAULT : GP;
  return [...offsets].flatMap((offset): Trial[] => {
    const permitted = permits(segment, access, offset);
    if (permitted === undefined) return [];
    const kind = `type ${segment.type}, B=${segment.big ? 1 : 0}, limit 0x${limit.toString(16)}`;
    return [
      {
        descriptor: [descriptorOf(segment), 0n],
        rpl: 3,
        value: offset,
        stub,
        user: true,
        note: `${access.name}0x${offset.toString(16)}, ${kind}`,
        want: { eaxMask: 0n, ...(permitted ? {} : { fault: [vector, 0] as const }) },
      },
    ];
  });
}

function limitMatrix(g: GuestBuilder): void {
  trialGates(g);
  prologue(g.a);
  const selector = g.descriptor(0n, 0n);
  const trials: Trial[] = [];
  for (const type of TYPES)
    for (const big of [false, true])
      for (const limit of LIMITS)
        ACCESSES.forEach((access, stub) => trials.push(...trialsOf({ type, big, ...limit }, access, stub)));
  const stubs = ACCESSES.map(
    ({ segment, emit }): Stub =>
      (a) =>
        emit(a.movToSegment(segment, ecx)),
  );
  emitTrials(g, selector, stubs, trials);
  g.exit();
}

export function limitMatrixGuests(): Guest[] {
  return [
    guest(
      "type, limit, place and kind of access",
      {
        mode: 32,
        cites: "SDM vol. 3A §3.4.5.1, §5.3",
        notOnQemu: "QEMU 7.2 checks no limits; the SDM is right",
      },
      limitMatrix,
    ),
  ];
}
