/** `--share`: how it is read, planned, and read from a plan's file; what is refused (R3.1, R1.6). */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, test } from "node:test";
import { UsageError } from "../../src/cli/args.js";
import { readPlanFile } from "../../src/cli/plan-file.js";
import { parseShares } from "../../src/cli/share-option.js";
import type { ShareRequest } from "../../src/host/node/share-request.js";
import { EXIT_STATUS } from "../../src/machine/end.js";
import { locore } from "../support/cli.js";
import { makeBzImage } from "../support/images.js";

const DEFAULTS = { tag: "share0", access: "read", cache: "auto" } as const;
const GOOD: [text: string, share: ShareRequest][] = [
  [".", { ...DEFAULTS, folder: "." }],
  ["/a/b:work", { ...DEFAULTS, folder: "/a/b", tag: "work" }],
  ["/a:b:work,rw", { ...DEFAULTS, folder: "/a:b", tag: "work", access: "write" }],
  ["a,,b,rw", { ...DEFAULTS, folder: "a,b", access: "write" }],
  ["folder=a=b:t,ro,cache=none", { ...DEFAULTS, folder: "a=b", tag: "t", cache: "none" }],
  ["a,cache=always", { ...DEFAULTS, folder: "a", cache: "always" }],
  ["a:t,protocol=9p,rw", { ...DEFAULTS, folder: "a", tag: "t", access: "write", protocol: "9p" }],
  ["a,owner=1000:100", { ...DEFAULTS, folder: "a", owner: { uid: 1000, gid: 100 } }],
  ["a,protocol=9p,cache=none", { ...DEFAULTS, folder: "a", cache: "none", protocol: "9p" }],
  ["a,protocol=virtiofs", { ...DEFAULTS, folder: "a", protocol: "virtiofs" }],
];
for (const [text, share] of GOOD)
  test(`R3.1 --share ${text}`, () => assert.deepEqual(parseShares([text]), [share]));

for (const text of [
  "",
  ":tag",
  "a:",
  `a:${"t".repeat(37)}`,
  "a,rw=1",
  "a,cache=some",
  "a,owner=root",
  "a,owner=1000",
  "a,owner=4294967295:0",
  "a,what",
  "tag=a",
  "a,protocol=nfs",
  "a,protocol=9p,cache=always",
])
  test(`R3.1 --share ${JSON.stringify(text)} is refused`, () =>
    assert.throws(() => parseShares([text]), UsageError));

test("R3.1 each share has a tag of its own", () => {
  assert.deepEqual(
    parseShares(["a", "b", "c:x"]).map(({ tag }) => tag),
    ["share0", "share1", "x"],
  );
  assert.throws(() => parseShares(["a:share1", "b"]), /--share b: a has the tag share1 already/);
});

const folder = mkdtempSync(path.join(tmpdir(), "locore-test-"));
after(() => rmSync(folder, { recursive: true }));
const kernel = path.join(folder, "vmlinuz");
writeFileSync(kernel, makeBzImage());
const shared = path.join(folder, "shared, folder");
mkdirSync(shared);
const given = `${shared.replaceAll(",", ",,")}:work,rw,cache=always`;

test("R3.1 R1.6 a share is in the plan as a part, and a plan's file gives the same machine", async () => {
  const { status, out, err } = await locore("plan", kernel, "--share", given, "--json");
  assert.equal(status, 0, err);
  const plan = JSON.parse(out) as {
    devices: { name: string; type: string; config: object }[];
    request: object;
  };
  const part = plan.devices.find(({ type }) => type === "virtio-fs");
  const config = { share: "share0", tag: "work", readOnly: false, cache: "always" };
  assert.deepEqual([part?.name, part?.config], ["share0", config]);
  const again = readPlanFile("p.json", out);
  assert.deepEqual(again.sharedFolders, [{ folder: shared, tag: "work", access: "write", cache: "always" }]);
});

test("R3.1 R1.6 a share over 9P is in the plan as a part of that kind, and in its file", async () => {
  const text = `${shared.replaceAll(",", ",,")}:work,protocol=9p,owner=7:8`;
  const { status, out, err } = await locore("plan", kernel, "--share", text, "--json");
  assert.equal(status, 0, err);
  const plan = JSON.parse(out) as { devices: { name: string; type: string; config: object }[] };
  const part = plan.devices.find(({ name }) => name === "share0");
  const config = { share: "share0", tag: "work", readOnly: true, cache: "auto" };
  assert.deepEqual([part?.type, part?.config], ["virtio-9p", config]);
  const owner = { uid: 7, gid: 8 };
  const share = { folder: shared, tag: "work", access: "read", cache: "auto", owner, protocol: "9p" };
  assert.deepEqual(readPlanFile("p.json", out).sharedFolders, [share]);
});

test("R3.1 a folder that is not there, or none, is refused when it is planned, by its name", async () => {
  for (const [name, found] of [
    [path.join(folder, "none"), /found no such file or folder; expected a folder/],
    [kernel, /found no folder/],
  ] as const) {
    const { status, err } = await locore("plan", kernel, "--share", name);
    assert.equal(status, EXIT_STATUS.imageRefused, err);
    assert.match(err, found);
    assert.ok(err.includes(`share ${name}`), err);
  }
});

test("R3.1 R6.2 --snapshot-at with a share is refused at the start, by the share's name", async () => {
  const { status, err } = await locore("boot", kernel, "--share", given, "--snapshot-at", "login:");
  assert.equal(status, EXIT_STATUS.usage, err);
  assert.match(
    err,
    /--snapshot-at: a machine that shares a folder cannot be saved; found --share .*shared, folder \(work\)/,
  );
});
