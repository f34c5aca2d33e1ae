/**
 * Reader for Linux/x86 kernels with a setup header (bzImage, zImage), protocols 2.00 to 2.15: parts, consistency,
 * payload. Knows no loader and no memory map. Source: boot.rst (numbers in spec/linux-boot.ts).
 */
import { ByteView } from "../../bytes/byte-view.js";
import { hex } from "../../bytes/hex.js";
import { isPowerOfTwo } from "../../bytes/align.js";
import {
  BZIMAGE_LOAD_ADDRESS,
  DEFAULT_CMDLINE_SIZE,
  DEFAULT_INITRD_ADDR_MAX,
  DEFAULT_SETUP_SECTS,
  JUMP_OFFSET,
  KERNEL_INFO,
  LOADFLAGS,
  PARAGRAPH,
  PROTOCOL,
  SECTOR_SIZE,
  SETUP_OFFSET,
  XLOADFLAGS,
  ZIMAGE_LOAD_ADDRESS,
} from "../../spec/linux-boot.js";
import type { SetupHeader } from "../../spec/linux-boot.js";
import { FormatError, reading } from "../format-error.js";
import { once } from "../image.js";
import type { ImageBase } from "../image.js";
import { multibootFacts, multibootNames } from "../multiboot-facts.js";
import { bzImageFacts } from "./facts.js";
import { locatePayload } from "./payload.js";
import type { Payload } from "./payload.js";
import { BZIMAGE, protocolName, readSetupHeader } from "./setup-header.js";
import type { SetupField } from "./setup-header.js";

/** The kernel_info structure (protocol 2.15). */
export interface KernelInfo {
  /** File offset. */
  readonly offset: number;
  readonly size: number;
  readonly sizeTotal: number;
  /** Highest setup_data type the kernel takes. */
  readonly setupTypeMax: number;
}

/** A Linux/x86 kernel image. */
export interface BzImage extends ImageBase {
  readonly format: "bzimage";
  readonly arch: "x86-64" | "i386";
  /** Every field by name; one the protocol lacks is 0. */
  readonly header: SetupHeader;
  /** The fields that are there, with offsets and meanings. */
  readonly fields: readonly SetupField[];
  /** Boot protocol, e.g. 0x020f. */
  readonly protocol: number;
  /** File offset after the setup header. */
  readonly headerEnd: number;
  /** Boot sector and setup code, to be loaded for the 16-bit entry. */
  readonly setup: Uint8Array;
  /** The protected-mode code. */
  readonly kernel: Uint8Array;
  /** LOADED_HIGH: a bzImage; otherwise a zImage. */
  readonly loadedHigh: boolean;
  /** Where the protected-mode code goes when it is not relocated, guest-physical. */
  readonly loadAddress: number;
  /** `pref_address`; 0 when the header has none. Guest-physical. */
  readonly preferredAddress: number;
  readonly relocatable: boolean;
  /** XLF_KERNEL_64: has the 64-bit entry point. */
  readonly entry64: boolean;
  /** Longest command line in bytes, without NUL; by protocol 255 before 2.06. */
  readonly commandLineMax: number;
  /** Highest address an initrd may occupy; by protocol 0x37ffffff before 2.03. */
  readonly initrdAddressMax: number;
  /** Version string, when the header points at one. */
  readonly version: string | undefined;
  readonly payload: Payload | undefined;
  readonly kernelInfo: KernelInfo | undefined;
}

/** Reads a kernel. The caller has checked `hasSetupHeader`. Throws FormatError. */
export function readBzImage(bytes: Uint8Array): BzImage {
  return reading(BZIMAGE, "the Linux setup header", () => {
    const view = new ByteView(bytes);
    const { header, fields, end } = readSetupHeader(view);
    const { setup, kernel } = splitImage(view, header, end);
    checkAlignment(header);
    const loadedHigh = (header.loadflags & LOADFLAGS.LOADED_HIGH) !== 0;
    const entry64 = (header.xloadflags & XLOADFLAGS.XLF_KERNEL_64) !== 0;
    const has = (name: string): boolean => fields.some((field) => field.name === name);
    const base = {
      format: "bzimage" as const,
      bytes,
      arch: entry64 ? ("x86-64" as const) : ("i386" as const),
      header,
      fields,
      protocol: header.version,
      headerEnd: end,
      setup,
      kernel,
      loadedHigh,
      loadAddress: loadedHigh ? BZIMAGE_LOAD_ADDRESS : ZIMAGE_LOAD_ADDRESS,
      preferredAddress: preferredAddress(header),
      relocatable: header.relocatable_kernel !== 0,
      entry64,
      commandLineMax: has("cmdline_size") ? header.cmdline_size : DEFAULT_CMDLINE_SIZE,
      initrdAddressMax: has("initrd_addr_max") ? header.initrd_addr_max : DEFAULT_INITRD_ADDR_MAX,
      version: versionString(view, header, setup.length),
      payload: locatePayload(header, kernel, setup.length),
      kernelInfo: kernelInfo(view, header, kernel, setup.length),
    };
    const facts = once(() => [...bzImageFacts(base), ...multibootFacts(bytes)]);
    return {
      ...base,
      summary: [summarise(base), ...multibootNames(bytes)].join(", "),
      get facts() {
        return facts();
      },
    };
  });
}

/** The two parts of the file: real-mode setup and protected-mode code. */
function splitImage(view: ByteView, header: SetupHeader, headerEnd: number) {
  const setupSize = ((header.setup_sects || DEFAULT_SETUP_SECTS) + 1) * SECTOR_SIZE;
  if (setupSize > view.length || setupSize < headerEnd) {
    throw new FormatError(BZIMAGE, {
      offset: SETUP_OFFSET.setup_sects,
      found: `setup code of ${setupSize} bytes (setup_sects ${header.setup_sects})`,
      expected: `between ${headerEnd} bytes, where the header ends, and the file's ${view.length}`,
      meaning: "The file is cut short or its header is damaged: fetch or build the kernel again.",
    });
  }
  const rest = view.length - setupSize;
  const setup = view.slice(0, setupSize);
  // Before 2.04 syssize is too narrow to be trusted: the code goes to the end of the file.
  if (header.version < PROTOCOL.V2_04) return { setup, kernel: view.slice(setupSize, rest) };
  const wanted = header.syssize * PARAGRAPH;
  // The last paragraph may be partly filled.
  if (wanted - rest >= PARAGRAPH || rest === 0) {
    throw new FormatError(BZIMAGE, {
      offset: SETUP_OFFSET.syssize,
      found: `${rest} bytes of protected-mode code after the setup code`,
      expected: `${wanted} (syssize ${hex(header.syssize)} paragraphs)`,
      meaning: "The kernel file is cut short: fetch or copy it again.",
    });
  }
  return { setup, kernel: view.slice(setupSize, Math.min(rest, wanted)) };
}

function checkAlignment(header: SetupHeader): void {
  if (header.relocatable_kernel === 0) return;
  const { kernel_alignment: alignment, min_alignment: minimum } = header;
  if (!isPowerOfTwo(alignment)) {
    throw new FormatError(BZIMAGE, {
      offset: SETUP_OFFSET.kernel_alignment,
      found: `kernel_alignment ${hex(alignment)}`,
      expected: "a power of two, because the kernel says that it is relocatable",
      meaning: "The setup header is damaged: fetch or build the kernel again.",
    });
  }
  if (2 ** minimum > alignment) {
    throw new FormatError(BZIMAGE, {
      offset: SETUP_OFFSET.min_alignment,
      found: `min_alignment 2^${minimum}`,
      expected: `at most kernel_alignment, ${hex(alignment)}`,
      meaning: "The setup header is damaged: fetch or build the kernel again.",
    });
  }
}

function preferredAddress(header: SetupHeader): number {
  const address = header.pref_address;
  if (address + BigInt(header.init_size) > BigInt(Number.MAX_SAFE_INTEGER)) {
    throw new FormatError(BZIMAGE, {
      offset: SETUP_OFFSET.pref_address,
      found: `pref_address ${hex(address)}`,
      expected: "a physical address (x86 has at most 52 bits of them)",
      meaning: "The setup header is damaged: fetch or build the kernel again.",
    });
  }
  return Number(address);
}

/** The version string; undefined when there is none, or the pointer leads out of the setup code. */
function versionString(view: ByteView, header: SetupHeader, setupSize: number): string | undefined {
  const offset = JUMP_OFFSET + header.kernel_version;
  if (header.kernel_version === 0 || offset >= setupSize) return undefined;
  return view.cString(offset, setupSize - offset);
}

function kernelInfo(
  view: ByteView,
  header: SetupHeader,
  kernel: Uint8Array,
  kernelOffset: number,
): KernelInfo | undefined {
  if (header.kernel_info_offset === 0) return undefined;
  const code = view.view(kernelOffset, kernel.length);
  const at = header.kernel_info_offset;
  const fits = code.holds(at, KERNEL_INFO.MIN_SIZE);
  if (!fits || !code.matches(at, KERNEL_INFO.MAGIC)) {
    throw new FormatError(BZIMAGE, {
      offset: fits ? kernelOffset + at : SETUP_OFFSET.kernel_info_offset,
      found: fits ? `"${code.latin1(at, KERNEL_INFO.MAGIC.length)}"` : `kernel_info_offset ${hex(at)}`,
      expected: `"${KERNEL_INFO.MAGIC}", the magic of kernel_info, inside the protected-mode code`,
      meaning: "The kernel is cut short or damaged: fetch or build it again.",
    });
  }
  const size = code.u32(at + KERNEL_INFO.SIZE);
  const sizeTotal = code.u32(at + KERNEL_INFO.SIZE_TOTAL);
  if (size < KERNEL_INFO.MIN_SIZE || sizeTotal < size || !code.holds(at, sizeTotal)) {
    throw new FormatError(BZIMAGE, {
      offset: kernelOffset + at + KERNEL_INFO.SIZE,
      found: `kernel_info of size ${size}, total ${sizeTotal}`,
      expected: `${KERNEL_INFO.MIN_SIZE} ≤ size ≤ total, inside the protected-mode code`,
      meaning: "The kernel is damaged: fetch or build it again.",
    });
  }
  return {
    offset: kernelOffset + at,
    size,
    sizeTotal,
    setupTypeMax: code.u32(at + KERNEL_INFO.SETUP_TYPE_MAX),
  };
}

function summarise(image: Pick<BzImage, "loadedHigh" | "arch" | "protocol" | "version" | "payload">): string {
  const kind = image.loadedHigh ? "bzImage" : "zImage";
  const parts = [`Linux ${kind}, ${image.arch}, boot protocol ${protocolName(image.protocol)}`];
  if (image.payload) parts.push(`${image.payload.codecName} payload`);
  if (image.version !== undefined) parts.push(image.version);
  return parts.join(", ");
}
