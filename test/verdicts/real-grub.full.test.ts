/** R2.3 the verdicts about GRUB held to GRUB itself: the whole collection, sound and broken, by each of its commands. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test, { type TestContext } from "node:test";
import { x86Verdicts, type Verdict } from "../../src/verdicts/index.js";
import { requireGuest, requireTool } from "../support/requires.js";
import { grubKernels } from "./grub-collection.js";
import { askGrub, GRUB_COMMANDS, GRUB_STUCK } from "./real-grub.js";
import { brokenKernels, recognised, soundKernels, type Sample } from "./x86-collection.js";

function verdictOf(bytes: Uint8Array, command: string): Verdict {
  const image = recognised(bytes);
  const verdict = x86Verdicts(image?.bytes ?? bytes, image).find(
    ({ loader }) => loader.name === `grub-${command}`,
  );
  assert.ok(verdict);
  return verdict;
}

/** Rules of what it does not come back from. */
const HANGING = ["grub/linux-jump", "grub/tags-endless", "grub/address-bss"];

/** A rule of what nobody can foretell. */
const UNFORESEEN = "grub/elf-memsz";

/** What GRUB does otherwise than the verdict says; undefined where they agree. */
function difference({ outcome, prints, rule }: Verdict, said: string): string | undefined {
  if (rule === UNFORESEEN) return undefined;
  const words = said.replaceAll(/\(hd1\)\/\d+/g, "FILE");
  const hangs = outcome === "blind" && HANGING.includes(rule ?? "");
  const agree = outcome === "refuses" ? words === prints.join(" ") : words === (hangs ? GRUB_STUCK : "");
  return agree
    ? undefined
    : `${outcome} by ${rule ?? ""} ${JSON.stringify(prints)}; GRUB says ${JSON.stringify(said)}`;
}

async function compare(t: TestContext, samples: readonly Sample[]): Promise<void> {
  const qemu = requireTool(t, "qemu-system-x86_64");
  if (qemu === undefined) return;
  const answers = await askGrub(
    t,
    qemu,
    samples.map(({ bytes }) => bytes),
  );
  if (answers === undefined) return;
  const wrong = samples.flatMap(({ name, bytes }, i) =>
    GRUB_COMMANDS.flatMap((command) => {
      const fault = difference(verdictOf(bytes, command), answers[i][command]);
      return fault === undefined ? [] : [`${name}, ${command}: ${fault}`];
    }),
  );
  assert.deepEqual(wrong, []);
}

test("R2.3 GRUB 2.06 does with the whole collection what the verdicts say, in their words", (t) =>
  compare(t, [...soundKernels(), ...brokenKernels(), ...grubKernels()]));

const GUESTS = [
  ...["debian-cloud", "debian-686", "xen", "xen-sid", "xen-shim", "gnumach", "gnumach-pae", "gnumach-amd64"],
  ...["memtest86+", "memtest86+-8", "ipxe", "memdisk"],
];

test("R2.3 ... and with Debian's kernels, packed ones too", async (t) => {
  const samples: Sample[] = [];
  for (const name of GUESTS) {
    const guest = await requireGuest(t, name);
    if (guest === undefined) return;
    samples.push({ name, bytes: new Uint8Array(readFileSync(guest.files["kernel"])) });
  }
  await compare(t, samples);
});
