/**
 * Packed decimal integers of FBLD and FBSTP: 18 digits, two a byte, least significant first, sign in the top bit
 * of the tenth byte. Values are 80-bit unsigned bigints as loaded from memory, little-endian.
 *
 * Specification: Intel SDM vol. 1 §4.7, vol. 2 FBLD, FBSTP.
 */
import { INVALID, type FloatEnvironment } from "./environment.js";
import { roundIntegral } from "./integer.js";
import { FINITE, QUIET_NAN, ZERO, bitLength, unpackInteger, zero, type Unpacked } from "./value.js";

const DIGITS = 18;
const SIGN = 1n << 79n;
const LIMIT = 10n ** BigInt(DIGITS);
/** The packed decimal indefinite. */
export const BCD_INDEFINITE = 0xffff_c000_0000_0000_0000n;

/** Reads a packed decimal. Digits above 9 are not checked and count as their value, as hardware may. */
export function fromBcd(bits: bigint): Unpacked {
  let magnitude = 0n;
  for (let digit = DIGITS - 1; digit >= 0; digit--) {
    magnitude = magnitude * 10n + ((bits >> BigInt(4 * digit)) & 0xfn);
  }
  const sign = (bits & SIGN) !== 0n ? 1 : 0;
  return magnitude === 0n ? zero(sign) : unpackInteger(sign === 1 ? -magnitude : magnitude);
}

/** Rounds to an integer and packs it; INVALID and the indefinite when it has more than 18 digits or is none. */
export function toBcd(value: Unpacked, env: FloatEnvironment): bigint {
  if (value.kind >= QUIET_NAN || (value.kind !== FINITE && value.kind !== ZERO)) return indefinite(env);
  const sign = value.sign === 1 ? SIGN : 0n;
  if (value.kind === ZERO) return sign;
  if (value.scale + bitLength(value.significand) > 64) return indefinite(env);
  const { flags, roundedUp } = env;
  const integral = roundIntegral(value, env.rounding, env);
  const magnitude =
    integral.kind === ZERO
      ? 0n
      : integral.scale >= 0
        ? integral.significand << BigInt(integral.scale)
        : integral.significand >> BigInt(-integral.scale);
  if (magnitude >= LIMIT) {
    env.flags = flags;
    env.roundedUp = roundedUp;
    return indefinite(env);
  }
  return sign | decimal(magnitude);
}

function decimal(magnitude: bigint): bigint {
  return BigInt("0x" + magnitude.toString(10));
}

function indefinite(env: FloatEnvironment): bigint {
  env.flags |= INVALID;
  return BCD_INDEFINITE;
}
