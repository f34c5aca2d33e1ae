/**
 * `locore inspect` on x86 kernels: the answer first, one loader asked, rules explained, broken files; and what it says of
 * Debian's own kernels, against a golden text. LOCORE_UPDATE_GOLDEN=1 rewrites it.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import test from "node:test";
import { locore } from "../support/cli.js";
import { repositoryRoot } from "../support/repository.js";
import { makeCpio, makeUki } from "../support/pe-images.js";
import { requireGuest, requireTool } from "../support/requires.js";
import { brokenKernels, linuxKernel, multibootKernel, pvhKernel } from "../verdicts/x86-collection.js";

/** A file that is there while `use` runs. */
async function withFile(bytes: Uint8Array, use: (file: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(path.join(tmpdir(), "locore-inspect-"));
  try {
    const file = path.join(folder, "kernel");
    writeFileSync(file, bytes);
    await use(file);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test("R2.3 the answer comes first, in three lines: what it is, where it boots, where not and why", async () => {
  await withFile(pvhKernel(), async (file) => {
    const { status, out, err } = await locore("inspect", file);
    assert.deepEqual([status, err], [0, ""]);
    const [first, second, third, fourth] = out.split("\n");
    assert.match(first, /kernel: ELF64 x86-64 EXEC, PVH entry at 0x200000$/);
    assert.match(
      second,
      /^boots in +qemu \(microvm, pc\), firecracker, cloud-hypervisor, crosvm, .*locore \(pvh/,
    );
    assert.match(
      third,
      /^not in +kvmtool: unchecked, .*; bhyve, v86: an ELF64 file; .*grub \(linux\): the end of the file; /,
    );
    assert.equal(fourth, "");
    assert.doesNotMatch(out, /\u001b/, "no colour where nobody reads it on a terminal");
  });
});

test("R2.3 --for NAME: status 0 boots, 1 does not, 2 there is no such loader", async () => {
  await withFile(multibootKernel(), async (file) => {
    const yes = await locore("inspect", file, "--for", "qemu-pc");
    assert.equal(yes.status, 0);
    assert.match(yes.out, /qemu-pc boots it: by Multiboot.*\n.*rule qemu\/multiboot-elf/s);
    const no = await locore("inspect", file, "--for", "firecracker");
    assert.equal(no.status, 1);
    assert.match(
      no.out,
      /does not boot it.*offset 0x4: found an ELF32 file.*prints: .*Invalid program header size/s,
    );
    assert.equal((await locore("inspect", file, "--for", "grub")).status, 0, "one of a program's is enough");
    const unknown = await locore("inspect", file, "--for", "firecraker");
    assert.equal(unknown.status, 2);
    assert.match(unknown.err, /did you mean firecracker\?/);
    const json = JSON.parse((await locore("inspect", file, "--for", "crosvm", "--json")).out) as {
      verdicts: { rule: string }[];
    };
    assert.deepEqual(
      json.verdicts.map(({ rule }) => rule),
      ["crosvm/elf-unchecked"],
    );
  });
});

test("R2.3 --explain says of a rule what it is, what is printed and where it was read; of a loader all its rules", async () => {
  const rule = await locore("inspect", "--explain", "qemu/elf-no-pvh");
  assert.equal(rule.status, 0);
  assert.match(
    rule.out,
    /prints .*without PVH ELF Note\n.*CONFIG_PVH=y.*\n +source +QEMU hw\/i386\/x86\.c.*7\.2 run/,
  );
  const loader = await locore("inspect", "--explain", "cloud-hypervisor");
  assert.match(loader.out, /source .*read\n.*cloud-hypervisor\/no-pvh: /s);
  assert.match((await locore("inspect", "--explain", "qemu-pc")).out, /qemu\/pvh: /);
  const wrong = await locore("inspect", "--explain", "qemu/elf-no-pvhh");
  assert.equal(wrong.status, 2);
  assert.match(wrong.err, /did you mean qemu\/elf-no-pvh\?/);
});

test("R2.3 --json has the answer and the verdicts; --facts asks nobody", async () => {
  await withFile(linuxKernel(), async (file) => {
    const json = JSON.parse((await locore("inspect", file, "--json")).out) as {
      answer: Record<"boots" | "refused" | "unchecked", string[]>;
      verdicts: { loader: { name: string }; outcome: string }[];
    };
    assert.ok(json.answer.boots.includes("locore-linux") && json.answer.unchecked.includes("v86"));
    const all = [...json.answer.boots, ...json.answer.refused, ...json.answer.unchecked];
    assert.equal(all.length, json.verdicts.length);
    const facts = await locore("inspect", file, "--facts");
    assert.doesNotMatch(facts.out, /boots in|rule /);
    assert.match(facts.out, /setup_sects/);
  });
});

test("R2.3 a broken kernel: each loader's words first, then our reader's fault with its offset", async () => {
  const broken = brokenKernels().find(({ name }) => name === "setup_sects 255");
  assert.ok(broken);
  await withFile(broken.bytes, async (file) => {
    const { status, out, err } = await locore("inspect", file);
    assert.equal(status, 8);
    assert.match(out, /boots in +nowhere\nnot in .*\n[^]*prints: qemu: invalid kernel header/);
    assert.match(err, /offset 0x1f1: found setup code of 131072 bytes/);
    assert.equal((await locore("inspect", file, "--for", "qemu")).status, 1);
  });
});

test("R2.3 a pipe with a name is read to its end, and said to be one at once", async (t) => {
  const [make, folder] = [requireTool(t, "mkfifo"), mkdtempSync(path.join(tmpdir(), "locore-inspect-"))];
  if (make === undefined) return;
  try {
    const file = path.join(folder, "pipe");
    execFileSync(make, [file]);
    const [{ status, out, err }] = await Promise.all([
      locore("inspect", file, "--facts"),
      writeFile(file, pvhKernel()),
    ]);
    assert.equal(status, 0);
    assert.match(out, /ELF64 x86-64 EXEC/);
    assert.match(err, /is a pipe: reading until/);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

/** Kernels of the catalogue; left out are those that are the same as another to every loader. */
const GUESTS = [
  ...["debian-cloud", "debian-13-cloud", "debian-sid-cloud", "debian-amd64", "debian-686-pae", "debian-686"],
  ...["xen", "xen-shim", "xen-sid", "gnumach", "gnumach-pae", "gnumach-amd64"],
  ...["memtest86+", "memtest86+-7", "memtest86+-8", "ipxe", "memdisk"],
];
const GOLDEN = path.join(repositoryRoot, "test/fixtures/inspect-guests.txt");

/** A guest's part of the golden text. */
function part(text: string, name: string): string {
  const at = text.indexOf(`${name}\n`);
  return at < 0 ? "" : text.slice(at, text.indexOf("\n\n", at) + 2);
}

/** What inspect says, without what every build of a kernel changes: versions and addresses. */
async function said(name: string, file: string): Promise<string> {
  const { status, out } = await locore("inspect", file);
  assert.equal(status, 0);
  const lines = out.split("\n");
  const table = lines.slice(lines.findIndex((line) => line.startsWith("  loader ")));
  const kept = [...lines.slice(1, 3), ...table.filter((line) => /^ {2}\S|^ +(prints|rule)/.test(line))];
  return `${name}\n${kept.map((line) => line.replaceAll(/0x[0-9a-f]{5,}/g, "0x…").trimEnd()).join("\n")}\n\n`;
}

for (const name of GUESTS) {
  test(`R2.3 ${name}: where it boots, and why not elsewhere`, async (t) => {
    const guest = await requireGuest(t, name);
    if (!guest) return;
    const actual = await said(name, guest.files["kernel"]);
    const golden = existsSync(GOLDEN) ? readFileSync(GOLDEN, "utf8") : "";
    if (process.env["LOCORE_UPDATE_GOLDEN"] === "1") {
      const before = part(golden, name);
      writeFileSync(GOLDEN, before === "" ? golden + actual : golden.replace(before, () => actual));
    }
    assert.equal(actual, part(readFileSync(GOLDEN, "utf8"), name));
  });
}

test("R4.3 inspect of a unified kernel image: the whole, then the kernel in it; of an archive its facts, and why it does not boot", async () => {
  await withFile(makeUki(linuxKernel(), { line: "a=b", initrd: makeCpio("init") }), async (file) => {
    const { status, out, err } = await locore("inspect", file);
    assert.deepEqual([status, err], [0, ""]);
    const [first, second] = out.split("\n");
    assert.match(first, /unified kernel image for x86-64, Test OS 1$/);
    assert.match(second, /^boots in +locore \(linux\)$/);
    assert.match(out, /\nnot in +[^\n]*firecracker[^\n]*: a PE\/COFF program;/);
    assert.match(
      out,
      /qemu-pc +unchecked[^\n]*\n[^\n]*found a PE\/COFF program[^\n]*\n +rule qemu\/protocol-0/,
    );
    assert.match(out, /uki\.initrd cpio\[0\] +1 files 1 bytes {2}\(has \/init\)/);
    assert.match(
      out,
      /uki\.cmdline +a=b[^]*section \.linux: Linux bzImage[^]*\nboots in +qemu \(microvm, pc\)/,
    );
    assert.equal((await locore("inspect", file, "--for", "locore")).status, 0);
    assert.equal((await locore("inspect", file, "--for", "firecracker")).status, 1);
    const json = JSON.parse((await locore("inspect", file, "--json")).out) as {
      linux: { answer: { boots: string[] } };
    };
    assert.ok(json.linux.answer.boots.includes("qemu-pc"));
    assert.match((await locore("plan", file, "--summary")).out, /a=b/);
  });
  await withFile(makeCpio("init"), async (file) => {
    const { status, out, err } = await locore("inspect", file);
    assert.equal(status, 8);
    assert.match(out, /cpio archive[^]*cpio\[0\] +1 files 1 bytes {2}\(has \/init\)/);
    assert.match(err, /Give it with --initrd/);
  });
});
