/**
 * Runs monitors as a user would, as processes, and measures them from outside: wall time to their end or to a line
 * on their console, memory there. Linux is needed for the memory figure only.
 */
import { spawn, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

/** dist/bench → the compiled command line. */
const CLI = path.join(path.dirname(path.dirname(fileURLToPath(import.meta.url))), "src/cli/main.js");
const QEMU = process.env.LOCORE_QEMU ?? "qemu-system-x86_64";
const QEMU_MACHINE = ["-M", "microvm,acpi=off,pit=on,pic=on,rtc=on", "-accel", "tcg", "-cpu", "max"];
const TIMEOUT_MS = 600_000;
const KIB = 1024;
const MIB = KIB * KIB;

export interface BootRequest {
  kernel: string;
  initrd?: string;
  append?: string;
  memoryMib: number;
}

export interface Run {
  /** From spawn to the marker, or to the end where there is none, ms. */
  wallMs: number;
  status: number | null;
  stdout: string;
  stderr: string;
  /** Host memory at the marker that is not guest RAM, bytes; undefined where /proc is missing. */
  beyondGuestBytes: number | undefined;
}

export function qemuMissing(): string | undefined {
  return spawnSync(QEMU, ["--version"]).status === 0 ? undefined : `${QEMU} is not installed`;
}

export const qemuVersion = (): string =>
  spawnSync(QEMU, ["--version"], { encoding: "utf8" }).stdout.split("\n")[0].trim();

/** More than an engine puts beside guest RAM into one mapping; reservations of a JavaScript engine are larger. */
const ENGINE_TABLES = 128 * KIB * KIB;

/**
 * Resident memory that is not guest RAM: every mapping but the one that holds guest RAM, and of that one all that
 * exceeds guest RAM, resident or not (an upper bound: untouched guest RAM must not hide the engine's own tables).
 */
function beyondGuest(pid: number, guestBytes: number): number | undefined {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/smaps`, "latin1");
  } catch {
    return undefined;
  }
  let total = 0;
  for (const [, size, rss] of text.matchAll(/^Size:\s+(\d+) kB\n(?:.*\n)*?Rss:\s+(\d+) kB/gm)) {
    const [mapped, resident] = [Number(size) * KIB, Number(rss) * KIB];
    const holdsGuest = mapped >= guestBytes && mapped < guestBytes + ENGINE_TABLES && resident > 0;
    total += holdsGuest ? mapped - guestBytes : resident;
  }
  return total;
}

/** Spawns and measures. With a `marker` the process is killed once its output holds it. */
function measure(
  command: string,
  args: readonly string[],
  guestBytes: number,
  marker?: string,
): Promise<Run> {
  return new Promise((resolve, reject) => {
    const start = performance.now();
    const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"] });
    const run: Run = { wallMs: 0, status: null, stdout: "", stderr: "", beyondGuestBytes: undefined };
    const limit = setTimeout(() => child.kill("SIGKILL"), TIMEOUT_MS);
    child.stdout.on("data", (bytes: Buffer) => {
      run.stdout += bytes.toString("latin1");
      if (marker === undefined || run.wallMs > 0 || !run.stdout.includes(marker)) return;
      run.wallMs = performance.now() - start;
      if (child.pid !== undefined) run.beyondGuestBytes = beyondGuest(child.pid, guestBytes);
      child.kill("SIGKILL");
    });
    child.stderr.on("data", (bytes: Buffer) => (run.stderr += bytes.toString("latin1")));
    child.on("error", reject);
    child.on("close", (status) => {
      clearTimeout(limit);
      run.status = status;
      if (marker !== undefined && run.wallMs === 0) {
        reject(
          new Error(
            `${command} ended before "${marker}":\n${run.stdout.slice(-2000)}\n${run.stderr.slice(-2000)}`,
          ),
        );
      }
      if (run.wallMs === 0) run.wallMs = performance.now() - start;
      resolve(run);
    });
  });
}

const optional = (flag: string, value: string | undefined): string[] =>
  value === undefined ? [] : [flag, value];

export function runLocore(request: BootRequest, marker?: string, more: readonly string[] = []): Promise<Run> {
  const args = [CLI, "boot", request.kernel, "-m", `${request.memoryMib}M`, "--stats"];
  args.push(...optional("--initrd", request.initrd), ...optional("--append", request.append), ...more);
  return measure(process.execPath, args, request.memoryMib * MIB, marker);
}

export function runQemu(request: BootRequest, marker?: string): Promise<Run> {
  const args = [
    ...QEMU_MACHINE,
    "-m",
    `${request.memoryMib}M`,
    "-nodefaults",
    "-display",
    "none",
    "-no-reboot",
  ];
  args.push("-serial", "stdio", "-device", "isa-debug-exit,iobase=0xf4,iosize=1", "-kernel", request.kernel);
  args.push(...optional("-initrd", request.initrd), ...optional("-append", request.append));
  return measure(QEMU, args, request.memoryMib * MIB, marker);
}
