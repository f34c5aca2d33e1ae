/** Results of cells for tests of what is made of them. */
import type { CellResult } from "../../../src/cli/matrix/cell-result.js";
import { KeptOutput } from "../../../src/cli/matrix/kept-output.js";

/** A cell that ended well, but for what is given. */
export function resultOf(
  name: string,
  about: Partial<CellResult> & { printed?: string | Uint8Array } = {},
): CellResult {
  const { printed = "", ...rest } = about;
  const output = new KeptOutput();
  output.take(Buffer.from(printed));
  const values = [{ axis: { name: "smp", option: { name: "smp", help: "" }, values: ["1"] }, value: "1" }];
  const cell = { index: 0, values, name };
  return { cell, state: "ok", status: 0, reason: "exited", ms: 1234, output, ...rest };
}
