/**
 * Writes the little of the ACPI machine language that describes our machine: names, scopes, devices, methods,
 * packages, resource buffers. Each function returns the bytes of one term. Knows no machine.
 *
 * Specification: ACPI 6.5 §20.2 (encoding), §6.4 (resources), §19.3.4 (EISA identifiers).
 */
import { ByteWriter } from "../../bytes/byte-writer.js";
import { AML, RESOURCE } from "../../spec/acpi.js";

export type Aml = Uint8Array;

const NAME_SEGMENT_SIZE = 4;
const NAME_PATH = /^\\?[A-Z_][A-Z0-9_]{0,3}(\.[A-Z_][A-Z0-9_]{0,3})*$/;
const MAX_NAME_SEGMENTS = 255;
/** A package length of one byte has 6 bits; longer ones put 4 bits first and count the bytes that follow. */
const SHORT_PACKAGE_LENGTH = 0x3f;
const MAX_PACKAGE_LENGTH_BYTES = 4;

/** Joins terms. */
export function terms(...parts: readonly Aml[]): Aml {
  const writer = new ByteWriter();
  for (const part of parts) writer.bytes(part);
  return writer.finish();
}

/** The shortest encoding of a non-negative safe integer. */
export function integer(value: number): Aml {
  const writer = new ByteWriter();
  if (value === 0) return writer.u8(AML.ZERO).finish();
  if (value === 1) return writer.u8(AML.ONE).finish();
  if (value <= 0xff) return writer.u8(AML.BYTE_PREFIX).u8(value).finish();
  if (value <= 0xffff) return writer.u8(AML.WORD_PREFIX).u16(value).finish();
  if (value <= 0xffff_ffff) return writer.u8(AML.DWORD_PREFIX).u32(value).finish();
  return writer.u8(AML.QWORD_PREFIX).u64(value).finish();
}

/** ASCII text. */
export function string(value: string): Aml {
  return new ByteWriter().u8(AML.STRING_PREFIX).text(value).u8(0).finish();
}

/** A name of up to four characters, or several with dots, optionally from the root: `_S5`, `\_SB`, `\_SB.VGEN`. */
export function nameString(name: string): Aml {
  const rooted = name.startsWith("\\");
  const segments = (rooted ? name.slice(1) : name).split(".");
  if (!NAME_PATH.test(name) || segments.length > MAX_NAME_SEGMENTS)
    throw new RangeError(`"${name}" is not an ACPI name`);
  const writer = new ByteWriter();
  if (rooted) writer.u8(AML.ROOT_CHAR);
  if (segments.length === 2) writer.u8(AML.DUAL_NAME_PREFIX);
  else if (segments.length > 2) writer.u8(AML.MULTI_NAME_PREFIX).u8(segments.length);
  for (const segment of segments) writer.text(segment, NAME_SEGMENT_SIZE, "_");
  return writer.finish();
}

/** `Name (name, value)` */
export function name(where: string, value: Aml): Aml {
  return terms(Uint8Array.of(AML.NAME), nameString(where), value);
}

/** `Scope (name) { … }` */
export function scope(where: string, ...body: readonly Aml[]): Aml {
  return terms(Uint8Array.of(AML.SCOPE), packaged(terms(nameString(where), ...body)));
}

/** `Device (name) { … }` */
export function device(where: string, ...body: readonly Aml[]): Aml {
  return terms(Uint8Array.of(AML.EXT_PREFIX, AML.DEVICE), packaged(terms(nameString(where), ...body)));
}

/** `Method (name, argumentCount, NotSerialized) { … }` */
export function method(where: string, argumentCount: number, ...body: readonly Aml[]): Aml {
  const flags = Uint8Array.of(argumentCount);
  return terms(Uint8Array.of(AML.METHOD), packaged(terms(nameString(where), flags, ...body)));
}

/** `Notify (where, value)`: tells the driver of an object; §5.6.6 says what the value means. */
export function notify(where: string, value: number): Aml {
  return terms(Uint8Array.of(AML.NOTIFY), nameString(where), integer(value));
}

/** `Package () { … }` of at most 255 elements. */
export function pack(...elements: readonly Aml[]): Aml {
  return terms(Uint8Array.of(AML.PACKAGE), packaged(terms(Uint8Array.of(elements.length), ...elements)));
}

/** `Buffer () { … }` */
export function buffer(bytes: Uint8Array): Aml {
  return terms(Uint8Array.of(AML.BUFFER), packaged(terms(integer(bytes.length), bytes)));
}

/** `EisaId ("PNP0501")`: three letters of 5 bits and four hex digits, both big-endian. */
export function eisaId(id: string): Aml {
  const match = /^([A-Z]{3})([0-9A-F]{4})$/.exec(id);
  if (match === null) throw new RangeError(`"${id}" is not an EISA identifier`);
  const [first, second, third] = [...match[1]].map((letter) => letter.charCodeAt(0) & 0x1f);
  const vendor = (first << 10) | (second << 5) | third;
  const product = Number.parseInt(match[2], 16);
  const swap = (word: number): number => ((word & 0xff) << 8) | (word >> 8);
  return integer((swap(vendor) | (swap(product) << 16)) >>> 0);
}

/** A range of ports decoded on 16 bits. */
export function ioResource(start: number, size: number): Uint8Array {
  return new ByteWriter()
    .u8(RESOURCE.IO_PORT)
    .u8(RESOURCE.IO_DECODE_16)
    .u16(start)
    .u16(start)
    .u8(1)
    .u8(size)
    .finish();
}

/** An edge-triggered, active-high ISA interrupt. */
export function irqResource(irq: number): Uint8Array {
  return new ByteWriter()
    .u8(RESOURCE.IRQ_NO_FLAGS)
    .u16(1 << irq)
    .finish();
}

/** A fixed range of guest-physical addresses below 4 GiB that may be written: `Memory32Fixed`. */
export function memoryResource(start: number, size: number): Uint8Array {
  return new ByteWriter()
    .u8(RESOURCE.MEMORY_32_FIXED)
    .u16(RESOURCE.MEMORY_32_FIXED_LENGTH)
    .u8(RESOURCE.WRITABLE)
    .u32(start)
    .u32(size)
    .finish();
}

/** An active-high interrupt of one device, a level or an edge: `Interrupt`. */
export function interruptResource(irq: number, trigger: "level" | "edge"): Uint8Array {
  const flags = RESOURCE.INTERRUPT_CONSUMER | (trigger === "edge" ? RESOURCE.INTERRUPT_EDGE : 0);
  return new ByteWriter()
    .u8(RESOURCE.EXTENDED_INTERRUPT)
    .u16(RESOURCE.EXTENDED_INTERRUPT_LENGTH)
    .u8(flags)
    .u8(1)
    .u32(irq)
    .finish();
}

/** `ResourceTemplate () { … }`. A checksum of zero in the end tag counts as correct (§6.4.2.9). */
export function resources(...descriptors: readonly Uint8Array[]): Aml {
  return buffer(terms(...descriptors, Uint8Array.of(RESOURCE.END_TAG, 0)));
}

/** Puts the package length, which counts itself, in front. */
function packaged(body: Aml): Aml {
  for (let size = 1; size <= MAX_PACKAGE_LENGTH_BYTES; size++) {
    const total = body.length + size;
    if (size === 1) {
      if (total <= SHORT_PACKAGE_LENGTH) return terms(Uint8Array.of(total), body);
    } else if (total < 2 ** (4 + 8 * (size - 1))) {
      const head = new ByteWriter().u8(((size - 1) << 6) | (total & 0xf));
      for (let index = 1; index < size; index++) head.u8((total >>> (4 + 8 * (index - 1))) & 0xff);
      return terms(head.finish(), body);
    }
  }
  throw new RangeError(`an AML package of ${body.length} bytes is too long`);
}
