/** Quick paths of SSE floating point against the exact unit where the exponent range ends. */
import { test } from "node:test";
import { Random } from "../oracle/random.js";
import { edgePairs, edges, formatOf, nearEdges } from "./sse-edges.js";
import { compareForm, FORMS, tableOf } from "./sse-quick.js";

/** Forms that may be inexact; and those of them that compute with their second operand alone. */
const INEXACT = /^(add|sub|mul|div|hadd|hsub|sqrt|round|cvt)/;
const UNARY = /^(cvt|sqrt|round)/;
const SEED = 0x513df10a;

test("R6.1 quick paths of SSE floating point say what was inexact at the edges of the exponent range", () => {
  const generator = new Random().seed(SEED);
  const random = (): bigint => generator.u64();
  for (const form of FORMS.filter(({ unit }) => INEXACT.test(unit))) {
    const format = formatOf(form.unit);
    compareForm(form, tableOf(UNARY.test(form.unit) ? edges(format) : edgePairs(format)));
    compareForm(form, tableOf(nearEdges(format, random)));
  }
});
