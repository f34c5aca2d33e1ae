/**
 * A guest for other x86 monitors: the command, the JSON or the XML that boots the same kernel with the same line, memory, CPUs and
 * disks. Text only; nothing is read or written here.
 *
 * Specification: QEMU 7.2 qemu-options.hx; Firecracker docs/getting-started.md and its swagger; Cloud Hypervisor
 * --help of v39; crosvm book "Running crosvm"; kvmtool lkvm-run(1); bhyve(8), bhyveload(8) of FreeBSD 14;
 * libvirt formatdomain.
 */
import { FormatError } from "../formats/format-error.js";
import { isForArm } from "../formats/image.js";
import { verdicts } from "../verdicts/index.js";
import { convertedNote, takenKernel } from "./taken-kernel.js";
import { checkTaken, commentText, shellWord } from "./check.js";
import {
  memoryMib,
  ownLosses,
  type Export,
  type ExportRequest,
  type ExportTarget,
  type Loss,
} from "./request.js";

/** What every target is made of. */
interface Guest {
  /** With the kernel that the target is given. */
  readonly request: ExportRequest;
  /** What the given kernel is. */
  readonly summary: string;
  /** For its result: the file that has to be there, if one has. */
  readonly converted: Pick<Export, "converted">;
  /** The same for people. */
  readonly notes: readonly string[];
  readonly name: string;
  readonly memory: number;
  readonly cpus: number;
  readonly kernel: string;
  readonly initrd: string | undefined;
  readonly line: string | undefined;
  readonly disks: readonly string[];
}

const VIRTIO_WORD = /(^|\s)virtio_mmio\.device(_\d+)?=\S+/g;

/** The line that was asked for, or what the kernel's system is told by default; never where this machine's devices are. */
function lineOf({ commandLine, plan }: ExportRequest): string | undefined {
  const line = (commandLine ?? plan?.commandLine)?.replace(VIRTIO_WORD, "").trim();
  return line === "" ? undefined : line;
}

function guestOf(given: ExportRequest, target: string, loader: string): Guest {
  const { image } = given.kernel;
  if (isForArm(image)) {
    throw new FormatError(target, {
      offset: 0,
      found: image.summary,
      expected: "a kernel for x86",
      meaning: "Machines for this target are x86 ones; kernels for ARM go to xl or dom0less.",
    });
  }
  const { request, converted } = takenKernel(given, loader);
  checkTaken(request, loader);
  return {
    request,
    summary: image.summary,
    converted: converted === undefined ? {} : { converted },
    notes: converted === undefined ? [] : [convertedNote(converted)],
    name: request.name ?? "guest",
    memory: memoryMib(request),
    cpus: request.cpus ?? 1,
    kernel: request.kernel.name,
    initrd: request.initrd?.name,
    line: lineOf(request),
    disks: request.disks ?? [],
  };
}

/** Modules are Multiboot's: QEMU alone hands them over. */
function losses({ request }: Guest, modulesTaken = false): Loss[] {
  const why = "it hands a kernel one RAM disk, no other modules";
  const modules = modulesTaken ? [] : (request.modules ?? []);
  return [...ownLosses(request), ...modules.map((name) => ({ what: `module ${name}`, why }))];
}

/** An option with its value, where there is one. */
function option(name: string, value: string | number | undefined): string[] {
  return value === undefined ? [] : [name, String(value)];
}

interface Script {
  readonly target: ExportTarget;
  readonly guest: Guest;
  /** Command lines, each as its words. */
  readonly lines: readonly (readonly string[])[];
  readonly lost: readonly Loss[];
}

/** A shell script that ends as its last command does. */
function script({ target, guest, lines, lost }: Script): Export {
  const { notes } = guest;
  const name = guest.request.fileName ?? `${guest.name}.sh`;
  const comments = [
    guest.summary,
    ...lost.map(({ what, why }) => `Lost: ${what} (${why})`),
    ...notes.map((note) => `Note: ${note}`),
  ];
  const text = [
    "#!/bin/sh",
    ...comments.map((comment) => `# ${commentText(comment)}`),
    ...lines.map((words) => words.map(shellWord).join(" ")),
  ];
  return {
    target,
    file: { name, text: `${text.join("\n")}\n` },
    ...guest.converted,
    commands: [`sh ${shellWord(name)}`],
    lost,
    notes,
  };
}

/** A comma in the name of a file is doubled in QEMU's options. */
function qemuFile(file: string): string {
  return file.replaceAll(",", ",,");
}

/** Whether QEMU starts the kernel by its Multiboot header, and so hands over modules. */
function byMultiboot(request: ExportRequest): boolean {
  const verdict = verdicts(request.kernel.image).find(({ loader }) => loader.name === "qemu-microvm");
  return verdict?.rule?.startsWith("qemu/multiboot") ?? false;
}

/** A script for QEMU's microvm. Throws FormatError for a kernel that it does not boot. */
export function exportQemu(request: ExportRequest): Export {
  const guest = guestOf(request, "qemu", "qemu-microvm");
  const multiboot = byMultiboot(guest.request);
  const files = [
    ...(guest.initrd === undefined ? [] : [guest.initrd]),
    ...(multiboot ? (request.modules ?? []) : []),
  ];
  const disks = guest.disks.flatMap((disk, i) => [
    ...["-drive", `if=none,id=disk${i},format=raw,file=${qemuFile(disk)}`],
    ...["-device", `virtio-blk-device,drive=disk${i}`],
  ]);
  const words = [
    ...["qemu-system-x86_64", "-M", "microvm", "-accel", "kvm", "-accel", "tcg"],
    ...["-m", `${guest.memory}`, "-smp", `${guest.cpus}`, "-kernel", guest.kernel],
    ...option("-initrd", files.length === 0 ? undefined : files.map(qemuFile).join(",")),
    ...option("-append", guest.line),
    ...disks,
    ...["-nodefaults", "-no-user-config", "-display", "none", "-serial", "stdio", "-no-reboot"],
  ];
  return script({ target: "qemu", guest, lines: [["exec", ...words]], lost: losses(guest, multiboot) });
}

/** Firecracker's configuration file. Throws FormatError for a kernel that it does not boot. */
export function exportFirecracker(request: ExportRequest): Export {
  const guest = guestOf(request, "firecracker", "firecracker");
  const { kernel, initrd, line, disks, cpus, memory } = guest;
  const config = {
    "boot-source": {
      kernel_image_path: kernel,
      ...(initrd === undefined ? {} : { initrd_path: initrd }),
      ...(line === undefined ? {} : { boot_args: line }),
    },
    drives: disks.map((disk, i) => ({
      drive_id: `disk${i}`,
      path_on_host: disk,
      is_root_device: false,
      is_read_only: false,
    })),
    "machine-config": { vcpu_count: cpus, mem_size_mib: memory },
  };
  const name = request.fileName ?? `${guest.name}.json`;
  const verdict = verdicts(guest.request.kernel.image).find(({ loader }) => loader.name === "firecracker");
  const since = verdict?.since === undefined ? [] : [`needs Firecracker ${verdict.since}`];
  const notes = [...guest.notes, ...since];
  return {
    target: "firecracker",
    file: { name, text: `${JSON.stringify(config, undefined, 2)}\n` },
    ...guest.converted,
    commands: [`firecracker --no-api --config-file ${shellWord(name)}`],
    lost: losses(guest),
    notes,
  };
}

/** A script for Cloud Hypervisor. Throws FormatError for a kernel that it does not boot. */
export function exportCloudHypervisor(request: ExportRequest): Export {
  const guest = guestOf(request, "cloud-hypervisor", "cloud-hypervisor");
  const words = [
    ...["exec", "cloud-hypervisor", "--kernel", guest.kernel],
    ...option("--initramfs", guest.initrd),
    ...option("--cmdline", guest.line),
    ...["--cpus", `boot=${guest.cpus}`, "--memory", `size=${guest.memory}M`],
    ...(guest.disks.length === 0 ? [] : ["--disk", ...guest.disks.map((disk) => `path=${disk}`)]),
    ...["--serial", "tty", "--console", "off"],
  ];
  return script({ target: "cloud-hypervisor", guest, lines: [words], lost: losses(guest) });
}

/** A script for crosvm. Throws FormatError for a kernel that it does not boot. */
export function exportCrosvm(request: ExportRequest): Export {
  const guest = guestOf(request, "crosvm", "crosvm");
  const words = [
    ...["exec", "crosvm", "run", "--cpus", `${guest.cpus}`, "--mem", `${guest.memory}`],
    ...option("--initrd", guest.initrd),
    ...option("--params", guest.line),
    ...guest.disks.flatMap((disk) => ["--block", `path=${disk},ro=false`]),
    ...["--serial", "type=stdout,hardware=serial,console=true,stdin=true", guest.kernel],
  ];
  return script({ target: "crosvm", guest, lines: [words], lost: losses(guest) });
}

/** A script for kvmtool. Throws FormatError for a kernel that it does not boot. */
export function exportKvmtool(request: ExportRequest): Export {
  const guest = guestOf(request, "kvmtool", "kvmtool");
  const words = [
    ...["exec", "lkvm", "run", "--kernel", guest.kernel],
    ...option("--initrd", guest.initrd),
    ...option("--params", guest.line),
    ...["--mem", `${guest.memory}`, "--cpus", `${guest.cpus}`, "--console", "serial"],
    ...guest.disks.flatMap((disk) => ["--disk", disk]),
  ];
  return script({ target: "kvmtool", guest, lines: [words], lost: losses(guest) });
}

/** First PCI slot of a disk: the lower ones have the bridges. */
const BHYVE_DISK_SLOT = 4;

/** A script for bhyve, FreeBSD's kernels by bhyveload. Throws FormatError for a kernel that it does not boot. */
export function exportBhyve(request: ExportRequest): Export {
  const guest = guestOf(request, "bhyve", "bhyve");
  const { name, memory, cpus, disks, kernel, line } = guest;
  const folder = `${name}.boot`;
  const environment = (line ?? "").split(/\s+/).filter((word) => word.includes("="));
  const slots = disks.flatMap((disk, i) => ["-s", `${i + BHYVE_DISK_SLOT},virtio-blk,${disk}`]);
  const lines = [
    ["mkdir", "-p", `${folder}/boot/kernel`],
    ["cp", "-R", "/boot/lua", "/boot/defaults", `${folder}/boot`],
    ["cp", kernel, `${folder}/boot/kernel/kernel`],
    [
      "bhyveload",
      "-m",
      `${memory}M`,
      "-c",
      "stdio",
      "-h",
      folder,
      ...environment.flatMap((word) => ["-e", word]),
      name,
    ],
    [
      ...["bhyve", "-c", `${cpus}`, "-m", `${memory}M`, "-A", "-H", "-P"],
      ...["-s", "0,hostbridge", "-s", "1,lpc", "-l", "com1,stdio", ...slots, name],
    ],
    ["bhyvectl", "--destroy", `--vm=${name}`],
  ];
  const initrd =
    guest.initrd === undefined
      ? []
      : [{ what: `initrd ${guest.initrd}`, why: "FreeBSD's loader is given none here" }];
  const flags = (line ?? "").split(/\s+/).filter((word) => word !== "" && !word.includes("="));
  const words = flags.map((word) => ({ what: `word ${word}`, why: "bhyveload -e takes name=value only" }));
  return script({ target: "bhyve", guest, lines, lost: [...losses(guest), ...initrd, ...words] });
}

function xml(text: string): string {
  return text.replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);
}

/** Names of virtio disks: vda, vdb, … */
const DISK_LETTERS = "abcdefghijklmnopqrstuvwxyz";

/** libvirt's XML of a q35 machine. Throws FormatError for a kernel that it does not boot. */
export function exportLibvirt(request: ExportRequest): Export {
  const guest = guestOf(request, "libvirt", "qemu-pc");
  const { name, memory, cpus, kernel, initrd, line, disks } = guest;
  if (disks.length > DISK_LETTERS.length)
    throw new RangeError(`${disks.length} disks: at most ${DISK_LETTERS.length}`);
  const element = (tag: string, text: string | undefined): string[] =>
    text === undefined ? [] : [`    <${tag}>${xml(text)}</${tag}>`];
  const lines = [
    '<domain type="kvm">',
    `  <name>${xml(name)}</name>`,
    `  <memory unit="MiB">${memory}</memory>`,
    `  <vcpu>${cpus}</vcpu>`,
    "  <os>",
    '    <type arch="x86_64" machine="q35">hvm</type>',
    ...element("kernel", kernel),
    ...element("initrd", initrd),
    ...element("cmdline", line),
    "  </os>",
    "  <features><acpi/><apic/></features>",
    '  <cpu mode="host-passthrough"/>',
    "  <on_reboot>destroy</on_reboot>",
    "  <devices>",
    ...disks.flatMap((disk, i) => [
      '    <disk type="file" device="disk">',
      '      <driver name="qemu" type="raw"/>',
      `      <source file="${xml(disk)}"/>`,
      `      <target dev="vd${DISK_LETTERS[i]}" bus="virtio"/>`,
      "    </disk>",
    ]),
    '    <serial type="pty"><target port="0"/></serial>',
    '    <console type="pty"><target type="serial" port="0"/></console>',
    "  </devices>",
    "</domain>",
  ];
  const file = request.fileName ?? `${name}.xml`;
  const relative = [kernel, ...(initrd === undefined ? [] : [initrd]), ...disks].filter(
    (one) => !one.startsWith("/"),
  );
  const wanted = relative.length === 0 ? [] : [`libvirt wants absolute paths: ${relative.join(", ")}`];
  const notes = [...guest.notes, ...wanted];
  const commands = [`virsh create --console ${shellWord(file)}`];
  return {
    target: "libvirt",
    file: { name: file, text: `${lines.join("\n")}\n` },
    ...guest.converted,
    commands,
    lost: losses(guest),
    notes,
  };
}
