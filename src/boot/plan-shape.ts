/**
 * What a plan that comes from a file must be (R6.2): whole, every number within what a machine can have, RAM that is RAM, regions
 * inside it, parts at places that they could have been given. Whether a CPU can be in the states it names, the engine says
 * (`engine/x86/checked-state.ts`). Reads no file.
 */
import {
  json,
  list,
  namedMap,
  natural,
  oneOf,
  optional,
  record,
  refine,
  sameBytes,
  text,
  u16,
  u32,
  whole,
  type Fault,
  type Shape,
} from "../bytes/shape.js";
import { hex } from "../bytes/hex.js";
import type { PartValue } from "../devices/part.js";
import type { PartRegistry } from "../devices/registry.js";
import { PartError } from "../devices/resources.js";
import { thrownText } from "../devices/thrown.js";
import type { Span } from "../memory/layout.js";
import { MAXIMUM_RAM } from "../memory/ram.js";
import type { Region, RegionContent } from "../memory/regions.js";
import { FW_CFG_DIRECTORY } from "../spec/fw-cfg.js";
import { RTC_EARLIEST_SECONDS, RTC_LATEST_SECONDS } from "../spec/mc146818.js";
import { SIZE_4K } from "../spec/x86-system.js";
import type { CpuidLeaf } from "../x86/cpuid.js";
import { physicalAddressBits } from "../x86/cpuid-table.js";
import { cpuStateShape, msrsShape } from "../x86/cpu-state-shape.js";
import { MAXIMUM_CPUS } from "../x86/topology.js";
import { placeParts } from "./parts.js";
import type {
  E820Entry,
  Plan,
  PlanAddition,
  PlanClock,
  PlanFwCfgItem,
  PlanHandOver,
  PlanMemory,
  PlanModule,
  PlanPart,
} from "./plan.js";

/** Names, file names, sentences. */
const LINE = 1 << 16;
/** What people may type for a kernel. */
const COMMAND_LINE = 1 << 20;
/** Pieces of a kernel or of a memory map: far above any that are made. */
const MOST_PIECES = 1 << 20;
const MOST_RAM_RANGES = 64;
const MOST_CPUID_ROWS = 1024;
const MOST_PARTS = 256;
const MOST_RANGES_OF_A_PART = 64;
const MOST_TABLES = 64;
const MOST_REMARKS = 1 << 16;
const CONFIG = { depth: 32, size: 1 << 20 };
/** Guest-physical addresses end here. */
const PHYSICAL_BITS = 52;
const PHYSICAL_END = 2 ** PHYSICAL_BITS;
/** Rates that every clock of the machine is exact with: 1 MHz to 100 GHz. */
const rate = whole(1_000_000, 100_000_000_000);
/** A second at most: time must move, and not past all timers at once. */
const nsPerInstruction = whole(1, 1_000_000_000);

const line = text(LINE);
const address = whole(0, PHYSICAL_END);
const span = record<Span>({ start: address, size: whole(1, PHYSICAL_END) });
const e820Type = oneOf("ram", "reserved", "acpi", "nvs", "unusable");

const zeros = record<{ kind: "zero" }>({ kind: oneOf("zero") });
const filled = record<{ kind: "bytes"; bytes: Uint8Array }>({
  kind: oneOf("bytes"),
  bytes: sameBytes({ max: MAXIMUM_RAM }),
});
const content: Shape<RegionContent> = {
  check(value, path) {
    const isZero = typeof value === "object" && value !== null && "kind" in value && value.kind === "zero";
    return (isZero ? zeros : filled).check(value, path);
  },
};

const region = refine(
  record<Region>({ name: line, start: address, size: natural, e820: e820Type, content, owner: line }),
  ({ size, content: found }) =>
    found.kind === "bytes" && found.bytes.length > size
      ? { at: ".content", found: `${found.bytes.length} bytes`, expected: `at most ${size}` }
      : undefined,
);
const regions = list(region, { max: MOST_PIECES });

const cpuidRow = record<CpuidLeaf>({
  leaf: u32,
  subleaf: optional(u32),
  eax: u32,
  ebx: u32,
  ecx: u32,
  edx: u32,
});

/** An object of values that JSON can carry. */
const configObject: Shape<{ readonly [key: string]: PartValue }> = refine(
  json(CONFIG) as Shape<{ readonly [key: string]: PartValue }>,
  (config) =>
    typeof config !== "object" || config === null || Array.isArray(config)
      ? { found: "a single value", expected: "an object" }
      : undefined,
);

const part = record<PlanPart>({
  name: line,
  type: line,
  ports: optional(list(span, { max: MOST_RANGES_OF_A_PART })),
  mmio: optional(list(span, { max: MOST_RANGES_OF_A_PART })),
  irqs: optional(list(u16, { max: MOST_RANGES_OF_A_PART })),
  config: optional(configObject),
});

const fields = record<Plan>({
  version: oneOf(1),
  loader: record<Plan["loader"]>({ name: line, entry: line, why: line }),
  image: record<Plan["image"]>({ name: line, format: line, summary: line }),
  ram: list(span, { min: 1, max: MOST_RAM_RANGES }),
  rom: optional(span),
  memory: optional(record<PlanMemory>({ contents: oneOf("copied", "adopted") })),
  cpus: whole(1, MAXIMUM_CPUS),
  regions,
  e820: list(record<E820Entry>({ start: address, size: address, type: e820Type }), { max: MOST_PIECES }),
  bootCpu: cpuStateShape,
  waitingMsrs: optional(msrsShape),
  cpuid: list(cpuidRow, { max: MOST_CPUID_ROWS }),
  commandLine: text(COMMAND_LINE),
  modules: list(record<PlanModule>({ name: line, commandLine: text(COMMAND_LINE), size: natural }), {
    max: MOST_PIECES,
  }),
  devices: list(part, { max: MOST_PARTS }),
  fwCfg: optional(
    list(
      record<PlanFwCfgItem>({
        key: u16,
        file: optional(text(FW_CFG_DIRECTORY.NAME_SIZE)),
        bytes: sameBytes({ max: MAXIMUM_RAM }),
      }),
      { max: 1 << 16 },
    ),
  ),
  handOver: optional(record<PlanHandOver>({ regions, cpu: cpuStateShape })),
  clock: record<PlanClock>({
    tscHz: rate,
    apicHz: rate,
    deterministic: optional(record<{ nsPerInstruction: number }>({ nsPerInstruction })),
    rtcStart: whole(RTC_EARLIEST_SECONDS, RTC_LATEST_SECONDS),
  }),
  tables: namedMap(line, address, MOST_TABLES),
  added: list(
    record<PlanAddition>({
      what: text(COMMAND_LINE + LINE),
      why: line,
      told: optional(oneOf(true as const)),
    }),
    { max: MOST_REMARKS },
  ),
  warnings: list(line, { max: MOST_REMARKS }),
});

function isAligned({ start, size }: Span): boolean {
  return start % SIZE_4K === 0 && size % SIZE_4K === 0;
}

function spanFault(at: string, { start, size }: Span, expected: string): Fault {
  return { at, found: `${hex(start)}+${hex(size)}`, expected };
}

/** RAM is whole pages, ascends, and no more than any machine has; firmware stands beside it. */
function memoryFault({ ram, rom }: Plan): Fault | undefined {
  let end = 0;
  let total = 0;
  for (const [i, range] of ram.entries()) {
    if (!isAligned(range)) return spanFault(`.ram[${i}]`, range, "whole pages of 4 KiB");
    if (range.start < end) return spanFault(`.ram[${i}]`, range, `RAM from ${hex(end)} on`);
    end = range.start + range.size;
    total += range.size;
  }
  if (total > MAXIMUM_RAM)
    return { at: ".ram", found: `${total} bytes`, expected: `at most ${MAXIMUM_RAM} in all` };
  if (rom === undefined) return undefined;
  if (!isAligned(rom)) return spanFault(".rom", rom, "whole pages of 4 KiB");
  const clash = ram.find(({ start, size }) => rom.start < start + size && start < rom.start + rom.size);
  return clash && spanFault(".rom", rom, "addresses that are no RAM");
}

/** Regions lie in RAM, or in what firmware lies in. */
function regionFault({ ram, rom, regions: own, handOver }: Plan): Fault | undefined {
  const memory = rom === undefined ? ram : [...ram, rom];
  const places = [
    { at: ".regions", list: own },
    { at: ".handOver.regions", list: handOver?.regions ?? [] },
  ];
  for (const { at, list: all } of places) {
    const outside = all.findIndex(
      ({ start, size }) => !memory.some((one) => start >= one.start && start + size <= one.start + one.size),
    );
    if (outside >= 0) return spanFault(`${at}[${outside}]`, all[outside], "a region inside RAM or firmware");
  }
  return undefined;
}

function cpuidFault({ cpuid }: Plan): Fault | undefined {
  const bits = physicalAddressBits(cpuid);
  if (bits <= PHYSICAL_BITS) return undefined;
  return { at: ".cpuid", found: `${bits} bits of physical address`, expected: `at most ${PHYSICAL_BITS}` };
}

/** Whether two values of plain data are the same, whatever the order of their fields. */
function isSame(a: unknown, b: unknown): boolean {
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return a === b;
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const keys = Object.keys(a);
  if (keys.length !== Object.keys(b).length) return false;
  const [left, right] = [a, b] as Record<string, unknown>[];
  return keys.every((key) => Object.hasOwn(right, key) && isSame(left[key], right[key]));
}

/** The parts, placed once more where they say they are: what comes out is what went in, and no two have the same. */
function placed({ devices, ram, rom }: Plan, types: PartRegistry): PlanPart[] {
  try {
    return placeParts(devices, types, { ram, rom });
  } catch (error) {
    if (error instanceof PartError) throw error;
    throw new PartError(
      "of the plan",
      `a line that place throws at: ${thrownText(error)}`,
      "lines that the part types gave",
      "Restore the machine with the parts that it was made with.",
    );
  }
}

function partFault(plan: Plan, types: PartRegistry): Fault | undefined {
  const again = placed(plan, types);
  const other = plan.devices.findIndex((one, i) => !isSame(one, again[i]));
  if (other < 0) return undefined;
  const { name } = plan.devices[other];
  return {
    at: `.devices[${other}]`,
    found: `another line for "${name}"`,
    expected: "the line that its type gives",
  };
}

/**
 * A whole plan, of a machine whose part types are `types`. The bytes of regions and of firmware's files are the file's own, not
 * copied.
 * `check` throws ShapeError, or PartError for parts that cannot stand where they say.
 */
export function planShape(types: PartRegistry): Shape<Plan> {
  return refine(
    fields,
    (plan) => memoryFault(plan) ?? regionFault(plan) ?? cpuidFault(plan) ?? partFault(plan, types),
  );
}
