/**
 * Two hundred boots in which nothing is wrong, as a table: kernels, machines, words and what runs in them, mixed by arithmetic, so that
 * the same boot has the same name every time. What is said of any of them is a false alarm.
 */
import type { BootOptions } from "../../src/boot/options.js";
import { clockGuest } from "../../src/diagnose/clocks/clock-guest.js";
import { debuggedGuest } from "../support/gdb-guest.js";
import { MOVED_GUESTS } from "../support/moved-guests.js";
import { timeStampGuest } from "../support/two-cpu-guests.js";
import { solo5Image } from "../support/unikernel-images.js";
import { soundSerial, tickGuest } from "./bare-guests.js";
import type { SeededGuest } from "./seeded-guests.js";

export type HealthyGuest = Omit<SeededGuest, "cause" | "sentence">;

const MIB = 2 ** 20;
/** A guest that waits has said this. */
const FINE = /^fine/m;
const OFF = /locore: exit \d+/;
const CARD = { mac: "52:54:00:12:34:56", mtu: 1500 };

/** What runs in a guest, and what its console has shown when it is looked at. */
const COMMANDS: readonly { what: string; command?: string; until: RegExp }[] = [
  { what: "a command", command: "echo fine", until: OFF },
  { what: "a program that sleeps", command: "echo fine; sleep 1000", until: FINE },
  { what: "a shell", until: /# \S*$/ },
  { what: "a busy program", command: "echo fine; while :; do :; done", until: FINE },
  {
    what: "files",
    command: "dd if=/dev/zero of=/tmp/x bs=1M count=8 && md5sum /tmp/x",
    until: OFF,
  },
  {
    what: "many processes",
    command: "i=0; while [ $i -lt 40 ]; do (exit 3); i=$((i+1)); done; echo fine; sleep 1000",
    until: FINE,
  },
  { what: "a question", command: "printf 'your name? '; read name", until: /name\? $/ },
  { what: "a program that reads, without a prompt", command: "echo fine; cat", until: FINE },
  { what: "the kernel's messages again", command: "dmesg | tail -30; echo fine; sleep 1000", until: FINE },
  {
    what: "what the kernel knows",
    command: "cat /proc/interrupts /proc/iomem /proc/meminfo /proc/timer_list; echo fine; sleep 1000",
    until: FINE,
  },
  { what: "a pause", command: "sleep 3; echo fine", until: OFF },
  { what: "pings of its own", command: "ping -c 2 127.0.0.1; echo fine; sleep 1000", until: FINE },
  {
    what: "a program that crashes, and another",
    command: "sh -c 'kill -SEGV $$'; echo fine; sleep 1000",
    until: FINE,
  },
  {
    what: "a program with too little memory, by its own limit",
    command: "ulimit -v 30000; tail /dev/zero; echo fine; sleep 1000",
    until: FINE,
  },
  { what: "a reboot", command: "echo fine; sync; reboot -f", until: FINE },
  {
    what: "a program in the background",
    command: "(while :; do sleep 1; done) & echo fine; wait",
    until: FINE,
  },
  {
    what: "failing commands",
    command: "mount /dev/vda1 /mnt; ls /nothing; cat /dev/nothing; echo fine; sleep 1000",
    until: FINE,
  },
  {
    what: "memory that is full of files and is freed",
    command: "dd if=/dev/zero of=/tmp/x bs=1M count=24; rm /tmp/x; echo fine; sleep 1000",
    until: FINE,
  },
  {
    what: "a clock that is set",
    command: "date -s 2030-01-01; sleep 1; date; echo fine; sleep 1000",
    until: FINE,
  },
];

const WORDS: readonly string[] = [
  "",
  "nokaslr",
  "acpi=off",
  "nosmt",
  "panic=1",
  "loglevel=8 ignore_loglevel",
  "console=tty0 console=ttyS0",
  "earlyprintk=ttyS0",
  "maxcpus=1",
  "tsc=reliable",
  "tsc=unstable",
  "noapic",
  "nohz=off highres=off",
  "mitigations=off",
  "clocksource=acpi_pm",
  "threadirqs",
  "ip=none",
  "no_timer_check",
  "random.trust_cpu=off",
  "quiet loglevel=4",
  "notsc",
];

const MEMORY: readonly number[] = [128, 96, 256, 192, 512, 1024];

const MACHINES: readonly (Pick<SeededGuest, "cpus" | "disk"> & {
  what: string;
  more?: Partial<BootOptions>;
})[] = [
  { what: "1 CPU" },
  { what: "2 CPUs", cpus: 2 },
  { what: "a disk", disk: true },
  { what: "a card that nothing is plugged into", more: { nets: [CARD] } },
  { what: "4 CPUs", cpus: 4 },
  { what: "a balloon and a source of entropy", more: { balloon: 0, rng: true } },
  { what: "a screen", more: { screen: true } },
  { what: "no AVX", more: { features: { avx: false, avx2: false } } },
  { what: "3 CPUs, a disk and a card", cpus: 3, disk: true, more: { nets: [CARD] } },
  { what: "no ACPI", more: { acpi: false } },
  { what: "the legacy virtio", disk: true, more: { virtio: { version: 1 } } },
];

/** Debian's kernels, and how many boots each has. Those for i386 come as they are packed. */
const KERNELS: readonly (HealthyKernel & { boots: number })[] = [
  { guest: "debian-cloud", boots: 116 },
  { guest: "debian-cloud", bzImage: true, boots: 8 },
  { guest: "debian-13-cloud", boots: 20 },
  { guest: "debian-sid-cloud", boots: 12 },
  { guest: "debian-amd64", boots: 9 },
  { guest: "debian-rt", boots: 8 },
  { guest: "debian-686", bzImage: true, boots: 5 },
  { guest: "debian-686-pae", bzImage: true, boots: 5 },
];

type HealthyKernel = Pick<SeededGuest, "guest" | "bzImage">;

/** Instructions of a boot at most: some need twice as much as the largest here does. */
const MOST_INSTRUCTIONS = 12e9;

/** Steps through the lists that have nothing in common with each other. */
const STRIDE = { words: 5, memory: 7, machine: 3 };

function linuxBoot({ guest, bzImage }: HealthyKernel, i: number): HealthyGuest {
  const { what, command, until } = COMMANDS[i % COMMANDS.length];
  const words = WORDS[(i * STRIDE.words) % WORDS.length];
  const machine = MACHINES[(i * STRIDE.machine) % MACHINES.length];
  const memory = MEMORY[(i * STRIDE.memory) % MEMORY.length];
  return {
    ...machine,
    name: [`${guest}${bzImage === true ? ", packed" : ""}`, machine.what, `${memory} MiB`, words, what]
      .filter((part) => part !== "")
      .join("; "),
    ...(guest !== undefined && { guest }),
    ...(bzImage === true && { bzImage }),
    commandLine: `console=ttyS0 ${words}`.trim(),
    initramfs: { ...(command === undefined ? { shell: true } : { command, shell: false }) },
    memory: memory * MIB,
    instructions: MOST_INSTRUCTIONS,
    until,
  };
}

/** Guests of a few instructions, which are no Linux. */
function bareBoots(): HealthyGuest[] {
  const bare = (name: string, bytes: Uint8Array, more: Partial<HealthyGuest> = {}): HealthyGuest => ({
    name,
    image: { name: "bare", bytes },
    commandLine: "",
    instructions: 6e6,
    ...more,
  });
  return [
    bare("a serial port that has sent, and waits for input", soundSerial()),
    bare("an 8254 that ticks", tickGuest(true), { instructions: 5e5 }),
    bare("two CPUs that compare their clocks", timeStampGuest(2000), { cpus: 2 }),
    ...[100, 100_000, 0xffff_ffff].map((rounds) =>
      bare(`two CPUs, ticks and ${rounds} rounds`, debuggedGuest(rounds).bytes, { cpus: 2 }),
    ),
    bare("a guest that waits for questions about its clocks", clockGuest(0x608)),
    ...MOVED_GUESTS.filter(({ name, everyPart }) => name !== "a jump to itself" && everyPart !== true).map(
      ({ name, bytes, cpus, maxResets }) =>
        bare(`moved: ${name}`, bytes, { cpus, ...(maxResets !== undefined && { maxResets }) }),
    ),
    ...(["virtio", "xen"] as const).map((target) =>
      bare(`a Solo5 unikernel for ${target}`, solo5Image(target), { instructions: 1e6 }),
    ),
  ];
}

/** The boots in deterministic time, inside the test's own process. */
export const HEALTHY_BOOTS: readonly HealthyGuest[] = [
  ...KERNELS.flatMap(({ boots, ...kernel }, which) =>
    Array.from({ length: boots }, (_, i) => linuxBoot(kernel, i + which)),
  ),
  ...bareBoots(),
];
