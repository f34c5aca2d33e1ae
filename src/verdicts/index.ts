/** Where an image boots, and where not and why: one function a loader. The one door into this folder. */
import type { KnownImage } from "../formats/index.js";
import { isForArm } from "../formats/image.js";
import { armFile, type ArmFile } from "./arm-image.js";
import { FIRECRACKER_AARCH64, firecrackerAarch64 } from "./firecracker.js";
import { QEMU_AARCH64, QEMU_ARM, qemuVirt } from "./qemu.js";
import type { NamedRule } from "./rules.js";
import { BOOTM } from "./u-boot-bootm.js";
import { BOOTI, BOOTZ, uBootBooti, uBootBootm, uBootBootz } from "./u-boot.js";
import type { LoaderFacts, Verdict } from "./verdict.js";
import { X86_LOADERS, X86_RULES, x86Verdicts } from "./x86/index.js";
import { XEN_ARM64, XEN_ARMHF, XL, xenHypervisor, xenToolstack } from "./xen.js";

export type { FailedCheck, LoaderFacts, Outcome, Verdict } from "./verdict.js";
export type { NamedRule } from "./rules.js";
export { traps, type Trap } from "./traps.js";
export { advisedFor, unikernelAdvice, unikernelEntryCheck } from "./unikernels.js";
export { claimsX86, x86Verdicts } from "./x86/index.js";

/** Loaders of ARM machines, in the order they are shown. */
const ARM_LOADERS: readonly (readonly [facts: LoaderFacts, judge: (file: ArmFile) => Verdict])[] = [
  [XEN_ARM64, (file) => xenHypervisor(file, 64)],
  [XEN_ARMHF, (file) => xenHypervisor(file, 32)],
  [XL, xenToolstack],
  [QEMU_AARCH64, (file) => qemuVirt(file, 64)],
  [QEMU_ARM, (file) => qemuVirt(file, 32)],
  [BOOTI, uBootBooti],
  [BOOTZ, uBootBootz],
  [BOOTM, uBootBootm],
  [FIRECRACKER_AARCH64, firecrackerAarch64],
];

/** Every loader that there are verdicts of, whatever the file. */
export const LOADERS: readonly LoaderFacts[] = [...X86_LOADERS, ...ARM_LOADERS.map(([facts]) => facts)];
/** Every rule that has a name. */
export const RULES: readonly NamedRule[] = X86_RULES;

/**
 * What each loader does with an image: those of ARM machines with a kernel for ARM or a container of U-Boot's, those of x86
 * machines with any other. U-Boot's containers have an answer whatever they are marked for: loaders look at the mark, or
 * do not. Firmware is no kernel: empty. Pure; never throws.
 */
export function verdicts(image: KnownImage): Verdict[] {
  if (isForArm(image) || image.format === "uimage" || image.format === "fit") {
    const file = armFile(image);
    return ARM_LOADERS.map(([, judge]) => judge(file));
  }
  return image.format === "firmware" ? [] : x86Verdicts(image.bytes, image);
}
