/**
 * What Debian's kernel says of the machine it runs on, in one boot with its own defaults: CPU, clocks, interrupt
 * controllers, ACPI, console, real-time clock; and that it complains about nothing.
 */
import assert from "node:assert/strict";
import test from "node:test";
import type { TestContext } from "node:test";
import { bootKernel, lastWords, POWER_ON, type KernelBoot } from "../support/kernel-boot.js";

/** Each section of what the guest prints: its name and the shell that prints it. */
const SECTIONS = {
  cpuinfo: "cat /proc/cpuinfo",
  vulnerabilities: "cd /sys/devices/system/cpu/vulnerabilities; grep . *",
  clocksource: "cat /sys/devices/system/clocksource/clocksource0/current_clocksource",
  clockevent: "cat /sys/devices/system/clockevents/clockevent0/current_device",
  cpus: "nproc; cat /sys/devices/system/cpu/online",
  before: "cat /proc/interrupts",
  rtc: "cat /sys/class/rtc/rtc0/since_epoch; date +%s",
  ports: "cat /proc/ioports",
  dmesg: "dmesg",
  after: "cat /proc/interrupts",
} as const;
type Section = keyof typeof SECTIONS;

const COMMAND = Object.entries(SECTIONS)
  .map(([name, command]) => `echo "== ${name}"; ${command}`)
  .join("\n");

let booted: Promise<KernelBoot | undefined> | undefined;

/** A section of the one boot that all tests here look at; undefined after the test was skipped. */
async function section(t: TestContext, name: Section): Promise<string | undefined> {
  booted ??= bootKernel(t, { initramfs: { command: COMMAND } });
  const boot = await booted;
  if (boot === undefined) {
    t.skip("see the first test");
    return undefined;
  }
  const text = new RegExp(`^== ${name}\\n([^]*?)(?=^== |^locore: exit)`, "m").exec(boot.console)?.[1];
  assert.ok(text, `no section ${name}; ${lastWords(boot.console)}`);
  return text;
}

/** The count of an interrupt on the one CPU. */
function interrupts(table: string, name: string): number {
  const found = table.split("\n").find((line) => line.includes(name));
  assert.ok(found, `no interrupt ${name} in\n${table}`);
  return Number(/:\s+(\d+)/.exec(found)?.[1]);
}

test("the kernel's log holds no warning, trace, firmware bug or failure", async (t) => {
  const dmesg = await section(t, "dmesg");
  if (dmesg === undefined) return;
  const complaint =
    /WARNING|\bBUG:|Call Trace|\bOops|unchecked MSR|Marking TSC unstable|Firmware|ACPI (Error|Warning|BIOS|Exception)|alg: .*fail|spurious|nobody cared|timed out|not responding|\berror\b|\bfailed\b/i;
  assert.deepEqual(
    dmesg.split("\n").filter((line) => complaint.test(line)),
    [],
  );
});

test("R2.2 the CPU is our own: no Xen, no KVM, features that cost nothing, no bugs to work around", async (t) => {
  const dmesg = await section(t, "dmesg");
  const cpuinfo = await section(t, "cpuinfo");
  if (dmesg === undefined || cpuinfo === undefined) return;
  assert.match(dmesg, /Booting paravirtualized kernel on bare hardware/);
  assert.doesNotMatch(dmesg, /Hypervisor detected|\bxen|\bkvm/i);
  assert.match(cpuinfo, /^vendor_id\t: GenuineIntel$/m);
  assert.match(cpuinfo, /^model name\t: locore virtual CPU$/m);
  assert.match(cpuinfo, /^bugs\t\t: *$/m);
  const flags = new Set(/^flags\t\t: (.*)$/m.exec(cpuinfo)?.[1].split(" "));
  const wanted =
    "fpu tsc sse2 nx pcid x2apic tsc_deadline_timer erms fsrm invpcid constant_tsc nonstop_tsc tsc_known_freq " +
    "rep_good smep smap umip fsgsbase xsave arch_capabilities hypervisor";
  for (const flag of wanted.split(" ")) assert.ok(flags.has(flag), `${flag} in ${[...flags].join(" ")}`);
  for (const flag of ["pti", "ibrs_enhanced", "la57", "pku"]) assert.ok(!flags.has(flag), flag);
});

test("no mitigation is chosen for a CPU that does not speculate", async (t) => {
  const found = await section(t, "vulnerabilities");
  const dmesg = await section(t, "dmesg");
  if (found === undefined || dmesg === undefined) return;
  const lines = found.trimEnd().split("\n");
  assert.ok(lines.length >= 15, found);
  assert.deepEqual(
    lines.filter((line) => !line.endsWith(":Not affected")),
    [],
  );
  assert.doesNotMatch(dmesg, /Retpoline|page tables isolation: enabled|Filling RSB/i);
});

test("R3.2 the TSC is the clock, at its announced rate, without calibration", async (t) => {
  const dmesg = await section(t, "dmesg");
  if (dmesg === undefined) return;
  assert.equal(await section(t, "clocksource"), "tsc\n");
  assert.equal(await section(t, "clockevent"), "lapic-deadline\n");
  assert.match(dmesg, /tsc: Detected 1000\.000 MHz processor/);
  assert.match(dmesg, /Calibrating delay loop \(skipped\)/);
  assert.doesNotMatch(dmesg, /using PIT|Refined TSC|calibrating APIC timer/);
});

test("R3.2 the real-time clock is read at boot and agrees with the kernel's time", async (t) => {
  const dmesg = await section(t, "dmesg");
  const clocks = await section(t, "rtc");
  if (dmesg === undefined || clocks === undefined) return;
  assert.match(dmesg, /rtc_cmos 00:0\d: setting system clock to 2024-02-29T12:3[45]:\d\d UTC/);
  const [rtc, date] = clocks.trim().split("\n").map(Number);
  assert.ok(rtc >= POWER_ON && Math.abs(rtc - date) <= 1, `RTC ${rtc}, date ${date}, power-on ${POWER_ON}`);
});

test("R3.4 ACPI works without a complaint, and its MADT lists the CPU and the I/O APIC", async (t) => {
  const dmesg = await section(t, "dmesg");
  if (dmesg === undefined) return;
  assert.match(dmesg, /ACPI: Interpreter enabled/);
  assert.match(dmesg, /ACPI: PM: \(supports S0 S5\)/);
  assert.match(dmesg, /ACPI: Using ACPI \(MADT\) for SMP configuration information/);
  assert.match(dmesg, /smpboot: Allowing 1 CPUs, 0 hotplug CPUs/);
  assert.match(dmesg, /IOAPIC\[0\]: apic_id 1, version 32, address 0xfec00000, GSI 0-23/);
  assert.match(dmesg, /pnp: PnP ACPI: found 3 devices/);
  assert.equal(await section(t, "cpus"), "1\n0\n");
});

test("the console is a 16550A driven by interrupts", async (t) => {
  const dmesg = await section(t, "dmesg");
  const before = await section(t, "before");
  const after = await section(t, "after");
  if (dmesg === undefined || before === undefined || after === undefined) return;
  assert.match(dmesg, /00:0\d: ttyS0 at I\/O 0x3f8 \(irq = 4, base_baud = 115200\) is a 16550A/);
  assert.ok(interrupts(after, "ttyS0") > interrupts(before, "ttyS0") + 100, after);
  assert.ok(
    interrupts(after, "Local timer interrupts") > interrupts(before, "Local timer interrupts"),
    after,
  );
  assert.equal(interrupts(after, "ERR:"), 0);
  assert.equal(interrupts(after, "Spurious interrupts"), 0);
});

test("memory protection is on, and signatures are checked", async (t) => {
  const dmesg = await section(t, "dmesg");
  if (dmesg === undefined) return;
  assert.match(dmesg, /NX \(Execute Disable\) protection: active/);
  assert.match(dmesg, /Checked W\+X mappings: passed/);
  assert.match(dmesg, /Loaded X\.509 cert/);
  assert.match(dmesg, /alg: self-tests for .* passed/);
});
