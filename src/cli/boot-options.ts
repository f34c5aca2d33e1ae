/** From a request to what `boot/` plans from: reads the files. Plans nothing. */
import type { BootModule, BootOptions, NamedBytes } from "../boot/options.js";
import { recognise } from "../formats/index.js";
import type { BootRequest } from "./boot-request.js";
import { readInput } from "./files.js";
import { findSeabios, type SeabiosPart } from "./seabios.js";

/**
 * Time of one instruction in deterministic mode, ns: 100 M instructions a second, about what the built-in engine
 * does, so that a guest's timeouts mean what they mean in real time.
 */
const NS_PER_INSTRUCTION = 10;

/** Bytes that a firmware image may unpack to here: what a PC's flash holds at most. */
const LARGEST_FIRMWARE = 2 ** 24;
/** Modules that are read at the same time. */
const READ_AT_ONCE = 64;

/** A request with its files read. Throws `InputFileError`, and the signal's reason when it is aborted. */
export async function bootOptions(request: BootRequest, signal?: AbortSignal): Promise<BootOptions> {
  const { initrd } = request;
  const [kernelBytes, initrdBytes, modules] = await Promise.all([
    readInput("kernel", request.kernel, signal),
    initrd === undefined ? undefined : readInput("initrd", initrd, signal),
    readModules(request.modules ?? [], signal),
  ]);
  const options: BootOptions = {
    kernel: { name: request.kernel, bytes: kernelBytes },
    loader: request.loader,
  };
  if (initrd !== undefined && initrdBytes !== undefined)
    options.initrd = { name: initrd, bytes: initrdBytes };
  if (modules.length > 0) options.modules = modules;
  if (request.commandLine !== undefined) options.commandLine = request.commandLine;
  if (request.memory !== undefined) options.memory = request.memory;
  if (request.cpus !== undefined) options.cpus = request.cpus;
  if (request.devices !== undefined) options.devices = request.devices;
  else if (request.testdev !== undefined) options.testdev = request.testdev;
  if (request.features !== undefined) options.features = request.features;
  Object.assign(options, await firmwareFiles(request, kernelBytes, signal));
  options.clock = {};
  if (request.deterministic) options.clock.deterministic = { nsPerInstruction: NS_PER_INSTRUCTION };
  if (request.rtcStart !== undefined) options.clock.rtcStart = request.rtcStart;
  return options;
}

/** The BIOS and its VGA BIOS; with a screen firmware gets one, so that what it prints is there. */
async function firmwareFiles(
  request: BootRequest,
  kernel: Uint8Array,
  signal: AbortSignal | undefined,
): Promise<Pick<BootOptions, "bios" | "vgaRom" | "screen">> {
  const { bios, screen = false } = request;
  const files: Pick<BootOptions, "bios" | "vgaRom" | "screen"> = { screen };
  if (bios !== undefined) files.bios = await readFirmware("bios", bios, signal);
  const wanted = screen && (bios !== undefined || isFirmware(kernel)) ? "on" : "off";
  const vgabios = request.vgabios ?? wanted;
  if (vgabios !== "off") files.vgaRom = await readFirmware("vgabios", vgabios, signal);
  return files;
}

async function readFirmware(
  part: SeabiosPart,
  given: string,
  signal: AbortSignal | undefined,
): Promise<NamedBytes> {
  const name = given === "on" ? await findSeabios(part, signal) : given;
  return { name, bytes: await readInput(part === "bios" ? "BIOS" : "VGA BIOS", name, signal) };
}

/** What is wrong with an image is said when it is planned. */
function isFirmware(kernel: Uint8Array): boolean {
  try {
    return recognise(kernel, LARGEST_FIRMWARE).format === "firmware";
  } catch {
    return false;
  }
}

type ModuleRequest = NonNullable<BootRequest["modules"]>[number];

/** Some at a time: there may be more of them than a process may have files open. */
async function readModules(
  modules: readonly ModuleRequest[],
  signal: AbortSignal | undefined,
): Promise<BootModule[]> {
  const read: BootModule[] = [];
  for (let at = 0; at < modules.length; at += READ_AT_ONCE) {
    const some = modules.slice(at, at + READ_AT_ONCE);
    read.push(...(await Promise.all(some.map((module) => readModule(module, signal)))));
  }
  return read;
}

async function readModule(
  { path, commandLine }: ModuleRequest,
  signal: AbortSignal | undefined,
): Promise<BootModule> {
  return { name: path, bytes: await readInput("module", path, signal), commandLine };
}
