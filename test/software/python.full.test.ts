/**
 * Python's own regression tests in the guest: arithmetic of every kind, conversions, foreign functions. Every test
 * that passes on the host passes in the guest.
 */
import assert from "node:assert/strict";
import test from "node:test";
import { testSoftware } from "../support/software.js";

const NUMBERS = ["math", "float", "complex", "cmath", "struct", "strtod", "decimal"];
const MODULES = [...NUMBERS, "format", "ctypes", "binascii", "audioop"];
const LIMIT = 120e9;
const MEMORY = 768 * 2 ** 20;

/** The verdict of each test, without times; why one was skipped may depend on the machine. */
const SCRIPT = `
export PYTHONHASHSEED=0 LC_ALL=C.UTF-8
cd /tmp
for module in ${MODULES.join(" ")}; do
  python3 -m test -v -i 'test_find_library*' test_$module >said 2>&1 || { echo "test_$module: $?"; tail -n 40 said; }
  sed -nE 's/^([^ ]+ \\([^ ]+\\)).* \\.\\.\\. (ok|skipped|FAIL|ERROR|expected failure).*/\\1 \\2/p' said | sort
done
`;

for (const architecture of ["amd64", "i386"] as const) {
  test(`R6.1 Python's regression tests pass in the guest as on the host: ${architecture}`, async (t) => {
    const output = await testSoftware(
      t,
      { packages: ["python3", "libpython3.11-testsuite"], architecture, script: SCRIPT },
      {
        maxInstructions: LIMIT,
        memory: MEMORY,
        kernel: architecture === "i386" ? "debian-686-pae" : "debian-cloud",
      },
    );
    if (output === undefined) return;
    const lines = output.split("\n");
    t.diagnostic(`${lines.length} verdicts`);
    assert.deepEqual(
      lines.filter((line) => / (FAIL|ERROR)$|: \d+$/.test(line)),
      [],
    );
    assert.ok(lines.filter((line) => line.endsWith(" ok")).length > 500);
  });
}
