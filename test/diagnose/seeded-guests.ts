/**
 * Guests that are stuck or die, each with the cause that was put into it: the table of the seeded suite. What a healthy guest is
 * stands at its end.
 */
import type { BootOptions, LoaderOptions } from "../../src/boot/options.js";
import type { Plan } from "../../src/boot/plan.js";
import type { CpioEntry } from "../../src/guests/archives/cpio.js";
import type { InitramfsOptions } from "../../src/guests/index.js";
import {
  lockedGuest,
  maskedSerial,
  soundSerial,
  tickGuest,
  unendedApic,
  unendedSerial,
} from "./bare-guests.js";
import { randomBytes } from "../support/random.js";

/** A guest with something wrong, and what is to be said of it. */
export interface SeededGuest {
  /** What is wrong with it. */
  name: string;
  /** In the catalogue; Debian's cloud kernel unless said otherwise. */
  guest?: string;
  /** Instead of a guest of the catalogue. */
  image?: { name: string; bytes: Uint8Array };
  /** The image as it is packed; otherwise the ELF file in it, which takes less time. */
  bzImage?: true;
  loader?: LoaderOptions;
  commandLine: string;
  initramfs?: Omit<InitramfsOptions, "busybox"> | readonly CpioEntry[];
  /** Any bytes instead. */
  initrd?: Uint8Array;
  memory?: number;
  cpus?: number;
  /** An empty virtio disk. */
  disk?: true;
  /** A virtio disk with these bytes instead. */
  diskContent?: Uint8Array;
  more?: Partial<BootOptions>;
  change?: (plan: Plan) => void;
  maxResets?: number;
  /** Most that it may execute. */
  instructions?: number;
  /** Text of the console behind which nothing more is to come; the end of a panic otherwise. */
  until?: RegExp;
  /** The name of the rule whose sentence comes first. */
  cause: string;
  /** What the sentence says. */
  sentence: RegExp;
  /** What one of the remedies says. */
  remedy?: RegExp;
  /** Part of `npm test`. */
  quick?: boolean;
}

/** Bytes of the disk that some have. */
export const HOUSE_DISK = 2 ** 20;
const MIB = 2 ** 20;
const PROGRAM_MODE = 0o755;
const CODE_OFFSET = 120;
const LOAD_ADDRESS = 0x40_0000;

/** A static program for x86-64 that is these instructions. */
export function program(...code: number[]): Uint8Array {
  const bytes = new Uint8Array(CODE_OFFSET + code.length);
  const view = new DataView(bytes.buffer);
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  view.setUint32(16, 0x003e_0002, true);
  view.setUint32(20, 1, true);
  view.setBigUint64(24, BigInt(LOAD_ADDRESS + CODE_OFFSET), true);
  view.setBigUint64(32, 64n, true);
  view.setUint16(52, 64, true);
  view.setUint16(54, 56, true);
  view.setUint16(56, 1, true);
  view.setUint32(64, 1, true);
  view.setUint32(68, 5, true);
  view.setBigUint64(80, BigInt(LOAD_ADDRESS), true);
  view.setBigUint64(96, BigInt(bytes.length), true);
  view.setBigUint64(104, BigInt(bytes.length), true);
  bytes.set(code, CODE_OFFSET);
  return bytes;
}

/** An initramfs whose /init these bytes are. */
function withInit(content: Uint8Array, mode = PROGRAM_MODE): readonly CpioEntry[] {
  return [
    { kind: "directory", path: "dev", mode: PROGRAM_MODE },
    { kind: "file", path: "init", mode, size: content.length, content: () => [content] },
  ];
}

const UD2 = [0x0f, 0x0b];
const READ_NULL = [0x48, 0x8b, 0x04, 0x25, 0, 0, 0, 0];
/** exit(3). */
const EXIT_3 = [0xb8, 60, 0, 0, 0, 0xbf, 3, 0, 0, 0, 0x0f, 0x05];
/** reboot(…, RESTART). */
const REBOOT = [
  ...[0xb8, 169, 0, 0, 0, 0xbf, 0xad, 0xde, 0xe1, 0xfe, 0xbe, 0x69, 0x19, 0x12, 0x28],
  ...[0xba, 0x67, 0x45, 0x23, 0x01, 0x0f, 0x05],
];

/** Puts instructions where the boot CPU begins. */
export function atEntry(...code: number[]): (plan: Plan) => void {
  return (plan) => {
    const at = Number(plan.bootCpu.rip);
    const region = plan.regions.find(({ start, size }) => at >= start && at + code.length <= start + size);
    if (region?.content.kind !== "bytes") throw new Error("no bytes where the CPU begins");
    const bytes = region.content.bytes.slice();
    bytes.set(code, at - region.start);
    region.content = { ...region.content, bytes };
  };
}

/** Bytes in the middle of what is packed in the largest region are others. */
function damaged(plan: Plan): void {
  const [largest] = plan.regions.toSorted((a, b) => b.size - a.size);
  if (largest.content.kind !== "bytes") throw new Error("the kernel is no bytes");
  const bytes = largest.content.bytes.slice();
  bytes.fill(0x55, bytes.length >> 1, (bytes.length >> 1) + 4096);
  largest.content = { ...largest.content, bytes };
}

/** Takes parts out of the machine, as an edited plan may. */
function without(...types: string[]): (plan: Plan) => void {
  return (plan) => {
    plan.devices = plan.devices.filter(({ type }) => !types.includes(type));
  };
}

const SLEEPER: SeededGuest["initramfs"] = { command: "echo fine; sleep 1; echo never", shell: false };

/** A guest of our own that is entered by PVH. */
function bare(bytes: Uint8Array): Pick<SeededGuest, "image" | "commandLine" | "instructions" | "quick"> {
  return { image: { name: "bare", bytes }, commandLine: "", instructions: 6e6, quick: true };
}

/** Debian's other kernels, each with what any of them gets wrong. Those for i386 come as they are packed. */
const OTHERS = [
  { guest: "debian-13-cloud" },
  { guest: "debian-sid-cloud" },
  { guest: "debian-amd64" },
  { guest: "debian-rt" },
  { guest: "debian-686", bzImage: true, instructions: 5e9 },
  { guest: "debian-686-pae", bzImage: true, instructions: 5e9 },
] as const;

const OF_ANY: readonly SeededGuest[] = [
  {
    name: "quiet, and the console is a screen",
    commandLine: "quiet console=tty0",
    cause: "console-elsewhere",
    sentence: /nothing of this kernel can reach the serial port: .*console=tty0/,
    remedy: /--append "quiet .*console=ttyS0"/,
  },
  {
    name: "the third serial port",
    commandLine: "console=ttyS2,115200",
    cause: "console-elsewhere",
    sentence: /console=ttyS2,115200, and this machine has its console at ttyS0/,
  },
  {
    name: "neither disk nor initrd",
    commandLine: "console=ttyS0",
    cause: "root-missing",
    sentence: /there is no root file system: the machine has neither a disk nor an initrd/,
  },
  {
    name: "root= without a disk",
    commandLine: "console=ttyS0 root=/dev/vda1",
    cause: "root-missing",
    sentence: /root=\/dev\/vda1, and the machine has no disk/,
  },
  {
    name: "an initrd of random bytes",
    commandLine: "console=ttyS0",
    initrd: randomBytes(7, 60_000),
    cause: "initrd-unpack",
    sentence: /the initrd could not be unpacked/,
  },
];

export const SEEDED: readonly SeededGuest[] = [
  ...OTHERS.flatMap((other) =>
    OF_ANY.map((fault) => ({
      instructions: 2.5e9,
      ...fault,
      ...other,
      name: `${other.guest}: ${fault.name}`,
    })),
  ),
  {
    name: "no serial port",
    commandLine: "console=ttyS0",
    change: without("uart16550"),
    instructions: 5e8,
    cause: "console-elsewhere",
    sentence: /console=ttyS0, and this machine has none/,
  },
  {
    name: "a virtio console that there is not",
    commandLine: "console=hvc0",
    instructions: 5e8,
    cause: "console-elsewhere",
    sentence: /console=hvc0, and this machine has its console at ttyS0/,
    remedy: /console=ttyS0/,
  },
  {
    name: "no 8254, and APICs switched off",
    commandLine: "console=ttyS0 noapic nolapic",
    initramfs: SLEEPER,
    change: without("i8254"),
    instructions: 7e8,
    cause: "timer",
    sentence: /no timer will wake one: .*noapic nolapic.*no 8254 timer/,
    remedy: /--append "console=ttyS0 cryptomgr.notests=1"/,
  },
  {
    name: "no 8254, and the local APIC's timer switched off",
    commandLine: "console=ttyS0 acpi=off nolapic_timer",
    initramfs: SLEEPER,
    change: without("i8254"),
    instructions: 7e8,
    cause: "timer",
    sentence: /no timer will wake one: .*nolapic_timer/,
  },
  {
    name: "the local APIC's timer switched off, and an 8254 that Linux leaves alone",
    commandLine: "console=ttyS0 nolapic_timer",
    initramfs: SLEEPER,
    instructions: 7e8,
    cause: "timer",
    sentence: /no timer will wake one: .*nolapic_timer/,
    remedy: /--append "console=ttyS0 cryptomgr.notests=1"/,
  },
  {
    name: "quiet, and the console is a screen",
    commandLine: "quiet console=tty0",
    cause: "console-elsewhere",
    sentence: /nothing of this kernel can reach the serial port: .*console=tty0/,
    remedy: /--append "quiet .*console=ttyS0"/,
    instructions: 5e8,
  },
  {
    name: "no console= at all",
    commandLine: "quiet panic=0",
    cause: "console-elsewhere",
    sentence: /the command line has no console=/,
    remedy: /console=ttyS0/,
    instructions: 4e8,
  },
  {
    name: "the second serial port",
    commandLine: "console=ttyS1",
    cause: "console-elsewhere",
    sentence: /console=ttyS1, and this machine has its console at ttyS0/,
    remedy: /--append ".*console=ttyS0"/,
    instructions: 4e8,
  },
  {
    name: "neither disk nor initrd",
    commandLine: "console=ttyS0",
    cause: "root-missing",
    sentence: /there is no root file system: the machine has neither a disk nor an initrd/,
    remedy: /--initrd FILE/,
    quick: true,
  },
  {
    name: "root= without a disk",
    commandLine: "console=ttyS0 root=/dev/vda1",
    cause: "root-missing",
    sentence: /root=\/dev\/vda1, and the machine has no disk/,
    remedy: /--disk FILE,root/,
  },
  {
    name: "a root that is waited for",
    commandLine: "console=ttyS0 root=/dev/vda1 rootwait",
    until: /Waiting for root device/,
    cause: "root-awaited",
    sentence: /waits for its root file system \/dev\/vda1, which does not come, and the machine has no disk/,
  },
  {
    name: "a disk that a kernel without drivers does not see",
    commandLine: "console=ttyS0 root=/dev/vda",
    disk: true,
    cause: "virtio-unseen",
    sentence: /does not see the machine's virtio disks: .*module that no initrd brings/,
    remedy: /virtio_mmio/,
  },
  {
    name: "a disk that ACPI would announce",
    commandLine: "console=ttyS0 root=/dev/vda acpi=off",
    disk: true,
    cause: "virtio-unseen",
    sentence: /announced by ACPI, which acpi=off switches off/,
  },
  {
    name: "an initrd of random bytes",
    commandLine: "console=ttyS0",
    initrd: randomBytes(7, 60_000),
    cause: "initrd-unpack",
    sentence: /the initrd could not be unpacked/,
  },
  {
    name: "an initrd that is cut",
    commandLine: "console=ttyS0",
    initrd: Uint8Array.of(0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, ...randomBytes(9, 5000)),
    cause: "initrd-unpack",
    sentence: /the initrd could not be unpacked/,
  },
  {
    name: "an init that executes what no CPU has",
    commandLine: "console=ttyS0",
    initramfs: withInit(program(...UD2)),
    cause: "userspace-sigill",
    sentence: /an instruction that this machine's CPU does not have/,
  },
  {
    name: "an init that reads at 0",
    commandLine: "console=ttyS0",
    initramfs: withInit(program(...READ_NULL)),
    cause: "init-died",
    sentence: /init was killed by SIGSEGV/,
  },
  {
    name: "an init that ends",
    commandLine: "console=ttyS0",
    initramfs: withInit(program(...EXIT_3)),
    cause: "init-died",
    sentence: /init has ended with status 3/,
  },
  {
    name: "an init that is text",
    commandLine: "console=ttyS0",
    initramfs: withInit(new TextEncoder().encode("hello\n")),
    cause: "init-missing",
    sentence: /init \/init cannot be run: it is no program/,
  },
  {
    name: "an init for another interpreter",
    commandLine: "console=ttyS0",
    initramfs: withInit(new TextEncoder().encode("#!/bin/nothing\n")),
    cause: "init-missing",
    sentence: /init \/init cannot be run: it does not exist, or what it is linked with/,
  },
  {
    name: "rdinit= of a file that is not there",
    commandLine: "console=ttyS0 rdinit=/nothing",
    initramfs: withInit(program(...EXIT_3)),
    cause: "root-missing",
    sentence: /there is no root file system/,
  },
  {
    name: "a program that fills memory",
    commandLine: "console=ttyS0",
    initramfs: { command: "tail /dev/zero; echo done", shell: false },
    memory: 128 * MIB,
    instructions: 4e9,
    until: /end Kernel panic|Out of memory: Killed/,
    cause: "out-of-memory",
    sentence: /out of memory: it has 128 MiB/,
    remedy: /--memory/,
  },
  {
    name: "a guest that resets for ever",
    commandLine: "console=ttyS0",
    initramfs: withInit(program(...REBOOT)),
    maxResets: 3,
    instructions: 4e9,
    cause: "reboot-loop",
    sentence: /resets the machine again and again: 3 times/,
  },
  {
    name: "an undefined instruction where the kernel begins",
    commandLine: "console=ttyS0",
    change: atEntry(...UD2),
    cause: "wrong-entry",
    sentence: /died after \d+ instructions: it was entered at the wrong place/,
    quick: true,
  },
  {
    name: "a jump to itself",
    commandLine: "console=ttyS0",
    change: atEntry(0xfa, 0xeb, 0xfe),
    cause: "halted",
    sentence: /has stopped for good at .*jumps to itself/,
    quick: true,
  },
  {
    name: "a port that nobody answers",
    commandLine: "console=ttyS0",
    // mov dx, 0x1f7; in al, dx; test al, 0x80; jnz back
    change: atEntry(0x66, 0xba, 0xf7, 0x01, 0xec, 0xa8, 0x80, 0x75, 0xfb),
    instructions: 3e7,
    cause: "polls",
    sentence: /CPU 0 does nothing but read port 0x1f7 .*the answer is always 0xff: there is no device/,
    quick: true,
  },
  {
    name: "a word of memory that nobody writes",
    commandLine: "console=ttyS0",
    // mov ebx, 0x80000; cli; cmp dword [ebx], 1; pause; jnz back
    change: atEntry(0xbb, 0, 0, 8, 0, 0xfa, 0x83, 0x3b, 0x01, 0xf3, 0x90, 0x75, 0xf9),
    instructions: 3e7,
    cause: "polls",
    sentence:
      /CPU 0 does nothing but read memory at 0x80000, which stays 0x[0-9a-f]+, .* with interrupts off/,
    quick: true,
  },
  {
    name: "a fault without a table, after a while",
    commandLine: "console=ttyS0",
    // mov ecx, 100000; loop .; ud2
    change: atEntry(0xb9, 0xa0, 0x86, 0x01, 0x00, 0xe2, 0xfe, 0x0f, 0x0b),
    cause: "triple-fault",
    sentence:
      /an undefined instruction \(#UD\) at .* \(ud\) could not be delivered: the interrupt table at 0x0/,
    quick: true,
  },
  {
    name: "a jump through a segment that there is not",
    commandLine: "console=ttyS0",
    // mov ecx, 100000; loop .; jmp far 0x18:0
    change: atEntry(0xb9, 0xa0, 0x86, 0x01, 0x00, 0xe2, 0xfe, 0xea, 0, 0, 0, 0, 0x18, 0xff),
    cause: "triple-fault",
    sentence: /a general-protection fault \(#GP\) at .*jmp far/,
  },
  {
    name: "a serial port whose interrupt is masked",
    ...bare(maskedSerial()),
    cause: "interrupt-masked",
    sentence: /every CPU sleeps, and the interrupt of input 4, which is raised, is masked/,
    remedy: /unmask/,
  },
  {
    name: "a serial port whose interrupt is never acknowledged",
    ...bare(unendedSerial()),
    cause: "interrupt-unacknowledged",
    sentence: /interrupt of 8259 input 4 was never acknowledged .*input 4 cannot come, and CPU 0 sleeps/,
    remedy: /0x20 to port 0x20/,
  },
  {
    name: "an 8254 whose interrupt is never acknowledged",
    ...bare(tickGuest(false)),
    cause: "interrupt-unacknowledged",
    sentence: /interrupt of 8259 input 0 was never acknowledged/,
    quick: false,
  },
  {
    name: "a local APIC's timer whose interrupt is never acknowledged",
    ...bare(unendedApic()),
    cause: "interrupt-unacknowledged",
    sentence: /CPU 0 has never acknowledged the interrupt with vector 64 .*vector 64 cannot come/,
    remedy: /EOI/,
    quick: false,
  },
  {
    name: "an init that waits for the network",
    commandLine: "console=ttyS0",
    initramfs: { command: "echo 'Waiting for network...'; sleep 1000", shell: false },
    until: /^Waiting for network/m,
    cause: "network-missing",
    sentence: /waits for the network, and the machine has no network card/,
    remedy: /--net user/,
  },
  {
    name: "a root on a network that is not there",
    commandLine: "console=ttyS0 root=/dev/nfs ip=dhcp",
    cause: "network-missing",
    sentence: /root file system is on a network .*, and the machine has no network card/,
    remedy: /--net user/,
  },
  {
    name: "a clock that only ticks, without a TSC, an 8254 and a timer of the local APIC",
    commandLine: "console=ttyS0 notsc clocksource=jiffies lpj=1000000 nolapic_timer",
    initramfs: SLEEPER,
    change: without("i8254"),
    instructions: 7e8,
    cause: "timer",
    sentence: /no timer will wake one: .*notsc clocksource=jiffies nolapic_timer.*no 8254/,
    remedy: /--append "console=ttyS0 lpj=1000000 cryptomgr.notests=1"/,
  },
  {
    name: "a clock that the kernel does not trust",
    commandLine: "console=ttyS0",
    initramfs: {
      command: "echo '<4>tsc: Marking TSC unstable due to clocksource watchdog' > /dev/kmsg; sleep 1000",
      shell: false,
    },
    until: /Marking TSC unstable/,
    cause: "clock-complaint",
    sentence: /complains about the time/,
    remedy: /locore doctor --clocks/,
  },
  {
    name: "a bzImage whose payload is damaged",
    bzImage: true,
    commandLine: "console=ttyS0 earlyprintk=ttyS0",
    change: damaged,
    until: /System halted/,
    instructions: 5e8,
    cause: "decompressor-died",
    sentence: /decompressor gave up .*no kernel was unpacked whole/,
    remedy: /locore inspect/,
  },
  {
    name: "a virtio console that ACPI would announce",
    commandLine: "console=hvc0 acpi=off",
    more: { console: "hvc0" },
    instructions: 5e8,
    cause: "console-missing",
    sentence: /this kernel has no console hvc0/,
    remedy: /console=ttyS0/,
  },
  {
    name: "tables that name a CPU that there is not",
    commandLine: "console=ttyS0",
    cpus: 2,
    change: (plan) => void (plan.cpus = 1),
    initramfs: SLEEPER,
    until: /^fine/m,
    instructions: 4e9,
    cause: "cpu-not-started",
    sentence: /CPU 1 was never started/,
    remedy: /--cpus 1/,
  },
  {
    name: "two CPUs in each other's locks",
    ...bare(lockedGuest()),
    cpus: 2,
    cause: "cpus-locked",
    sentence: /CPUs 0 and 1 wait for words of memory that nobody changes .*0x201040.*0x201000/,
    remedy: /--cpus 1/,
  },
];

/** Guests that are well: nothing is to be said of them but that they wait for somebody. */
export const HEALTHY: readonly Omit<SeededGuest, "cause" | "sentence">[] = [
  {
    name: "a shell that waits",
    commandLine: "console=ttyS0",
    initramfs: { shell: true },
    until: /# \S*$/,
    quick: true,
  },
  {
    name: "a test of memory, which reads word by word with interrupts off",
    commandLine: "console=ttyS0",
    // again: mov ebx, 0x200000; cli; next: mov edx, [ebx]; sub ebx, 4; cmp ebx, 0x80000; ja next; jmp again
    change: atEntry(
      ...[0xbb, 0x00, 0x00, 0x20, 0x00, 0xfa, 0x8b, 0x13, 0x83, 0xeb, 0x04],
      ...[0x81, 0xfb, 0x00, 0x00, 0x08, 0x00, 0x77, 0xf3, 0xeb, 0xeb],
    ),
    instructions: 3e7,
    quick: true,
  },
  { name: "a serial port that has sent, and waits for input", ...bare(soundSerial()) },
  { name: "an 8254 that ticks", ...bare(tickGuest(true)), instructions: 5e5 },
  {
    name: "a program that sleeps, with every timer there is",
    commandLine: "console=ttyS0",
    initramfs: { command: "echo fine; sleep 1000", shell: false },
    until: /^fine/m,
  },
  ...(["debian-13-cloud", "debian-rt", "debian-amd64"] as const).map((guest) => ({
    name: `${guest}: a program that sleeps, with a disk`,
    guest,
    commandLine: "console=ttyS0",
    disk: true as const,
    initramfs: { command: "echo fine; sleep 1000", shell: false },
    instructions: 3e9,
    until: /^fine/m,
  })),
  {
    name: "a boot that has not come far",
    commandLine: "console=ttyS0",
    instructions: 2e8,
    until: /Linux version/,
  },
  {
    name: "two CPUs that work",
    commandLine: "console=ttyS0",
    cpus: 2,
    initramfs: { command: "(while :; do :; done) & echo busy; while :; do :; done", shell: false },
    until: /^busy/m,
  },
  {
    name: "a busy program",
    commandLine: "console=ttyS0",
    initramfs: { command: "echo busy; while :; do :; done", shell: false },
    until: /^busy/m,
  },
];
