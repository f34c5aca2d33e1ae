// Puts what the compiler made of the program together into few files, in dist/run: a start loads a dozen of them instead of
// hundreds (RATIONALE.md). They are CommonJS, which Node loads twice as fast as modules. Nothing is renamed or shortened, so that a
// stack trace says what it said; what is imported when it is needed stays so.
import { createHash } from "node:crypto";
import { chmod, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { pathToFileURL } from "node:url";

/**
 * What is started or loaded by its name, by thread: no two threads share a module, and parts that only one needs are larger and
 * fewer. The library is there once more: a file to plug in shares its classes with the program, in either thread.
 */
const LIBRARY = "api/index";
const THREADS = {
  main: ["cli/program", LIBRARY],
  machine: ["host/node/worker", LIBRARY],
  jobs: ["guests/thread-jobs"],
  disks: ["host/node/disk-flush-thread"],
};
/** The thread that runs from one script, so that what was compiled of it can be kept; and what it is started with. */
const ONE_SCRIPT = { thread: "machine", entry: "worker", starter: "host/node/kept-script" };
const SCRIPT_NAME = "parts.cjs";
/** What the other thread needs for a machine that goes on is in one file too: its entry, and what is loaded then. */
const ONE_FILE = {
  thread: "main",
  entry: "program",
  starter: "cli/start.js",
  modules: ["cli/command-line.js", "cli/commands/restore.js"],
};
/** What the entry is called in there: the file of its own name runs the script. */
const ENTRY_PART = "./entry.cjs";
/** Characters of a script's id. */
const ID_LENGTH = 16;
/** What runs in a browser. */
const PAGE = { entry: "api/browser", file: path.resolve("dist/browser/locore.js") };
const FROM = path.resolve("dist/src");
const TO = path.resolve("dist/run");

const EXECUTABLE = 0o755;

/** A file's place as the code names it. Anything else that it does with its own place could not be moved. */
const OWN_PLACE = /new URL\("([^"]+)", import\.meta\.url\)/g;
/** How a part loads another one when it needs it. */
const LOADED_LATER = /\bimport\("\.\/([^"]+)\.js"\)/g;
/** The statements that a part begins and ends with, as esbuild writes them. */
const IMPORT = /^import (?:([^"]*?) from )?"([^"]+)";$/gm;
const EXPORT = /^export \{([^}]*)\};$/m;

/** The file in the bundle that an entry becomes; the library is a module, as files to plug in are. */
const nameOf = (thread, entry) => `${thread}/${path.basename(entry)}${entry === LIBRARY ? ".mjs" : ".cjs"}`;

/** Where a file that `module` of a thread names by its place lies, seen from that thread's part of the bundle. */
function moved(thread, module, named) {
  const file = path.resolve(path.dirname(module), named);
  const own = (one) => path.join(FROM, `${one}.js`) === file;
  const home = THREADS[thread].some(own)
    ? thread
    : Object.keys(THREADS).find((one) => THREADS[one].some(own));
  const entry = home && THREADS[home].find(own);
  const place = entry ? path.join(TO, nameOf(home, entry)) : file;
  return path.relative(path.join(TO, thread), place).replaceAll(path.sep, "/");
}

/** Has each file say where it lies in the words of its part of the bundle. */
const places = (thread) => ({
  name: "places",
  setup(build) {
    build.onLoad({ filter: /\.js$/ }, async ({ path: module }) => {
      const text = await readFile(module, "utf8");
      if (!text.includes("import.meta")) return undefined;
      const contents = text.replace(
        OWN_PLACE,
        (_, named) => `new URL(${JSON.stringify(moved(thread, module, named))}, __place)`,
      );
      if (text.replace(OWN_PLACE, "").includes("import.meta"))
        return { errors: [{ text: `${module}: only new URL("…", import.meta.url) can be bundled` }] };
      return { contents };
    });
  },
});

/**
 * Long texts that the build has made are read from files of their own: in a part they would be compiled, and kept with its code.
 */
const texts = {
  name: "texts",
  setup(build) {
    build.onLoad({ filter: /[\\/](interpreter-binary|made-tables)\.js$/ }, async ({ path: module }) => {
      const constants = [];
      for (const [name, text] of Object.entries(await import(pathToFileURL(module).href))) {
        await writeFile(path.join(TO, `${name}.txt`), text, "latin1");
        const file = `require("node:path").join(__dirname, "..", ${JSON.stringify(`${name}.txt`)})`;
        constants.push(`export const ${name} = require("node:fs").readFileSync(${file}, "latin1");`);
      }
      return { contents: constants.join("\n") };
    });
  },
};

/** "a, b as c" as a pattern, or as an object. */
const renamed = (names, as) => names.replaceAll(" as ", as);

/** One import statement of a part; names, not a module that they would be looked up in each time: nothing exported changes later. */
function required(clause, from) {
  const place = from.startsWith("./") ? `${from.slice(0, -".js".length)}.cjs` : from;
  const call = `require(${JSON.stringify(place)})`;
  if (clause === undefined) return `${call};`;
  const [, first, names] = /^(?:(?:\* as )?([\w$]+)(?:, )?)?(\{[^]*\})?$/.exec(clause.trim());
  const constants = [];
  if (first !== undefined) constants.push(`const ${first} = ${call};`);
  if (names !== undefined) constants.push(`const ${renamed(names, ": ")} = ${call};`);
  return constants.join("\n");
}

/** A part of the bundle as CommonJS. */
function converted(part) {
  const text = part
    .replace(LOADED_LATER, (_, name) => `Promise.resolve().then(() => require("./${name}.cjs"))`)
    .replace(IMPORT, (_, clause, from) => required(clause, from))
    .replace(EXPORT, (_, names) => `module.exports = {${names.replace(/([\w$]+) as ([\w$]+)/g, "$2: $1")}};`);
  const place = text.includes("__place")
    ? `const __place = require("node:url").pathToFileURL(__filename);\n`
    : "";
  return `"use strict";\n${place}${text}`;
}

/** The library as a module: what its part of the bundle exports. */
function library(thread, names) {
  return [
    `import { createRequire } from "node:module";`,
    `const library = createRequire(import.meta.url)("./${path.basename(LIBRARY)}.cjs");`,
    `export const {\n${names.map((one) => `  ${one},\n`).join("")}} = library;\n`,
  ].join("\n");
}

/** Which modules each part holds, and which parts it loads at once: what tests and people look at. */
function partsOf({ outputs }) {
  const parts = Object.entries(outputs).map(([file, { inputs, imports }]) => [
    path.basename(file, ".js"),
    {
      modules: Object.keys(inputs).map((one) => path.relative(FROM, one).replaceAll(path.sep, "/")),
      imports: imports
        .filter(({ kind, external }) => kind === "import-statement" && !external)
        .map((one) => path.basename(one.path, ".js")),
    },
  ]);
  return Object.fromEntries(parts);
}

/** A part and all that it imports at once, each behind what it imports. */
function importedBy(parts, name, found = new Set()) {
  if (!found.has(name)) {
    for (const one of parts[name].imports) importedBy(parts, one, found);
    found.add(name);
  }
  return found;
}

/** The same of several, with those that are loaded later and only hand on what is there then. */
function heldBy(parts, names) {
  const held = new Set();
  for (const name of names) importedBy(parts, name, held);
  for (const [one, { modules, imports }] of Object.entries(parts))
    if (modules.length === 0 && imports.every((other) => held.has(other))) held.add(one);
  return held;
}

/** A text of which each character is a byte, so that V8 holds it as bytes; esbuild leaves others in comments only. */
const ascii = (text) =>
  text.replace(/[\u0080-\uffff]/g, (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, "0")}`);

/** Parts as functions, by the names that they call each other by; what stands in their own files from then on says `stub`. */
async function takenTogether(folder, names, { nameOf: nameOfPart, stub }) {
  const taken = [];
  for (const name of names) {
    const file = path.join(folder, `${name}.cjs`);
    const text = await readFile(file, "utf8");
    if (/\bimport\(/.test(text)) throw new Error(`${name}: what is taken together cannot import()`);
    // In parentheses V8 compiles a function at once, and Node keeps it.
    const start = "(function (require, module, __filename, __dirname) {";
    taken.push(`"${nameOfPart(name)}": ${start}\n${ascii(text)}\n})`);
    await writeFile(file, stub(name));
  }
  return `{\n${taken.join(",\n")}\n}`;
}

/**
 * One script of what a thread loads at once (src/host/node/kept-script.ts), instead of its entry a file that runs it, and instead of the
 * others' files something that says where they are.
 */
async function writeScript({ build }, parts) {
  const folder = path.join(TO, ONE_SCRIPT.thread);
  const table = await takenTogether(folder, heldBy(parts, [ONE_SCRIPT.entry]), {
    nameOf: (name) => (name === ONE_SCRIPT.entry ? ENTRY_PART : `./${name}.cjs`),
    stub: () => `throw new Error("it is in ${SCRIPT_NAME}");\n`,
  });
  const script = `(${table})\n`;
  const id = createHash("sha256").update(script).digest("hex").slice(0, ID_LENGTH);
  await writeFile(path.join(folder, SCRIPT_NAME), script);
  const { outputFiles } = await build({
    entryPoints: [path.join(FROM, `${ONE_SCRIPT.starter}.js`)],
    bundle: true,
    format: "cjs",
    platform: "node",
    target: "node20",
    write: false,
  });
  const what = `{ folder: __dirname, name: "${SCRIPT_NAME}", id: "${id}", entry: "${ENTRY_PART}", purpose }`;
  const start = [
    outputFiles[0].text,
    `const purpose = require("node:worker_threads").workerData ?? "any";`,
    `module.exports.runScriptOfParts(${what}, require);\n`,
  ];
  await writeFile(path.join(folder, `${ONE_SCRIPT.entry}.cjs`), start.join("\n"));
}

/** Gives a part of the file that it is in; where it is not, Node does. */
const LOAD = `
const path = require("node:path");
const made = new Map();
module.exports = function load(name) {
  const part = parts[name];
  if (part === undefined) return require(name);
  const known = made.get(name);
  if (known !== undefined) return known.exports;
  const own = { exports: {} };
  made.set(name, own);
  part(load, own, path.join(__dirname, name), __dirname);
  return own.exports;
};
`;

/** One file of what a thread loads, one behind the other, on its way; the files of these parts hand on what is in it. */
async function writeOneFile(parts) {
  const folder = path.join(TO, ONE_FILE.thread);
  const partOf = (module) => Object.keys(parts).find((name) => parts[name].modules.includes(module));
  const before = new Set(
    [ONE_FILE.entry, partOf(ONE_FILE.starter)].flatMap((one) => [...importedBy(parts, one)]),
  );
  const names = [...heldBy(parts, ONE_FILE.modules.map(partOf))].filter((name) => !before.has(name));
  const table = await takenTogether(folder, names, {
    nameOf: (name) => `./${name}.cjs`,
    stub: (name) => `module.exports = require("./${SCRIPT_NAME}")("./${name}.cjs");\n`,
  });
  await writeFile(path.join(folder, SCRIPT_NAME), `"use strict";\nconst parts = ${table};\n${LOAD}`);
}

/** The program's own file: what is started by its name. */
async function writeProgram() {
  const file = path.join(TO, "locore.cjs");
  await writeFile(file, `#!/usr/bin/env node\nrequire("./${nameOf("main", "cli/program")}");\n`);
  await chmod(file, EXECUTABLE);
}

async function bundleThread(esbuild, thread) {
  const { outputFiles, metafile } = await esbuild.build({
    entryPoints: THREADS[thread].map((entry) => ({
      in: path.join(FROM, `${entry}.js`),
      out: path.basename(entry),
    })),
    outdir: path.join(TO, thread),
    chunkNames: "part-[hash]",
    bundle: true,
    splitting: true,
    format: "esm",
    platform: "node",
    target: "node20",
    logLevel: "warning",
    metafile: true,
    write: false,
    plugins: [places(thread), texts],
  });
  await mkdir(path.join(TO, thread));
  for (const { path: file, text } of outputFiles)
    await writeFile(file.replace(/\.js$/, ".cjs"), converted(text));
  const parts = partsOf(metafile);
  await writeFile(path.join(TO, thread, "parts.json"), JSON.stringify(parts, undefined, 1));
  const part = `dist/run/${thread}/${path.basename(LIBRARY)}.js`;
  if (part in metafile.outputs)
    await writeFile(path.join(TO, nameOf(thread, LIBRARY)), library(thread, metafile.outputs[part].exports));
  if (thread === ONE_SCRIPT.thread) await writeScript(esbuild, parts);
  if (thread === ONE_FILE.thread) await writeOneFile(parts);
}

/** What a page loads is one module. One of Node's modules in it, and it cannot be built: for a browser there are none. */
function bundlePage({ build }) {
  return build({
    entryPoints: [path.join(FROM, `${PAGE.entry}.js`)],
    outfile: PAGE.file,
    bundle: true,
    format: "esm",
    platform: "browser",
    target: "es2022",
    logLevel: "warning",
  });
}

/** Makes dist/run and dist/browser of dist/src. Rejects, with what is wrong on stderr, where that cannot be done. */
export async function bundle() {
  const esbuild = await import("esbuild");
  await rm(TO, { recursive: true, force: true });
  await mkdir(TO);
  await Promise.all([
    ...Object.keys(THREADS).map((thread) => bundleThread(esbuild, thread)),
    bundlePage(esbuild),
  ]);
  await writeProgram();
}
