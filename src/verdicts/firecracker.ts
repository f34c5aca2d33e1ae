/**
 * What Firecracker does with an image on aarch64. Facts of its sources and of the linux-loader crate's, as data; not run.
 */
import { hex } from "../bytes/hex.js";
import { ARM64_DEFAULT_TEXT_OFFSET, ARM64_IMAGE } from "../spec/arm-boot.js";
import { convertAdvice, hasImageMagic, magicCheck, type ArmFile } from "./arm-image.js";
import { refuses, takes, type LoaderFacts, type Verdict } from "./verdict.js";

export const FIRECRACKER_AARCH64: LoaderFacts = {
  name: "firecracker-aarch64",
  what: "Firecracker on 64-bit ARM",
  source: "linux-loader src/loader/pe/mod.rs, Firecracker src/vmm/src/arch/aarch64; read",
};

/** Where Firecracker counts text_offset from. */
const BASE = 0x8020_0000;
const OUTER =
  "Cannot load kernel due to invalid memory configuration or invalid kernel image: Kernel Loader: failed to load PE kernel image";

/** One magic number; nothing is unpacked. */
export function firecrackerAarch64(file: ArmFile): Verdict {
  const { view, packedBy } = file;
  if (packedBy !== undefined || !hasImageMagic(view)) {
    const short = packedBy === undefined && view.length < ARM64_IMAGE.SIZE;
    const why = short ? "unable to read Image header" : "invalid Image magic number";
    const check = magicCheck(file, ["arm64-image"]);
    const advice = convertAdvice(file, 64) ?? (packedBy === undefined ? undefined : "Unpack it first");
    const reason = file.image.arch === "arm" ? "it runs 64-bit kernels only" : "no magic number matches";
    return refuses(FIRECRACKER_AARCH64, reason, check, [`${OUTER}: PE Kernel Loader: ${why}`], advice);
  }
  const old = view.u64(ARM64_IMAGE.IMAGE_SIZE) === 0n;
  const offset = old ? BigInt(ARM64_DEFAULT_TEXT_OFFSET) : view.u64(ARM64_IMAGE.TEXT_OFFSET);
  const where = hex(BigInt(BASE) + offset);
  return takes(
    FIRECRACKER_AARCH64,
    `loads and enters it at ${where}, x0 = device tree, in the last 2 MiB of memory`,
  );
}
