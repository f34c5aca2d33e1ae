/**
 * OpenSSL of Debian as a judge of the CPU: digests, ciphers, MACs and signatures, each by every code path that its
 * assembler has for this machine. OPENSSL_ia32cap(3) takes features away.
 */
import { createPublicKey, publicEncrypt, sign, type KeyObject } from "node:crypto";
import type { AddedFile } from "../../src/guests/index.js";
import { bareKey, curveKey, fixedBytes, pem, rsaKey } from "../support/fixed-keys.js";

/** Around the block sizes of every digest and cipher, and large enough for the loops over many blocks. */
const SIZES = [
  0, 1, 3, 15, 16, 17, 55, 56, 57, 63, 64, 65, 111, 112, 119, 127, 128, 129, 255, 1000, 4096, 65537,
];
const MESSAGE = "/data/20013";
const MESSAGE_SIZE = 20013;

/** The features of the processor that OpenSSL is told not to see: bits as OPENSSL_ia32cap(3) numbers them. */
export const CODE_PATHS: Readonly<Record<string, string>> = {
  "everything there is": "",
  "SSSE3 and AES-NI, no SHA": ":~0x20000000",
  "SSSE3, no AES-NI, no PCLMULQDQ, no SHA": "~0x0200000200000000:~0x20000000",
  "SSE2 alone": "~0x0240020200000000:~0x20080108",
  "BMI2 without ADX": ":~0x80000",
  "neither BMI2 nor ADX": ":~0x80100",
};

/** What all code paths begin with. */
const PREAMBLE = `
cd /tmp
K=000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f
IV=f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff
L="-provider legacy -provider default"
o() { openssl "$@" 2>/dev/null || echo "openssl $* failed with $?"; }
`;

function exportPath(value: string): string {
  return value === "" ? "unset OPENSSL_ia32cap\n" : `export OPENSSL_ia32cap='${value}'\n`;
}

/** Each digest over each file. */
function digests(names: string): string {
  return `for d in ${names}; do o dgst $L -$d /data/*; done\n`;
}

/** Each cipher's output, and whether it decrypts to what it was. */
function ciphers(names: string): string {
  return `for c in ${names}; do
    o enc $L -$c -K $K -iv $IV -in ${MESSAGE} -out sealed
    o enc $L -d -$c -K $K -iv $IV -in sealed -out opened
    cmp opened ${MESSAGE} && echo $c $(busybox sha256sum <sealed)
  done\n`;
}

/** Authenticated ciphers have no command of their own; CMS has them (RFC 5084). */
const AUTHENTICATED = `for c in aes-128-gcm aes-192-gcm aes-256-gcm; do
  o cms -encrypt -binary -$c -secretkey $K -secretkeyid 01 -in ${MESSAGE} -outform DER -out sealed
  o cms -decrypt -binary -secretkey $K -secretkeyid 01 -in sealed -inform DER -out opened
  cmp opened ${MESSAGE} && echo cms $c
done
for s in 0 1 16 255 4096 65537; do
  o mac -cipher AES-256-GCM -macopt hexkey:$K -macopt hexiv:f0f1f2f3f4f5f6f7f8f9fafb -in /data/$s GMAC
done
`;

const MACS = `for s in 0 1 65 4096 65537; do
  o mac -digest SHA256 -macopt hexkey:$K -in /data/$s HMAC
  o mac -cipher AES-256-CBC -macopt hexkey:$K -in /data/$s CMAC
  o mac -macopt hexkey:$K -in /data/$s POLY1305
  o mac -macopt hexkey:$K -in /data/$s KMAC-256
  o mac -macopt hexkey:$K -in /data/$s BLAKE2BMAC
  o mac -macopt hexkey:\${K%????????????????????????????????} -in /data/$s SIPHASH
done
o kdf -keylen 40 -kdfopt pass:word -kdfopt salt:salt -kdfopt n:64 -kdfopt r:8 -kdfopt p:2 SCRYPT
o kdf -keylen 40 -kdfopt digest:SHA512 -kdfopt pass:word -kdfopt salt:salt -kdfopt iter:50 PBKDF2
o kdf -keylen 40 -kdfopt digest:SHA384 -kdfopt hexkey:$K -kdfopt salt:salt -kdfopt info:more HKDF
`;

/** Signatures that are a function of key and message are shown; the host's are verified, and the guest's own. */
function signatures(rsa: string, curves: string, edwards: string, montgomery: string): string {
  return `for k in ${rsa}; do
    o dgst -sha256 -sign /keys/$k.pem -out signature ${MESSAGE}
    echo $k $(busybox sha256sum <signature)
    o dgst -sha256 -verify /keys/$k.pub -signature /keys/$k.sig ${MESSAGE}
    o pkeyutl -decrypt -inkey /keys/$k.pem -in /keys/$k.sealed -pkeyopt rsa_padding_mode:oaep
  done
  for k in ${curves}; do
    o dgst -sha256 -verify /keys/$k.pub -signature /keys/$k.sig ${MESSAGE}
    o dgst -sha256 -sign /keys/$k.pem -out signature ${MESSAGE}
    o dgst -sha256 -verify /keys/$k.pub -signature signature ${MESSAGE}
    echo derived $k $(o pkeyutl -derive -inkey /keys/$k.pem -peerkey /keys/$k.peer | busybox sha256sum)
  done
  for k in ${edwards}; do
    echo $k $(o pkeyutl -sign -rawin -inkey /keys/$k.pem -in ${MESSAGE} | busybox sha256sum)
    o pkeyutl -verify -rawin -pubin -inkey /keys/$k.pub -sigfile /keys/$k.sig -in ${MESSAGE}
  done
  for k in ${montgomery}; do
    echo derived $k $(o pkeyutl -derive -inkey /keys/$k.pem -peerkey /keys/$k.peer | busybox sha256sum)
  done
`;
}

/** The script for some code paths, each announced. */
export function opensslScript(paths: readonly string[], everything: boolean): string {
  const parts = everything
    ? [
        digests("$(o list -1 -digest-commands)"),
        ciphers("$(o list -1 -cipher-commands | grep -v 'base64\\|zlib\\|zstd\\|wrap')"),
        AUTHENTICATED,
        MACS,
        signatures("rsa1024 rsa2048 rsa3072", "P-256 P-384 P-521 secp256k1", "ed25519 ed448", "x25519 x448"),
      ]
    : [
        digests("sha1 sha256 sha512"),
        ciphers("aes-256-cbc aes-128-ctr"),
        "o mac -cipher AES-256-GCM -macopt hexkey:$K -macopt hexiv:f0f1f2f3f4f5f6f7f8f9fafb -in /data/65537 GMAC\n",
        signatures("rsa2048", "P-256", "", ""),
      ];
  const sections = paths.map((name) => `echo "== ${name}"\n${exportPath(CODE_PATHS[name])}${parts.join("")}`);
  return PREAMBLE + sections.join("");
}

function signedFiles(name: string, key: KeyObject, message: Uint8Array): AddedFile[] {
  const publicKey = createPublicKey(key);
  const digest = name.startsWith("ed") ? null : "sha256";
  return [
    { to: `/keys/${name}.pub`, bytes: Buffer.from(publicKey.export({ format: "pem", type: "spki" })) },
    { to: `/keys/${name}.sig`, bytes: sign(digest, message, key) },
  ];
}

function peerFile(name: string, key: KeyObject): AddedFile {
  const text = createPublicKey(key).export({ format: "pem", type: "spki" });
  return { to: `/keys/${name}.peer`, bytes: Buffer.from(text) };
}

/** Messages, keys, and signatures that Node's own OpenSSL made with them. */
export function opensslFiles(): AddedFile[] {
  const message = fixedBytes(7, MESSAGE_SIZE);
  const files: AddedFile[] = [{ to: MESSAGE, bytes: message }];
  for (const size of SIZES) files.push({ to: `/data/${size}`, bytes: fixedBytes(size + 1, size) });
  for (const bits of [1024, 2048, 3072]) {
    const key = rsaKey(bits, bits);
    const sealed = publicEncrypt(createPublicKey(key), Buffer.from(`for the key of ${bits} bits\n`));
    files.push({ to: `/keys/rsa${bits}.pem`, bytes: pem(key) }, ...signedFiles(`rsa${bits}`, key, message));
    files.push({ to: `/keys/rsa${bits}.sealed`, bytes: sealed });
  }
  for (const curve of ["P-256", "P-384", "P-521", "secp256k1"] as const) {
    const key = curveKey(11, curve);
    files.push({ to: `/keys/${curve}.pem`, bytes: pem(key) }, ...signedFiles(curve, key, message));
    files.push(peerFile(curve, curveKey(12, curve)));
  }
  for (const kind of ["ed25519", "ed448"] as const) {
    const key = bareKey(13, kind);
    files.push({ to: `/keys/${kind}.pem`, bytes: pem(key) }, ...signedFiles(kind, key, message));
  }
  for (const kind of ["x25519", "x448"] as const) {
    files.push({ to: `/keys/${kind}.pem`, bytes: pem(bareKey(14, kind)) }, peerFile(kind, bareKey(15, kind)));
  }
  return files;
}
