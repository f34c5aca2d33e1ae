/**
 * Known answers of the cipher and polynomial instructions, for hosts that cannot compare them with their own CPU: run as
 * guests, XMM0 and XMM1 in, XMM0 out.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { createWasmEngine } from "../../src/engine/wasm/engine.js";
import { eax, memory, rax, rdi, xmm0, xmm1 } from "../support/asm/index.js";
import { guest } from "../conformance/support/guest.js";
import * as layout from "../conformance/support/layout.js";
import { finish, load } from "../conformance/support/on-engine.js";

const CODES = {
  aesenc: [0x38, 0xdc],
  aesenclast: [0x38, 0xdd],
  aesdec: [0x38, 0xde],
  aesdeclast: [0x38, 0xdf],
  aesimc: [0x38, 0xdb],
  aeskeygenassist: [0x3a, 0xdf],
  pclmulqdq: [0x3a, 0x44],
} as const;
/** CRC-32C of the digits 1 to 9, inverted. */
const CHECK = ~0xe3069283 >>> 0;
const XMM0_XMM1 = 0xc1;
const [DESTINATION, SOURCE, RESULT] = [layout.DATA, layout.DATA + 16, layout.DATA + 32];

/** Executes an instruction on two operands given as bytes: the result's bytes in hexadecimal. */
function execute(
  name: keyof typeof CODES,
  destination: Uint8Array,
  source: Uint8Array,
  immediate = 0,
): string {
  const [map, opcode] = CODES[name];
  const made = guest(name, { cites: "FIPS 197" }, (g) => {
    g.data(DESTINATION, destination);
    g.data(SOURCE, source);
    g.a.movdqu(xmm0, memory(128, DESTINATION)).movdqu(xmm1, memory(128, SOURCE));
    g.a.db(0x66, 0x0f, map, opcode, XMM0_XMM1, ...(map === 0x3a ? [immediate] : []));
    g.a.movdqu(memory(128, RESULT), xmm0);
    g.exit();
  });
  const session = load(createWasmEngine(), made);
  try {
    assert.deepEqual(finish(session).ending, { kind: "exit", code: 0 });
    return Buffer.from(session.memory.read(RESULT, 16)).toString("hex");
  } finally {
    session.vm.dispose();
  }
}

const hex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, "hex"));

test("AESENC and AESENCLAST give the states of FIPS 197 appendix B", () => {
  const first = execute(
    "aesenc",
    hex("193de3bea0f4e22b9ac68d2ae9f84808"),
    hex("a0fafe1788542cb123a339392a6c7605"),
  );
  assert.equal(first, "a49c7ff2689f352b6b5bea43026a5049");
  const last = execute(
    "aesenclast",
    hex("eb40f21e592e38848ba113e71bc342d2"),
    hex("d014f9a8c9ee2589e13f0cc8b6630ca6"),
  );
  assert.equal(last, "3925841d02dc09fbdc118597196a0b32");
});

test("AESDECLAST undoes AESENCLAST without a key, AESIMC and AESDEC undo AESENC", () => {
  const state = hex("00112233445566778899aabbccddeeff");
  const none = new Uint8Array(16);
  const last = execute("aesenclast", state, none);
  assert.equal(execute("aesdeclast", hex(last), none), "00112233445566778899aabbccddeeff");
  const round = execute("aesenc", state, none);
  const unmixed = execute("aesimc", none, hex(round));
  assert.equal(unmixed, last);
});

test("AESKEYGENASSIST gives the words of FIPS 197 appendix A.1", () => {
  const bytes = execute("aeskeygenassist", new Uint8Array(16), hex("2b7e151628aed2a6abf7158809cf4f3c"), 1);
  assert.equal(bytes.slice(24), "8b84eb01");
});

test("PCLMULQDQ multiplies without carries: (x+1)² is x²+1, x⁶³·x⁶³ is x¹²⁶", () => {
  const two = hex("03000000000000000000000000000080");
  assert.equal(execute("pclmulqdq", two, two, 0x00), "05000000000000000000000000000000");
  assert.equal(execute("pclmulqdq", two, two, 0x11), "00000000000000000000000000000040");
});

test("CRC32 gives the check value of CRC-32C, byte by byte and in every size", () => {
  const made = guest("crc32", { cites: "SDM vol. 2, CRC32" }, (g) => {
    const text = Buffer.from("123456789", "ascii");
    g.data(DESTINATION, text);
    // crc32 eax, byte [rdi]; inc rdi, nine times.
    g.a.mov(eax, -1).mov(rdi, DESTINATION);
    for (let i = 0; i < text.length; i++) g.a.db(0xf2, 0x0f, 0x38, 0xf0, 0x07).inc(rdi);
    g.expect(eax, CHECK, "bytes");
    // crc32 rax, qword [rdi]; crc32 eax, byte [rdi + 8].
    g.a
      .mov(eax, -1)
      .mov(rdi, DESTINATION)
      .db(0xf2, 0x48, 0x0f, 0x38, 0xf1, 0x07, 0xf2, 0x0f, 0x38, 0xf0, 0x47, 8);
    g.expect(rax, CHECK, "eight bytes and one");
    // crc32 eax, word [rdi]; dword [rdi + 2]; word [rdi + 6]; byte [rdi + 8].
    g.a.mov(eax, -1).db(0x66, 0xf2, 0x0f, 0x38, 0xf1, 0x07, 0xf2, 0x0f, 0x38, 0xf1, 0x47, 2);
    g.a.db(0x66, 0xf2, 0x0f, 0x38, 0xf1, 0x47, 6, 0xf2, 0x0f, 0x38, 0xf0, 0x47, 8);
    g.expect(eax, CHECK, "words, a dword and a byte");
    g.exit();
  });
  const session = load(createWasmEngine(), made);
  try {
    const outcome = finish(session);
    assert.deepEqual(outcome.ending, { kind: "exit", code: 0 });
    for (const { address, size, value, note } of made.memory) {
      const bytes = outcome.read(address, size);
      assert.equal(BigInt(`0x${Buffer.from(bytes).reverse().toString("hex")}`), value, note);
    }
  } finally {
    session.vm.dispose();
  }
});
