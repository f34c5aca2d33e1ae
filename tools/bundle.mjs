// Puts what the compiler made of the program together into few files, in dist/run: a start loads a handful of them instead of
// hundreds, and a package has no others (RATIONALE.md). They are CommonJS, which Node loads twice as fast as modules. Nothing is
// renamed or shortened, so that a stack trace says what it said; what is imported when it is needed stays so.
import { createHash } from "node:crypto";
import { chmod, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { pathToFileURL } from "node:url";
import {
  GROUP_PARTS,
  groupEntries,
  groupPart,
  importedOfGroups,
  laterGroups,
  PART_BY_NAME,
} from "./later-groups.mjs";
import { libraryEntries } from "./library-entries.mjs";

/**
 * What is started or loaded by its name, by thread: no two threads share a module, and parts that only one needs are larger and
 * fewer. The library is there once more: a file to plug in shares its classes with the program, in either thread.
 */
const { browser: PAGE_ENTRY, ...LIBRARIES } = libraryEntries();
const { index: LIBRARY } = LIBRARIES;
const THREADS = {
  main: ["cli/program", ...Object.values(LIBRARIES)],
  machine: ["host/node/worker", LIBRARY],
  jobs: ["guests/thread-jobs"],
  disks: ["host/node/disk-flush-thread"],
};
/** The thread that runs from scripts, so that what was compiled of them can be kept; what it is started with, and what it always needs. */
const SCRIPTED = { thread: "machine", starter: "host/node/kept-script", needs: ["engine/wasm/vm.js"] };
const FIRST_SCRIPT = "parts";
/** What is loaded one behind the other is in one file, by its name: modules, and parts of groups (later-groups.mjs). */
const TOGETHER = {
  main: {
    start: ["cli/start.js"],
    command: ["cli/command-line.js", "cli/commands/restore.js"],
    boot: ["cli/commands/boot.js"],
  },
  machine: {
    boot: ["host/node/make-plan.js"],
    resume: ["host/node/restoring.js", ...["snapshot", "virtio", "fuse"].map(groupPart)],
    shares: ["host/node/shares.js", "host/node/native-calls.js", "host/node/share/file-calls.js"],
    regions: ["engine/region/index.js"],
  },
  jobs: {},
  disks: {},
};
const isScript = (file) => file in TOGETHER[SCRIPTED.thread] || GROUP_PARTS.includes(file);
/** What is started by its name, and what it loads first. */
const PROGRAM = { thread: "main", part: "program", pack: "start" };
/** The file that says which build this is (src/cli/run/warm/build-id.ts). */
const BUILD_ID = "build-id";
/** Parts of so many characters have files of their own; smaller ones share one, in which each is compiled when it is needed. */
const LARGE = 20_000;
const SMALL = "small";
/** Gives parts to each other, in each thread. */
const LOADER = { module: "host/node/part-loader", file: "load.cjs" };
/** Characters of a script's id. */
const ID_LENGTH = 16;
/** What runs in a browser. */
const PAGE = { entry: PAGE_ENTRY, file: path.resolve("dist/browser/locore.js") };
const FROM = path.resolve("dist/src");
const TO = path.resolve("dist/run");
/** What tests and people look at, which no package needs. */
const PARTS = path.resolve("dist/parts");

const EXECUTABLE = 0o755;

/** A file's place as the code names it. Anything else that it does with its own place could not be moved. */
const OWN_PLACE = /new URL\("([^"]+)", import\.meta\.url\)/g;
/** How a part loads another one when it needs it. */
const LOADED_LATER = /\bimport\("\.\/([^"]+)\.js"\)/g;
/** The same of what is no part of ours; no call of a method of that name, nor its definition. */
const LOADS = /(?<!\.)\bimport\((?!.*\{$)/m;
/** The statements that a part begins and ends with, as esbuild writes them. */
const IMPORT = /^import (?:([^"]*?) from )?"([^"]+)";$/gm;
const EXPORT = /^export \{([^}]*)\};$/m;

/** What an entry's part is called: a library by its name in the package. */
const partName = (entry) =>
  Object.keys(LIBRARIES).find((name) => LIBRARIES[name] === entry) ?? path.basename(entry);
const isLibrary = (entry) => Object.values(LIBRARIES).includes(entry);
/** The file in the bundle that an entry becomes; a library is a module, as files to plug in are. */
const nameOf = (thread, entry) => `${thread}/${partName(entry)}${isLibrary(entry) ? ".mjs" : ".cjs"}`;
/** What parts call each other by. */
const callName = (name) => `./${name}.cjs`;

/** Where a file that `module` of a thread names by its place lies, seen from that thread's part of the bundle. */
function moved(thread, module, named) {
  const file = path.resolve(path.dirname(module), named);
  const own = (one) => path.join(FROM, `${one}.js`) === file;
  const home = THREADS[thread].some(own)
    ? thread
    : Object.keys(THREADS).find((one) => THREADS[one].some(own));
  const entry = home && THREADS[home].find(own);
  if (!entry && file.startsWith(FROM)) throw new Error(`${module}: ${named} is no entry of the bundle`);
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
 * What functions give that the build has made, long texts and bytes, is read from files of their own: in a part it would be compiled, and
 * kept with its code.
 */
const ownFiles = {
  name: "own-files",
  setup(build) {
    build.onLoad({ filter: /[\\/](interpreter-binary|made-tables)\.js$/ }, async ({ path: module }) => {
      const functions = [];
      for (const [name, make] of Object.entries(await import(pathToFileURL(module).href))) {
        const made = make();
        const [ending, ...encoding] = typeof made === "string" ? ["txt", `"latin1"`] : ["bin"];
        const own = `${name}.${ending}`;
        await writeFile(path.join(TO, own), made, "latin1");
        const words = [`require("node:path").join(__dirname, "..", "${own}")`, ...encoding];
        functions.push(`export const ${name} = () => require("node:fs").readFileSync(${words.join(", ")});`);
      }
      return { contents: functions.join("\n") };
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
  const byName = text.includes(`${PART_BY_NAME}(`) ? `const ${PART_BY_NAME} = require;\n` : "";
  return `"use strict";\n${byName}${place}${text}`;
}

/** A library as a module: what its part of the bundle exports. */
function library(entry, names) {
  return [
    `import { createRequire } from "node:module";`,
    `const library = createRequire(import.meta.url)("./${LOADER.file}")("${callName(partName(entry))}");`,
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

/** Parts as functions, by the names that they call each other by. `eager`: V8 compiles each at once, and Node keeps it. */
function table(texts, names, eager = true) {
  const [open, close] = eager ? ["(", ")"] : ["", ""];
  const start = `${open}function (require, module, __filename, __dirname) {`;
  const rows = names.map((name) => `"${callName(name)}": ${start}\n${ascii(texts.get(name))}\n}${close}`);
  return `{\n${rows.join(",\n")}\n}`;
}

/** The part that holds a module, or of a group. */
const partOf = (parts, module) =>
  module in parts ? module : Object.keys(parts).find((name) => parts[name].modules.includes(module));

/** Which parts lie in which file of their thread, those that `before` has aside. */
function packed(thread, parts, texts, before) {
  const placed = new Set(before);
  const packs = new Map();
  const pack = (file, names) => {
    const own = names.filter((name) => !placed.has(name));
    own.forEach((name) => placed.add(name));
    if (own.length > 0) packs.set(file, own);
  };
  for (const [file, modules] of Object.entries(TOGETHER[thread]))
    pack(file, [...heldBy(parts, [...before, ...modules.map((one) => partOf(parts, one))])]);
  for (const group of GROUP_PARTS) if (group in parts) pack(group, [...heldBy(parts, [...before, group])]);
  for (const name of texts.keys()) if (texts.get(name).length >= LARGE) pack(name, [name]);
  pack(SMALL, [...texts.keys()]);
  return packs;
}

/** The same as an object: the file of each part. */
const placesOf = (packs) =>
  JSON.stringify(
    Object.fromEntries(
      [...packs].flatMap(([file, names]) => names.map((one) => [callName(one), callName(file)])),
    ),
  );

/** A module of ours as CommonJS, with all it imports. */
async function bundled({ build }, module) {
  const { outputFiles } = await build({
    entryPoints: [path.join(FROM, `${module}.js`)],
    bundle: true,
    format: "cjs",
    platform: "node",
    target: "node20",
    write: false,
  });
  return outputFiles[0].text;
}

/**
 * The scripts of a thread (src/host/node/kept-script.ts): what it loads at once, and what it loads together. As its entry a file that
 * runs the first. The library asks for the loader by its file's name, which the script says.
 */
async function writeScripts(esbuild, folder, { entry, texts, first, packs }) {
  const scripts = {};
  for (const [file, names] of [[FIRST_SCRIPT, first], ...[...packs].filter(([name]) => isScript(name))]) {
    for (const name of names)
      if (LOADS.test(texts.get(name))) throw new Error(`${name}: what is in a script cannot import()`);
    const script = `(${table(texts, names)})\n`;
    scripts[callName(file)] = createHash("sha256").update(script).digest("hex").slice(0, ID_LENGTH);
    await writeFile(path.join(folder, `${file}.cjs`), script);
  }
  await writeFile(path.join(folder, LOADER.file), `throw new Error("only ${entry}.cjs has it");\n`);
  const ids = JSON.stringify(scripts);
  const what = `{ folder: __dirname, scripts: ${ids}, purpose, loader: "${LOADER.file}", packs }`;
  const start = [
    await bundled(esbuild, SCRIPTED.starter),
    `const purpose = require("node:worker_threads").workerData ?? "any";`,
    `const packs = ${placesOf(packs)};`,
    `module.exports.runScriptsOfParts(${what}, "${callName(entry)}", require);\n`,
  ];
  await writeFile(path.join(folder, `${entry}.cjs`), start.join("\n"));
}

/** The loader with what a thread begins with, and as its entry a file that asks for that. */
async function writeLoader(esbuild, folder, { entry, texts, first, packs }) {
  const loader = [
    `"use strict";`,
    await bundled(esbuild, LOADER.module),
    `const parts = ${table(texts, first)};`,
    `const packs = ${placesOf(packs)};`,
    `module.exports = module.exports.partLoader({ folder: __dirname, parts, packs }, require);\n`,
  ];
  await writeFile(path.join(folder, LOADER.file), loader.join("\n"));
  await writeFile(path.join(folder, `${entry}.cjs`), `require("./${LOADER.file}")("${callName(entry)}");\n`);
}

/**
 * The program's own file: what is started by its name. It has the loader and what comes before the machine's thread is started, as the
 * first file that another one requires takes Node more than a millisecond. Whoever asks for the loader by its file's name gets this one.
 */
async function writeProgram(esbuild, { texts, first, packs }) {
  const own = packs.get(PROGRAM.pack);
  const others = new Map([...packs].filter(([name]) => name !== PROGRAM.pack));
  const program = [
    "#!/usr/bin/env node",
    `"use strict";`,
    await bundled(esbuild, LOADER.module),
    `const parts = ${table(texts, [...first, ...own])};`,
    `const packs = ${placesOf(others)};`,
    `const folder = require("node:path").join(__dirname, "${PROGRAM.thread}");`,
    `const filename = require("node:path").join(folder, "${LOADER.file}");`,
    `const fromFolder = (name) => require(name.startsWith("./") ? folder + name.slice(1) : name);`,
    `const load = module.exports.partLoader({ folder, parts, packs }, fromFolder);`,
    `load("${callName(PROGRAM.part)}");`,
    `const loader = new module.constructor(filename);`,
    `require.cache[filename] = Object.assign(loader, { filename, loaded: true, exports: load });\n`,
  ];
  const file = path.join(TO, "locore.cjs");
  await writeFile(file, program.join("\n"));
  await chmod(file, EXECUTABLE);
}

/** A text that is another one for every other build: what was kept by one is of no use to another. */
async function writeBuildId() {
  const hash = createHash("sha256");
  const entries = await readdir(TO, { recursive: true, withFileTypes: true });
  const files = entries
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath ?? entry.path, entry.name));
  for (const file of files.sort()) hash.update(`${path.relative(TO, file)}\0`).update(await readFile(file));
  await writeFile(path.join(TO, BUILD_ID), hash.digest("hex"));
}

/** How a thread's part of the bundle is made, with all that it imports loaded at once. */
const optionsOf = (thread) => ({
  entryPoints: THREADS[thread].map((entry) => ({ in: path.join(FROM, `${entry}.js`), out: partName(entry) })),
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
  plugins: [places(thread), ownFiles],
});

async function bundleThread(esbuild, thread) {
  const options = optionsOf(thread);
  if (thread === SCRIPTED.thread) {
    const { metafile } = await esbuild.build(options);
    const imported = importedOfGroups(FROM, metafile.inputs);
    options.entryPoints.push(...groupEntries(imported));
    options.plugins.unshift(laterGroups(FROM, imported));
  }
  const { outputFiles, metafile } = await esbuild.build(options);
  const folder = path.join(TO, thread);
  await mkdir(folder);
  const texts = new Map(
    outputFiles.map(({ path: file, text }) => [path.basename(file, ".js"), converted(text)]),
  );
  const parts = partsOf(metafile);
  await writeFile(path.join(PARTS, `${thread}.json`), JSON.stringify(parts, undefined, 1));
  const entry = partName(THREADS[thread][0]);
  const scripted = thread === SCRIPTED.thread;
  const needed = () => SCRIPTED.needs.map((module) => partOf(parts, module));
  const first = [...(scripted ? heldBy(parts, [entry, ...needed()]) : importedBy(parts, entry))];
  const packs = packed(thread, parts, texts, first);
  for (const [file, names] of packs) {
    if (scripted && isScript(file)) continue;
    const text = `"use strict";\nmodule.exports = ${table(texts, names, file !== SMALL)};\n`;
    await writeFile(path.join(folder, `${file}.cjs`), text);
  }
  const made = { entry, texts, first, packs };
  await (scripted ? writeScripts : writeLoader)(esbuild, folder, made);
  if (thread === PROGRAM.thread) await writeProgram(esbuild, made);
  for (const one of THREADS[thread].filter(isLibrary)) {
    const { exports } = metafile.outputs[`dist/run/${thread}/${partName(one)}.js`];
    await writeFile(path.join(TO, nameOf(thread, one)), library(one, exports));
  }
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
  for (const folder of [TO, PARTS]) {
    await rm(folder, { recursive: true, force: true });
    await mkdir(folder);
  }
  await Promise.all([
    ...Object.keys(THREADS).map((thread) => bundleThread(esbuild, thread)),
    bundlePage(esbuild),
  ]);
  await writeBuildId();
}
