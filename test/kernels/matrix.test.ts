/** R1.10 R6.6 `locore run --matrix` with Debian's kernel: two cells, each with its own output and status; and their reports. */
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import test from "node:test";
import { checkJunit, checkTap } from "../support/report-judges.js";
import { hasRunGuests } from "../support/run-command.js";
import { matrixFolder, startMatrix, type JsonCell } from "./matrix.js";

test("R1.10 R6.6 matrix: two cells, each with its own status and output; the worst status, both reports, data", async (t) => {
  if (!(await hasRunGuests(t))) return;
  const { folder, file } = matrixFolder(t);
  const { ended, cells } = startMatrix(t, [
    "--json",
    ...["--report", `junit=${folder}/r.xml`, "--report", `tap=${folder}/r.tap`],
    ...["--matrix", "env=X=0,X=3", "--exec", 'echo "cell $X"; echo "and $X" >&2; exit $X'],
  ]);
  const { status, out, err } = await ended;
  assert.equal(status, 3, err);
  const data = JSON.parse(out) as { status: number; cells: JsonCell[] };
  assert.equal(data.status, 3);
  assert.deepEqual(
    data.cells.map(({ name, values, state, status: own, reason }) => [name, values, state, own, reason]),
    [
      ["env=X=0", { env: "X=0" }, "ok", 0, "exited"],
      ["env=X=3", { env: "X=3" }, "failed", 3, "exited"],
    ],
  );
  data.cells.forEach(({ output }, i) => {
    const own = ["0", "3"][i];
    assert.deepEqual(output.trim().split(/\r?\n/).sort(), [`and ${own}`, `cell ${own}`]);
  });
  assert.match(err, /^FAIL {5}env=X=3 .* status 3$/m);
  assert.match(err, /^ {4}cell 3$/m);
  assert.doesNotMatch(err, /cell 0/);
  assert.match(err, /^2 cells: 1 ok, 1 failed; /m);

  assert.equal(checkJunit(file("r.xml"))[1].children[0].name, "failure");
  assert.deepEqual(
    checkTap(file("r.tap").toString()).points.map(({ ok }) => ok),
    [true, false],
  );
  assert.deepEqual(readdirSync(folder).sort(), ["r.tap", "r.xml"], "nothing half-written is left");
  assert.deepEqual(cells(), []);
});
