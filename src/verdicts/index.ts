/** Where an image boots, and where not and why: one function a loader. The one door into this folder. */
import type { KnownImage } from "../formats/index.js";
import { isForArm } from "../formats/image.js";
import { armFile, type ArmFile } from "./arm-image.js";
import { firecrackerAarch64 } from "./firecracker.js";
import { qemuVirt } from "./qemu.js";
import { uBootBooti, uBootBootm, uBootBootz } from "./u-boot.js";
import type { Verdict } from "./verdict.js";
import { xenHypervisor, xenToolstack } from "./xen.js";

export type { FailedCheck, LoaderFacts, Outcome, Verdict } from "./verdict.js";

/** Loaders of ARM machines, in the order they are shown. */
const ARM_LOADERS: readonly ((file: ArmFile) => Verdict)[] = [
  (file) => xenHypervisor(file, 64),
  (file) => xenHypervisor(file, 32),
  xenToolstack,
  (file) => qemuVirt(file, 64),
  (file) => qemuVirt(file, 32),
  uBootBooti,
  uBootBootz,
  uBootBootm,
  firecrackerAarch64,
];
/**
 * What each loader does with an image. Empty for images that are not made for ARM machines: their loaders are `boot/`'s
 * own. U-Boot's containers have an answer whatever they are marked for: loaders look at the mark, or do not. Pure; never
 * throws.
 */
export function verdicts(image: KnownImage): Verdict[] {
  if (!isForArm(image) && image.format !== "uimage" && image.format !== "fit") return [];
  const file = armFile(image);
  return ARM_LOADERS.map((judge) => judge(file));
}
