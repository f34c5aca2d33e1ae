/**
 * Issue 3: what CPUID does not announce is undefined, or what its bytes meant before. Every form of the table, with the
 * feature that announces it on and off.
 */
import assert from "node:assert/strict";
import test from "node:test";
import { Decoder } from "../../../src/engine/x86/decode.js";
import { everyForm } from "../../../src/engine/x86/table/forms.js";
import { InstructionSet } from "../../../src/engine/x86/table/instruction-set.js";
import { FEATURE_BITS, type FeatureName } from "../../../src/spec/cpuid.js";
import { instructionRows, sample } from "../../../tools/instruction-list.js";

const FORMS = everyForm();

/** What bytes mean on a CPU without the feature, where that is not #UD: SDM vol. 2, LZCNT, TZCNT. */
const ALIASES: Readonly<Record<string, string>> = { lzcnt: "bsr", tzcnt: "bsf" };
/** Features without instructions of their own: registers, paging, identification; or of vectors still to come. */
const WITHOUT_INSTRUCTIONS = [
  "vme de pse pae mce apic mtrr pge mca pat pse36 pcid x2apic tsc_deadline_timer hypervisor arat tsc_adjust smep erms",
  "umip fsrm spec_ctrl flush_l1d arch_capabilities xgetbv1 prefetchw nx pdpe1gb lm invariant_tsc avx f16c fma avx2",
]
  .join(" ")
  .split(" ");

function decoded(bytes: Uint8Array, codeSize: number, has: (feature: FeatureName) => boolean): string {
  const decoder = new Decoder();
  decoder.instructions = new InstructionSet(has);
  decoder.decode(bytes, 0, bytes.length, codeSize);
  return decoder.instruction.form.mnemonic;
}

test("R6.1 the table's features are those that the reference decoder names", () => {
  for (const { form, opcode, mnemonic, switches } of instructionRows()) {
    const own = form.features.always === undefined ? [] : [form.features.always];
    // FWAIT belongs to the x87 unit here; the reference gives it no feature.
    if (mnemonic !== "fwait") assert.deepEqual(own, switches, `${opcode} ${mnemonic}`);
  }
});

test("R6.1 every form: itself with its feature, its documented alias or #UD without", () => {
  for (const form of FORMS) {
    const { always } = form.features;
    if (always === undefined) continue;
    const size = form.invalidIn64 ? 4 : 8;
    const bytes = sample(form);
    const what = `${form.mnemonic} ${Buffer.from(bytes.subarray(0, 6)).toString("hex")}`;
    assert.equal(
      decoded(bytes, size, (name) => name === always),
      form.mnemonic,
      `${what} with ${always}`,
    );
    const without = decoded(bytes, size, (name) => name !== always);
    assert.equal(without, ALIASES[form.mnemonic] ?? "ud", `${what} without ${always}`);
  }
});

test("R6.1 every feature with instructions has forms, the others are listed", () => {
  const used = new Set<string>(["cx16", "lahf_lm"]);
  for (const { features } of FORMS) if (features.always !== undefined) used.add(features.always);
  const rest = Object.keys(FEATURE_BITS).filter((name) => !used.has(name));
  assert.deepEqual(rest.sort(), [...WITHOUT_INSTRUCTIONS].sort());
});

test("SDM vol. 2A, CMPXCHG16B, LAHF: the feature depends on operand size and mode", () => {
  const cmpxchg8b = Uint8Array.of(0x0f, 0xc7, 0x08, 0);
  const cmpxchg16b = Uint8Array.of(0x48, 0x0f, 0xc7, 0x08);
  const without =
    (absent: FeatureName) =>
    (name: FeatureName): boolean =>
      name !== absent;
  assert.equal(decoded(cmpxchg16b, 8, without("cx16")), "ud");
  assert.equal(decoded(cmpxchg8b, 8, without("cx16")), "cmpxchg8b");
  assert.equal(decoded(cmpxchg16b, 8, without("cx8")), "cmpxchg8b");
  assert.equal(decoded(cmpxchg8b, 8, without("cx8")), "ud");
  for (const opcode of [0x9e, 0x9f]) {
    const bytes = Uint8Array.of(opcode, 0);
    assert.equal(decoded(bytes, 8, without("lahf_lm")), "ud");
    assert.notEqual(decoded(bytes, 4, without("lahf_lm")), "ud");
  }
});

test("hints are NOPs on every CPU: PREFETCHh, PREFETCHW, PAUSE, ENDBR64", () => {
  const hints = ["0f1800", "0f1808", "0f0d08", "f390", "f30f1efa"];
  for (const hex of hints) {
    const bytes = new Uint8Array(15);
    bytes.set(Buffer.from(hex, "hex"));
    assert.match(
      decoded(bytes, 8, () => false),
      /^(nop|pause)$/,
      hex,
    );
  }
});
