/**
 * The package as somebody gets it: packed, installed into an empty folder without a network, started, imported, compiled against, and
 * extended. Nothing of the repository is used but the compiler.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";
import { pvhElf } from "../support/qemu/pvh-elf.js";
import { al, Assembler, eax, edx } from "../support/asm/index.js";
import { repositoryRoot } from "../support/repository.js";

const folder = mkdtempSync(path.join(tmpdir(), "locore-package-"));
const home = path.join(folder, "home");
const app = path.join(folder, "app");
after(() => rmSync(folder, { recursive: true }));

const TSC = path.join(repositoryRoot, "node_modules/typescript/bin/tsc");
/** Somebody with an empty home and nothing configured. */
const env = { PATH: process.env.PATH, HOME: home };

function run(program: string, args: readonly string[], cwd = app): string {
  const { status, stdout, stderr } = spawnSync(program, args, { cwd, env, encoding: "utf8", input: "" });
  assert.equal(status, 0, `${program} ${args.join(" ")}\n${stdout}${stderr}`);
  return stdout;
}

const locore = (...args: readonly string[]): string => run(path.join(app, "node_modules/.bin/locore"), args);

const LOAD = 0x100000;
const prints = new Assembler(LOAD, 32).mov(edx, 0x3f8).mov(al, "!".charCodeAt(0)).out(8, "dx");
const poweroff = prints.mov(edx, 0x604).mov(eax, 0x2000).out(16, "dx").cli().hlt();

before(() => {
  mkdirSync(home);
  mkdirSync(app);
  run(process.execPath, ["tools/declarations.mjs"], repositoryRoot);
  run("npm", ["pack", "--ignore-scripts", "--silent", "--pack-destination", folder], repositoryRoot);
  const [tarball] = readdirSync(folder).filter((one) => one.endsWith(".tgz"));
  writeFileSync(path.join(app, "package.json"), '{ "type": "module" }\n');
  const quiet = ["--no-audit", "--no-fund", "--no-update-notifier"];
  run("npm", ["install", "--offline", "--omit=optional", ...quiet, path.join(folder, tarball)]);
  writeFileSync(path.join(app, "kernel"), pvhElf(LOAD, poweroff.link()[0].bytes, LOAD));
});

test("R1.10 installed, it says its version, looks at a file and boots a kernel, with nothing else installed", () => {
  assert.match(locore("--version"), /^locore \d+\.\d+\.\d+ /);
  assert.match(locore("help", "boot"), /^usage: locore boot/);
  assert.match(locore("inspect", "kernel"), /PVH entry at 0x100000/);
  assert.match(locore("plan", "kernel"), /loader +pvh/);
  assert.equal(locore("boot", "kernel", "-m", "8M"), "!");
  assert.deepEqual(
    readdirSync(path.join(app, "node_modules")).filter((one) => !one.startsWith(".")),
    ["locore"],
  );
});

const PROGRAM = `
import { buildPlan, diagnose, FormatError, recognise, type Plan } from "locore";
import { recognise as inPage, verdicts, type KnownImage } from "locore/browser";
import { readFileSync } from "node:fs";

const bytes = new Uint8Array(readFileSync("kernel"));
const image: KnownImage = inPage(bytes);
const plan: Plan = buildPlan({ kernel: { name: "kernel", bytes }, memory: 8 * 2 ** 20 });
// @ts-expect-error: it is no list of anything
const wrong: string[] = plan;
try {
  recognise(new Uint8Array(16));
} catch (error) {
  if (error instanceof FormatError) console.log(image.format, plan.loader.name, verdicts(image).length > 5, typeof diagnose);
}
void wrong;
`;

test("R1.10 what imports locore and locore/browser compiles in strict mode, however modules are resolved, and runs", () => {
  writeFileSync(path.join(app, "program.ts"), PROGRAM);
  writeFileSync(
    path.join(app, "node.d.ts"),
    'declare module "node:fs" { export function readFileSync(file: string): ArrayBuffer; }\ndeclare const console: { log(...what: unknown[]): void };\n',
  );
  const strict = [
    "--ignoreConfig",
    "--strict",
    "--exactOptionalPropertyTypes",
    "--target",
    "es2022",
    "--lib",
    "es2022",
  ];
  for (const [module, resolution] of [
    ["es2022", "bundler"],
    ["node16", "node16"],
    ["nodenext", "nodenext"],
  ])
    run(process.execPath, [
      TSC,
      ...strict,
      "--module",
      module,
      "--moduleResolution",
      resolution,
      "program.ts",
      "node.d.ts",
    ]);
  assert.equal(run(process.execPath, ["program.js"]), "elf pvh true function\n");
});

test("R1.10 a device of somebody's own that imports locore has the classes of the program that it is plugged into", () => {
  const device = `
import { PartError } from "locore";
export default { type: "own", summary: "refuses", place: () => { throw new PartError("own", "a test", "an error", "Go on."); }, create() {} };
`;
  writeFileSync(path.join(app, "own.mjs"), device);
  const words = ["boot", "kernel", "-m", "8M", "--device", "own.mjs"];
  const { status, stderr } = spawnSync(path.join(app, "node_modules/.bin/locore"), words, {
    cwd: app,
    env,
    input: "",
  });
  // One of another library's class would be told as something that the file throws.
  assert.deepEqual(
    [status, /^locore: place the parts of the machine: part own: found a test/.test(String(stderr))],
    [8, true],
    String(stderr),
  );
});
