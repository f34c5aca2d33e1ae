/** From a request to a plan: reads the files and asks `boot/`. */
import { buildPlan } from "../boot/index.js";
import type { BootModule, BootOptions, NamedBytes } from "../boot/options.js";
import type { Plan } from "../boot/plan.js";
import { recognise } from "../formats/index.js";
import type { BootRequest } from "./boot-request.js";
import { readInput } from "./files.js";
import { findSeabios, type SeabiosPart } from "./seabios.js";

/**
 * Time of one instruction in deterministic mode, ns: 100 M instructions a second, about what the built-in engine
 * does, so that a guest's timeouts mean what they mean in real time.
 */
const NS_PER_INSTRUCTION = 10;

/** A request with the kernel and initrd read; throws `FileError`. */
export async function bootOptions(request: BootRequest): Promise<BootOptions> {
  const { initrd } = request;
  const [kernelBytes, initrdBytes, modules] = await Promise.all([
    readInput("kernel", request.kernel),
    initrd === undefined ? undefined : readInput("initrd", initrd),
    Promise.all((request.modules ?? []).map(readModule)),
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
  if (request.features !== undefined) options.features = request.features;
  Object.assign(options, await firmwareFiles(request, kernelBytes));
  options.clock = {};
  if (request.deterministic) options.clock.deterministic = { nsPerInstruction: NS_PER_INSTRUCTION };
  if (request.rtcStart !== undefined) options.clock.rtcStart = request.rtcStart;
  return options;
}

/** The BIOS and its VGA BIOS; with a screen firmware gets one, so that what it prints is there. */
async function firmwareFiles(
  request: BootRequest,
  kernel: Uint8Array,
): Promise<Pick<BootOptions, "bios" | "vgaRom" | "screen">> {
  const { bios, screen = false } = request;
  const files: Pick<BootOptions, "bios" | "vgaRom" | "screen"> = { screen };
  if (bios !== undefined) files.bios = await readFirmware("bios", bios);
  const wanted = screen && (bios !== undefined || isFirmware(kernel)) ? "on" : "off";
  const vgabios = request.vgabios ?? wanted;
  if (vgabios !== "off") files.vgaRom = await readFirmware("vgabios", vgabios);
  return files;
}

async function readFirmware(part: SeabiosPart, given: string): Promise<NamedBytes> {
  const name = given === "on" ? await findSeabios(part) : given;
  return { name, bytes: await readInput(part === "bios" ? "BIOS" : "VGA BIOS", name) };
}

/** What is wrong with an image is said when it is planned. */
function isFirmware(kernel: Uint8Array): boolean {
  try {
    return recognise(kernel).format === "firmware";
  } catch {
    return false;
  }
}

async function readModule(module: { path: string; commandLine: string }): Promise<BootModule> {
  const { path, commandLine } = module;
  return { name: path, bytes: await readInput("module", path), commandLine };
}

/** The plan of a request. Throws what makes it impossible. */
export async function makePlan(request: BootRequest): Promise<Plan> {
  return buildPlan(await bootOptions(request));
}
