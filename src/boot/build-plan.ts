/**
 * From options to a complete plan: recognise the image, choose a loader, place firmware, let the loader lay out
 * memory and describe the boot CPU. Pure: the same options give the same plan.
 */
import { recognise } from "../formats/index.js";
import { deriveE820 } from "../memory/e820.js";
import type { Span } from "../memory/layout.js";
import { MemoryMapError } from "../memory/memory-error.js";
import { ramRanges } from "../memory/ram.js";
import { RegionMap } from "../memory/regions.js";
import { withFeatures } from "../x86/cpu-features.js";
import { cpuidTable } from "../x86/cpuid-table.js";
import { OptionError, whileDoing } from "./boot-error.js";
import { choose } from "./choose.js";
import {
  APIC_HZ,
  DEFAULT_CPUS,
  DEFAULT_MEMORY,
  DEFAULT_RTC_START,
  MAXIMUM_CPUS,
  TSC_HZ,
} from "./defaults.js";
import { planDevices } from "./devices.js";
import { firmwareMsrs, placeFirmware } from "./firmware.js";
import { entryText } from "./hand-over.js";
import type { LoadContext } from "./loader.js";
import type { BootOptions } from "./options.js";
import type { Plan, PlanClock } from "./plan.js";
import { LoaderRegistry } from "./registry.js";

/**
 * Plans a machine.
 * @throws BootError when the image cannot be booted as asked, its subclass OptionError for an option that makes no
 *   sense.
 */
export function buildPlan(options: BootOptions, registry = new LoaderRegistry()): Plan {
  const { kernel } = options;
  const cpus = checkCpus(options.cpus ?? DEFAULT_CPUS);
  const memorySize = options.memory ?? DEFAULT_MEMORY;
  const ram = checkedRam(memorySize);
  const image = whileDoing(`read "${kernel.name}"`, () => recognise(kernel.bytes));
  const modules = options.modules?.length ?? 0;
  const recogniseContext = { options: options.loader ?? {}, memory: memorySize, modules };
  const { loader, protocol, why } = choose(image, recogniseContext, registry, `boot "${kernel.name}"`);
  const features = withFeatures(options.features ?? {});
  const cpuid = cpuidTable({ features, cpus, tscHz: TSC_HZ, apicHz: APIC_HZ });
  const memory = new RegionMap(ram);
  const tables = placeFirmware(memory, cpus, cpuid);
  const warnings: string[] = [];
  const context = loadContext(options, memory, tables.RSDP, warnings);
  whileDoing(`load "${kernel.name}" with the ${loader.name} loader`, () => protocol.layOutMemory(context));
  const bootCpu = protocol.describeBootCpu();
  bootCpu.msrs = { ...firmwareMsrs(cpuid), ...bootCpu.msrs };
  return {
    version: 1,
    loader: { name: loader.name, entry: entryText(protocol.entry, Number(bootCpu.rip)), why },
    image: { name: kernel.name, format: image.format, summary: image.summary },
    ram: ram.map(({ start, size }) => ({ start, size })),
    cpus,
    regions: memory.regions(),
    e820: deriveE820(memory),
    bootCpu,
    cpuid,
    commandLine: context.commandLine,
    modules: context.modules.map(({ name, commandLine = "", bytes }) => ({
      name,
      commandLine,
      size: bytes.length,
    })),
    devices: planDevices(),
    clock: planClock(options),
    tables,
    warnings,
  };
}

function loadContext(
  options: BootOptions,
  memory: RegionMap,
  rsdpAddress: number,
  warnings: string[],
): LoadContext {
  const context: LoadContext = {
    memory,
    commandLine: options.commandLine ?? "",
    modules: options.modules ?? [],
    rsdpAddress,
    warn: (text) => warnings.push(text),
  };
  if (options.initrd !== undefined) context.initrd = options.initrd;
  return context;
}

function checkCpus(cpus: number): number {
  if (Number.isInteger(cpus) && cpus >= 1 && cpus <= MAXIMUM_CPUS) return cpus;
  throw new OptionError("smp", `${cpus} CPUs`, `1 to ${MAXIMUM_CPUS}`, "APIC ids have 8 bits.");
}

/** An amount of RAM that no machine has is the caller's mistake, not the image's. */
function checkedRam(bytes: number): Span[] {
  try {
    return ramRanges(bytes);
  } catch (error) {
    if (!(error instanceof MemoryMapError)) throw error;
    throw new OptionError("m", error.found, error.expected, error.meaning);
  }
}

function planClock({ clock = {} }: BootOptions): PlanClock {
  const rtcStart = clock.rtcStart ?? DEFAULT_RTC_START;
  if (!Number.isSafeInteger(rtcStart)) {
    throw new OptionError("rtc", `${rtcStart}`, "whole seconds since 1970", "It must be a number.");
  }
  const plan: PlanClock = { tscHz: TSC_HZ, apicHz: APIC_HZ, rtcStart };
  if (clock.deterministic === undefined) return plan;
  const { nsPerInstruction } = clock.deterministic;
  if (!Number.isSafeInteger(nsPerInstruction) || nsPerInstruction < 1) {
    throw new OptionError(
      "deterministic",
      `${nsPerInstruction} ns an instruction`,
      "a whole number of at least 1",
      "Time must move and stay exact.",
    );
  }
  return { ...plan, deterministic: { nsPerInstruction } };
}
