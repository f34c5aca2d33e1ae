/**
 * What U-Boot's commands do with an image: bootz (32-bit), booti (64-bit), bootm. Facts of arch/arm/lib, cmd/booti.c,
 * boot/bootm.c and of runs, as data.
 */
import { ByteView } from "../bytes/byte-view.js";
import { hex } from "../bytes/hex.js";
import type { UImage } from "../formats/uimage/uimage.js";
import { ARM64_IMAGE, ARM64_IMAGE_FLAGS, ZIMAGE } from "../spec/arm-boot.js";
import { IH_ARCH, IH_TYPE, UIMAGE } from "../spec/uimage.js";
import { convertAdvice, hasImageMagic, hasUMagic, hasZMagic, magicCheck, type ArmFile } from "./arm-image.js";
import { fit } from "./u-boot-fit.js";
import { BOOTM, NO_KERNEL, RUN } from "./u-boot-bootm.js";
import { refuses, takes, type LoaderFacts, type Verdict } from "./verdict.js";

export const BOOTZ: LoaderFacts = {
  name: "u-boot-bootz",
  what: "U-Boot's bootz, on 32-bit machines",
  source: `arch/arm/lib/zimage.c bootz_setup; ${RUN}`,
};
export const BOOTI: LoaderFacts = {
  name: "u-boot-booti",
  what: "U-Boot's booti, on 64-bit machines",
  source: `cmd/booti.c booti_start, arch/arm/lib/image.c booti_setup; ${RUN}`,
};

/** What booti unpacks, by the codec's name (boot/image.c image_comp). */
const UNPACKED: ReadonlySet<string> = new Set(["gzip", "lzma", "zstd"]);
const BAD_IMAGE_MAGIC = "Bad Linux ARM64 Image magic!";
/** Types that bootm starts. */
const STARTED: readonly number[] = [IH_TYPE.KERNEL, IH_TYPE.KERNEL_NOLOAD, IH_TYPE.MULTI, IH_TYPE.STANDALONE];

/** bootz: one magic number. */
export function uBootBootz(file: ArmFile): Verdict {
  const { view, packedBy } = file;
  if (packedBy !== undefined || !hasZMagic(view)) {
    const check = magicCheck(file, ["zimage"]);
    return refuses(BOOTZ, "no magic number matches", check, ["zimage: Bad magic!"], adviceFor(file, 32));
  }
  const start = view.u32(ZIMAGE.START);
  const where = start === 0 ? "where it was loaded" : `where it was loaded: load it at ${hex(start)}`;
  return takes(BOOTZ, `enters it ${where}, r0 = 0, r2 = device tree; end serves only to keep memory free`);
}

/** booti: unpacks what it can where two variables are set, then one magic number. */
export function uBootBooti(file: ArmFile): Verdict {
  const { view, packedBy } = file;
  if (packedBy !== undefined && UNPACKED.has(packedBy)) {
    return refuses(
      BOOTI,
      "it unpacks only where variables say where to",
      {
        offset: 0,
        found: `a file packed with ${packedBy}`,
        expected: "kernel_comp_addr_r and kernel_comp_size set",
      },
      ["kernel_comp_addr_r or kernel_comp_size is not provided!"],
      "Set both, or unpack it first",
    );
  }
  if (packedBy !== undefined || !hasImageMagic(view)) {
    const check = magicCheck(file, ["arm64-image"]);
    return refuses(BOOTI, "no magic number matches", check, [BAD_IMAGE_MAGIC], adviceFor(file));
  }
  if (view.u64(ARM64_IMAGE.IMAGE_SIZE) === 0n) {
    const text = "Image lacks image_size field, assuming 16MiB";
    return takes(BOOTI, "moves it to the start of memory + 0x80000 and enters it there", [text]);
  }
  const offset = hex(view.u64(ARM64_IMAGE.TEXT_OFFSET));
  const anywhere = (view.u64(ARM64_IMAGE.FLAGS) & ARM64_IMAGE_FLAGS.PHYSICAL_PLACEMENT) !== 0n;
  const base = anywhere ? "the next 2 MiB boundary from where it was loaded" : "the start of memory";
  return takes(BOOTI, `moves it to ${base} + ${offset} (text_offset) and enters it there, x0 = device tree`);
}

/** bootm: uImages and FITs. */
export function uBootBootm(file: ArmFile): Verdict {
  const { image, view, packedBy } = file;
  if (packedBy === undefined && image.format === "uimage") return legacy(image);
  if (packedBy === undefined && image.format === "fit") return fit(image);
  const check = {
    offset: 0,
    found:
      packedBy === undefined
        ? hasUMagic(view)
          ? "a damaged uImage"
          : "neither magic number"
        : `a file packed with ${packedBy}`,
    expected: "a uImage (27 05 19 56) or a FIT (d0 0d fe ed)",
  };
  const advice =
    image.format === "zimage"
      ? "Use bootz"
      : image.format === "arm64-image" && packedBy === undefined
        ? "Use booti"
        : adviceFor(file);
  const prints = ["Wrong Image Format for bootm command", NO_KERNEL];
  return refuses(BOOTM, "it takes uImages and FITs only", check, prints, advice);
}

function adviceFor(file: ArmFile, bits?: 32 | 64): string | undefined {
  return convertAdvice(file, bits) ?? (file.packedBy === undefined ? undefined : "Unpack it first");
}

function legacy(image: UImage): Verdict {
  const texts: Readonly<Record<number, string>> = {
    [UIMAGE.HCRC]: "Bad Header Checksum",
    [UIMAGE.DCRC]: "   Verifying Checksum ... Bad Data CRC",
  };
  const problem = image.problems.find(({ offset }) => texts[offset] !== undefined);
  if (problem !== undefined) {
    const prints = [texts[problem.offset], NO_KERNEL];
    return refuses(BOOTM, "a checksum is wrong", problem, prints, "Make it again with mkimage");
  }
  if (!STARTED.includes(image.type)) {
    const check = {
      offset: UIMAGE.TYPE,
      found: `ih_type ${image.type}`,
      expected: `${IH_TYPE.KERNEL} (kernel)`,
    };
    return refuses(BOOTM, "it holds no kernel", check, ["Wrong Image Type for bootm command", NO_KERNEL]);
  }
  if (image.ihArch !== IH_ARCH.ARM && image.ihArch !== IH_ARCH.ARM64) {
    const check = {
      offset: UIMAGE.ARCH,
      found: `ih_arch ${image.ihArch}`,
      expected: "2 (arm) or 22 (arm64)",
    };
    const prints = [`Unsupported Architecture ${hex(image.ihArch)}`, NO_KERNEL];
    return refuses(BOOTM, "it is for another architecture", check, prints);
  }
  if (image.type === IH_TYPE.KERNEL_NOLOAD) return unloaded(image);
  return takes(
    BOOTM,
    `checks both sums, loads it at ${hex(image.load)} and enters it at ${hex(image.entry)}`,
  );
}

/** Type kernel_noload: ih_load does not count; 64-bit ones go booti's way. */
function unloaded({ data, ihArch, entry }: UImage): Verdict {
  if (ihArch !== IH_ARCH.ARM64) {
    return takes(BOOTM, `checks both sums and enters the data where it lies, ${hex(entry)} bytes in (ih_ep)`);
  }
  const view = new ByteView(data);
  if (hasImageMagic(view)) {
    return takes(BOOTM, "checks both sums, then moves and enters the data as booti does an Image");
  }
  const { offset, found, expected } = magicCheck({ view, packedBy: undefined }, ["arm64-image"]);
  const check = { offset: UIMAGE.SIZE + offset, found, expected };
  return refuses(BOOTM, "it takes no other 64-bit kernel_noload", check, [BAD_IMAGE_MAGIC]);
}
