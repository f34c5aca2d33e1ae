/** `locore plan` and `locore inspect` on a tiny kernel made here. */
import { test } from "node:test";
import assert from "node:assert/strict";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { locore } from "../support/cli.js";
import { makeBzImage } from "../support/images.js";

const folder = mkdtempSync(path.join(tmpdir(), "locore-test-"));
const kernel = path.join(folder, "vmlinuz");
const initrd = path.join(folder, "initrd");
writeFileSync(kernel, makeBzImage());
writeFileSync(initrd, "an initrd");
const ARGUMENTS = [kernel, "--initrd", initrd, "--append", "console=ttyS0 quiet", "-m", "64M", "--smp", "2"];

interface PlanJson {
  cpus: number;
  commandLine: string;
  loader: { name: string; entry: string };
  regions: { name: string; content: { kind: string; length: number; sha256: string; base64?: string } }[];
  e820: { start: number; size: number; type: string }[];
  bootCpu: { rip: string; gpr: string[]; cr3: string; cs: { selector: number; base: string } };
  mappings: { linear: string; size: string }[];
  cpuid: { leaf: number }[];
  devices: { name: string }[];
  tables: Record<string, number>;
  clock: { tscHz: number };
}

test("R1.6 plan --json holds the whole machine", async () => {
  const { status, out } = await locore("plan", ...ARGUMENTS, "--json");
  assert.equal(status, 0);
  const plan = JSON.parse(out) as PlanJson;
  assert.equal(plan.cpus, 2);
  assert.equal(plan.commandLine, "console=ttyS0 quiet");
  assert.equal(plan.loader.name, "linux");
  const names = plan.regions.map(({ name }) => name);
  for (const name of ["kernel", "initrd", "boot_params", "page tables", "command line"]) {
    assert.ok(names.includes(name), `${name} in ${names.join(", ")}`);
  }
  const commandLine = plan.regions.find(({ name }) => name === "command line")?.content;
  assert.match(Buffer.from(commandLine?.base64 ?? "", "base64").toString(), /^console=ttyS0 quiet\0/);
  assert.ok(
    plan.regions.every(({ content }) => content.kind === "zero" || /^[0-9a-f]{64}$/.test(content.sha256)),
  );
  assert.ok(plan.e820.some(({ type }) => type === "reserved"));
  assert.match(plan.bootCpu.rip, /^0x[0-9a-f]+$/);
  assert.equal(plan.bootCpu.gpr.length, 16);
  assert.equal(plan.mappings[0].linear, "0x0");
  assert.ok(plan.cpuid.some(({ leaf }) => leaf === 0x40000010));
  assert.ok(plan.devices.some(({ name }) => name === "uart16550"));
  assert.ok("RSDP" in plan.tables);
  assert.equal(plan.clock.tscHz, 1e9);
});

test("R1.6 plan prints every section, or those that are asked for", async () => {
  const all = await locore("plan", ...ARGUMENTS);
  const sections = ["summary", "map", "e820", "registers", "paging", "tables", "devices", "cpuid"];
  for (const name of sections) assert.match(all.out, new RegExp(`^${name}:$`, "m"));
  assert.match(all.out, /^ {2}000020000–\w+ {2}command line +\d+ bytes \(linux\)$/m);
  const some = await locore("plan", ...ARGUMENTS, "--cpuid", "--map");
  assert.deepEqual(some.out.match(/^\w+:$/gm), ["map:", "cpuid:"]);
});

test("R1.7 plan says that contents are copied into the engine's memory, as text and as JSON", async () => {
  const text = await locore("plan", ...ARGUMENTS, "--summary");
  assert.match(text.out, /^ {2}memory {4}contents are copied into the engine's memory$/m);
  const json = JSON.parse((await locore("plan", ...ARGUMENTS, "--json")).out) as { memory: unknown };
  assert.deepEqual(json.memory, { contents: "copied" });
});

test("R1.5 the same machine in three spellings", async () => {
  const rest = ["--json", "--rtc", "2024-02-29T12:00:00Z"];
  const qemu = [
    "-kernel",
    kernel,
    "-initrd",
    initrd,
    "-append",
    "console=ttyS0 quiet",
    "-m",
    "64",
    "-smp",
    "2",
  ];
  const pairs = `loader.name=linux,loader.kernel=${kernel},loader.initrd=${initrd},loader.append=console=ttyS0 quiet`;
  const outputs = await Promise.all([
    locore("plan", ...ARGUMENTS, ...rest),
    locore("plan", ...qemu, ...rest),
    locore("plan", "-o", pairs, "-m", "64M", "--smp", "2", ...rest),
  ]);
  assert.equal(outputs[0].out, outputs[1].out);
  // A loader that is asked for by name is another request and another reason, for the same machine.
  const machine = ({ out }: { out: string }): Record<string, unknown> => {
    const { request, digests, loader, ...rest } = JSON.parse(out) as Record<string, object>;
    assert.ok(request !== undefined && digests !== undefined);
    return { ...rest, loader: { ...loader, why: "" } };
  };
  assert.deepEqual(machine(outputs[0]), machine(outputs[2]));
});

test("R1.5 an entry or loader that there is not is a usage error that lists those there are", async () => {
  for (const option of ["loader.entry=48", "loader.name=linus", "loader.colour=red"]) {
    const { status, err } = await locore("plan", kernel, "-o", option);
    assert.equal(status, 2, `${option}: ${err}`);
  }
});

test("R2.3 inspect shows fields with their file offsets, also as JSON", async () => {
  const text = await locore("inspect", kernel);
  assert.match(text.out, /^ {2}00000202 {2}header +0x53726448/m);
  const json = JSON.parse((await locore("inspect", kernel, "--json")).out) as {
    format: string;
    facts: { name: string; offset?: number }[];
  };
  assert.equal(json.format, "bzimage");
  assert.equal(json.facts.find(({ name }) => name === "header")?.offset, 0x202);
});

test("with --json a refusal is JSON with its offset", async () => {
  const { status, err } = await locore("inspect", initrd, "--json");
  assert.equal(status, 8);
  const failure = JSON.parse(err) as { status: number; offset: number; found: string; meaning: string };
  assert.equal(failure.status, 8);
  assert.equal(failure.offset, 0);
  assert.match(failure.found, /an initrd/);
});

test("R2.2 --cpu switches features off; what there is not is a usage error with a suggestion", async () => {
  const leaf7 = async (...more: string[]): Promise<number> => {
    const { status, out } = await locore("plan", ...ARGUMENTS, ...more, "--json");
    assert.equal(status, 0);
    const rows = (JSON.parse(out) as { cpuid: { leaf: number; ebx: number }[] }).cpuid;
    return rows.find(({ leaf }) => leaf === 7)?.ebx ?? 0;
  };
  const bmi1 = 1 << 3;
  assert.equal((await leaf7()) & bmi1, bmi1);
  assert.equal((await leaf7("--cpu=-bmi1,-aes")) & bmi1, 0);
  assert.equal((await leaf7("--cpu=-bmi1", "--cpu=+bmi1")) & bmi1, bmi1);
  const misspelt = await locore("plan", ...ARGUMENTS, "--cpu=-bmi3");
  assert.equal(misspelt.status, 2);
  assert.match(misspelt.err, /did you mean -bmi[12]\?/);
  const missing = await locore("plan", ...ARGUMENTS, "--cpu=+avx2");
  assert.equal(missing.status, 2);
  assert.match(missing.err, /does not have it/);
});
