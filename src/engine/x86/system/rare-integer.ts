/**
 * Integer instructions too rare or too large for generated code: decimal adjustment, PUSHA and POPA, 128-bit division,
 * XLAT, moves with a 64-bit absolute address. Specification: Intel SDM vol. 2.
 */
import { TWO_32 } from "../../../bytes/words.js";
import {
  FLAG_AF,
  FLAG_CF,
  FLAG_PF,
  FLAG_SF,
  FLAG_ZF,
  FLAGS_STATUS,
  VECTOR_DE,
} from "../../../spec/x86-privileged.js";
import type { CpuContext } from "../cpu-context.js";
import { readStatusFlags, writeFlags } from "../flags.js";
import * as L from "../layout.js";
import { RAX, RBX, RDX } from "../layout.js";
import { dataAccessMode } from "../mode.js";
import * as R from "../record.js";
import { commitPending, explicitHost, READ, readHost, WRITE, writeHost } from "./access.js";
import { CONTINUE, type Helper } from "./calls.js";
import { generalProtection, GuestFault } from "./faults.js";
import { INFO_MEMORY, INFO_SIZE } from "../call-info.js";
import { implicitAddress } from "./operands.js";
import { currentStack, peek, pushValues, release, storePointer } from "./stack.js";

const RSP_NUMBER = 4;
const GENERAL_REGISTERS_32 = 8;

function al(cpu: CpuContext): number {
  return cpu.get32(RAX) & 0xff;
}

function ah(cpu: CpuContext): number {
  return (cpu.get32(RAX) >>> 8) & 0xff;
}

/** SF, ZF and PF of a byte. */
function byteFlags(byte: number): number {
  let ones = 0;
  for (let bit = 0; bit < 8; bit++) ones += (byte >> bit) & 1;
  return (byte & 0x80 ? FLAG_SF : 0) | (byte === 0 ? FLAG_ZF : 0) | (ones % 2 === 0 ? FLAG_PF : 0);
}

/** DAA and DAS: `sign` is 1 or -1. */
function decimalAdjust(sign: 1 | -1): Helper {
  return (cpu) => {
    const old = al(cpu);
    const flags = readStatusFlags(cpu);
    let value = old;
    let carry = 0;
    let auxiliary = 0;
    if ((old & 0xf) > 9 || flags & FLAG_AF) {
      value += 6 * sign;
      auxiliary = FLAG_AF;
      if (flags & FLAG_CF || value < 0 || value > 0xff) carry = FLAG_CF;
    }
    if (old > 0x99 || flags & FLAG_CF) {
      value += 0x60 * sign;
      carry = FLAG_CF;
    } else if (sign === 1) carry = 0;
    value &= 0xff;
    cpu.writeSlot(RAX, 1, value);
    writeFlags(cpu, byteFlags(value) | carry | auxiliary, FLAGS_STATUS);
    return CONTINUE;
  };
}

/** AAA and AAS. */
function asciiAdjust(sign: 1 | -1): Helper {
  return (cpu) => {
    const adjust = (al(cpu) & 0xf) > 9 || (readStatusFlags(cpu) & FLAG_AF) !== 0;
    let value = cpu.get32(RAX) & 0xffff;
    if (adjust) value = (value + 0x106 * sign) & 0xffff;
    value &= 0xff0f;
    cpu.writeSlot(RAX, 2, value);
    writeFlags(cpu, byteFlags(value & 0xff) | (adjust ? FLAG_AF | FLAG_CF : 0), FLAGS_STATUS);
    return CONTINUE;
  };
}

const aam: Helper = (cpu, record) => {
  const base = cpu.immediate(record) & 0xff;
  if (base === 0) throw new GuestFault(VECTOR_DE);
  const value = al(cpu);
  const low = value % base;
  cpu.writeSlot(RAX, 2, (Math.floor(value / base) << 8) | low);
  writeFlags(cpu, byteFlags(low), FLAGS_STATUS);
  return CONTINUE;
};

const aad: Helper = (cpu, record) => {
  const base = cpu.immediate(record) & 0xff;
  const value = (al(cpu) + ah(cpu) * base) & 0xff;
  cpu.writeSlot(RAX, 2, value);
  writeFlags(cpu, byteFlags(value), FLAGS_STATUS);
  return CONTINUE;
};

const salc: Helper = (cpu) => {
  cpu.writeSlot(RAX, 1, readStatusFlags(cpu) & FLAG_CF ? 0xff : 0);
  return CONTINUE;
};

const pusha: Helper = (cpu, _record, info) => {
  const size = info & INFO_SIZE;
  const stack = currentStack(cpu);
  // SDM vol. 2B, PUSHA: in real and virtual-8086 mode #GP, not #SS, when SP is 7, 9, 11, 13 or 15.
  const odd = (stack.pointer & 1) !== 0 && stack.pointer >= 7 && stack.pointer <= 15;
  if (cpu.realSegments && odd) generalProtection();
  const values = Array.from({ length: GENERAL_REGISTERS_32 }, (_, n) => cpu.readSlot(L.GPR + n * 8, size));
  pushValues(cpu, stack, size, values);
  storePointer(cpu, stack);
  return CONTINUE;
};

const popa: Helper = (cpu, _record, info) => {
  const size = info & INFO_SIZE;
  const stack = currentStack(cpu);
  const values = Array.from({ length: GENERAL_REGISTERS_32 }, (_, index) => peek(cpu, stack, size, index));
  for (let n = 0; n < GENERAL_REGISTERS_32; n++) {
    if (n !== RSP_NUMBER) cpu.writeSlot(L.GPR + n * 8, size, values[GENERAL_REGISTERS_32 - 1 - n]);
  }
  release(stack, size * GENERAL_REGISTERS_32);
  storePointer(cpu, stack);
  return CONTINUE;
};

const xlat: Helper = (cpu, record) => {
  // A sum of 64 bits is exact where it is canonical; a narrower one is a sum of low words.
  const long = (cpu.u8[record + R.REC_MISC] & R.MISC_ADDRESS_SIZE) === 8;
  const table = long ? cpu.getAddress(RBX) : cpu.low(RBX);
  const linear = implicitAddress(cpu, record, table + al(cpu), 1);
  const host = explicitHost(cpu, linear, 1, READ, dataAccessMode(cpu, cpu.cpl));
  cpu.writeSlot(RAX, 1, readHost(cpu, host, 1));
  return CONTINUE;
};

/** MOV between the accumulator and a 64-bit absolute address: size and direction are the second immediate. */
const movAbsolute: Helper = (cpu, record) => {
  const how = cpu.secondImmediate(record);
  const size = how & 0xff;
  const segment = cpu.u8[record + R.REC_SEGMENT] >>> 3;
  const index = (record + R.REC_IMMEDIATE) >>> 2;
  let linear = cpu.i32[index + 1] * TWO_32 + cpu.u32[index];
  if (segment !== L.SEGMENT_NONE) linear += cpu.segmentBase(segment);
  const mode = dataAccessMode(cpu, cpu.cpl);
  const write = (how & INFO_MEMORY) !== 0;
  const host = explicitHost(cpu, linear, size, write ? WRITE : READ, mode);
  if (write) {
    writeHost(cpu, host, size, cpu.low(RAX), cpu.upper(RAX));
    commitPending(cpu);
  } else {
    const low = readHost(cpu, host, size);
    cpu.writeSlot(RAX, size, low, cpu.high);
  }
  return CONTINUE;
};

/** DIV of RDX:RAX by the 64-bit divisor at MAIL_VALUE. */
const divideWide: Helper = (cpu) => {
  const divisor = cpu.getBig(L.MAIL_VALUE);
  const dividend = (cpu.getBig(RDX) << 64n) | cpu.getBig(RAX);
  const quotient = dividend / divisor;
  if (quotient >> 64n !== 0n) throw new GuestFault(VECTOR_DE);
  cpu.setBig(RAX, quotient);
  cpu.setBig(RDX, dividend % divisor);
  return CONTINUE;
};

const divideWideSigned: Helper = (cpu) => {
  const divisor = BigInt.asIntN(64, cpu.getBig(L.MAIL_VALUE));
  const dividend = BigInt.asIntN(128, (cpu.getBig(RDX) << 64n) | cpu.getBig(RAX));
  const quotient = dividend / divisor;
  if (BigInt.asIntN(64, quotient) !== quotient) throw new GuestFault(VECTOR_DE);
  cpu.setBig(RAX, quotient);
  cpu.setBig(RDX, dividend % divisor);
  return CONTINUE;
};

export const RARE_INTEGER_HELPERS: Record<string, Helper> = {
  daa: decimalAdjust(1),
  das: decimalAdjust(-1),
  aaa: asciiAdjust(1),
  aas: asciiAdjust(-1),
  aam,
  aad,
  salc,
  pusha,
  popa,
  xlat,
  mov_absolute: movAbsolute,
  divide_wide: divideWide,
  divide_wide_signed: divideWideSigned,
};
