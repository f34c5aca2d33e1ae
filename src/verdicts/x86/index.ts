/** What each loader of x86 machines does with a file. */
import type { KnownImage } from "../../formats/index.js";
import { decompressPayload } from "../../formats/bzimage/payload.js";
import { FormatError } from "../../formats/format-error.js";
import { describingLimit } from "../../formats/unpack-limit.js";
import type { FailedCheck, LoaderFacts, Verdict } from "../verdict.js";
import type { NamedRule } from "../rules.js";
import { BHYVE, bhyve, BHYVE_RULES } from "./bhyve.js";
import { CLOUD_HYPERVISOR, cloudHypervisor, CLOUD_HYPERVISOR_RULES } from "./cloud-hypervisor.js";
import { CROSVM, crosvm, CROSVM_RULES } from "./crosvm.js";
import { x86File, type X86File } from "./file.js";
import { FIRECRACKER, firecracker, FIRECRACKER_RULES } from "./firecracker.js";
import {
  GRUB_LINUX,
  GRUB_MULTIBOOT,
  GRUB_MULTIBOOT2,
  grubLinux,
  grubMultiboot,
  grubMultiboot2,
  GRUB_RULES,
} from "./grub.js";
import { KVMTOOL, kvmtool, KVMTOOL_RULES } from "./kvmtool.js";
import { LIBKRUN, libkrun, LIBKRUN_RULES } from "./libkrun.js";
import { QEMU_MICROVM, QEMU_PC, QEMU_RULES, qemuX86 } from "./qemu.js";
import { unikernelOf } from "../../formats/elf/unikernel.js";
import { advisedFor } from "../unikernels.js";
import { SOLO5_HVT, SOLO5_RULES, SOLO5_SPT, solo5 } from "./solo5.js";
import { V86, v86, V86_RULES } from "./v86.js";
import { XEN_PV, XEN_PVH, XEN_RULES, xenX86 } from "./xen.js";

/** Loaders of x86 machines, in the order they are shown. */
const LOADERS: readonly (readonly [facts: LoaderFacts, judge: (file: X86File) => Verdict])[] = [
  [QEMU_MICROVM, (file) => qemuX86(file, QEMU_MICROVM)],
  [QEMU_PC, (file) => qemuX86(file, QEMU_PC)],
  [FIRECRACKER, firecracker],
  [CLOUD_HYPERVISOR, cloudHypervisor],
  [CROSVM, crosvm],
  [KVMTOOL, kvmtool],
  [LIBKRUN, libkrun],
  [BHYVE, bhyve],
  [XEN_PVH, (file) => xenX86(file, "pvh")],
  [XEN_PV, (file) => xenX86(file, "pv")],
  [GRUB_LINUX, grubLinux],
  [GRUB_MULTIBOOT, grubMultiboot],
  [GRUB_MULTIBOOT2, grubMultiboot2],
  [V86, v86],
];

/** Their names and sources. */
export const X86_LOADERS: readonly LoaderFacts[] = [...LOADERS.map(([facts]) => facts), SOLO5_HVT, SOLO5_SPT];
/** Every rule of theirs. */
export const X86_RULES: readonly NamedRule[] = [
  QEMU_RULES,
  FIRECRACKER_RULES,
  CLOUD_HYPERVISOR_RULES,
  CROSVM_RULES,
  KVMTOOL_RULES,
  LIBKRUN_RULES,
  BHYVE_RULES,
  XEN_RULES,
  GRUB_RULES,
  V86_RULES,
  SOLO5_RULES,
].flatMap((table) => table.named());

/**
 * What they do with a file of which our readers made `image`, or which they refused. Pure; never throws.
 * @param bytes the file; unpacked when it is packed as a whole.
 */
export function x86Verdicts(bytes: Uint8Array, image: KnownImage | undefined): Verdict[] {
  const unikernel = image?.format === "elf" ? unikernelOf(image) : undefined;
  const file = x86File(bytes, image?.packedBy, () => payloadOf(image), unikernel);
  return [
    ...advisedFor(
      unikernel,
      LOADERS.map(([, judge]) => judge(file)),
    ),
    ...tenders(file),
  ];
}

/** Solo5's tenders, of files that are Solo5's. */
function tenders({ elf, unikernel }: X86File): Verdict[] {
  if (elf === undefined || unikernel?.system !== "Solo5") return [];
  return (["hvt", "spt"] as const).map((tender) => solo5(elf, unikernel, tender));
}

/** Whether a file claims to be a kernel for such machines, however broken it is. */
export function claimsX86(bytes: Uint8Array): boolean {
  const { setup, elf, multiboot } = x86File(bytes, undefined, () => payloadOf(undefined));
  return setup !== undefined || elf !== undefined || multiboot !== undefined;
}

function payloadOf(image: KnownImage | undefined): Uint8Array | FailedCheck {
  if (image?.format !== "bzimage")
    return { offset: 0, found: "no payload that can be read", expected: "a packed ELF kernel" };
  try {
    return decompressPayload(image, describingLimit(image.bytes.length));
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    const { offset, found, expected } = error;
    return { offset, found, expected };
  }
}
