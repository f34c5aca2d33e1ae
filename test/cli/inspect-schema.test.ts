/**
 * R2.3 The JSON of `locore inspect` is what `docs/schemas/inspect.schema.json` says: over every kind of file, by a validator that
 * is not ours. The schema is as strict as it is of use: whatever is added to an output or taken out of it is refused.
 */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import test, { after } from "node:test";
import Ajv from "ajv";
import { buildPlan } from "../../src/boot/index.js";
import { createWasmEngine } from "../../src/engine/wasm/engine.js";
import { Machine } from "../../src/machine/machine.js";
import { locore } from "../support/cli.js";
import { disks, kernels, otherFiles, type FileKind, type Form } from "../support/file-kinds.js";
import { TestConsole } from "../support/fake-machine.js";
import { makeCpio } from "../support/pe-images.js";
import { repositoryRoot } from "../support/repository.js";
import { requireGuest } from "../support/requires.js";
import { snapshotBytes } from "../support/snapshot-files.js";
import { timeStampGuest } from "../support/two-cpu-guests.js";
import { brokenKernels } from "../verdicts/x86-collection.js";

const schema = JSON.parse(
  readFileSync(path.join(repositoryRoot, "docs/schemas/inspect.schema.json"), "utf8"),
) as { $id: string };
const ajv = new Ajv({ allErrors: false });
ajv.addSchema(schema);

/** What a form says against an output; undefined when it fits. `form` absent: the whole schema, of which one form has to fit. */
function objection(value: unknown, form?: Form): string | undefined {
  const where = form === undefined ? schema.$id : `${schema.$id}#/definitions/${form}`;
  return ajv.validate(where, value) === true ? undefined : ajv.errorsText();
}

function snapshot(): Uint8Array {
  const machine = new Machine({
    plan: buildPlan({
      kernel: { name: "guest", bytes: timeStampGuest(1000) },
      memory: 0x400000,
      clock: { deterministic: { nsPerInstruction: 10 } },
    }),
    engine: createWasmEngine({ jit: "off" }),
    console: new TestConsole(),
    hostNow: () => 0,
  });
  try {
    return snapshotBytes(machine);
  } finally {
    machine.dispose();
  }
}

const folder = mkdtempSync(path.join(tmpdir(), "locore-schema-"));
after(() => rmSync(folder, { recursive: true }));

/** What `inspect --json` writes of these bytes. */
async function said(bytes: Uint8Array, ...more: readonly string[]): Promise<unknown> {
  const file = path.join(folder, "file");
  writeFileSync(file, bytes);
  return JSON.parse((await locore("inspect", file, "--json", ...more)).out);
}

/** Some faults are of no consequence to our reader; some leave nothing that claims to be a kernel. */
function formOfBroken(value: object): Form {
  if (!Object.hasOwn(value, "fault")) return "kernel";
  return Object.hasOwn(value, "verdicts") ? "broken" : "unknown";
}

const KINDS: readonly (readonly [kind: string, samples: () => FileKind[]])[] = [
  ["kernels of every format", kernels],
  ["broken kernels", () => brokenKernels().map(({ name, bytes }): FileKind => [name, bytes, "broken"])],
  ["files that are no kernels", otherFiles],
  ["disks", disks],
  ["a snapshot", () => [["shell.snap", snapshot(), "snapshot"]]],
];

for (const [kind, samples] of KINDS) {
  test(`R2.3 inspect --json of ${kind} is what the schema says`, async () => {
    const forms: Form[] = [];
    for (const [name, bytes, form] of samples()) {
      const value = await said(bytes);
      const actual = form === "broken" ? formOfBroken(value as object) : form;
      assert.equal(objection(value, actual), undefined, `${name}: ${actual}`);
      assert.equal(objection(value), undefined, `${name}: one form fits, and no other`);
      forms.push(actual);
    }
    if (kind === "broken kernels")
      assert.ok(forms.filter((form) => form === "broken").length > 20, forms.join());
  });
}

test("R2.3 inspect --json with --facts and --for is what the schema says", async () => {
  for (const [name, bytes, form] of [...kernels(), ...otherFiles().slice(0, 2)]) {
    assert.equal(objection(await said(bytes, "--facts"), form), undefined, name);
    for (const loader of ["qemu", "locore-pvh", "xen-arm64"])
      assert.equal(objection(await said(bytes, "--for", loader), "asked"), undefined, name);
  }
});

for (const name of ["debian-cloud", "xen", "memtest86+"]) {
  test(`R2.3 inspect --json of ${name} is what the schema says`, async (t) => {
    const guest = await requireGuest(t, name);
    if (guest === undefined) return;
    assert.equal(objection(JSON.parse((await locore("inspect", name, "--json")).out), "kernel"), undefined);
  });
}

/** Every object inside a value, itself too. */
function* objects(value: unknown): Generator<Record<string, unknown>> {
  if (typeof value !== "object" || value === null) return;
  if (!Array.isArray(value)) yield value as Record<string, unknown>;
  for (const inner of Object.values(value)) yield* objects(inner);
}

test("R2.3 the schema is strict: a field more anywhere, or a value that is null, is refused", async () => {
  const samples: FileKind[] = [...kernels().slice(0, 1), ...otherFiles().slice(0, 6), ...disks().slice(0, 1)];
  let tried = 0;
  for (const [name, bytes, form] of [...samples, ["snapshot", snapshot(), "snapshot"] as const]) {
    const value = await said(bytes);
    for (const inner of objects(value)) {
      inner["added"] = 1;
      assert.notEqual(objection(value, form), undefined, `${name}: a field more in ${JSON.stringify(inner)}`);
      delete inner["added"];
      const [key] = Object.keys(inner);
      if (key === undefined) continue;
      const old = inner[key];
      inner[key] = null;
      assert.notEqual(objection(value, form), undefined, `${name}: ${key} null`);
      inner[key] = old;
      tried += 1;
    }
    assert.equal(objection(value, form), undefined, "it is as it was");
  }
  assert.ok(tried > 300, `${tried} objects`);
});

test("R2.3 --json of a file that does not boot has the fault, its place, and the status of a refusal", async () => {
  const file = path.join(folder, "file");
  writeFileSync(file, makeCpio("init"));
  const { status, out, err } = await locore("inspect", file, "--json");
  assert.equal(status, 8);
  const { format, fault } = JSON.parse(out) as { format: string; fault: { found: string; offset: number } };
  assert.equal(format, "cpio");
  assert.equal(
    (JSON.parse(err) as { found: string }).found,
    fault.found,
    "standard error has the same in one line",
  );
});
