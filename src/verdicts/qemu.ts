/**
 * What QEMU's -kernel does with an image on the machine `virt`, 32-bit and 64-bit. Facts of hw/arm/boot.c, of
 * hw/core/loader.c and of runs, as data.
 */
import { hex } from "../bytes/hex.js";
import { physicalAddresses } from "../formats/elf/arm.js";
import type { ElfImage } from "../formats/elf/elf.js";
import { ARM64_DEFAULT_TEXT_OFFSET, ARM64_IMAGE, ZIMAGE } from "../spec/arm-boot.js";
import { ELF32, EM, PT } from "../spec/elf.js";
import { IH_ARCH, IH_COMP, IH_OS, IH_TYPE, UIMAGE } from "../spec/uimage.js";
import { convertAdvice, GZIP, hasImageMagic, hasUMagic, hasZMagic, type ArmFile } from "./arm-image.js";
import { blind, refuses, takes, type LoaderFacts, type Verdict } from "./verdict.js";

const SOURCE = "hw/arm/boot.c arm_setup_direct_kernel_boot, hw/core/loader.c; 7.2 run";
export const QEMU_ARM: LoaderFacts = {
  name: "qemu-arm",
  what: "qemu-system-arm -M virt -kernel",
  source: SOURCE,
};
export const QEMU_AARCH64: LoaderFacts = {
  name: "qemu-aarch64",
  what: "qemu-system-aarch64 -M virt, 64-bit CPU, -kernel",
  source: SOURCE,
};

/** Start of memory of `virt`. */
const RAM = 0x4000_0000;
/** Where a 32-bit file that is neither ELF nor uImage goes. */
const RAW32 = RAM + 0x1_0000;
/** Where a uImage of type kernel_noload goes, header and all; its entry point counts from behind the header. */
const NOLOAD = RAM + 0x200_0000;
/** Lower text_offsets would overlap QEMU's own few instructions: 2 MiB are added. */
const BOOTLOADER_ROOM = 0x1000;
const RAISED = 0x20_0000;

/** What QEMU does; `bits` is the width of its CPU. */
export function qemuVirt(file: ArmFile, bits: 32 | 64): Verdict {
  const loader = bits === 64 ? QEMU_AARCH64 : QEMU_ARM;
  const { image, view, packedBy } = file;
  if (packedBy === undefined) {
    if (image.format === "elf") return elfVerdict(file, image, loader, bits);
    if (hasUMagic(view)) return uImageVerdict(file, loader, bits);
  }
  return bits === 64 ? raw64(file, loader) : raw32(file, loader);
}

function elfVerdict(file: ArmFile, image: ElfImage, loader: LoaderFacts, bits: 32 | 64): Verdict {
  const wanted = bits === 64 ? EM.AARCH64 : EM.ARM;
  const { machine } = image.header;
  if (machine !== wanted) {
    const check = { offset: ELF32.ehdr.machine, found: `e_machine ${machine}`, expected: `${wanted}` };
    return refuses(
      loader,
      "it is for another CPU: QEMU 7.2 ends with status 1 and prints nothing",
      check,
      [],
    );
  }
  const load = image.segments.find(({ type, memsz }) => type === PT.LOAD && memsz > 0n);
  const register = bits === 64 ? "x0" : "r2";
  const noTree = `no device tree is handed over (${register} = 0; one lies at ${hex(RAM)} where there is room)`;
  if (load !== undefined && physicalAddresses(image)?.virtual === true) {
    const check = {
      offset: load.headerOffset,
      found: `p_paddr ${hex(load.paddr)}`,
      expected: `an address in memory, which begins at ${hex(RAM)}`,
    };
    const reason = `loads it by p_paddr, which is virtual, so where there is no memory; ${noTree}`;
    return blind(loader, reason, { check, advice: convertAdvice(file) });
  }
  const reason = `loads it by p_paddr and enters it at e_entry with every register 0: ${noTree}`;
  return { loader, outcome: "takes", reason, prints: [], advice: convertAdvice(file) };
}

function uImageVerdict({ view }: ArmFile, loader: LoaderFacts, bits: 32 | 64): Verdict {
  const [type, compression] = [view.u8(UIMAGE.TYPE), view.u8(UIMAGE.COMP)];
  const raw = `is then loaded as raw code at ${bits === 64 ? hex(RAM + ARM64_DEFAULT_TEXT_OFFSET) : hex(RAW32)}, header and all`;
  if (type !== IH_TYPE.KERNEL && type !== IH_TYPE.KERNEL_NOLOAD) {
    const check = { offset: UIMAGE.TYPE, found: `ih_type ${type}`, expected: `${IH_TYPE.KERNEL} (kernel)` };
    return blind(loader, raw, { check, prints: [`Wrong image type ${type}, expected ${IH_TYPE.KERNEL}`] });
  }
  if (compression !== IH_COMP.NONE && compression !== IH_COMP.GZIP) {
    const check = { offset: UIMAGE.COMP, found: `ih_comp ${compression}`, expected: "0 (none) or 1 (gzip)" };
    const prints = [`Unable to load u-boot images with compression type ${compression}`];
    return blind(loader, raw, { check, prints });
  }
  const anywhere = type === IH_TYPE.KERNEL_NOLOAD;
  const load = anywhere ? NOLOAD + UIMAGE.SIZE : view.u32be(UIMAGE.LOAD);
  const entry = view.u32be(UIMAGE.EP) + (anywhere ? load : 0);
  const place = `loads it at ${hex(load)}, enters it at ${hex(entry)}; checksums and ih_arch are not looked at`;
  if (load < RAM) {
    const check = {
      offset: UIMAGE.LOAD,
      found: `ih_load ${hex(load)}`,
      expected: `an address from ${hex(RAM)} on`,
    };
    return blind(loader, `${place}; there is no memory`, { check });
  }
  const [arch, wanted] = [view.u8(UIMAGE.ARCH), bits === 64 ? IH_ARCH.ARM64 : IH_ARCH.ARM];
  if (arch !== wanted) {
    const check = { offset: UIMAGE.ARCH, found: `ih_arch ${arch}`, expected: `${wanted} (not checked)` };
    return blind(loader, `${place}; it is run as ${bits}-bit ARM code all the same`, { check });
  }
  if (view.u8(UIMAGE.OS) === IH_OS.LINUX) return takes(loader, place);
  const check = {
    offset: UIMAGE.OS,
    found: `ih_os ${view.u8(UIMAGE.OS)}`,
    expected: `${IH_OS.LINUX} (linux)`,
  };
  return blind(loader, `${place}; only Linux is handed a device tree`, {
    check,
    advice: "Make it with mkimage -O linux: the registers are then as Linux has them",
  });
}

function raw64({ view, packedBy }: ArmFile, loader: LoaderFacts): Verdict {
  const unpacked = packedBy === GZIP ? "unpacks it; " : "";
  const readable = packedBy === undefined || packedBy === GZIP;
  if (!readable || !hasImageMagic(view)) {
    const where = hex(RAM + ARM64_DEFAULT_TEXT_OFFSET);
    const check = {
      offset: readable ? Math.min(ARM64_IMAGE.MAGIC, view.length) : 0,
      found: readable ? "no arm64 Image magic number" : `a file packed with ${packedBy ?? ""}`,
      expected: "an arm64 Image (not checked)",
    };
    return blind(loader, `${unpacked}runs its bytes as 64-bit code at ${where}`, { check });
  }
  const size = view.u64(ARM64_IMAGE.IMAGE_SIZE);
  const offset = size === 0n ? BigInt(ARM64_DEFAULT_TEXT_OFFSET) : view.u64(ARM64_IMAGE.TEXT_OFFSET);
  const raised = offset < BigInt(BOOTLOADER_ROOM) ? BigInt(RAISED) : 0n;
  const where = hex(BigInt(RAM) + offset + raised);
  return takes(loader, `${unpacked}loads and enters it at ${where}, x0 = device tree`);
}

function raw32({ view, packedBy }: ArmFile, loader: LoaderFacts): Verdict {
  if (packedBy !== undefined || !hasZMagic(view)) {
    const check = {
      offset: packedBy === undefined ? ZIMAGE.MAGIC : 0,
      found: packedBy === undefined ? "no zImage magic number" : `a file packed with ${packedBy}`,
      expected: "a zImage (not checked)",
    };
    const advice = packedBy === undefined ? undefined : "Unpack it first";
    return blind(loader, `runs its bytes as 32-bit code at ${hex(RAW32)}`, { check, advice });
  }
  const start = view.u32(ZIMAGE.START);
  if (start === 0 || start === RAW32) {
    return takes(
      loader,
      `loads and enters it at ${hex(RAW32)}, r1 = ~0, r2 = device tree; nothing is checked`,
    );
  }
  const check = { offset: ZIMAGE.START, found: `start ${hex(start, 8)}`, expected: `0 or ${hex(RAW32)}` };
  return blind(loader, `loads and enters it at ${hex(RAW32)} all the same`, { check });
}
