/** R3.4: Debian's kernel finds every CPU through the MADT, starts it, and gives it work. */
import assert from "node:assert/strict";
import test from "node:test";
import {
  assertEnd,
  bootKernel,
  guestValue,
  lastWords,
  WITHOUT_CRYPTO_TESTS,
} from "../support/kernel-boot.js";

const CPUS = 3;
/** Each CPU sums for itself at the same time; then the user time of each, in units of 10 ms. */
const COMMAND = `
echo "nproc=$(nproc)"
for cpu in $(seq 0 ${CPUS - 1}); do
  taskset -c $cpu awk 'BEGIN { for (n = 1; n <= 40000; n++) s += n; printf "sum'$cpu'=%d\\n", s }' &
done
wait
awk '/^cpu[0-9]/ { print $1 "_user=" $2 }' /proc/stat
dmesg
`;

test(`R3.4 ${CPUS} CPUs are found, started and put to work, without a complaint`, async (t) => {
  const boot = await bootKernel(t, {
    cpus: CPUS,
    commandLine: `console=ttyS0 quiet ${WITHOUT_CRYPTO_TESTS}`,
    initramfs: { command: COMMAND },
  });
  if (boot === undefined) return;
  const { console } = boot;
  assertEnd(boot, "off", "acpi-s5", 0);
  assert.equal(guestValue(console, "nproc"), String(CPUS));
  for (let cpu = 0; cpu < CPUS; cpu++) {
    assert.equal(guestValue(console, `sum${cpu}`), "800020000");
    assert.ok(Number(guestValue(console, `cpu${cpu}_user`)) > 0, lastWords(console));
  }
  assert.match(console, new RegExp(`smp: Brought up 1 node, ${CPUS} CPUs`));
  const complaints = console
    .split("\n")
    .filter((line) => /WARNING|\bBUG:|Call Trace|unstable|stall|lockup/i.test(line));
  assert.deepEqual(complaints, []);
});
