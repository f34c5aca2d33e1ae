/**
 * Whether each exemption is still needed: on recorded vectors of its maker's CPU, or in the few cases of each form that are
 * run on the host's where that is of its maker. What neither can show stands here by name, with the reason.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { createWasmEngine } from "../../src/engine/wasm/engine.js";
import { allForms } from "./all-forms.js";
import { EXEMPTIONS } from "./exemptions.js";
import type { Exemption } from "./exemptions.js";
import { nativeMissing } from "./native.js";
import { recordedIn, replay } from "./replay.js";
import { runOracle } from "./run.js";
import type { Used } from "./run.js";
import { VECTOR_FILES } from "./vector-files.js";
import { VENDORS, hostVendor } from "./vendor.js";
import type { Vendor } from "./vendor.js";

const ROWS = 16;
const SEED = 20250601;

const PARTIAL = "a recorded vector is shrunk, and with it what the fault left";
/** Needed in every run on a CPU of the maker's, but by no recorded vector. */
const LIVE: Readonly<Record<string, string>> = {
  MXCSR_MASK: "vectors do not hold the mask",
  "PUSHA, ENTER: which access faults": "needs frame pointers and a stack that both fault",
  "PUSH of a segment register, 32 bits":
    "memory of a recorded vector is shrunk to zeros, which is what AMD writes",
  "POPA that faults": PARTIAL,
  "TOP after a faulting MMX store": PARTIAL,
  "XRSTOR: x87 state with a bad MXCSR": PARTIAL,
  "stores that an unmasked exception stops":
    "a number that raises one and an operand that faults: one case in thousands",
};

/** What only thousands of cases of a form show. */
const RARE: Readonly<Record<string, string>> = {
  "undefined opcode at the end of a page": "an undefined instruction has to be cut by its page",
  "XSAVE: order of checks": "alignment checks have to be on, and the address to miss something else",
  "MOVSXD of a word": "needs an operand-size prefix and memory that ends behind the second byte",
  "offsets that are not canonical": "the base of FS or GS has to bring the address back",
  "RSP above a 16-bit stack pointer": "depends on what the kernel's stack pointer is",
  "LOCK VERR, LOCK VERW": "one case in a hundred has the prefix",
  "LOCK MOV CR": "one case in a hundred has the prefix",
  "REP MOVS from one view of memory into another":
    "the views have to differ, and the CPU to have fast short strings",
};

const compared = EXEMPTIONS.filter((e) => e.ignored !== undefined);
const used = new Map<Vendor, Used>(VENDORS.map((vendor) => [vendor, new Map()]));
for (const { vendor, url } of VECTOR_FILES)
  replay(recordedIn(url).list, vendor, createWasmEngine(), used.get(vendor));

const about = (e: Exemption): readonly Vendor[] => (e.vendor === undefined ? VENDORS : [e.vendor]);
const isRecorded = (e: Exemption): boolean => about(e).some((vendor) => used.get(vendor)!.has(e));

test("R6.1 every exemption is needed by a vector recorded on its maker's CPU, or says why none shows it", () => {
  const unneeded = compared.filter((e) => !isRecorded(e) && !(e.name in LIVE) && !(e.name in RARE));
  assert.deepEqual(
    unneeded.map((e) => e.name),
    [],
    "drop them",
  );
});

test("R6.1 no exemption is excused that a recorded vector needs, or that is no more", () => {
  const excused = [...Object.keys(LIVE), ...Object.keys(RARE)];
  assert.deepEqual(
    excused.filter((name) => !compared.some((e) => e.name === name && !isRecorded(e))),
    [],
  );
});

const missing = nativeMissing();
test(
  "R6.1 exemptions that no recorded vector needs are needed on the host's CPU, where they are about it",
  { skip: missing ?? false },
  () => {
    const here = compared.filter((e) => e.name in LIVE && about(e).includes(hostVendor()!));
    const forms = allForms().filter((form) => here.some((e) => e.forms!(form)));
    const live = runOracle(forms, { rows: ROWS, seed: SEED }).used;
    // One that recorded vectors of the other maker would have to show is not the host's to judge.
    assert.deepEqual(
      here.filter((e) => !live.has(e)).map((e) => e.name),
      [],
      "drop them",
    );
  },
);
