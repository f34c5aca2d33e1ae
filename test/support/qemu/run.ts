/**
 * Runs one ELF kernel in QEMU's microvm machine under TCG and gives back how it ended and what was in its memory.
 * Skips are decided by `qemuMissing`.
 */
import { spawn, spawnSync } from "node:child_process";
import { closeSync, mkdtempSync, openSync, readSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";

export const QEMU = process.env.LOCORE_QEMU ?? "qemu-system-x86_64";
const MEMORY_MIB = 64;

/** Why QEMU cannot be used here, or undefined. */
export function qemuMissing(): string | undefined {
  const run = spawnSync(QEMU, ["--version"], { encoding: "utf8" });
  return run.status === 0 ? undefined : `${QEMU} is not installed`;
}

export interface QemuOutcome {
  /** Exit status; debug-exit of value v gives (v << 1) | 1, a triple fault 0. `undefined`: it did not end. */
  status: number | undefined;
  stderr: string;
  read(address: number, length: number): Uint8Array;
  dispose(): void;
}

export interface QemuOptions {
  cpu?: string;
  timeoutMs?: number;
  exitPort: number;
}

/** Runs `elf` and waits for its end or the timeout. Guest RAM stays readable until `dispose`. */
export async function runQemu(elf: Uint8Array, options: QemuOptions): Promise<QemuOutcome> {
  const folder = mkdtempSync(path.join(tmpdir(), "locore-qemu-"));
  const kernel = path.join(folder, "guest.elf");
  const ram = path.join(folder, "ram");
  writeFileSync(kernel, elf);
  const args = [
    ...["-M", "microvm,acpi=off,pit=off,pic=on,rtc=off,memory-backend=ram", "-accel", "tcg"],
    ...["-cpu", options.cpu ?? "max,vendor=GenuineIntel", "-m", `${MEMORY_MIB}M`],
    ...["-object", `memory-backend-file,id=ram,size=${MEMORY_MIB}M,mem-path=${ram},share=on`],
    ...["-nodefaults", "-display", "none", "-no-reboot", "-bios", "qboot.rom", "-kernel", kernel],
    ...["-device", `isa-debug-exit,iobase=${options.exitPort},iosize=1`],
  ];
  const child = spawn(QEMU, args, { stdio: ["ignore", "ignore", "pipe"] });
  let stderr = "";
  child.stderr.on("data", (d: Buffer) => (stderr += d.toString()));
  const status = await new Promise<number | undefined>((resolve) => {
    const timer = setTimeout(() => {
      child.kill("SIGKILL");
    }, options.timeoutMs ?? 10_000);
    child.on("close", (code, signal) => {
      clearTimeout(timer);
      if (signal !== null && signal !== "SIGKILL") stderr += `killed by ${signal}`;
      resolve(code ?? undefined);
    });
  });
  return {
    status,
    stderr,
    read: reader(ram),
    dispose: () => rmSync(folder, { recursive: true, force: true }),
  };
}

function reader(file: string): (address: number, length: number) => Uint8Array {
  return (address, length) => {
    const fd = openSync(file, "r");
    try {
      const bytes = new Uint8Array(length);
      readSync(fd, bytes, 0, length, address);
      return bytes;
    } finally {
      closeSync(fd);
    }
  };
}
