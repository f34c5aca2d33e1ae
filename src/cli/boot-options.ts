/** From a request to what `boot/` plans from: reads the files. Plans nothing. */
import type { BootModule, BootOptions, NamedBytes } from "../boot/options.js";
import type { BootRequest, ModulePath } from "./boot-request.js";
import { readInput } from "./files.js";
import type { SeabiosPart } from "./seabios.js";

/** Bytes that a firmware image may unpack to here: what a PC's flash holds at most. */
const LARGEST_FIRMWARE = 2 ** 24;
/** Modules that are read at the same time. */
const READ_AT_ONCE = 64;

/** A request with its files read; `known`: those that are read already, by name. Throws `InputFileError`, and the signal's reason when it is aborted. */
export async function bootOptions(
  request: BootRequest,
  signal?: AbortSignal,
  known: ReadonlyMap<string, Uint8Array> = new Map(),
): Promise<BootOptions> {
  const { kernel, initrd, modules, bios, vgaRom, ...rest } = request;
  // What is only the command line's stays here.
  const {
    plugIns: _plugIns,
    diskFiles: _diskFiles,
    sharedFolders: _sharedFolders,
    net: _net,
    ...ours
  } = rest;
  const { rtcNow: _rtcNow, digests: _digests, ...same } = ours;
  const [kernelFile, initrdFile, moduleFiles] = await Promise.all([
    knownFile(kernel, known) ?? readNamed("kernel", kernel, signal),
    initrd === undefined ? undefined : (knownFile(initrd, known) ?? readNamed("initrd", initrd, signal)),
    modules === undefined ? undefined : readModules(modules, signal),
  ]);
  const options: BootOptions = {
    ...same,
    kernel: kernelFile,
    ...(initrdFile && { initrd: initrdFile }),
    ...(moduleFiles && { modules: moduleFiles }),
    ...(await firmwareFiles({ bios, vgaRom, screen: same.screen }, kernelFile.bytes, signal)),
  };
  // The parts of a plan that was edited are all there are.
  if (options.devices !== undefined) delete options.testdev;
  return options;
}

function knownFile(name: string, known: ReadonlyMap<string, Uint8Array>): NamedBytes | undefined {
  const bytes = known.get(name);
  return bytes && { name, bytes };
}

async function readNamed(what: string, name: string, signal: AbortSignal | undefined): Promise<NamedBytes> {
  return { name, bytes: await readInput(what, name, signal) };
}

/** What decides which firmware is read: paths, or "on" and "off". */
type FirmwareWords = Record<"bios" | "vgaRom", string | undefined> & { screen: boolean | undefined };

/** The BIOS and its VGA BIOS; with a screen firmware gets one, so that what it prints is there. */
async function firmwareFiles(
  { bios, vgaRom, screen }: FirmwareWords,
  kernel: Uint8Array,
  signal: AbortSignal | undefined,
): Promise<Pick<BootOptions, "bios" | "vgaRom">> {
  const files: Pick<BootOptions, "bios" | "vgaRom"> = {};
  if (bios !== undefined) files.bios = await readFirmware("bios", bios, signal);
  const wanted = screen === true && (bios !== undefined || (await isFirmware(kernel))) ? "on" : "off";
  const vga = vgaRom ?? wanted;
  if (vga !== "off") files.vgaRom = await readFirmware("vgabios", vga, signal);
  return files;
}

async function readFirmware(
  part: SeabiosPart,
  given: string,
  signal: AbortSignal | undefined,
): Promise<NamedBytes> {
  const name = given === "on" ? await (await import("./seabios.js")).findSeabios(part, signal) : given;
  return readNamed(part === "bios" ? "BIOS" : "VGA BIOS", name, signal);
}

/** What is wrong with an image is said when it is planned. */
async function isFirmware(kernel: Uint8Array): Promise<boolean> {
  const { recognise } = await import("../formats/index.js");
  try {
    return recognise(kernel, LARGEST_FIRMWARE).format === "firmware";
  } catch {
    return false;
  }
}

/** Some at a time: there may be more of them than a process may have files open. */
async function readModules(
  modules: readonly ModulePath[],
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
  { path, commandLine }: ModulePath,
  signal: AbortSignal | undefined,
): Promise<BootModule> {
  return { ...(await readNamed("module", path, signal)), commandLine };
}
