/**
 * From options to a complete plan: recognise the image, choose a loader, place firmware, let the loader lay out
 * memory and describe the boot CPU. Pure: the same options give the same plan.
 */
import type { PartRequest } from "../devices/part.js";
import { PartRegistry } from "../devices/registry.js";
import { isFirmwareVolume } from "../formats/firmware/firmware.js";
import { withUnifiedKernel } from "./unified-kernel.js";
import { recogniseAny, type Image } from "../formats/index.js";
import { deriveE820 } from "../memory/e820.js";
import type { Span } from "../memory/layout.js";
import { MemoryMapError } from "../memory/memory-error.js";
import { ramRanges } from "../memory/ram.js";
import { RegionMap } from "../memory/regions.js";
import { LEAF } from "../spec/cpuid.js";
import { RTC_EARLIEST_SECONDS, RTC_LATEST_SECONDS } from "../spec/mc146818.js";
import type { CpuidLeaf } from "../x86/cpuid.js";
import { offeredFeatures, withFeatures, type CpuFeatures, type FeatureOffer } from "../x86/cpu-features.js";
import { cpuidTable, lookUpCpuid } from "../x86/cpuid-table.js";
import { resetState } from "../x86/entry-states.js";
import { OptionError, whileDoing } from "./boot-error.js";
import { choose, type Choice } from "./choose.js";
import { APIC_HZ, DEFAULT_CPUS, DEFAULT_MEMORY, DEFAULT_RTC_START, TSC_HZ } from "./defaults.js";
import {
  announced,
  consoleOf,
  diskParts,
  netParts,
  shareParts,
  hasVirtioConsole,
  placeParts,
  TEST_PARTS,
  usualParts,
  virtioParts,
  type Announced,
  type MachineKind,
} from "./parts.js";
import { readBios } from "./bios/bios-file.js";
import { firmwareItems, handOverOf, reserveForFirmware, romRegion } from "./bios/platform.js";
import { firmwareMsrs, placeFirmware } from "./firmware.js";
import { entryText } from "./hand-over.js";
import { guestLimit } from "./kernel-elf.js";
import type { BootProtocol, LoadContext, RecogniseContext } from "./loader.js";
import type { BootOptions } from "./options.js";
import type { Plan, PlanAddition, PlanClock, PlanPart } from "./plan.js";
import { LoaderRegistry } from "./registry.js";
import { diskWords, type OnDisk } from "./disk-words.js";
import { MAXIMUM_CPUS } from "../x86/topology.js";
import { announceVirtio } from "./virtio-announcing.js";
import { endsBefore, wordsFor, type DefaultCommandLine, type SerialConsole } from "./systems.js";

/** How a machine starts, when that is not in the kernel itself. */
interface Platform {
  image: Uint8Array;
  vgaRom: Uint8Array | undefined;
}

/** OvmfPkg/PlatformPei and AcpiTimerLib: the device at 00:00.0 says which machine it is, and where its timer. */
const UEFI_WITHOUT_PCI =
  "UEFI firmware knows its machine by the PCI host bridge, and this machine has no PCI: OVMF as distributions build it " +
  "waits for ever before it prints anything (a build for QEMU's microvm may come further). SeaBIOS and qboot run " +
  "here; an EFI-stub kernel boots without firmware: give the kernel itself.";

/** Part types of virtio devices begin so. */
const VIRTIO_PREFIX = "virtio-";

/** What both ways to start a machine begin with. */
interface Prepared {
  options: BootOptions;
  platform: Platform | undefined;
  protocol: BootProtocol;
  memory: RegionMap;
  parts: PlanPart[];
  announced: Announced;
  /** By which virtio devices are found. */
  virtioWords: readonly string[];
  cpuid: CpuidLeaf[];
  vga: boolean;
  /** The command line where nobody gives one. */
  words: DefaultCommandLine | undefined;
  /** Words that follow from a disk. */
  onDisk: OnDisk;
  serial: SerialConsole | undefined;
  virtioConsole: boolean;
  warnings: string[];
}

/** What is different between the two ways. */
type Start = Pick<
  Plan,
  "regions" | "bootCpu" | "waitingMsrs" | "rom" | "fwCfg" | "handOver" | "tables" | "commandLine" | "modules"
>;

/** What is plugged in beside what the program has; absent: nothing. */
export interface PlugIns {
  /** The loaders there are. */
  readonly loaders?: LoaderRegistry;
  /** The part types there are. */
  readonly parts?: PartRegistry;
}

/** What of an engine's capabilities a plan depends on. */
export interface EngineOffer extends FeatureOffer {
  readonly adoptsMemory: boolean;
}

/** What a machine is planned with, beside its options. */
export interface Surroundings extends PlugIns {
  /** The capabilities of the engine that is to run it; absent: the plan fits an engine that has everything. */
  readonly engine?: EngineOffer;
}

/**
 * Plans a machine. A machine with parts of one's own needs the same registry of them (`MachineOptions.types`).
 * @throws BootError when the image cannot be booted as asked, its subclass OptionError for an option that makes no
 *   sense.
 */
export function buildPlan(options: BootOptions, surroundings: Surroundings = {}): Plan {
  return planOf(withUnifiedKernel(options), surroundings);
}

function planOf(
  options: BootOptions,
  { loaders = new LoaderRegistry(), parts: types = new PartRegistry(), engine }: Surroundings,
): Plan {
  const { kernel } = options;
  const cpus = checkCpus(options.cpus ?? DEFAULT_CPUS);
  const memorySize = options.memory ?? DEFAULT_MEMORY;
  const ram = checkedRam(memorySize);
  const image = whileDoing(`read "${kernel.name}"`, () => recogniseAny(kernel.bytes, guestLimit(memorySize)));
  const { loader, protocol, why } = chosen(image, options, memorySize, loaders);
  const platform = platformOf(options, protocol);
  const vga = options.screen === true || platform?.vgaRom !== undefined;
  const parts = whileDoing("place the parts of the machine", () =>
    placeParts(partRequests(options, { firmware: platform !== undefined, vga }), types, {
      ram,
      rom: platform && romRegion(platform.image),
    }),
  );
  const warnings: string[] = [];
  const serial = consoleOf(parts);
  const virtioConsole = hasVirtioConsole(parts);
  const unsaid = options.commandLine === undefined ? protocol.defaultCommandLine : undefined;
  const warn = (text: string): void => void warnings.push(text);
  const features = announcedFeatures(options, engine, warn);
  const words = wordsFor(unsaid, { serial, virtioConsole }, warn);
  const system = protocol.defaultCommandLine?.system;
  const prepared: Prepared = {
    options,
    platform,
    protocol,
    memory: new RegionMap(ram),
    parts,
    ...announcements(options, parts, types, { protocol, warn }),
    cpuid: cpuidTable({ features, cpus, tscHz: TSC_HZ, apicHz: APIC_HZ }),
    vga,
    words,
    onDisk: diskWords(options, { system, said: words?.text, serial, virtioConsole, warn }),
    serial,
    virtioConsole,
    warnings,
  };
  const load = `load "${kernel.name}" with the ${loader.name} loader`;
  const start =
    platform === undefined ? startInKernel(prepared, load) : startInFirmware(prepared, platform, load);
  return {
    version: 1,
    loader: { name: loader.name, entry: entryOf(protocol, start), why },
    image: { name: kernel.name, format: image.format, summary: image.summary },
    ram: ram.map(({ start, size }) => ({ start, size })),
    ...(engine && { memory: { contents: engine.adoptsMemory ? "adopted" : "copied" } }),
    cpus,
    e820: deriveE820(prepared.memory),
    ...start,
    cpuid: prepared.cpuid,
    devices: parts,
    clock: planClock(options),
    added: additions(prepared),
    warnings: prepared.warnings,
  };
}

/** A machine that enters the kernel at once: its tables lie in memory, the loader says how the CPU begins. */
function startInKernel(prepared: Prepared, load: string): Start {
  const { memory, protocol, announced, cpuid, parts, serial } = prepared;
  const tables = whileDoing("describe the machine", () => placeFirmware(memory, announced.hardware, cpuid));
  const context = loadContext(prepared, tables["RSDP"] ?? 0);
  whileDoing(load, () => protocol.layOutMemory(context));
  const bootCpu = protocol.describeBootCpu();
  const waitingMsrs = firmwareMsrs(cpuid);
  bootCpu.msrs = { ...waitingMsrs, ...bootCpu.msrs };
  const start: Start = { regions: memory.regions(), bootCpu, waitingMsrs, tables, ...told(context) };
  // Who asks it without firmware finds the same facts there.
  if (parts.some(({ type }) => type === "fw_cfg"))
    start.fwCfg = firmwareItems({ ram: memory.ram, announced, serialPort: serial?.port, items: [] });
  return start;
}

/** A machine that starts in its firmware, which makes its own tables of what fw_cfg tells, and may hand over to a kernel. */
function startInFirmware(prepared: Prepared, platform: Platform, load: string): Start {
  const { memory, protocol, announced, cpuid, serial, warnings } = prepared;
  if (isFirmwareVolume(platform.image)) warnings.push(UEFI_WITHOUT_PCI);
  reserveForFirmware(memory, platform.image);
  const context = loadContext(prepared, 0);
  whileDoing(load, () => protocol.layOutMemory(context));
  const handOver =
    protocol.isFirmware === true ? undefined : handOverOf(memory.regions(), protocol.describeBootCpu());
  const rom = romRegion(platform.image);
  const fwCfg = firmwareItems({
    ram: memory.ram,
    announced,
    serialPort: serial?.port,
    vgaRom: platform.vgaRom,
    handOver,
    items: protocol.firmwareItems?.() ?? [],
  });
  const handedOver = new Set(handOver?.regions);
  const start: Start = {
    regions: [...memory.regions().filter((region) => !handedOver.has(region)), rom],
    bootCpu: resetState(lookUpCpuid(cpuid, LEAF.VERSION, 0).eax),
    rom: { start: rom.start, size: rom.size },
    fwCfg,
    tables: {},
    ...told(context),
  };
  return handOver === undefined ? start : { ...start, handOver };
}

/** What CPUID announces: what is usual or asked for, without what the engine lacks. What it lacks and was asked for is refused. */
function announcedFeatures(
  { features: asked = {} }: BootOptions,
  engine: FeatureOffer | undefined,
  warn: (text: string) => void,
): CpuFeatures {
  const wanted = withFeatures(asked);
  if (engine === undefined) return wanted;
  const { features, lacking } = offeredFeatures(engine, wanted);
  const refused = lacking.filter((name) => asked[name] === true);
  if (refused.length > 0)
    throw new OptionError(
      "cpu",
      refused.map((name) => `+${name}`).join(","),
      "features that the engine offers",
      "The engine does not have it: leave it out. locore plan KERNEL --cpuid lists what a guest gets.",
    );
  if (lacking.length > 0)
    warn(`the engine does not offer ${lacking.join(", ")}: the guest finds a CPU without it`);
  return features;
}

/** The usual parts, or those asked for, and more. */
function partRequests(options: BootOptions, kind: MachineKind): PartRequest[] {
  const { devices = usualParts(kind), moreDevices = [], testdev = false } = options;
  const tested = TEST_PARTS.filter(({ type }) => testdev && devices.every((one) => one.type !== type));
  // A plan that was edited has them among its parts, or not any more.
  const asked =
    options.devices === undefined
      ? [
          ...diskParts(options.disks ?? []),
          ...virtioParts(options),
          ...shareParts(options.shares ?? []),
          ...netParts(options.nets ?? []),
        ]
      : [];
  return [...devices, ...asked, ...tested, ...moreDevices].map((request) => withVersion(request, options));
}

/** What the parts tell, with what virtio devices are told of by. */
function announcements(
  { cpus = DEFAULT_CPUS, acpi = true, announce: asked }: BootOptions,
  parts: readonly PlanPart[],
  types: PartRegistry,
  { protocol, warn }: { protocol: BootProtocol; warn: (text: string) => void },
): Pick<Prepared, "announced" | "virtioWords"> {
  const { hardware, ...told } = whileDoing("ask the parts of the machine", () =>
    announced(parts, types, cpus),
  );
  const system = protocol.defaultCommandLine?.system;
  const { namespace, words } = announceVirtio(told.virtio, { system, asked, acpi }, warn);
  return {
    announced: {
      ...told,
      hardware: { ...hardware, acpi, namespace: [...hardware.namespace, ...namespace] },
    },
    virtioWords: words,
  };
}

/** A virtio device of the version that is asked for, unless it says its own. */
function withVersion(request: PartRequest, { virtio: { version } = {} }: BootOptions): PartRequest {
  if (version === undefined || !request.type.startsWith(VIRTIO_PREFIX)) return request;
  return { ...request, config: { version, ...request.config } };
}

/** What the kernel is told in words and files. */
function told({ commandLine, modules }: LoadContext): Pick<Plan, "commandLine" | "modules"> {
  return {
    commandLine,
    modules: modules.map(({ name, commandLine: own = "", bytes }) => ({
      name,
      commandLine: own,
      size: bytes.length,
    })),
  };
}

/** The words by which parts are found, behind whatever else the kernel is told; for a kernel whose system is known. */
function partWords({ protocol, announced, virtioWords }: Prepared): string[] {
  const system = protocol.defaultCommandLine?.system;
  return [...(system === undefined ? [] : announced.words(system)), ...virtioWords];
}

/** The words that nobody gave. */
function additions(prepared: Prepared): PlanAddition[] {
  const byParts = partWords(prepared).map((text) => ({
    what: `command line "${text}"`,
    why: "a part of the machine is found by it",
  }));
  const added = [...prepared.onDisk.added, ...byParts];
  if (prepared.words === undefined) return added;
  const { text, why } = prepared.words;
  return [{ what: `command line "${text}"`, why }, ...added];
}

/** A file that neither a reader nor a loader knows is refused as when it is read. */
function chosen(image: Image, options: BootOptions, memory: number, registry: LoaderRegistry): Choice {
  const { name } = options.kernel;
  const context = recogniseContext(options, memory);
  if (image.format !== "foreign") return choose(image, context, registry, `boot "${name}"`);
  return whileDoing(`read "${name}"`, () => choose(image, context, registry, `boot "${name}"`));
}

function recogniseContext(options: BootOptions, memory: number): RecogniseContext {
  return {
    options: options.loader ?? {},
    memory,
    modules: options.modules?.length ?? 0,
    firmware: options.bios !== undefined,
    vga: options.screen === true || options.vgaRom !== undefined,
  };
}

/** The firmware that the machine starts in, if it does. */
function platformOf({ kernel, bios, vgaRom }: BootOptions, protocol: BootProtocol): Platform | undefined {
  if (protocol.isFirmware === true) return { image: kernel.bytes, vgaRom: vgaRom?.bytes };
  if (bios !== undefined) {
    const image = whileDoing(`read the BIOS "${bios.name}"`, () => readBios(bios));
    return { image: image.bytes, vgaRom: vgaRom?.bytes };
  }
  if (vgaRom === undefined) return undefined;
  throw new OptionError(
    "loader.vgabios",
    `"${vgaRom.name}" without a BIOS`,
    "loader.bios, which runs it",
    "An option ROM does nothing by itself: give -o loader.bios=on too, or leave it out.",
  );
}

/** `16-bit entry at 0x30200, after the BIOS` */
function entryOf(protocol: BootProtocol, { bootCpu, handOver }: Start): string {
  const { cs, rip } = handOver?.cpu ?? bootCpu;
  const text = entryText(protocol.entry, Number(cs.base + rip));
  return handOver === undefined ? text : `${text}, after the BIOS`;
}

function loadContext(prepared: Prepared, rsdpAddress: number): LoadContext {
  const { options, memory, vga, words, onDisk, serial, virtioConsole, warnings } = prepared;
  const said = [options.commandLine ?? words?.text ?? "", ...onDisk.words];
  const behind = partWords(prepared).length + onDisk.words.length;
  if (behind > 0 && endsBefore(prepared.protocol.defaultCommandLine?.system, said[0]))
    warnings.push(
      `the command line has "--", behind which the kernel takes no word for itself: ${behind} of ours stand there; ` +
        "leave it out, or --announce acpi",
    );
  const context: LoadContext = {
    memory,
    kernelName: options.kernel.name,
    commandLine: [...said, ...partWords(prepared)].filter((text) => text !== "").join(" "),
    modules: options.modules ?? [],
    rsdpAddress,
    vga,
    virtioConsole,
    warn: (text) => warnings.push(text),
  };
  if (serial !== undefined) context.serial = serial;
  if (options.initrd !== undefined) context.initrd = options.initrd;
  return context;
}

function checkCpus(cpus: number): number {
  if (Number.isInteger(cpus) && cpus >= 1 && cpus <= MAXIMUM_CPUS) return cpus;
  throw new OptionError(
    "smp",
    `${cpus} CPUs`,
    `1 to ${MAXIMUM_CPUS}`,
    "More would only share one thread's time.",
  );
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
  if (!Number.isSafeInteger(rtcStart) || rtcStart < RTC_EARLIEST_SECONDS || rtcStart > RTC_LATEST_SECONDS) {
    throw new OptionError(
      "rtc",
      `${rtcStart}`,
      `whole seconds since 1970, ${RTC_EARLIEST_SECONDS} to ${RTC_LATEST_SECONDS}`,
      "It must be a date that the clock can show.",
    );
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
