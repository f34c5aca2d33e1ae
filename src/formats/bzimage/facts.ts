/**
 * What `locore inspect` shows of a Linux/x86 kernel. Only describes; decides nothing.
 */
import { hex } from "../../bytes/hex.js";
import { crc32 } from "../../codecs/crc32.js";
import { KERNEL_INFO, LOADFLAGS, PROTOCOL, SETUP_OFFSET, XLOADFLAGS } from "../../spec/linux-boot.js";
import type { Fact } from "../image.js";
import type { BzImage } from "./bzimage.js";
import { peFacts, readPe } from "../pe/pe.js";
import { SIZE_TRAILER, claimedSize } from "./payload.js";
import { protocolName } from "./setup-header.js";
import type { SetupField } from "./setup-header.js";

/** Fields whose value is a count or a size, shown in decimal. */
const COUNTS: ReadonlySet<string> = new Set([
  "setup_sects",
  "ramdisk_size",
  "cmdline_size",
  "payload_length",
  "init_size",
]);

/** The checksum stands in the last bytes of the image. */
const CHECKSUM_SIZE = 4;

/** Names of the set bits, lowest first; bits without a name as hex. */
function flagNames(value: number, flags: Readonly<Record<string, number>>): string[] {
  const names = Object.entries(flags).flatMap(([name, bit]) => ((value & bit) !== 0 ? [name] : []));
  const rest = Object.values(flags).reduce((left, bit) => left & ~bit, value);
  return rest === 0 ? names : [...names, hex(rest)];
}

function fieldFact(field: SetupField): Fact {
  const digits = field.size * 2;
  const value =
    COUNTS.has(field.name) && typeof field.value === "number" ? field.value : hex(field.value, digits);
  return { name: field.name, value, offset: field.offset, meaning: `${field.meaning} (${field.use})` };
}

function flagFacts(image: Pick<BzImage, "header" | "protocol">): Fact[] {
  const { header, protocol } = image;
  const facts: Fact[] = [
    { name: "loadflags.bits", value: flagNames(header.loadflags, LOADFLAGS), meaning: "loadflags decoded" },
  ];
  if (protocol >= PROTOCOL.V2_12) {
    const value = flagNames(header.xloadflags, XLOADFLAGS);
    facts.push({ name: "xloadflags.bits", value, meaning: "xloadflags decoded" });
  }
  return facts;
}

function payloadFacts(image: Pick<BzImage, "payload">): Fact[] {
  const { payload } = image;
  if (!payload) return [];
  const facts: Fact[] = [
    { name: "payload.codec", value: payload.codecName, offset: payload.offset, meaning: "how it is packed" },
    { name: "payload.offset", value: hex(payload.offset), meaning: "file offset of the payload" },
    { name: "payload.size", value: payload.bytes.length, meaning: "packed size, bytes" },
  ];
  if (payload.codec !== undefined) {
    const offset = payload.offset + payload.bytes.length - SIZE_TRAILER;
    facts.push({
      name: "payload.claimed_size",
      value: claimedSize(payload),
      offset,
      meaning: "unpacked size",
    });
  }
  return facts;
}

function kernelInfoFacts(image: Pick<BzImage, "kernelInfo">): Fact[] {
  const info = image.kernelInfo;
  if (!info) return [];
  return [
    {
      name: "kernel_info.size",
      value: info.size,
      offset: info.offset + KERNEL_INFO.SIZE,
      meaning: "its fixed part, bytes",
    },
    {
      name: "kernel_info.size_total",
      value: info.sizeTotal,
      offset: info.offset + KERNEL_INFO.SIZE_TOTAL,
      meaning: "all of it, bytes",
    },
    {
      name: "kernel_info.setup_type_max",
      value: hex(info.setupTypeMax),
      offset: info.offset + KERNEL_INFO.SETUP_TYPE_MAX,
      meaning: "highest setup_data type the kernel takes",
    },
  ];
}

/** The image checksum of protocol 2.08: CRC-32 without final inversion over setup and code is 0. */
function checksumFact(image: Pick<BzImage, "bytes" | "setup" | "kernel" | "protocol">): Fact[] {
  if (image.protocol < PROTOCOL.V2_08) return [];
  const end = image.setup.length + image.kernel.length;
  const intact = ~crc32(image.bytes.subarray(0, end)) === 0;
  return [
    {
      name: "checksum",
      value: intact ? "valid" : "not valid",
      offset: end - CHECKSUM_SIZE,
      meaning: "CRC-32 of the whole image; signing it for Secure Boot, or newer builds, leave it not valid",
    },
  ];
}

/** The same bytes are a PE file where the kernel has an EFI stub. */
function efiStubFacts({ bytes }: Pick<BzImage, "bytes">): Fact[] {
  const pe = readPe(bytes);
  if (pe === undefined) return [];
  const meaning = '"MZ" at 0 leads firmware to the PE header; boot loaders read the setup header at 0x1f1';
  return [{ name: "efi_stub", value: true, offset: 0, meaning }, ...peFacts(pe)];
}

/** All facts of the image, header fields first. */
export function bzImageFacts(image: Omit<BzImage, "facts" | "summary">): Fact[] {
  const facts: Fact[] = [
    { name: "format", value: image.loadedHigh ? "Linux bzImage" : "Linux zImage" },
    { name: "arch", value: image.arch, meaning: "by XLF_KERNEL_64" },
    { name: "protocol", value: protocolName(image.protocol), offset: SETUP_OFFSET.version },
  ];
  if (image.version !== undefined)
    facts.push({ name: "kernel", value: image.version, meaning: "version string" });
  facts.push(
    { name: "setup.size", value: image.setup.length, meaning: "boot sector and setup code, bytes" },
    {
      name: "code.offset",
      value: hex(image.setup.length),
      meaning: "file offset of the protected-mode code",
    },
    { name: "code.size", value: image.kernel.length, meaning: "protected-mode code, bytes" },
    ...image.fields.map(fieldFact),
    ...flagFacts(image),
    ...payloadFacts(image),
    ...kernelInfoFacts(image),
    ...checksumFact(image),
    ...efiStubFacts(image),
  );
  const trailing = image.bytes.length - image.setup.length - image.kernel.length;
  if (trailing > 0) {
    const offset = image.bytes.length - trailing;
    facts.push({
      name: "trailing",
      value: trailing,
      offset,
      meaning: "bytes after the code: a signature as a rule",
    });
  }
  return facts;
}
