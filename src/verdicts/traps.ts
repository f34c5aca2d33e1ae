/**
 * What keeps a kernel from working behind a load that succeeds: no console where the monitor has one, devices that it does not
 * find, a clock that it has no rate for. Each with its evidence in the image. Facts of kernels' and monitors' sources, as data.
 */
import { hex } from "../bytes/hex.js";
import { decompressPayload } from "../formats/bzimage/payload.js";
import { kernelSystem } from "../formats/elf/system.js";
import { unikernelOf } from "../formats/elf/unikernel.js";
import { FormatError } from "../formats/format-error.js";
import type { KnownImage } from "../formats/index.js";
import { describingLimit } from "../formats/unpack-limit.js";
import { SETUP_OFFSET } from "../spec/linux-boot.js";
import { KernelMarks, type Mark } from "./kernel-marks.js";
import { unikernelTraps } from "./unikernels.js";

/** One trap. */
export interface Trap {
  /** A name that stays: "no-com1". */
  readonly id: string;
  /** The loaders behind which it waits, by the names of verdicts. */
  readonly loaders: readonly string[];
  readonly what: string;
  /** How it is known. */
  readonly evidence: string;
  /** Where that stands, in the unpacked kernel or, for header fields, in the file. */
  readonly offset?: number;
  readonly advice: string;
}

/** Monitors whose only console, as they come, is the UART at 0x3f8. */
const COM1 = ["qemu-microvm", "qemu-pc", "firecracker", "crosvm", "kvmtool"];
/** Monitors whose disks are virtio on MMIO, told by the DSDT where the kernel has ACPI. */
const BY_DSDT = ["qemu-microvm", "firecracker"];
/** Monitors that tell it by words of the command line only. */
const BY_WORDS = ["libkrun"];
/** Monitors that have an MP table and no ACPI (kvmtool x86/mptable.c; libkrun). */
const MP_ONLY = ["kvmtool", "libkrun"];
/** Monitors that have ACPI and no other way to name CPUs and PCI interrupts. */
const ACPI_ONLY = ["cloud-hypervisor"];
/** Buffers for the command line, bytes with its NUL (sources as the verdicts'). */
const LINE_BUFFERS: Readonly<Record<string, number>> = {
  firecracker: 2048,
  crosvm: 2048,
  kvmtool: 2048,
  "cloud-hypervisor": 65536,
  libkrun: 65536,
  "qemu-microvm": 4096,
  "qemu-pc": 4096,
};

/** Linux' drivers: the option that builds each in, and a text that only it has. */
const LINUX_MARKS = {
  serial: { option: "CONFIG_SERIAL_8250_CONSOLE", text: "serial8250" },
  mmioWords: { option: "CONFIG_VIRTIO_MMIO_CMDLINE_DEVICES", text: "virtio-mmio-cmdline" },
  mmio: { option: "CONFIG_VIRTIO_MMIO", text: "LNRO0005" },
  acpi: { option: "CONFIG_ACPI", text: "ACPI: Interpreter" },
  mpTable: { option: "CONFIG_X86_MPPARSE", text: "Intel MultiProcessor Specification v1" },
  pci: { option: "CONFIG_PCI", text: "PCI: Using configuration type" },
} as const;
/** FreeBSD's. */
const FREEBSD_MARKS = {
  serial: { text: "uart_ns8250" },
  mmioWords: { text: "virtio_mmio.device" },
  tsc: { text: "TSC not initialized" },
} as const;

/** A kernel's own bytes: unpacked, of a bzImage. Undefined when they cannot be had. */
function kernelBytes(image: KnownImage): { bytes: Uint8Array; where: string } | undefined {
  if (image.format === "elf") return { bytes: image.bytes, where: "the file" };
  if (image.format !== "bzimage" || image.payload === undefined) return undefined;
  try {
    return {
      bytes: decompressPayload(image, describingLimit(image.bytes.length)),
      where: "the unpacked payload",
    };
  } catch (error) {
    if (error instanceof FormatError) return undefined;
    throw error;
  }
}

/** The traps of an image, most likely first. Pure; never throws. Empty for what is no kernel of a known system. */
export function traps(image: KnownImage): Trap[] {
  const unikernel = image.format === "elf" ? unikernelOf(image) : undefined;
  if (unikernel !== undefined) return unikernelTraps(unikernel);
  const kernel = kernelBytes(image);
  const header = image.format === "bzimage" ? headerTraps(image) : [];
  if (kernel === undefined) return header;
  const system = image.format === "elf" ? kernelSystem(image) : "Linux";
  if (system === "Linux") return [...linuxTraps(kernel.bytes, kernel.where), ...header];
  if (system === "FreeBSD") return freeBsdTraps(kernel.bytes, kernel.where);
  return system === "NetBSD" ? [...NETBSD_TRAPS] : [];
}

type Told = Pick<Trap, "evidence" | "offset">;

function told({ evidence, offset }: Mark): Told {
  return offset === undefined ? { evidence } : { evidence, offset };
}

function linuxTraps(bytes: Uint8Array, where: string): Trap[] {
  const marks = new KernelMarks(bytes, LINUX_MARKS, where);
  const of = (name: keyof typeof LINUX_MARKS): Mark => marks.mark(name);
  const [serial, words, mmio, acpi, mpTable, pci] = (
    ["serial", "mmioWords", "mmio", "acpi", "mpTable", "pci"] as const
  ).map(of);
  const found: Trap[] = [];
  const add = (wrong: boolean, trap: Omit<Trap, "evidence" | "offset">, by: Mark): void => {
    if (wrong) found.push({ ...trap, ...told(by) });
  };
  add(!serial.present, NO_COM1, serial);
  add(!mmio.present && !words.present, NO_MMIO, mmio);
  add(mmio.present && !acpi.present && !words.present, NO_WAY_TO_MMIO, acpi);
  add(!words.present, NO_MMIO_WORDS, words);
  add(!acpi.present, NO_ACPI, acpi);
  add(!mpTable.present, NO_MP_TABLE, mpTable);
  add(!pci.present, NO_PCI, pci);
  return found;
}

type TrapText = Omit<Trap, "evidence" | "offset">;

const NO_COM1: TrapText = {
  id: "no-com1",
  loaders: COM1,
  what: "it has no driver for the UART at 0x3f8: it boots, and nothing is to be seen",
  advice: "Build it with CONFIG_SERIAL_8250_CONSOLE=y, or give the machine a virtio console (console=hvc0)",
};
const NO_MMIO: TrapText = {
  id: "no-virtio-mmio",
  loaders: [...BY_DSDT, ...BY_WORDS],
  what: "virtio on MMIO is not built in: its root disk is not found",
  advice: "Give an initrd with the module virtio_mmio, or build it with CONFIG_VIRTIO_MMIO=y",
};
const NO_WAY_TO_MMIO: TrapText = {
  id: "virtio-mmio-unannounced",
  loaders: [...BY_DSDT, ...BY_WORDS],
  what: "it has virtio on MMIO, and neither ACPI nor the command line to find devices by",
  advice: "Build it with CONFIG_VIRTIO_MMIO_CMDLINE_DEVICES=y or CONFIG_ACPI=y",
};
const NO_MMIO_WORDS: TrapText = {
  id: "virtio-mmio-by-dsdt-only",
  loaders: BY_WORDS,
  what: "it takes no virtio_mmio.device= words: devices are found by the DSDT only (Firecracker has one since 1.8, QEMU's microvm unless acpi=off)",
  advice: "Build it with CONFIG_VIRTIO_MMIO_CMDLINE_DEVICES=y, or use a monitor with ACPI",
};
const NO_ACPI: TrapText = {
  id: "no-acpi",
  loaders: ACPI_ONLY,
  what: "it has no ACPI: one CPU, no PCI interrupts, and power-off does not end the machine",
  advice: "Build it with CONFIG_ACPI=y, or use a monitor that has an MP table (Firecracker, crosvm, kvmtool)",
};
const NO_MP_TABLE: TrapText = {
  id: "no-mp-table",
  loaders: MP_ONLY,
  what: "it reads no MP table, and these monitors have no ACPI: it sees one CPU",
  advice: "Build it with CONFIG_X86_MPPARSE=y, or use a monitor with ACPI",
};
const NO_PCI: TrapText = {
  id: "no-pci",
  loaders: ["cloud-hypervisor", "crosvm", "kvmtool", "qemu-pc"],
  what: "it has no PCI: the devices of these monitors are not found",
  advice: "Build it with CONFIG_PCI=y, or use a monitor with virtio on MMIO (Firecracker, QEMU's microvm)",
};

function freeBsdTraps(bytes: Uint8Array, where: string): Trap[] {
  const marks = new KernelMarks(bytes, FREEBSD_MARKS, where);
  const found: Trap[] = [];
  const [serial, words, tsc] = [marks.mark("serial"), marks.mark("mmioWords"), marks.mark("tsc")];
  if (!serial.present) {
    found.push({ ...NO_COM1, advice: "Build it with the device uart", ...told(serial) });
  }
  if (!words.present) {
    const advice =
      "Build it with the devices virtio and virtio_mmio, and options FDT or its command line (14.0 and later)";
    found.push({ ...NO_MMIO, advice, ...told(words) });
  }
  if (tsc.present) {
    found.push({
      id: "freebsd-tsc-rate",
      loaders: ["firecracker", "cloud-hypervisor", "qemu-microvm", "libkrun"],
      what: 'it needs the TSC\'s rate from CPUID (leaf 0x40000010, 0x15 or the brand string), else "panic: TSC not initialized"',
      advice: "Use a monitor that has the leaf (QEMU with KVM, Cloud Hypervisor since v30, locore)",
      ...told(tsc),
    });
  }
  found.push({
    id: "freebsd-no-initrd",
    loaders: ["qemu-microvm", "qemu-pc", "firecracker", "cloud-hypervisor", "xen-pvh"],
    what: "its PVH entry takes the first module for its loader's data: an initrd makes it fault",
    evidence: "it is a kernel of FreeBSD's (sys/x86/xen/pv.c)",
    advice: "Give no initrd; put the root file system on a disk (vfs.root.mountfrom=ufs:/dev/vtbd0)",
  });
  return found;
}

const NETBSD_TRAPS: readonly Trap[] = [
  {
    id: "netbsd-console",
    loaders: ["qemu-microvm", "qemu-pc", "firecracker", "cloud-hypervisor"],
    what: "without console=com in the first 255 characters of its line it says nothing",
    evidence: "it is a kernel of NetBSD's (xen_machdep.c parses 255 characters)",
    advice: "Begin the line with root=ld0a console=com; leave virtio_mmio.device= words to its end",
  },
];

function headerTraps(image: Extract<KnownImage, { format: "bzimage" }>): Trap[] {
  const found: Trap[] = [];
  const { commandLineMax, initrdAddressMax } = image;
  const longer = Object.entries(LINE_BUFFERS).filter(([, size]) => size - 1 > commandLineMax);
  if (longer.length > 0) {
    found.push({
      id: "short-command-line",
      loaders: longer.map(([name]) => name),
      what: `it reads ${commandLineMax} characters of its command line; these monitors hand over longer ones without a word`,
      evidence: `cmdline_size ${commandLineMax}`,
      offset: SETUP_OFFSET.cmdline_size,
      advice: "Keep the line short; words behind the limit are lost",
    });
  }
  if (initrdAddressMax < INITRD_ANYWHERE) {
    found.push({
      id: "initrd-too-high",
      loaders: ["firecracker", "cloud-hypervisor", "kvmtool"],
      what: `an initrd must lie below ${hex(initrdAddressMax)}; these monitors put it at the end of memory`,
      evidence: `initrd_addr_max ${hex(initrdAddressMax)}`,
      offset: SETUP_OFFSET.initrd_addr_max,
      advice: `Give the machine at most ${Math.floor((initrdAddressMax + 1) / MIB)} MiB, or boot it with QEMU, GRUB or locore`,
    });
  }
  return found;
}

const MIB = 2 ** 20;
/** What 64-bit kernels say: anywhere in the first 2 GiB. */
const INITRD_ANYWHERE = 0x7fff_ffff;
