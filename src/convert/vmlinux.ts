/**
 * The ELF kernel in a bzImage, for loaders that take no bzImage. Source: Linux Documentation/arch/x86/boot.rst, payload_offset;
 * arch/x86/boot/compressed/Makefile (relocations stand behind the ELF file).
 */
import { decompressPayload } from "../formats/bzimage/payload.js";
import { readElf, type ElfImage } from "../formats/elf/elf.js";
import { loadSegments } from "../formats/elf/segments.js";
import type { KnownImage } from "../formats/index.js";
import { ELF32, ELF64, ELF_MAGIC, PT, SHT } from "../spec/elf.js";
import { refused, sizesOf, type X86Kernel } from "./x86.js";

const ELF_ADVICE = "It is an ELF file already; a PVH note is added by --to pvh.";
const OTHER_ADVICE = "Only a bzImage, or a unified kernel image with one, holds such a kernel.";

/** Takes the kernel out. Throws FormatError: no bzImage, no payload, one that cannot be unpacked or is no ELF file. */
export function takeVmlinux(image: KnownImage, maxOutput: number): X86Kernel {
  if (image.format !== "bzimage") {
    const advice = image.format === "elf" ? ELF_ADVICE : OTHER_ADVICE;
    throw refused(image, 0, image.summary, "a bzImage", advice);
  }
  const payload = decompressPayload(image, { maxOutput });
  const at = image.payload?.offset ?? 0;
  if (!ELF_MAGIC.every((byte, i) => payload[i] === byte)) {
    const meaning = "It can be started by the bzImage's own entry points only: use it as it is.";
    throw refused(image, at, "a payload that is no ELF file", "an ELF kernel", meaning);
  }
  const elf = readElf(payload);
  const end = elfEnd(elf);
  const { pvh, header } = elf;
  return {
    target: "vmlinux",
    bytes: payload.slice(0, end),
    input: image.summary,
    ...sizesOf(loadSegments(elf)),
    found: `unpacked from ${image.payload?.codecName ?? ""} at offset 0x${at.toString(16)}`,
    entry: header.entry,
    notes: [
      ...(end < payload.length
        ? [
            `${payload.length - end} bytes behind the ELF file are left out: relocations, by which the bzImage moves its kernel. This one runs where it is linked (no KASLR).`,
          ]
        : []),
      pvh === undefined
        ? "It has no PVH entry: QEMU and Cloud Hypervisor refuse it. Firecracker, crosvm and libkrun enter a 64-bit one by Linux' own protocol."
        : "It has a PVH entry: QEMU, Firecracker, Cloud Hypervisor and Xen take it.",
      ...(header.elfClass === 32
        ? ["It is a 32-bit kernel: Firecracker, Cloud Hypervisor and libkrun take 64-bit ones only."]
        : []),
      `The setup header and the EFI stub are left out: nothing tells a loader that the command line may have ${image.commandLineMax} characters.`,
    ],
  };
}

/** Where the ELF file ends: behind its last segment, section or table. */
function elfEnd({ header, segments, sections, bytes }: ElfImage): number {
  const { ehdr, phdr, shdr } = header.elfClass === 64 ? ELF64 : ELF32;
  let end = Math.max(
    ehdr.size,
    Number(header.phoff) + segments.length * phdr.size,
    Number(header.shoff) + sections.length * shdr.size,
  );
  for (const { type, offset, filesz } of segments) if (type !== PT.NULL) end = Math.max(end, offset + filesz);
  for (const { type, offset, size } of sections)
    if (type !== SHT.NOBITS) end = Math.max(end, Number(offset + size));
  return Math.min(bytes.length, end);
}
