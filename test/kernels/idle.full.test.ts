/** What an idle kernel costs its host, and that its clock is the host's. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";
import { WITHOUT_CRYPTO_TESTS } from "../support/kernel-boot.js";
import { kernelFiles, locore } from "../support/kernel-files.js";

const LIMIT = { timeout: 280_000 };
const COMMAND_LINE = `console=ttyS0 quiet ${WITHOUT_CRYPTO_TESTS}`;

/** Time that a process has used, ms; its threads count (proc(5), stat: utime, stime in units of 10 ms). */
function processorTime(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "latin1").split(") ")[1].split(" ");
  const [userTime, systemTime] = [11, 12].map((index) => Number(fields[index]));
  return (userTime + systemTime) * 10;
}

const IDLE_S = 13;
/** Left out at each end of the sleep: the guest's last lines, the kernel's own settling. */
const MARGIN_S = 1;
const IDLE_LIMIT = 0.02;
/** How late a line may be seen on a busy host. */
const LATE_S = 0.5;

function pause(seconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, seconds * 1000));
}

test(
  `an idle guest uses less than ${IDLE_LIMIT * 100} % of a core, and its clock is the host's`,
  { ...LIMIT, skip: process.platform === "linux" ? false : "reads /proc" },
  async (t) => {
    const files = await kernelFiles(t, {
      command: `cat /proc/uptime; echo asleep; sleep ${IDLE_S}; echo awake; cat /proc/uptime`,
    });
    if (files === undefined) return;
    const run = locore(["boot", files.kernel, "--initrd", files.initrd, "--append", COMMAND_LINE]).during(t);
    await run.shows("asleep");
    const asleep = performance.now();
    await pause(MARGIN_S);
    const pid = run.child.pid ?? 0;
    const [begin, used] = [performance.now(), processorTime(pid)];
    await pause(IDLE_S - 2 * MARGIN_S);
    const share = (processorTime(pid) - used) / (performance.now() - begin);
    await run.shows("awake");
    const slept = (performance.now() - asleep) / 1000;
    const { status, out, err } = await run.ended;
    assert.equal(status, 0, out + err);
    t.diagnostic(
      `${(share * 100).toFixed(2)} % of a core while idle; ${slept.toFixed(2)} s for sleep ${IDLE_S}`,
    );
    assert.ok(share < IDLE_LIMIT, `${(share * 100).toFixed(2)} % of a core`);
    const [first, second] = [...out.matchAll(/^([\d.]+) [\d.]+\r$/gm)].map(([, uptime]) => Number(uptime));
    assert.ok(Math.abs(second - first - slept) < LATE_S, `guest ${second - first} s, host ${slept} s`);
  },
);
