/**
 * What Xen on ARM does with an image: the hypervisor, for its hardware domain and for the domains that it builds itself
 * (dom0less), and the toolstack, for guests that xl creates. Facts of Xen's sources and of runs, as data; no Xen runs here.
 */
import { hex } from "../bytes/hex.js";
import { ARM64_FIRST_BRANCH, ARM64_IMAGE, ZIMAGE } from "../spec/arm-boot.js";
import { ELF32, EM } from "../spec/elf.js";
import { IH_ARCH, IH_COMP, UIMAGE } from "../spec/uimage.js";
import { XEN_NOTE_OWNER } from "../spec/xen-notes.js";
import {
  convertAdvice,
  GZIP,
  hasImageMagic,
  hasUMagic,
  hasZMagic,
  magicCheck,
  wordAt,
  type ArmFile,
} from "./arm-image.js";
import { blind, refuses, takes, type LoaderFacts, type Verdict } from "./verdict.js";

const HYPERVISOR_SOURCE = "xen/arch/arm/kernel.c, kernel_probe and what it calls; 4.17 read and run";
export const XEN_ARM64: LoaderFacts = {
  name: "xen-arm64",
  what: "Xen's hypervisor, 64-bit: dom0 and dom0less",
  source: HYPERVISOR_SOURCE,
};
export const XEN_ARMHF: LoaderFacts = {
  name: "xen-armhf",
  what: "Xen's hypervisor, 32-bit: dom0 and dom0less",
  source: HYPERVISOR_SOURCE,
};
export const XL: LoaderFacts = {
  name: "xl",
  what: "Xen's toolstack: guests that xl creates",
  source:
    "tools/libs/guest/xg_dom_armzimageloader.c, xg_dom_elfloader.c, xg_dom_core.c; 4.11 and later, read",
};

/** What a refused module ends in; later versions add the error number in brackets. */
const HYPERVISOR_REFUSAL = ["Could not set up DOM0 guest OS", "Could not set up domain domU1"];
/** The same for a guest that xl is to create. */
const NO_LOADER = [
  "xc_dom_find_loader: no loader found: Invalid kernel",
  "libxl__build_dom: xc_dom_parse_image failed",
];
/** Where the toolstack puts a 32-bit kernel, from the start of memory. */
const XL_ZIMAGE_OFFSET = 0x8000;

/** What the hypervisor does; `bits` is its own width. */
export function xenHypervisor(file: ArmFile, bits: 32 | 64): Verdict {
  const loader = bits === 64 ? XEN_ARM64 : XEN_ARMHF;
  const wanted = bits === 64 ? (["zimage", "arm64-image"] as const) : (["zimage"] as const);
  const unknown = (): Verdict => {
    const reason =
      file.image.format === "elf"
        ? "ELF files are not taken since 4.12, and no magic number matches"
        : "no magic number matches";
    // gzip is unpacked before anything is looked at.
    const check = magicCheck(
      file.packedBy === GZIP ? { view: file.view, packedBy: undefined } : file,
      wanted,
    );
    const narrow = bits === 32 ? 32 : undefined;
    const advice = convertAdvice(file, narrow) ?? unpackAdvice(file);
    return refuses(loader, reason, check, HYPERVISOR_REFUSAL, advice);
  };
  const { view, packedBy } = file;
  if (packedBy !== undefined && packedBy !== GZIP) return unknown();
  const unpacked = packedBy === undefined ? "" : "unpacks it (4.7 and later); ";
  if (bits === 64 && view.holds(0, ARM64_IMAGE.SIZE)) {
    const old = view.u32(ARM64_IMAGE.CODE0) === ARM64_FIRST_BRANCH;
    if (old || hasImageMagic(view)) {
      const offset = hex(view.u64(ARM64_IMAGE.TEXT_OFFSET));
      return takes(loader, `${unpacked}loads and enters it at the start of memory + ${offset} (text_offset)`);
    }
  }
  if (hasUMagic(view)) return hypervisorUImage(file, loader, bits);
  return hasZMagic(view) ? hypervisorZImage(file, loader, bits, unpacked) : unknown();
}

function unpackAdvice({ packedBy }: ArmFile): string | undefined {
  return packedBy === undefined || packedBy === GZIP
    ? undefined
    : `Unpack it first: only ${GZIP} is unpacked`;
}

function hypervisorZImage({ view }: ArmFile, loader: LoaderFacts, bits: 32 | 64, unpacked: string): Verdict {
  const [start, end] = [view.u32(ZIMAGE.START), view.u32(ZIMAGE.END)];
  const length = (end - start) >>> 0;
  if (length > view.length) {
    const found = `end - start = ${hex(length)}`;
    const expected = `at most the module's ${hex(view.length)} bytes`;
    return refuses(
      loader,
      "its header claims more than the file has",
      { offset: ZIMAGE.END, found, expected },
      HYPERVISOR_REFUSAL,
      "The file is cut short, or counts its bss in end: fetch or build it again",
    );
  }
  const where =
    start === 0
      ? "loads it as high as it fits below 128 MiB of memory, at a 2 MiB boundary, and enters it there"
      : `loads and enters it at ${hex(start)}, which must be the domain's memory (a guest's begins at 0x40000000)`;
  const cpu =
    bits === 64 ? ' (a CPU without AArch32 at EL1 says "Platform does not support 32-bit domain")' : "";
  return takes(loader, `${unpacked}${where}${cpu}`);
}

function hypervisorUImage(file: ArmFile, loader: LoaderFacts, bits: 32 | 64): Verdict {
  const { view } = file;
  const size = view.u32be(UIMAGE.SIZE_FIELD);
  const room = view.length - UIMAGE.SIZE;
  if (size > room) {
    const check = { offset: UIMAGE.SIZE_FIELD, found: `ih_size ${size}`, expected: `at most ${room}` };
    return refuses(loader, "its header claims more than the file has", check, HYPERVISOR_REFUSAL);
  }
  const arch = view.u8(UIMAGE.ARCH);
  if (bits === 64 && arch !== IH_ARCH.ARM && arch !== IH_ARCH.ARM64) {
    const check = { offset: UIMAGE.ARCH, found: `ih_arch ${arch}`, expected: "2 (arm) or 22 (arm64)" };
    const prints = [`Unsupported uImage arch type ${arch}`, ...HYPERVISOR_REFUSAL];
    return refuses(loader, "it is for another architecture", check, prints);
  }
  return compressedUImage(file, loader) ?? plainUImage(file, loader, bits);
}

/** 4.17 and before enter the compressed bytes; later ones unpack gzip. */
function compressedUImage({ view }: ArmFile, loader: LoaderFacts): Verdict | undefined {
  const compression = view.u8(UIMAGE.COMP);
  if (compression === IH_COMP.NONE) return undefined;
  const check = { offset: UIMAGE.COMP, found: `ih_comp ${compression}`, expected: "0 (none)" };
  const later =
    compression === IH_COMP.GZIP
      ? "4.18 and later unpack it"
      : `4.18 and later print "Unsupported uImage compression type ${compression}" and refuse it`;
  return blind(loader, `4.17 and before do not look at ih_comp and enter the packed bytes; ${later}`, {
    check,
    advice: "Make the uImage with mkimage -C none, or give the kernel itself",
  });
}

function plainUImage({ view }: ArmFile, loader: LoaderFacts, bits: 32 | 64): Verdict {
  const [load, entry] = [view.u32be(UIMAGE.LOAD), view.u32be(UIMAGE.EP)];
  const arch = view.u8(UIMAGE.ARCH);
  if (bits === 32 && arch !== IH_ARCH.ARM) {
    const check = { offset: UIMAGE.ARCH, found: `ih_arch ${arch}`, expected: "2 (arm; not checked)" };
    return blind(loader, "enters code of another architecture: a 32-bit Xen does not look at ih_arch", {
      check,
    });
  }
  const place = arch === IH_ARCH.ARM64 ? "at the start of memory" : "as high as it fits below 128 MiB";
  const later =
    load !== 0
      ? `loaded at ${hex(load)}, entered at ${hex(entry)}`
      : entry === 0
        ? "the same"
        : `refused, "Entry point cannot be non zero for PIE image." (ih_ep ${hex(entry)} with ih_load 0)`;
  return takes(
    loader,
    `4.17 and before ignore ih_load and ih_ep: loaded and entered ${place}; 4.18 and later: ${later}; checksums are not looked at`,
  );
}

/** What xl does. It unpacks gzip before it looks. */
export function xenToolstack(file: ArmFile): Verdict {
  const { image, view, packedBy } = file;
  const readable = packedBy === undefined || packedBy === GZIP;
  if (readable && image.format === "elf") return toolstackElf(file);
  const known = hasZMagic(view) || hasImageMagic(view) || wordAt(view, 0) === ARM64_FIRST_BRANCH;
  if (!readable || !known) {
    const check = magicCheck(file, ["zimage", "arm64-image"]);
    return refuses(XL, "no loader recognises it", check, NO_LOADER, unpackAdvice(file));
  }
  if (!hasZMagic(view)) {
    const offset = hex(view.u64(ARM64_IMAGE.TEXT_OFFSET));
    return takes(
      XL,
      `loads and enters it at the guest's 0x40000000 + ${offset} (text_offset); a 32-bit Xen says "guest type xen-3.0-aarch64 not supported by xen kernel, sorry"`,
    );
  }
  const start = view.u32(ZIMAGE.START);
  const place = `the guest's 0x40000000 + ${hex(XL_ZIMAGE_OFFSET)}`;
  if (start === 0) return takes(XL, `loads and enters it at ${place}; end is not looked at`);
  const check = { offset: ZIMAGE.START, found: `start ${hex(start, 8)}`, expected: "0" };
  return blind(XL, `loads it at ${place} but enters it at ${hex(start)}, where it is not`, {
    check,
    advice: "Make a zImage that runs anywhere: locore convert's have start 0",
  });
}

function toolstackElf(file: ArmFile): Verdict {
  const { image } = file;
  if (image.format !== "elf" || !image.notes.some(({ name }) => name === XEN_NOTE_OWNER)) {
    const check = {
      offset: 0,
      found: "an ELF file without Xen's notes",
      expected: "a zImage or an arm64 Image",
    };
    return refuses(XL, "an ELF file counts only with Xen's notes", check, NO_LOADER, convertAdvice(file));
  }
  const machine = image.header.machine;
  const check = {
    offset: ELF32.ehdr.machine,
    found: `e_machine ${machine}`,
    expected: `${EM[386]} or ${EM.X86_64}`,
  };
  const prints = [`xc_dom_guest_type: unknown image type ${machine}`, NO_LOADER[1]];
  return refuses(XL, "its ELF loader knows x86 only", check, prints, convertAdvice(file));
}
