/** R2.3 the verdicts about Xen's guests held to Xen's own loader: the whole collection, sound and broken, and real images. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test, { type TestContext } from "node:test";
import { x86Verdicts, type Verdict } from "../../src/verdicts/index.js";
import { requireImages } from "../support/debian-images.js";
import { requireGuest } from "../support/requires.js";
import { PACKAGED_IMAGES } from "./real-images.js";
import { askXen, XEN_KINDS, type XenAnswer } from "./real-xen.js";
import { brokenKernels, recognised, soundKernels, type Sample } from "./x86-collection.js";

function verdictOf(bytes: Uint8Array, kind: string): Verdict {
  const found = recognised(bytes);
  const verdict = x86Verdicts(found?.bytes ?? bytes, found).find(
    ({ loader }) => loader.name === `xen-${kind}`,
  );
  assert.ok(verdict);
  return verdict;
}

/** What Xen does otherwise than the verdict says; undefined where they agree. */
function difference({ outcome, prints, rule }: Verdict, { messages, guest }: XenAnswer): string | undefined {
  const said = `Xen ${guest === undefined ? "refuses it" : `takes it as ${guest}`} and says ${JSON.stringify(messages)}`;
  const agree =
    outcome === "refuses"
      ? guest === undefined && JSON.stringify(prints) === JSON.stringify(messages)
      : guest !== undefined;
  return agree ? undefined : `${outcome} by ${rule ?? ""} ${JSON.stringify(prints)}; ${said}`;
}

async function compare(t: TestContext, samples: readonly Sample[]): Promise<void> {
  const answers = await askXen(
    t,
    samples.map(({ bytes }) => bytes),
  );
  if (answers === undefined) return;
  const wrong = samples.flatMap(({ name, bytes }, i) =>
    XEN_KINDS.flatMap((kind) => {
      const fault = difference(verdictOf(bytes, kind), answers[i][kind]);
      return fault === undefined ? [] : [`${name}, ${kind}: ${fault}`];
    }),
  );
  assert.deepEqual(wrong, []);
}

test("R2.3 Xen 4.17's loader does with the whole collection what the verdicts say, in their words", (t) =>
  compare(t, [...soundKernels(), ...brokenKernels()]));

const GUESTS = [
  ...[
    "debian-cloud",
    "debian-13-cloud",
    "debian-686-pae",
    "debian-686",
    "xen",
    "xen-shim",
    "gnumach",
    "gnumach-amd64",
  ],
  ...["memtest86+", "ipxe", "memdisk"],
];
const PACKAGES = [
  "grub-xen-host",
  "gnumach-image-1.8-xen-486",
  "gnumach-image-1.8-xen-amd64",
  "xen-utils-4.17",
];

test("R2.3 ... and with Debian's images", async (t) => {
  const samples: Sample[] = [];
  for (const name of GUESTS) {
    const guest = await requireGuest(t, name);
    if (guest === undefined) return;
    samples.push({ name, bytes: new Uint8Array(readFileSync(guest.files["kernel"])) });
  }
  for (const wanted of PACKAGED_IMAGES.filter((one) => PACKAGES.includes(one.package))) {
    const files = await requireImages(t, wanted);
    if (files === undefined) return;
    for (const [name, file] of Object.entries(files))
      samples.push({
        name: `${wanted.package} ${wanted.release} ${name}`,
        bytes: new Uint8Array(readFileSync(file)),
      });
  }
  await compare(t, samples);
});
