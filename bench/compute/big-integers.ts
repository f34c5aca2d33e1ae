/**
 * Multiplication of 4,096-bit integers with MUL and ADC, and the remainder of the product by a 64-bit number with DIV:
 * what signature checks consist of. Each product's low half is the next factor.
 */
import {
  eax,
  ecx,
  edi,
  edx,
  esi,
  qword,
  r10,
  r10d,
  r12d,
  r13,
  r13d,
  r8d,
  r9,
  r8,
  r9d,
  rax,
  rbx,
  rcx,
  rdx,
} from "../../test/support/asm/index.js";
import type { Assembler } from "../../test/support/asm/index.js";
import type { GuestBuilder } from "../../test/conformance/support/guest.js";
import { ARRAY } from "./program.js";
import type { ComputeProgram } from "./program.js";
import { randomWords } from "./random.js";

const LIMBS = 64;
const LIMB_BITS = 64n;
const LEFT = ARRAY;
const RIGHT = ARRAY + 0x1000;
const PRODUCT = ARRAY + 0x2000;
const DIVISOR = 0xc2b2ae3d27d4eb4fn;

function toBigInt(words: BigUint64Array): bigint {
  return words.reduceRight((value, word) => (value << LIMB_BITS) | word, 0n);
}

/** PRODUCT = LEFT × RIGHT, row by row. */
function multiply(a: Assembler): void {
  a.mov(edi, PRODUCT)
    .mov(ecx, 2 * LIMBS)
    .xor(eax, eax)
    .rep()
    .stos(64);
  a.xor(r8d, r8d)
    .label("row")
    .mov(rbx, qword({ index: r8, scale: 8, disp: LEFT }));
  a.xor(r9d, r9d)
    .xor(r10d, r10d)
    .lea(rcx, qword({ index: r8, scale: 8, disp: PRODUCT }));
  a.label("column")
    .mov(rax, qword({ index: r9, scale: 8, disp: RIGHT }))
    .mul(rbx);
  a.add(rax, r10).adc(rdx, 0);
  a.add(qword({ base: rcx, index: r9, scale: 8 }), rax)
    .adc(rdx, 0)
    .mov(r10, rdx);
  a.inc(r9d).cmp(r9d, LIMBS).jcc("ne", "column");
  a.mov(qword({ base: rcx, index: r9, scale: 8 }), r10);
  a.inc(r8d).cmp(r8d, LIMBS).jcc("ne", "row");
}

/** RDX = PRODUCT mod DIVISOR. */
function divide(a: Assembler): void {
  a.movabs(rbx, DIVISOR)
    .xor(edx, edx)
    .mov(ecx, 2 * LIMBS);
  a.label("limb")
    .mov(rax, qword({ index: rcx, scale: 8, disp: PRODUCT - 8 }))
    .div(rbx);
  a.dec(ecx).jcc("ne", "limb");
}

function simulate(left: bigint, right: bigint, products: number): bigint {
  let sum = 0n;
  for (let i = 0; i < products; i++) {
    const product = left * right;
    sum += product % DIVISOR;
    left = BigInt.asUintN(LIMBS * Number(LIMB_BITS), product) | 1n;
  }
  return BigInt.asUintN(64, sum);
}

function write(g: GuestBuilder, products: number): bigint {
  const { a } = g;
  const limbs = new BigUint64Array(randomWords(4 * LIMBS).buffer);
  limbs[0] |= 1n;
  limbs[LIMBS] |= 1n;
  g.words(LEFT, ...limbs.subarray(0, LIMBS));
  g.words(RIGHT, ...limbs.subarray(LIMBS));
  a.mov(r12d, products).xor(r13d, r13d).label("product");
  multiply(a);
  divide(a);
  a.add(r13, rdx).mov(esi, PRODUCT).mov(edi, LEFT).mov(ecx, LIMBS).rep().movs(64).or(qword(LEFT), 1);
  a.dec(r12d).jcc("ne", "product").mov(rax, r13);
  return simulate(toBigInt(limbs.subarray(0, LIMBS)), toBigInt(limbs.subarray(LIMBS)), products);
}

/** Size: products. */
export const bigIntegers: ComputeProgram = {
  name: "big integers",
  what: "64-bit MUL, ADC, DIV",
  class: "integer",
  size: 5_000,
  tiny: 3,
  write,
};
