/**
 * What U-Boot's bootm does with a FIT when no configuration is named: rule by rule, in its order. Only images that the
 * default configuration names are looked at. Facts of boot/image-fit.c fit_image_load and boot/bootm.c bootm_find_os, as
 * data.
 */
import { hex } from "../bytes/hex.js";
import type { FitConfiguration, FitImage, FitSubimage } from "../formats/fit/fit.js";
import { BOOTM, NO_KERNEL } from "./u-boot-bootm.js";
import { blind, refuses, takes, type Verdict } from "./verdict.js";

/** Properties of a FIT's root that U-Boot insists on, and the error number that it prints without them. */
const FIT_ROOT = [
  { name: "description", error: -42 },
  { name: "timestamp", error: -74 },
] as const;
/** Types and systems of a kernel that are allowed. */
const TYPES: readonly string[] = ["kernel", "kernel_noload", "firmware", "tee"];
const SYSTEMS: readonly string[] = ["linux", "u-boot", "tee", "openrtos", "efi", "vxworks"];
/** Names of other systems that its table has, as it prints them; FreeBSD's is only in mkimage's. */
const SYSTEM_NAMES: ReadonlyMap<string, string> = new Map([
  ["invalid", "Invalid OS"],
  ["arm-trusted-firmware", "ARM Trusted Firmware"],
  ["linux", "Linux"],
  ["netbsd", "NetBSD"],
  ["ose", "Enea OSE"],
  ["plan9", "Plan 9"],
  ["rtems", "RTEMS"],
  ["tee", "Trusted Execution Environment"],
  ["u-boot", "U-Boot"],
  ["vxworks", "VxWorks"],
  ["qnx", "QNX"],
  ["opensbi", "RISC-V OpenSBI"],
  ["efi", "EFI Firmware"],
]);
/** What bootm_find_os reads of a kernel, and says without it. */
const NEEDED = [
  { name: "compression", prints: "Can't get image compression!" },
  { name: "arch", prints: "Can't get image ARCH!" },
  { name: "load", prints: "Can't get image load address!" },
  { name: "entry", prints: "Can't get entry point property!" },
] as const;
/** Other parts of a configuration, and how bootm ends when one is damaged. */
const PARTS = [
  { role: "ramdisk", prints: "Ramdisk image is corrupt or invalid" },
  { role: "fdt", prints: "Could not find a valid device tree" },
  { role: "loadables", prints: "Loadable(s) is corrupt or invalid" },
] as const;
const MAKE = "Make it with mkimage -f";

/** bootm's answer to a FIT. */
export function fit(image: FitImage): Verdict {
  const absent = FIT_ROOT.find(({ name }) => image[name] === undefined);
  if (absent !== undefined) {
    const found = `no ${absent.name} in the root node`;
    const check = { offset: 0, found, expected: "one, as mkimage writes it" };
    const prints = [`Bad FIT kernel image format! (err=${absent.error})`, NO_KERNEL];
    return refuses(BOOTM, "its root node lacks a property", check, prints, MAKE);
  }
  // "conf-1#overlay": what is behind the sign are device-tree overlays.
  const [name] = image.defaultConfiguration?.split("#") ?? [undefined];
  const configuration = image.configurations.find((one) => one.name === name);
  return configuration === undefined ? noConfiguration(image) : configured(image, configuration);
}

function noConfiguration({ defaultConfiguration, configurations }: FitImage): Verdict {
  const found =
    defaultConfiguration === undefined
      ? "no default configuration"
      : `a default configuration "${defaultConfiguration}" that is not there`;
  const check = { offset: 0, found, expected: "the name of a configuration" };
  const [first] = configurations;
  const advice = configurations.length === 0 ? MAKE : `Name one: bootm ADDR#${first.name}`;
  const reason = "nothing says which images to take";
  return refuses(BOOTM, reason, check, ["Could not find configuration node", NO_KERNEL], advice);
}

function configured(image: FitImage, configuration: FitConfiguration): Verdict {
  const { parts, offset, name } = configuration;
  const kernel = image.images.find((one) => one.name === parts["kernel"]);
  if (kernel === undefined) {
    const found =
      parts["kernel"] === undefined ? "no kernel" : `the kernel "${parts["kernel"]}", which is not there`;
    const check = { offset, found, expected: "the name of an image" };
    const prints = ["Could not find subimage node type 'kernel'", NO_KERNEL];
    return refuses(BOOTM, `its configuration "${name}" has no kernel`, check, prints);
  }
  return wrongKernel(kernel) ?? wrongPart(image, configuration) ?? started(kernel, configuration);
}

/** What fit_image_load and bootm_find_os mind, in their order. */
function wrongKernel(kernel: FitSubimage): Verdict | undefined {
  const { name, offset, data, type, os, arch, problems } = kernel;
  if (problems.length > 0) {
    return refuses(BOOTM, "a digest is wrong", problems[0], ["Bad Data Hash", NO_KERNEL], MAKE);
  }
  if (data === undefined) {
    const check = { offset, found: `no data of "${name}"`, expected: "data, or its place and size" };
    const prints = [`Can't get image data/size in '${name}' image node`, "Bad Data Hash", NO_KERNEL];
    return refuses(BOOTM, "its kernel has no data", check, prints);
  }
  if (!TYPES.includes(type ?? "") || !SYSTEMS.includes(os ?? "")) {
    const found = `type ${type ?? "absent"}, os ${os ?? "absent"}`;
    const check = { offset, found, expected: `type kernel, os ${SYSTEMS.join(", ")}` };
    const system = SYSTEM_NAMES.get(os ?? "") ?? "Unknown OS";
    const own = arch === "arm" ? "ARM" : "AArch64";
    const prints = [`No ${system} ${own} Kernel Image Image`, NO_KERNEL];
    const advice = 'Say os = "linux": the registers are then as Linux has them';
    return refuses(BOOTM, "it starts no such image", check, prints, advice);
  }
  const absent = NEEDED.find((one) => kernel[one.name] === undefined);
  if (absent === undefined) return undefined;
  const check = { offset, found: `no ${absent.name} of "${name}"`, expected: "one" };
  return refuses(BOOTM, "its kernel lacks a property", check, [absent.prints], `Add it; ${MAKE}`);
}

function wrongPart({ images }: FitImage, { parts }: FitConfiguration): Verdict | undefined {
  for (const { role, prints } of PARTS) {
    const problem = images.find(({ name }) => name === parts[role])?.problems[0];
    if (problem === undefined) continue;
    return refuses(BOOTM, `a digest of its ${role} is wrong`, problem, ["Bad Data Hash", prints], MAKE);
  }
  return undefined;
}

function started({ arch, load, entry, offset, type }: FitSubimage, { name }: FitConfiguration): Verdict {
  if (arch !== "arm" && arch !== "arm64") {
    const check = { offset, found: `arch ${arch ?? "absent"}`, expected: "arm or arm64 (not checked)" };
    return blind(BOOTM, "enters code of another architecture: it does not look at arch", { check });
  }
  const place =
    type !== "kernel_noload"
      ? `loads the kernel of "${name}" at ${hex(load ?? 0)} and enters it at ${hex(entry ?? 0)}`
      : arch === "arm"
        ? `enters the kernel of "${name}" where it lies, ${hex(entry ?? 0)} bytes in`
        : `moves and enters the kernel of "${name}" as booti does an Image`;
  const choice = `a U-Boot that chooses by the board's tree (CONFIG_FIT_BEST_MATCH) wants it named: bootm ADDR#${name}`;
  return takes(BOOTM, `${place}; ${choice}`);
}
