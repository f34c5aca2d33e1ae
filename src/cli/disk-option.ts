/** `--disk FILE,rw,serial=S`: a disk, and what becomes of what the guest writes to it. */
import type { DiskRequest } from "../host/node/disk-request.js";
import { UsageError, type OptionSpec } from "./args.js";
import { parseSuboptions } from "./values.js";

/** Bytes of a serial number that a virtio disk tells (virtio 1.2 §5.2.6.1). */
const LONGEST_SERIAL = 20;
const PRINTABLE = /^[\x20-\x7e]*$/;
const FORMATS = ["raw", "qcow2"] as const;
const USAGE = "--disk FILE[,rw][,ro][,overlay=FILE][,root][,serial=S][,format=raw|qcow2]";

export const DISK_OPTION: OptionSpec = {
  name: "disk",
  value: "FILE,…",
  repeats: true,
  help:
    "a disk, raw or qcow2; what the guest writes stays in memory and FILE as it is; rw writes to it, ro lets the guest only read, " +
    "overlay=FILE keeps what is written in a qcow2 over it, made where there is none; root: the kernel finds its root there, as on the operand DISK; serial=S, format=raw|qcow2; two commas are one of a name",
};

function checkSerial(serial: string): string {
  if (serial.length <= LONGEST_SERIAL && PRINTABLE.test(serial)) return serial;
  throw new UsageError(`--disk serial=${serial}: expected at most ${LONGEST_SERIAL} characters of ASCII`);
}

/** A flag: there, or "off". */
function flag(name: string, value: string): boolean {
  if (value === "on" || value === "off") return value === "on";
  throw new UsageError(`--disk ${name}=${value}: expected ${name} alone`, USAGE);
}

/** Reads one value of `--disk`. Throws UsageError. */
export function parseDisk(text: string): DiskRequest {
  const [[first, file], ...pairs] = parseSuboptions(text, "file");
  if (first !== "file" || file === "") throw new UsageError(`--disk ${text}: expected a file first`, USAGE);
  const disk: DiskRequest = { file, access: "memory" };
  const given: string[] = [];
  for (const [key, value] of pairs) {
    switch (key) {
      case "rw":
      case "ro":
        if (!flag(key, value)) break;
        disk.access = key === "rw" ? "write" : "read";
        given.push(key);
        break;
      case "root":
        if (flag(key, value)) disk.root = true;
        break;
      case "overlay":
        disk.overlay = value;
        disk.access = "write";
        given.push(key);
        break;
      case "serial":
        disk.serial = checkSerial(value);
        break;
      case "format": {
        const format = FORMATS.find((one) => one === value);
        if (format === undefined)
          throw new UsageError(
            `--disk format=${value}: expected raw or qcow2`,
            "qemu-img convert makes one of another",
          );
        disk.format = format;
        break;
      }
      default:
        throw new UsageError(`--disk ${text}: there is no ${key}`, USAGE);
    }
  }
  if (new Set(given).size > 1)
    throw new UsageError(`--disk ${text}: ${given.join(" and ")} contradict each other`, "give one of them");
  return disk;
}
