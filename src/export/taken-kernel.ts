/**
 * The kernel that a target is given: as it is where its loader takes it, else converted to a file beside the configuration. Knows
 * verdicts and conversions, no target.
 */
import { convert, ConvertError, type X86Target } from "../convert/index.js";
import { FormatError } from "../formats/format-error.js";
import { recognise, type KnownImage } from "../formats/index.js";
import { verdicts } from "../verdicts/index.js";
import type { ConvertedFile, ExportRequest } from "./request.js";

/** The request with the kernel that is taken, and the file that has to be there for it. */
export interface TakenKernel {
  readonly request: ExportRequest;
  readonly converted?: ConvertedFile;
}

/** Conversions in the order they are tried: what changes least comes first. */
const CONVERSIONS: readonly X86Target[] = ["vmlinux", "elf32", "pvh"];
/** Loaders whose releases of today refuse a bzImage that their newest source takes. */
const WANTS_ELF: readonly string[] = ["firecracker"];

function takes(image: KnownImage, loader: string): boolean {
  return verdicts(image).some((one) => one.loader.name === loader && one.outcome === "takes");
}

/** The kernel for `loader`; the request as it is where no conversion leads to a kernel that it takes. */
export function takenKernel(request: ExportRequest, loader: string): TakenKernel {
  const { image } = request.kernel;
  const better = WANTS_ELF.includes(loader) && image.format === "bzimage";
  if (takes(image, loader) && !better) return { request };
  const candidates = [...(image.packedBy === undefined ? [] : ["unpacked" as const]), ...CONVERSIONS];
  for (const way of candidates) {
    const bytes = way === "unpacked" ? image.bytes : converted(image, way);
    const made = bytes && recognise(bytes);
    if (made !== undefined && takes(made, loader)) return beside(request, way, made);
  }
  return { request };
}

/** Undefined where it cannot be done right. */
function converted({ bytes }: KnownImage, to: X86Target): Uint8Array | undefined {
  try {
    return convert(bytes, { to }).bytes;
  } catch (error) {
    if (error instanceof FormatError || error instanceof ConvertError) return undefined;
    throw error;
  }
}

/** The file goes where the configuration goes. */
function beside(request: ExportRequest, way: ConvertedFile["way"], image: KnownImage): TakenKernel {
  const { fileName = "", name: guest = "guest", kernel } = request;
  const folder = fileName.slice(0, fileName.lastIndexOf("/") + 1);
  const name = `${folder}${guest}.${way === "unpacked" ? "kernel" : way}`;
  const { bytes } = image;
  return {
    request: { ...request, kernel: { name, size: bytes.length, image } },
    converted: { name, bytes, way, of: kernel.name },
  };
}

/** How a file is told of that has to be there. */
export function convertedNote({ name, way, of }: ConvertedFile): string {
  if (way === "unpacked") return `${name} is ${of}, unpacked`;
  return `${name} is ${of}, converted (locore convert --to ${way})`;
}
