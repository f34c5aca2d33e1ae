/**
 * R1.10 The package as a user gets it: packed, installed in an empty folder, and each example of docs/library.md compiled there in strict
 * mode and run by this Node. And a thousand machines, one after another.
 */
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { before, after, test, type TestContext } from "node:test";
import ts from "typescript";
import { Vm } from "../../src/vm/index.js";
import { echoGuest } from "../support/echo-guest.js";
import { pageFiles } from "../support/page-files.js";
import { repositoryRoot } from "../support/repository.js";
import { hasRunGuests } from "../support/run-command.js";

const TIME = { timeout: 900_000 };
const MIB = 1 << 20;
const MACHINES = 1000;
/** Machines until what is loaded and compiled once is there. */
const FIRST = 100;

let folder = "";

before(() => {
  folder = mkdtempSync(path.join(tmpdir(), "locore-library-"));
  execFileSync(process.execPath, ["tools/declarations.mjs"], { cwd: repositoryRoot, stdio: "pipe" });
  const words = ["pack", "--json", "--ignore-scripts", "--pack-destination", folder];
  execFileSync("npm", words, { cwd: repositoryRoot, stdio: "pipe" });
  const [tarball] = readdirSync(folder);
  const place = path.join(folder, "node_modules", "locore");
  mkdirSync(path.join(folder, "node_modules", "@types"), { recursive: true });
  mkdirSync(place);
  execFileSync("tar", ["-xzf", path.join(folder, tarball), "-C", place, "--strip-components=1"]);
  for (const types of ["@types/node", "undici-types"])
    symlinkSync(path.join(repositoryRoot, "node_modules", types), path.join(folder, "node_modules", types));
  writeFileSync(path.join(folder, "package.json"), '{ "type": "module" }\n');
});
after(() => rmSync(folder, { recursive: true, force: true }));

/** What the compiler says of the examples, whose JavaScript lies beside them then. */
function compiled(names: readonly string[]): string[] {
  const program = ts.createProgram(
    names.map((name) => path.join(folder, name)),
    {
      target: ts.ScriptTarget.ES2022,
      lib: ["lib.es2023.d.ts", "lib.esnext.disposable.d.ts"],
      module: ts.ModuleKind.NodeNext,
      moduleResolution: ts.ModuleResolutionKind.NodeNext,
      types: ["node"],
      typeRoots: [path.join(folder, "node_modules", "@types")],
      strict: true,
    },
  );
  const problems = [...ts.getPreEmitDiagnostics(program), ...program.emit().diagnostics];
  return problems.map(
    ({ file, messageText }) =>
      `${file?.fileName ?? ""}: ${ts.flattenDiagnosticMessageText(messageText, "\n")}`,
  );
}

/** What an example prints. */
const PRINTS: Readonly<Record<string, RegExp>> = {
  "first.ts": /^0 \d+\.\S+\n/,
  "commands.ts":
    /^(stdout working\nstderr careful|stderr careful\nstdout working)\none\ntwo\n\ntrue 137\n3\n3\n\n$/,
  "shell.ts": /^\[ '30', '100' \]\n0\n$/,
  "network.ts": /^nameserver /,
  "switch.ts": /^by wire\n\n$/,
  "many.ts": /^2,3,4\n$/,
  "snapshots.ts": /^ready\nready\n$/,
  "errors.ts": /^changed my mind\noption Did you mean memory\?\n$/,
};

/** Node in that folder. */
function ran(words: readonly string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, words, { cwd: folder, encoding: "utf8", timeout: 300_000 });
}

async function examples(t: TestContext): Promise<Map<string, string> | undefined> {
  if (!(await hasRunGuests(t))) return undefined;
  return pageFiles("docs/library.md", "ts");
}

test(
  "R1.10 every example of docs/library.md compiles against the package in strict mode, and does what it says",
  TIME,
  async (t) => {
    const files = await examples(t);
    if (files === undefined) return;
    for (const [name, text] of files) writeFileSync(path.join(folder, name), text);
    assert.deepEqual(compiled([...files.keys()]), []);
    for (const [name, prints] of Object.entries(PRINTS)) {
      assert.ok(files.has(name), name);
      const { status, stdout, stderr } = ran([name.replace(/ts$/, "js")]);
      assert.equal(status, 0, `${name}: ${stderr}`);
      assert.match(stdout, prints, name);
    }
    writeFileSync(path.join(folder, "echo"), echoGuest());
    const call =
      'import { readFileSync } from "node:fs"; import { firstLine } from "./console.js"; console.log(await firstLine(readFileSync("echo")));';
    const { stdout, stderr } = ran(["--input-type=module", "-e", call]);
    assert.equal(stdout, "ready\n", stderr);
    writeFileSync(path.join(folder, "none.ko"), "no module");
    const load = ran([
      "--input-type=module",
      "-e",
      'import { loads } from "./module.js"; console.log(await loads(".", "none.ko"));',
    ]);
    assert.match(load.stdout, /^insmod: .*none\.ko.*\n\nfalse\n$/, load.stderr);
    assert.deepEqual(
      [...files.keys()].filter((name) => !(name in PRINTS)),
      ["module.ts", "console.ts"],
    );
  },
);

test("R1.10 a thousand machines, one after another: memory stays flat", TIME, async () => {
  const options = { kernel: echoGuest(), memory: "4M" };
  const resident: number[] = [];
  for (let i = 0; i < MACHINES; i++) {
    await (await Vm.start(options))[Symbol.asyncDispose]();
    if (i % FIRST === FIRST - 1) resident.push(process.memoryUsage.rss());
  }
  const [first] = resident;
  const last = resident.at(-1)!;
  assert.ok(last - first < 64 * MIB, `MiB: ${resident.map((bytes) => Math.round(bytes / MIB)).join(" ")}`);
});
