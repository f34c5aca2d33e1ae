/** Multiplication of square matrices of doubles, two at a time: MULPD, ADDPD, streams through three arrays. */
import {
  dword,
  eax,
  ebx,
  ecx,
  oword,
  qword,
  r12d,
  r8d,
  r9d,
  rcx,
  rdi,
  rdx,
  rsi,
  xmm0,
  xmm1,
  xmm2,
} from "../../test/support/asm/index.js";
import type { Assembler } from "../../test/support/asm/index.js";
import type { GuestBuilder } from "../../test/conformance/support/guest.js";
import { ARRAY } from "./program.js";
import type { ComputeProgram } from "./program.js";
import { emitNextRandom, nextRandom, SEED } from "./random.js";
import {
  ADD_PACKED,
  CONVERT_DWORD,
  LOAD_ALIGNED,
  LOAD_DOUBLE,
  MULTIPLY,
  MULTIPLY_PACKED,
  STORE_ALIGNED,
  STORE_DOUBLE,
  UNPACK_LOW,
  emitFoldWords,
  foldWords,
} from "./doubles.js";

const SCRATCH = 0x700000;
const SCALE = 2 ** -16;
const DOUBLE = 8;
const N = 96;
const ELEMENTS = N * N;

/** Fills `count` doubles at ARRAY with random numbers below 2^15, 16 of their bits behind the point. */
function fill(a: Assembler, count: number): void {
  a.mov(eax, SEED).xor(ecx, ecx).label("fill");
  emitNextRandom(a, eax);
  a.mov(ebx, eax)
    .shr(ebx, 1)
    .mov(dword(SCRATCH + 8), ebx);
  a.scalarDouble(CONVERT_DWORD, xmm0, dword(SCRATCH + 8)).scalarDouble(MULTIPLY, xmm0, qword(SCRATCH));
  a.scalarDouble(STORE_DOUBLE, xmm0, qword({ index: rcx, scale: 8, disp: ARRAY }));
  a.inc(ecx).cmp(ecx, count).jcc("ne", "fill");
}

/** RDI walks the left matrix, RDX the rows of the right one, RSI is the product's row. */
function multiply(a: Assembler): void {
  const [left, right, product] = [0, 1, 2].map((i) => ARRAY + i * ELEMENTS * DOUBLE);
  a.mov(rdi, left).mov(rsi, product).mov(r8d, N);
  a.label("row").mov(rdx, right).mov(r9d, N);
  a.label("term").scalarDouble(LOAD_DOUBLE, xmm1, qword(rdi)).packed(UNPACK_LOW, xmm1, xmm1).xor(ecx, ecx);
  a.label("pair")
    .packed(LOAD_ALIGNED, xmm0, oword({ base: rdx, index: rcx }))
    .packed(MULTIPLY_PACKED, xmm0, xmm1);
  a.packed(LOAD_ALIGNED, xmm2, oword({ base: rsi, index: rcx })).packed(ADD_PACKED, xmm2, xmm0);
  a.packed(STORE_ALIGNED, xmm2, oword({ base: rsi, index: rcx }));
  a.add(ecx, 2 * DOUBLE)
    .cmp(ecx, N * DOUBLE)
    .jcc("ne", "pair");
  a.add(rdx, N * DOUBLE)
    .add(rdi, DOUBLE)
    .dec(r9d)
    .jcc("ne", "term");
  a.add(rsi, N * DOUBLE)
    .dec(r8d)
    .jcc("ne", "row");
}

/** The product, added up `times` times. */
function simulate(times: number): Float64Array {
  let random = SEED;
  const factors = Float64Array.from({ length: 2 * ELEMENTS }, () => {
    random = nextRandom(random);
    return (random >>> 1) * SCALE;
  });
  const product = new Float64Array(ELEMENTS);
  for (let i = 0; i < N * times; i++) {
    const row = (i % N) * N;
    for (let k = 0; k < N; k++) {
      const left = factors[row + k];
      for (let j = 0; j < N; j++) product[row + j] += factors[ELEMENTS + k * N + j] * left;
    }
  }
  return product;
}

function write(g: GuestBuilder, times: number): bigint {
  const { a } = g;
  g.data(SCRATCH, new Uint8Array(Float64Array.of(SCALE).buffer));
  fill(a, 2 * ELEMENTS);
  a.mov(r12d, times).label("product");
  multiply(a);
  a.dec(r12d).jcc("ne", "product");
  emitFoldWords(a, ARRAY + 2 * ELEMENTS * DOUBLE, ELEMENTS);
  return foldWords(simulate(times));
}

/** Size: products of 96 × 96. */
export const matrix: ComputeProgram = {
  name: "matrix",
  what: "packed doubles (SSE2)",
  class: "float",
  size: 16,
  tiny: 1,
  write,
};
