/**
 * Debian's kernel on four CPUs in real time, as a person boots it: what it says at level "warning" or worse is accepted line by line,
 * each for a reason; nothing else is said.
 */
import assert from "node:assert/strict";
import test from "node:test";
import { lastWords } from "../support/kernel-boot.js";
import { kernelFiles, locore } from "../support/kernel-files.js";

const CPUS = 4;
/** KERN_WARNING of Linux; lower is worse. The upper bits of the number are the facility. */
const WARNING = 4;
const LEVEL_MASK = 7;

/** What the kernel may complain about, and why it is right to. */
const ACCEPTED: readonly { line: RegExp; why: string }[] = [
  { line: /PCI: Fatal: No config space access function found/, why: "the machine has no PCI" },
  { line: /PCI: System does not support PCI/, why: "the same" },
  {
    line: /i8042: PNP: PS\/2 appears to have AUX port disabled/,
    why: "the DSDT has a keyboard and no mouse",
  },
  {
    line: /hrtimer: interrupt took \d+ ns/,
    why: "a loaded host stops the machine in the middle of an interrupt, and the clock goes on",
  },
];

test(`R3.4 ${CPUS} CPUs in real time: the kernel complains of nothing but what stands here with its reason`, async (t) => {
  const files = await kernelFiles(t, { command: "nproc; dmesg -r" });
  if (files === undefined) return;
  const words = ["boot", files.kernel, "--initrd", files.initrd, "--smp", String(CPUS)];
  const run = locore([...words, "--append", "console=ttyS0 quiet panic=-1"]).during(t);
  const { status, out, err } = await run.ended;
  assert.equal(status, 0, lastWords(out) + err);
  assert.match(out, new RegExp(`smp: Brought up 1 node, ${CPUS} CPUs`));
  const messages = [...out.replaceAll("\r", "").matchAll(/^<(\d+)>(.*)$/gm)];
  assert.ok(messages.length > 100, `${messages.length} messages`);
  const complaints = messages
    .filter(([, level]) => (Number(level) & LEVEL_MASK) <= WARNING)
    .map(([, , text]) => text);
  const unknown = complaints.filter((text) => !ACCEPTED.some(({ line }) => line.test(text)));
  assert.deepEqual(unknown, []);
  // The kernel's own check of time stamps between CPUs, which it makes where each starts.
  assert.match(out, /clocksource: Switched to clocksource tsc\r?$/m);
  assert.doesNotMatch(out, /TSC synchronization|TSC warp|Marking TSC unstable/);
});
