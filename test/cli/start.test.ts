/** How the program starts: from few files, and with what was compiled kept where that can be (R6.2). */
import { after, test } from "node:test";
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import * as nodeModule from "node:module";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { al, Assembler, eax, edx } from "../support/asm/index.js";
import { pvhElf } from "../support/qemu/pvh-elf.js";

const PROGRAM = fileURLToPath(new URL("../../src/cli/main.js", import.meta.url));
/** What an installed `locore` is. */
const INSTALLED = fileURLToPath(new URL("../../run/locore.cjs", import.meta.url));
const PACKAGE = fileURLToPath(new URL("../../..", import.meta.url));
const PARTS = fileURLToPath(new URL("../../parts/main.json", import.meta.url));
const MACHINE_PARTS = fileURLToPath(new URL("../../parts/machine.json", import.meta.url));
const folder = mkdtempSync(path.join(tmpdir(), "locore-test-"));
after(() => rmSync(folder, { recursive: true }));

interface Part {
  modules: string[];
  imports: string[];
}

/** What a part imports at once, and what that imports. */
function imported(parts: Record<string, Part>, name: string, seen = new Set<string>()): Set<string> {
  if (!seen.has(name)) {
    seen.add(name);
    for (const next of parts[name].imports) imported(parts, next, seen);
  }
  return seen;
}

/** Modules of what `module` brings along at once. */
function loadedWith(module: string): string[] {
  const parts = JSON.parse(readFileSync(PARTS, "utf8")) as Record<string, Part>;
  const own = Object.keys(parts).find((name) => parts[name].modules.includes(module))!;
  return [...imported(parts, own)].flatMap((name) => parts[name].modules).sort();
}

test("R3.10 the version is said before the program is loaded, and written by the program where that fails", () => {
  assert.deepEqual(loadedWith("cli/program.js"), ["cli/program.js", "cli/version.js"]);
  const line = new RegExp(`^locore [^ ]+ \\(Node ${process.versions.node}, ${process.platform}\\)\n$`);
  for (const words of [["--version"], ["-V"], ["version"], ["version", "--"]]) {
    const { status, stdout } = spawnSync(process.execPath, [PROGRAM, ...words], { encoding: "utf8" });
    assert.equal(status, 0, words.join(" "));
    assert.match(stdout, line);
  }
  if (!existsSync("/dev/full")) return;
  const full = spawnSync("sh", ["-c", '"$0" "$1" --version > /dev/full', process.execPath, PROGRAM]);
  assert.deepEqual([full.status, /standard output: no space/.test(String(full.stderr))], [74, true]);
});

test("R3.10 the list of commands is shown without loading any but help, and a boot plans nothing in the thread of the terminal", () => {
  const commands = loadedWith("cli/command-line.js").filter((one) => one.startsWith("cli/commands/"));
  assert.deepEqual(commands, ["cli/commands/help.js"]);
  const unwanted =
    /^(machine\/machine|devices\/|boot\/(?!announce-ways|options)|formats\/|engine\/(?!contract)|guests\/(?!cache\/atomic))/;
  assert.deepEqual(
    loadedWith("cli/commands/boot.js").filter((one) => unwanted.test(one)),
    [],
  );
});

test("R6.2 restore loads no machine, no device, no loader and no engine in the thread of the terminal", () => {
  const parts = JSON.parse(readFileSync(PARTS, "utf8")) as Record<string, Part>;
  const command = Object.keys(parts).find((name) => parts[name].modules.includes("cli/commands/restore.js"))!;
  const loaded = [...imported(parts, command)].flatMap((name) => parts[name].modules);
  assert.ok(loaded.includes("host/node/session.js"), loaded.join(" "));
  const unwanted =
    /^(machine\/machine|devices\/|boot\/(?!announce-ways|options)|engine\/wasm\/engine|engine\/x86|guests\/)/;
  assert.deepEqual(
    loaded.filter((one) => unwanted.test(one)),
    [],
  );
});

test("R3.10 a run that goes on from a kept machine loads nothing of what fetches, packs and plans, nor Node's cryptography", () => {
  const loaded = loadedWith("cli/run/run-once.js");
  assert.ok(loaded.includes("cli/run/warm/keeping.js"), loaded.join(" "));
  const unwanted = /^(machine\/machine|devices\/|boot\/(?!options)|formats\/|disk\/|engine\/(?!contract))/;
  const fetching =
    /^guests\/(index|pull|off-thread|apt\/|archives\/|catalogue\/|kernel-modules\/|cache\/(?!folder|cache-home|input|lock-age))/;
  const packing = /^guests\/initramfs\/(initramfs|run-initramfs|package-|file-tree)/;
  assert.deepEqual(
    loaded.filter((one) => [unwanted, fetching, packing].some((kind) => kind.test(one))),
    [],
  );
  const source = (module: string): string =>
    readFileSync(fileURLToPath(new URL(`../../src/${module}`, import.meta.url)), "utf8");
  const slow = /from "node:(crypto|fs\/promises|child_process|zlib)"/;
  assert.deepEqual(
    loaded.filter((one) => slow.test(source(one))),
    [],
  );
});

/** Runs something that runs no further than its file, with what was compiled to be kept in `home`. */
function start(home: string, env: Record<string, string> = {}): { status: number | null; err: string } {
  const text = path.join(folder, "text");
  writeFileSync(text, "no kernel");
  const { status, stderr } = spawnSync(process.execPath, [PROGRAM, "boot", text], {
    input: "",
    env: { ...process.env, NODE_COMPILE_CACHE: undefined, XDG_CACHE_HOME: home, ...env },
  });
  return { status, err: stderr.toString() };
}

test("R6.2 what was compiled is kept where Node can, unless it is told not to; without a place nothing is said", () => {
  const home = path.join(folder, "cache");
  const refused = start(home, { NODE_DISABLE_COMPILE_CACHE: "1" });
  assert.equal(existsSync(home), false, "not wanted");
  assert.deepEqual(start(home), refused);
  assert.equal(existsSync(path.join(home, "locore", "compiled")), "enableCompileCache" in nodeModule);
  assert.deepEqual(start(home), refused, "the second time");
  const file = path.join(folder, "text");
  assert.deepEqual(start(path.join(file, "below")), refused, "a folder that cannot be made");
});

/** What of V8's flags a machine's thread changes for good before that would keep nothing: Node 20. */
const KEEPS = Number.parseInt(process.versions.v8, 10) >= 12;
const LOAD = 0x100000;
const kernel = path.join(folder, "prints");
{
  const a = new Assembler(LOAD, 32).mov(edx, 0x3f8).mov(al, "!".charCodeAt(0)).out(8, "dx");
  writeFileSync(kernel, pvhElf(LOAD, a.mov(eax, 3).out(32, 0xf4).cli().hlt().link()[0].bytes, LOAD));
}

/** A whole run, with what was compiled to be kept in `home`. */
function run(home: string, env: Record<string, string> = {}): unknown[] {
  const { status, stdout, stderr } = spawnSync(process.execPath, [PROGRAM, "boot", kernel, "-m", "8M"], {
    input: "",
    env: { ...process.env, NODE_COMPILE_CACHE: undefined, XDG_CACHE_HOME: home, ...env },
  });
  return [status, stdout.toString(), stderr.toString()];
}

test("R6.2 what the machine's thread called is kept, used as long as it is right, and made anew where it is not", () => {
  const home = path.join(folder, "scripts");
  const folderOfScripts = path.join(home, "locore", "compiled");
  const refused = run(home, { NODE_DISABLE_COMPILE_CACHE: "1" });
  assert.deepEqual(refused.slice(0, 2), [7, "!"], String(refused[2]));
  assert.equal(existsSync(home), false, "not wanted");
  assert.deepEqual(run(home), refused, "without anything kept");
  const names = existsSync(folderOfScripts) ? readdirSync(folderOfScripts) : [];
  const [name, ...others] = names.filter((one) => one.startsWith("parts-"));
  assert.deepEqual([name !== undefined, others], [KEEPS, []]);
  if (!KEEPS) return;
  const file = path.join(folderOfScripts, name);
  const written = statSync(file).mtimeMs;
  const good = readFileSync(file);
  assert.deepEqual(run(home), refused, "with what was kept");
  assert.equal(statSync(file).mtimeMs, written, "it was used");
  const flipped = Buffer.from(good);
  flipped[good.length >> 1] ^= 0x55;
  for (const damaged of [flipped, good.subarray(0, good.length >> 1), good.subarray(0, 8), Buffer.alloc(0)]) {
    writeFileSync(file, damaged);
    assert.deepEqual(run(home), refused, `${damaged.length} bytes of ${good.length}`);
    assert.notDeepEqual(readFileSync(file), damaged, "made anew");
  }
  assert.deepEqual(run(path.join(file, "below")), refused, "a folder that cannot be made");
});

/** Says which scripts of the machine's thread are read, in whatever thread it is loaded. */
const WATCHING = `
const fs = require("node:fs");
const { openSync } = fs;
fs.openSync = (file, ...others) => {
  const name = /machine.([^\\\\/]*)\\.cjs$/.exec(String(file))?.[1];
  if (name !== undefined) fs.writeSync(2, "reads " + name + "\\n");
  return openSync(file, ...others);
};
`;

test("R3.10 a kernel that boots has the machine's thread load what it comes to, each module once, and no group of others", () => {
  const hook = path.join(folder, "watching.cjs");
  writeFileSync(hook, WATCHING);
  const { status, stderr } = spawnSync(
    process.execPath,
    ["--require", hook, INSTALLED, "boot", kernel, "-m", "8M"],
    {
      input: "",
      env: { ...process.env, NODE_DISABLE_COMPILE_CACHE: "1" },
    },
  );
  assert.equal(status, 7, stderr.toString());
  const read = Array.from(stderr.toString().matchAll(/^reads (.*)$/gm), ([, name]) => name);
  assert.deepEqual(read, ["parts", "boot"]);
  const parts = Object.values(JSON.parse(readFileSync(MACHINE_PARTS, "utf8")) as Record<string, Part>);
  const modules = parts
    .flatMap((part) => part.modules)
    .filter((one) => one.endsWith(".js") && !one.includes(":"));
  assert.ok(modules.includes("verdicts/index.js"), "something of a group is there");
  assert.deepEqual(modules.toSorted(), [...new Set(modules)].sort());
});

test("R1.10 what a file to plug in prints arrives from either thread, and it has the classes of the program that it is plugged into", () => {
  const modules = path.join(folder, "node_modules");
  mkdirSync(modules);
  symlinkSync(PACKAGE, path.join(modules, "locore"));
  const device = `
import { PartError } from "locore";
console.log("out of it");
console.error("err of it");
const place = () => { throw new PartError("own", "a test", "an error", "Go on."); };
export default { type: "own", summary: "refuses", place, create() {} };
`;
  writeFileSync(path.join(folder, "own.mjs"), device);
  for (const command of ["plan", "boot"]) {
    const words = [INSTALLED, command, kernel, "-m", "8M", "--device", "own.mjs"];
    const { status, stdout, stderr } = spawnSync(process.execPath, words, { cwd: folder, input: "" });
    assert.deepEqual([status, stdout.toString()], [8, "out of it\n"], `${command}: ${stderr.toString()}`);
    assert.match(stderr.toString(), /^err of it$/m);
    // One of another library's class would be told as something that the file throws.
    assert.match(stderr.toString(), /^locore: place the parts of the machine: part own: found a test/m);
  }
});
