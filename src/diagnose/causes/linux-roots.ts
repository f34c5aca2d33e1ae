/** Linux kernels that find no root file system, no init, or an initrd that is none. */
import { byLine, saidLines, valuesOf, type Facts, type Rule } from "./rule.js";

function diskParts({ plan }: Facts): string[] {
  return plan.devices.filter(({ type }) => type === "virtio-blk").map(({ name }) => name);
}

function hasInitrd({ plan }: Facts): boolean {
  return plan.regions.some(({ name }) => name === "initrd");
}

function rootOf({ plan }: Facts): string | undefined {
  return valuesOf(plan.commandLine, "root").at(-1);
}

/** A virtio disk that the kernel never named. */
function unseenDisk(facts: Facts): boolean {
  return (
    diskParts(facts).length > 0 &&
    !saidLines(facts).some((line) => /\[vd[a-z]\]|^(\[[ .\d]+\] )?\s*vd[a-z]: /.test(line))
  );
}

function rootSentence(facts: Facts): string {
  const root = rootOf(facts);
  const disks = diskParts(facts);
  if (root === undefined && disks.length === 0 && !hasInitrd(facts))
    return "there is no root file system: the machine has neither a disk nor an initrd, and the command line no root=";
  if (root === undefined && !hasInitrd(facts))
    return "there is no root file system: the command line has no root=, and the machine no initrd";
  if (root === undefined)
    return "there is no root file system: the initrd has no /init, and the command line no root=";
  if (disks.length === 0) return `the root file system is missing: root=${root}, and the machine has no disk`;
  return `the root file system is not at ${root}`;
}

function rootRemedy(facts: Facts): string[] {
  if (diskParts(facts).length === 0)
    return ["--initrd FILE: an initramfs with /init", "--disk FILE,root: a disk with the root file system"];
  return [
    "--append with root= as the partitions in the kernel's log are named, or --disk FILE,root, which finds it",
  ];
}

/** An initrd that could not be unpacked; the kernel then goes on without. */
export const initrdBroken = byLine({
  id: "initrd-unpack",
  line: /Initramfs unpacking failed: (.*)|rootfs image is not initramfs \((.*)\)|Initramfs overwritten|junk (?:within|at the end of) compressed archive/,
  sentence: (match) =>
    `the initrd could not be unpacked (${(match[1] ?? match[2] ?? match[0]).trim()}): the kernel goes on without it`,
  remedy: () => [
    "--initrd FILE: a cpio archive (newc), packed by what this kernel can unpack; locore inspect FILE says what it is",
  ],
});

/** What Linux says when it finds no root file system. */
export const NO_ROOT =
  /VFS: Unable to mount root fs|VFS: Cannot open root device|Cannot open root device|No filesystem could mount root/;

/** A virtio disk that the kernel cannot find: by ACPI, when it has none, or without a driver. */
export const virtioUnseen: Rule = {
  id: "virtio-unseen",
  find(facts) {
    const said = saidLines(facts);
    const line = said.findLast(
      (one) => NO_ROOT.test(one) || /Waiting for root device|ALERT! .* does not exist/.test(one),
    );
    if (line === undefined || !unseenDisk(facts)) return undefined;
    const words = facts.plan.commandLine.includes("virtio_mmio.device=");
    const noAcpi = /\bacpi=off\b/.test(facts.plan.commandLine);
    const why =
      noAcpi && !words
        ? "they are announced by ACPI, which acpi=off switches off"
        : words
          ? "they are announced by words (virtio_mmio.device=), which this kernel does not read, or it has no driver for them"
          : "they are announced by ACPI; this kernel has no driver for virtio-mmio, or it is a module that no initrd brings";
    return {
      sentence: `the kernel does not see the machine's virtio disks: ${why}`,
      evidence: [
        line.trim(),
        `the machine has ${diskParts(facts).join(", ")}; the kernel's log names no such disk`,
      ],
      remedy: noAcpi
        ? ["--append without acpi=off", "--announce cmdline"]
        : ["--initrd FILE with the modules virtio_mmio and virtio_blk", "--announce both"],
    };
  },
};

export const rootMissing = byLine({
  id: "root-missing",
  line: NO_ROOT,
  sentence: (_match, facts) => rootSentence(facts),
  remedy: (_match, facts) => rootRemedy(facts),
});

export const rootAwaited = byLine({
  id: "root-awaited",
  line: /Waiting for root device (\S+?)(?:\.\.\.)?$|ALERT!\s+(\S+) does not exist|Gave up waiting for root/,
  sentence: (match, facts) => {
    const root = match[1] ?? match[2] ?? rootOf(facts) ?? "its root device";
    const none = diskParts(facts).length === 0 ? ", and the machine has no disk" : "";
    return `the kernel waits for its root file system ${root}, which does not come${none}`;
  },
  remedy: (_match, facts) => rootRemedy(facts),
});

const SIGNALS: Readonly<Record<number, string>> = {
  4: "SIGILL",
  6: "SIGABRT",
  7: "SIGBUS",
  8: "SIGFPE",
  9: "SIGKILL",
  11: "SIGSEGV",
  15: "SIGTERM",
};

export const illegalInstruction = byLine({
  id: "userspace-sigill",
  line: /traps: (\S+?)\[\d+\] trap invalid opcode|CPU ISA level is lower than required|Attempted to kill init! exitcode=0x0*4\b|Illegal instruction/,
  sentence: (match) =>
    `a program of the guest's${match[1] === undefined ? "" : `, ${match[1]},`} executed an instruction that this machine's CPU does not have`,
  remedy: () => ["--cpu without switching features off; locore plan lists what the CPU has"],
});

export const initDied = byLine({
  id: "init-died",
  line: /Attempted to kill init! exitcode=0x([0-9a-f]+)/,
  sentence: (match) => {
    const code = parseInt(match[1], 16);
    const signal = code & 0x7f;
    return signal === 0
      ? `init has ended with status ${(code >> 8) & 0xff}: a kernel without init panics`
      : `init was killed by ${SIGNALS[signal] ?? `signal ${signal}`}: a kernel without init panics`;
  },
  remedy: () => ["what init printed before it ended says why; init=/bin/sh gives a shell instead"],
});

export const initUnrunnable = byLine({
  id: "init-missing",
  first: true,
  line: /Requested init (\S+) failed \(error (-?\d+)\)|Failed to execute (\S+) \(error (-?\d+)\)|Starting init: (\S+) exists but couldn't execute it \(error (-?\d+)\)/,
  sentence: (match) => {
    const file = match[1] ?? match[3] ?? match[5];
    const why = {
      "-2": "it does not exist, or what it is linked with does not",
      "-8": "it is no program for this kernel",
      "-13": "it may not be executed",
    };
    const code = match[2] ?? match[4] ?? match[6];
    return `init ${file} cannot be run: ${why[code as keyof typeof why] ?? `error ${code}`}`;
  },
  remedy: () => [
    "an initramfs needs /init, executable, for this kernel's kind of CPU; a root file system /sbin/init, or init=FILE",
  ],
});

export const initMissing = byLine({
  id: "init-missing",
  line: /No working init found|No init found/,
  sentence: () => "there is no init on the root file system that can be run",
  remedy: () => [
    "a root file system needs /sbin/init, executable, for this kernel's kind of CPU; or init=FILE",
  ],
});

export const outOfMemory = byLine({
  id: "out-of-memory",
  line: /System is deadlocked on memory|Out of memory(?: and no killable|: Killed process)|page allocation failure|Failed to allocate .* memory|Cannot allocate memory for initrd|not enough memory|initrd extends beyond end of memory/i,
  sentence: (_match, { plan }) => `the guest is out of memory: it has ${mib(plan)} MiB`,
  remedy: (_match, { plan }) => [`--memory ${Math.max(256, mib(plan) * 2)}M`],
});

function mib(plan: Facts["plan"]): number {
  return Math.round(plan.ram.reduce((sum, { size }) => sum + size, 0) / 2 ** 20);
}
