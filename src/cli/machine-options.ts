/**
 * The values of -m, --smp and --rtc: as short as people write them, or with QEMU's suboptions behind. Those that say
 * something this machine has no use for are taken where the guest could not tell.
 */
import { MAXIMUM_RAM, MINIMUM_RAM } from "../memory/ram.js";
import { SIZE_4K } from "../spec/x86-system.js";
import { MAXIMUM_CPUS } from "../x86/topology.js";
import { UsageError } from "./args.js";
import { parseCount, parseSize, parseSuboptions } from "./values.js";

/** How QEMU divides CPUs up, from the whole to the part. Here they are the cores of one package. */
const SHAPE = ["drawers", "books", "sockets", "dies", "clusters", "modules", "cores", "threads"];

/** The value of one option by keys. Throws UsageError for a key that is not among `known`. */
function keyed(option: string, text: string, implied: string, known: readonly string[]): Map<string, string> {
  const values = new Map(parseSuboptions(text, implied));
  for (const key of values.keys()) {
    if (!known.includes(key))
      throw new UsageError(`${option} ${text}: unknown suboption ${key}`, `known are ${known.join(", ")}`);
  }
  return values;
}

/** "512M", or "size=512M,slots=2,maxmem=1G" (nothing can be plugged in later): bytes. */
export function readMemory(text: string): number {
  const values = keyed("-m", text, "size", ["size", "slots", "maxmem"]);
  const bytes = parseSize("-m", values.get("size") ?? text);
  if (bytes >= MINIMUM_RAM && bytes <= MAXIMUM_RAM && bytes % SIZE_4K === 0) return bytes;
  throw new UsageError(
    `-m ${text}: expected 2M to 512G, in pages of 4K`,
    "a bare number counts MiB: 256, or 256M",
  );
}

/** "2", "cpus=2", or QEMU's shape of it, "sockets=1,cores=2". */
export function readCpuCount(text: string): number {
  const values = keyed("--smp", text, "cpus", ["cpus", "maxcpus", ...SHAPE]);
  const count = (key: string): number | undefined => {
    const value = values.get(key);
    return value === undefined ? undefined : parseCount("--smp", value, 1, MAXIMUM_CPUS);
  };
  const shaped = SHAPE.reduce((product, key) => product * (count(key) ?? 1), 1);
  const cpus = count("cpus") ?? count("maxcpus") ?? shaped;
  return parseCount("--smp", String(cpus), 1, MAXIMUM_CPUS);
}

/**
 * A time, "now", or QEMU's "base=utc,clock=host,driftfix=slew", of which only a base that is a time says anything: QEMU's
 * own base is the default here. Undefined where nothing is said.
 */
export function readStart(text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  const base = keyed("--rtc", text, "base", ["base", "clock", "driftfix"]).get("base");
  if (base === "utc") return undefined;
  if (base !== "localtime") return base;
  throw new UsageError(
    "--rtc base=localtime: the clock shows UTC, wherever the host is",
    "write the time: --rtc 2024-02-29T12:00",
  );
}
