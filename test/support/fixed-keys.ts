/**
 * Keys that are the same on every run, made from a seed: RSA, elliptic curves, Edwards and Montgomery curves. For
 * comparing computations, never for secrets.
 */
import { checkPrimeSync, createECDH, createPrivateKey, type KeyObject } from "node:crypto";
import { Random } from "./random.js";

const BYTE = 256;
const HEX = 16;

/** Bytes from a seed. */
export function fixedBytes(seed: number, count: number): Buffer {
  const random = new Random(seed);
  return Buffer.from(Uint8Array.from({ length: count }, () => random.below(BYTE)));
}

function toBigInt(bytes: Uint8Array): bigint {
  return BigInt(`0x${Buffer.from(bytes).toString("hex")}`);
}

function base64Url(value: bigint): string {
  const text = value.toString(HEX);
  return Buffer.from(text.padStart(text.length + (text.length % 2), "0"), "hex").toString("base64url");
}

/** The first prime from a seeded start on whose two top bits are set, so that two of them fill twice the bits. */
function prime(seed: number, bits: number, e: bigint): bigint {
  let candidate = toBigInt(fixedBytes(seed, bits / 8)) | (3n << BigInt(bits - 2)) | 1n;
  while ((candidate - 1n) % e === 0n || !checkPrimeSync(candidate)) candidate += 2n;
  return candidate;
}

/** The inverse modulo m, by the extended Euclidean algorithm. */
function inverse(a: bigint, m: bigint): bigint {
  let [r0, r1, t0, t1] = [m, a % m, 0n, 1n];
  while (r1 !== 0n) {
    const q = r0 / r1;
    [r0, r1, t0, t1] = [r1, r0 - q * r1, t1, t0 - q * t1];
  }
  return ((t0 % m) + m) % m;
}

/** An RSA key of `bits` bits with the public exponent 65537. */
export function rsaKey(seed: number, bits: number): KeyObject {
  const e = 65537n;
  const [p, q] = [prime(seed, bits / 2, e), prime(seed + 1, bits / 2, e)];
  const d = inverse(e, (p - 1n) * (q - 1n));
  const numbers = { n: p * q, e, d, p, q, dp: d % (p - 1n), dq: d % (q - 1n), qi: inverse(q, p) };
  const fields = Object.entries(numbers).map(([name, value]) => [name, base64Url(value)]);
  return createPrivateKey({
    format: "jwk",
    key: { kty: "RSA", ...(Object.fromEntries(fields) as Record<string, string>) },
  });
}

/** Names of curves: in OpenSSL, in a JWK, and the size of a coordinate in bytes. */
const CURVES = {
  "P-256": { name: "prime256v1", size: 32 },
  "P-384": { name: "secp384r1", size: 48 },
  "P-521": { name: "secp521r1", size: 66 },
  secp256k1: { name: "secp256k1", size: 32 },
} as const;

export type CurveName = keyof typeof CURVES;

/** A key on a curve y² = x³ + ax + b. */
export function curveKey(seed: number, crv: CurveName): KeyObject {
  const { name, size } = CURVES[crv];
  const scalar = fixedBytes(seed, size);
  // Below every group's order, P-521's of 521 bits included.
  scalar[0] = 0;
  const ecdh = createECDH(name);
  ecdh.setPrivateKey(scalar);
  const point = ecdh.getPublicKey();
  const [x, y] = [point.subarray(1, 1 + size), point.subarray(1 + size)].map((b) => b.toString("base64url"));
  return createPrivateKey({ format: "jwk", key: { kty: "EC", crv, x, y, d: scalar.toString("base64url") } });
}

/** RFC 8410 §7: PKCS #8 around a bare seed; the last byte of each object identifier and the seed's size. */
const BARE = { x25519: [0x6e, 32], x448: [0x6f, 56], ed25519: [0x70, 32], ed448: [0x71, 57] } as const;

/** A key on Curve25519 or Curve448. */
export function bareKey(seed: number, kind: keyof typeof BARE): KeyObject {
  const [id, size] = BARE[kind];
  const secret = [0x04, size + 2, 0x04, size, ...fixedBytes(seed, size)];
  const body = [0x02, 1, 0, 0x30, 5, 0x06, 3, 0x2b, 0x65, id, ...secret];
  return createPrivateKey({
    format: "der",
    type: "pkcs8",
    key: Buffer.from([0x30, body.length, ...body]),
  });
}

/** A private key as OpenSSL reads it. */
export function pem(key: KeyObject): Uint8Array {
  return new TextEncoder().encode(key.export({ format: "pem", type: "pkcs8" }).toString());
}
