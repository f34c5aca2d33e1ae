// Brings a clean clone to a built tree: installs the pinned dependencies if they are missing or stale, then
// compiles and bundles if a source is newer than the last build. Plain JavaScript, because nothing is built before it ran.
// One process at a time works; others wait and then usually find everything done.
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  linkSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { createHash } from "node:crypto";
import path from "node:path";
import { fileURLToPath } from "node:url";

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
process.chdir(root);

const SOURCES = ["src", "test", "bench", "tools"];
const BUILD_STAMP = "dist/.build-stamp";
const LOCK = ".setup.lock";
const LOCK_POLL_MS = 200;
/** No install and build takes longer; an older lock was left by a machine that went down. */
const LOCK_STALE_MS = 15 * 60_000;

/** Runs a command, shows its output on stderr only, and ends this process with its status when it fails. */
function run(command, args) {
  const result = spawnSync(command, args, {
    stdio: ["ignore", 2, 2],
    shell: process.platform === "win32" && command === "npm",
  });
  if (result.error) throw result.error;
  if (result.status !== 0) process.exit(result.status ?? 1);
}

function installed() {
  const marker = "node_modules/.locore-lock";
  const lock = createHash("sha256").update(readFileSync("package-lock.json")).digest("hex");
  if (existsSync(marker) && readFileSync(marker, "utf8") === lock) return;
  if (process.stderr.isTTY) console.error("locore: installing dependencies (npm ci)");
  run("npm", ["ci", "--include=dev", "--no-audit", "--no-fund", "--loglevel=error"]);
  writeFileSync(marker, lock);
}

function* files(folder) {
  if (!existsSync(folder)) return;
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const full = path.join(folder, entry.name);
    if (entry.isDirectory()) yield* files(full);
    else if (/\.(ts|mts|json)$/.test(entry.name)) yield full;
  }
}

/** A digest over names, sizes and times of every source: cheap, and it changes whenever a build could. */
function sourceStamp() {
  const hash = createHash("sha256");
  for (const file of [
    "tsconfig.json",
    "package-lock.json",
    "tools/bundle.mjs",
    "tools/library-entries.mjs",
    ...SOURCES.flatMap((f) => [...files(f)]),
  ]) {
    const { size, mtimeMs } = statSync(file);
    hash.update(`${file} ${size} ${mtimeMs}\n`);
  }
  return hash.digest("hex");
}

async function built() {
  const stamp = sourceStamp();
  if (existsSync(BUILD_STAMP) && readFileSync(BUILD_STAMP, "utf8") === stamp) return;
  if (process.stderr.isTTY) console.error("locore: building (tsc)");
  run(process.execPath, ["node_modules/typescript/bin/tsc", "-p", "tsconfig.json"]);
  // In this order: the interpreter is made from the tables.
  for (const generator of ["dist/tools/generate-tables.js", "dist/tools/generate-interpreter.js"])
    if (existsSync(generator)) run(process.execPath, [generator]);
  const bin = "dist/src/cli/main.js";
  if (existsSync(bin)) chmodSync(bin, 0o755);
  await (await import("./bundle.mjs")).bundle();
  mkdirSync("dist", { recursive: true });
  writeFileSync(BUILD_STAMP, stamp);
}

function alive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === "EPERM";
  }
}

/** Whether the lock's owner is gone (killed by a signal, or the machine went down). */
function lockIsStale() {
  try {
    const age = Date.now() - statSync(LOCK).mtimeMs;
    return age > LOCK_STALE_MS || !alive(Number(readFileSync(LOCK, "utf8")));
  } catch {
    return false;
  }
}

/** Puts this process's lock in place, complete from its first moment; false when another process holds it. */
function tryLock() {
  const own = `${LOCK}.${process.pid}`;
  writeFileSync(own, String(process.pid));
  try {
    linkSync(own, LOCK);
    return true;
  } catch (error) {
    if (error.code === "EEXIST") return false;
    throw error;
  } finally {
    rmSync(own, { force: true });
  }
}

/** Takes the lock, waiting for whoever holds it. */
function lock() {
  const sleeper = new Int32Array(new SharedArrayBuffer(4));
  while (!tryLock()) {
    if (lockIsStale()) rmSync(LOCK, { force: true });
    else Atomics.wait(sleeper, 0, 0, LOCK_POLL_MS);
  }
  process.on("exit", () => rmSync(LOCK, { force: true }));
}

lock();
// A package is made of what the sources give, and of nothing that an older build left behind.
if (process.argv.includes("--clean")) rmSync("dist", { recursive: true, force: true });
installed();
await built();
