/** The table of commands. A command's module is loaded only when it is asked for: the table has what the list of them shows. */
import type { Command } from "./command.js";

export interface CommandRow {
  name: string;
  /** One line, as `locore help` shows it. */
  summary: string;
  load: () => Promise<Command>;
}

export const COMMANDS: readonly CommandRow[] = [
  {
    name: "boot",
    summary: "boot a kernel; its console is your terminal",
    load: async () => (await import("./commands/boot.js")).boot,
  },
  {
    name: "run",
    summary: "run one command in a guest: its output is your output, its status your status",
    load: async () => (await import("./commands/run.js")).run,
  },
  {
    name: "restore",
    summary: "go on with a machine that was saved; its console is your terminal",
    load: async () => (await import("./commands/restore.js")).restore,
  },
  {
    name: "plan",
    summary:
      "show the machine that boot would run: memory map, registers, page tables, CPUID, devices, tables",
    load: async () => (await import("./commands/plan.js")).plan,
  },
  {
    name: "inspect",
    summary:
      "say where a kernel boots and where not, and at which byte that is decided; what a file is, with every fact's file offset; of a snapshot, which machine it is; of a disk, its partitions and what it boots",
    load: async () => (await import("./commands/inspect.js")).inspect,
  },
  {
    name: "convert",
    summary:
      "put a kernel into another kind of file: of an x86 kernel its vmlinux, an ELF32 file or one with a PVH note; of an ARM kernel a zImage, an arm64 Image or an ELF file",
    load: async () => (await import("./commands/convert.js")).convert,
  },
  {
    name: "export",
    summary:
      "write what boots the same guest in another monitor, and say what is lost: a script, JSON or XML for QEMU, Firecracker, Cloud Hypervisor, crosvm, kvmtool, bhyve, libvirt, Xen's xl, or Xen without a first domain",
    load: async () => (await import("./commands/export.js")).exportCommand,
  },
  {
    name: "guests",
    summary: "list real kernels and programs that can be fetched, or fetch some into the cache",
    load: async () => (await import("./commands/guests.js")).guests,
  },
  {
    name: "cache",
    summary: "list the machines that are kept for the next run, throw them away, or say how many are kept",
    load: async () => (await import("./commands/cache.js")).cache,
  },
  {
    name: "initramfs",
    summary: "make an initramfs of busybox and Debian packages with all they depend on",
    load: async () => (await import("./commands/initramfs.js")).initramfs,
  },
  {
    name: "demo",
    summary: "boot Debian's kernel to a shell; without a terminal, to a few lines that the guest computes",
    load: async () => (await import("./commands/demo.js")).demo,
  },
  {
    name: "doctor",
    summary:
      "say which engines work on this host, and why others do not; what else it lacks, and what is done without",
    load: async () => (await import("./commands/doctor.js")).doctor,
  },
  {
    name: "help",
    summary: "show what locore can do, the options of one command, or what becomes of QEMU's words",
    load: async () => (await import("./commands/help.js")).help,
  },
  {
    name: "version",
    summary: "print the versions of locore and of Node",
    load: async () => (await import("./commands/version.js")).version,
  },
];
