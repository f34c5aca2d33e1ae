/** Cases that would disturb others, or the comparison itself, are not made. Runs on every host: nothing is executed. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { allForms } from "./all-forms.js";
import { Batch } from "./batch.js";
import { Case, RFLAGS } from "./case.js";
import type { Form } from "./form.js";
import { CODE, DS, ES, INT3, PAGE } from "./layout.js";
import { nameHash, repeated } from "./run.js";
import type { Mismatch } from "./run.js";

const ROWS = 400;
const SEED = 777;
const REPEATS = new Set([0xf2, 0xf3]);
const [RCX, RSI, RDI] = [1, 6, 7];

/** Makes cases of the forms whose name matches, and shows each. */
function each(names: RegExp, look: (form: Form, c: Case, batch: Batch) => void): void {
  const forms = allForms().filter((form) => names.test(form.name));
  assert.ok(forms.length > 0);
  const c = new Case();
  const batch = new Batch();
  for (const form of forms) {
    for (let row = 0; row < ROWS; row++) {
      batch.clear();
      batch.add(form, row, c, SEED, nameHash(form.name), row);
      look(form, c, batch);
    }
  }
}

test("R6.1 repeated string instructions of the oracle do not leave their window", () => {
  let repeated = 0;
  each(/^(movs|cmps|stos|lods|scas) .* 64$/, (form, c) => {
    if (!c.code.some((byte) => REPEATS.has(byte))) return;
    const bytes = Number(/ (8|16|32|64) r 64$/.exec(form.name)?.[1] ?? 8) / 8;
    const count = Number(c.register(RCX));
    const indices = [
      ...(/^(stos|scas)/.test(form.name) ? [] : [[RSI, DS]]),
      ...(/^lods/.test(form.name) ? [] : [[RDI, ES]]),
    ];
    for (const [index, segment] of indices) {
      const first = c.windowOffset(c.register(index) + c.segmentBase(segment));
      if (first < 0 || count < 2 || c.code.some((byte) => byte === 0x64 || byte === 0x65)) continue;
      const end = c.rflags & RFLAGS.DF ? first - (count - 1) * bytes : first + count * bytes;
      assert.ok(end >= 0 && end <= c.memory.length, `${form.name}: ${Buffer.from(c.code).toString("hex")}`);
      repeated++;
    }
  });
  assert.ok(repeated > ROWS);
});

test("R6.1 a jump of 16-bit code leads to INT3, to an absent page or beyond its segment", () => {
  each(/^jmp_near .* 16 r 16s$/, (_, c, batch) => {
    const modrm = c.code[c.code.length - 1];
    const target = Number(c.register(modrm & 7) & 0xffffn);
    if (target & PAGE) return;
    const place = Math.floor(target / (2 * PAGE)) * PAGE + (target % PAGE);
    assert.ok(target + CODE !== c.address && batch.pages()[place] === INT3, target.toString(16));
    assert.ok(target - (c.address - CODE) < 0x100, `${target.toString(16)} may be another case's`);
  });
});

test("R6.1 a difference that a second run of the same cases does not have is not the CPU's", () => {
  const form = allForms()[0];
  const at = (row: number): Mismatch => ({
    form,
    row,
    fields: new Map(),
    finished: {} as Mismatch["finished"],
  });
  assert.deepEqual(
    repeated([at(1), at(2)], [at(2), at(3)]).map(({ row }) => row),
    [2],
  );
});
