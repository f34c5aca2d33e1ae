/**
 * Work for a guest whose results the host knows: a digest, floating-point series, the date. Shell for busybox, and
 * the same in JavaScript. Both compute in IEEE doubles in the same order, so results must be equal, not near.
 * Debian's busybox has awk without libm: π is Machin's formula, the root Newton's.
 */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import type { AddedFile } from "../../src/guests/index.js";
import { guestValue, lastWords, POWER_ON, type KernelBoot } from "./kernel-boot.js";
import { Random } from "./random.js";

const FILE_SIZE = 300_001;
const FILE_PATH = "/data/known";
const random = new Random(2024);
const fileBytes = Uint8Array.from({ length: FILE_SIZE }, () => random.below(256));

/** What the guest needs for its work. */
export const WORK_FILES: readonly AddedFile[] = [{ to: FILE_PATH, bytes: fileBytes }];

/** The guest's half. */
export const WORK = `
uname -sm
echo "digest=$(sha256sum ${FILE_PATH})"
awk 'BEGIN {
  a = 1/5; b = 1/239
  for (n = 1; n < 40; n += 2) { pi += 16*a/n - 4*b/n; a /= -25; b /= -57121 }
  x = 1
  for (n = 0; n < 8; n++) x = (x + 2/x) / 2
  f = 1
  for (n = 1; n < 20; n++) { e += f; f /= n }
  for (n = 1; n <= 2000; n++) h += 1/n
  printf "pi=%.17g\\nroot=%.17g\\ne=%.17g\\nharmonic=%.17g\\n", pi, x, e, h
  printf "denormal=%.17g\\nlarge=%.17g\\n", 1e-310/3, 1e300/7*1e8
}'
echo "date=$(date -u '+%s %Y-%m-%dT%H:%M:%SZ')"
`;

/** The host's half of the awk program. */
function floats(): Record<string, number> {
  let [a, b, pi, root, e, f, harmonic] = [1 / 5, 1 / 239, 0, 1, 0, 1, 0];
  for (let n = 1; n < 40; n += 2) {
    pi += (16 * a) / n - (4 * b) / n;
    a /= -25;
    b /= -57121;
  }
  for (let n = 0; n < 8; n++) root = (root + 2 / root) / 2;
  for (let n = 1; n < 20; n++) {
    e += f;
    f /= n;
  }
  for (let n = 1; n <= 2000; n++) harmonic += 1 / n;
  return { pi, root, e, harmonic, denormal: 1e-310 / 3, large: (1e300 / 7) * 1e8 };
}

/** Asserts that the guest's results are the host's. */
export function assertWork({ console, report }: KernelBoot): void {
  assert.match(console, /^Linux x86_64$/m, lastWords(console));
  const digest = createHash("sha256").update(fileBytes).digest("hex");
  assert.equal(guestValue(console, "digest"), `${digest}  ${FILE_PATH}`);
  for (const [name, value] of Object.entries(floats())) {
    assert.equal(Number(guestValue(console, name)), value, name);
  }
  const [seconds, text] = guestValue(console, "date").split(" ");
  assert.equal(Date.parse(text), Number(seconds) * 1000, "the guest's calendar");
  // The date was read shortly before the end. The real-time clock shows whole seconds; Linux takes them to be half
  // a second old (drivers/rtc/class.c, rtc_hctosys).
  const end = POWER_ON + report.stats.clockNs / 1e9;
  assert.ok(
    Number(seconds) <= end + 0.5 && Number(seconds) > end - 2,
    `date ${seconds}, machine ended at ${end}`,
  );
}
