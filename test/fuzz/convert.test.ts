/** R5.2 R6.5 20,000 damaged kernels through the converter. */
import assert from "node:assert/strict";
import test from "node:test";
import { CONVERT_TARGETS } from "../../src/convert/index.js";
import { fuzzConvert } from "./convert.js";

const CASES = 20_000;

test(`R5.2 R6.5 ${CASES} damaged kernels: a refusal with an offset, or a file that its reader takes`, () => {
  const outcomes = fuzzConvert(1, CASES);
  const seen = [...outcomes].map(([name, count]) => `${name} ${count}`).join(", ");
  for (const target of CONVERT_TARGETS) {
    for (const end of ["made", "refused"]) assert.ok((outcomes.get(`${target} ${end}`) ?? 0) > 50, seen);
  }
});
