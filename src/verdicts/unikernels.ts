/**
 * What to do with a unikernel where a loader does not start it, and what keeps one from working behind a load that succeeds. Facts of
 * Solo5's docs/building.md, Hermit's loader and Unikraft's plat/kvm/Config.uk, as data.
 */
import { unikernelMark, unikernelName, type Unikernel } from "../formats/elf/unikernel.js";
import type { Trap } from "./traps.js";
import type { FailedCheck, Verdict } from "./verdict.js";

const SOLO5_ADVICE: Readonly<Record<string, string>> = {
  hvt: "Run it with solo5-hvt. For QEMU, crosvm, GRUB or locore build it for the target virtio; for Xen's type pvh, for xen",
  spt: "Run it with solo5-spt, on Linux without a machine. For QEMU, crosvm, GRUB or locore build it for the target virtio; for solo5-hvt, for hvt",
  virtio:
    "It is entered by Multiboot: QEMU -M pc or q35, crosvm, GRUB, locore. For solo5-hvt build it for the target hvt, for Xen's type pvh for xen",
  xen: 'Run it with xl create and type = "pvh". For QEMU, crosvm, GRUB or locore build it for the target virtio',
  muen: "It is part of a Muen system. For QEMU, crosvm, GRUB or locore build it for the target virtio; for solo5-hvt, for hvt",
  genode:
    "It is part of a Genode system. For QEMU, crosvm, GRUB or locore build it for the target virtio; for solo5-hvt, for hvt",
};
const SOLO5_OTHER = "Build it for a target that is known: virtio for QEMU and locore, hvt for solo5-hvt";

const HERMIT_ADVICE =
  "Give hermit-loader as the kernel (its multiboot build to QEMU and locore, its linux build to Firecracker) and this file as the initrd, or run it with uhyve";

const UNIKRAFT_ADVICE: Readonly<Record<string, string>> = {
  linux:
    "It is built for Firecracker. For QEMU build it with CONFIG_KVM_VMM_QEMU=y and CONFIG_KVM_BOOT_PROTO_MULTIBOOT=y, for Xen with CONFIG_PLAT_XEN=y",
  multiboot:
    "It is built for QEMU: give the image, not its .dbg file. For Firecracker build it with CONFIG_KVM_VMM_FIRECRACKER=y, for Xen with CONFIG_PLAT_XEN=y",
  xen: 'Run it with xl create and type = "pv". For QEMU build it with CONFIG_PLAT_KVM=y and CONFIG_KVM_VMM_QEMU=y, for Firecracker with CONFIG_KVM_VMM_FIRECRACKER=y',
};
const UNIKRAFT_OTHER =
  "Build it for this monitor: CONFIG_KVM_VMM_QEMU=y or CONFIG_KVM_VMM_FIRECRACKER=y, or CONFIG_PLAT_XEN=y";

/** What a person can do where a loader does not start it. */
export function unikernelAdvice(unikernel: Unikernel): string {
  switch (unikernel.system) {
    case "Solo5":
      return SOLO5_ADVICE[unikernel.target ?? ""] ?? SOLO5_OTHER;
    case "Hermit":
      return HERMIT_ADVICE;
    case "Unikraft":
      return UNIKRAFT_ADVICE[unikernel.entry ?? ""] ?? UNIKRAFT_OTHER;
  }
}

/** The same verdicts; those that do not start it say what to do with such a file, instead of what to do with a kernel. */
export function advisedFor(unikernel: Unikernel | undefined, verdicts: readonly Verdict[]): Verdict[] {
  if (unikernel === undefined) return [...verdicts];
  const advice = unikernelAdvice(unikernel);
  return verdicts.map((verdict) => (verdict.outcome === "takes" ? verdict : { ...verdict, advice }));
}

/** Why what is at e_entry is not started by entering it as a kernel; undefined where it is made for that. */
export function unikernelEntryCheck(unikernel: Unikernel): FailedCheck | undefined {
  if (unikernel.system === "Unikraft" && (unikernel.entry === "linux" || unikernel.entry === undefined))
    return undefined;
  return {
    offset: unikernel.offset,
    found: `a ${unikernelName(unikernel)}`,
    expected: "code for this way of starting it (not checked)",
  };
}

/** Loaders that a Solo5 or Unikraft file for PCI's virtio devices may meet on a machine without PCI. */
const WITHOUT_PCI = ["qemu-microvm", "locore-multiboot1"];
const OUTSIDE_XEN = [
  ...["qemu-microvm", "qemu-pc", "firecracker", "cloud-hypervisor", "crosvm", "kvmtool", "libkrun", "bhyve"],
  ...["grub-multiboot", "v86", "locore-pvh", "locore-multiboot1"],
];

/** The traps of a unikernel. */
export function unikernelTraps(unikernel: Unikernel): Trap[] {
  if (unikernel.system !== "Solo5") return [];
  const told = { evidence: unikernelMark(unikernel), offset: unikernel.offset };
  if (unikernel.target === "virtio") {
    return [
      {
        id: "solo5-virtio-pci",
        loaders: WITHOUT_PCI,
        what: "its bindings know virtio devices on PCI only, and this machine has no PCI: a network or block device of its manifest is not found",
        ...told,
        advice: "Use QEMU -M pc or q35, with one virtio-net-pci and one virtio-blk-pci at most",
      },
    ];
  }
  if (unikernel.target !== "xen") return [];
  return [
    {
      id: "solo5-needs-xen",
      loaders: OUTSIDE_XEN,
      what: "its bindings call Xen for console, clock and devices: outside of Xen it ends at the first of them",
      ...told,
      advice: SOLO5_ADVICE["xen"],
    },
  ];
}
