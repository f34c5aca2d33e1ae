/** Causes that the machine itself shows: triple faults, entries, CPUs that wait for each other, for a timer, or for a person. */
import { hex } from "../../bytes/hex.js";
import { appendOption, byLine, saidLines, valuesOf, type Facts, type Finding, type Rule } from "./rule.js";

/** FreeBSD asks a person for its root. */
export const freebsdRoot = byLine({
  id: "root-missing",
  line: /^\s*mountroot>|Mounting from (\S+) failed with error (\d+)/,
  when: ({ found }) => found.log?.kind === "FreeBSD msgbuf",
  sentence: (match, { plan }) => {
    const disk = plan.devices.some(({ type }) => type === "virtio-blk");
    const why = disk ? "it is not where the kernel looks" : "the machine has no disk";
    return `FreeBSD finds no root file system${match[1] === undefined ? "" : ` at ${match[1]}`} and asks for one (mountroot>): ${why}`;
  },
  remedy: () => ["--disk FILE,root", "--append vfs.root.mountfrom=ufs:/dev/vtbd0"],
});

/** FreeBSD finds none of the programs that it tries as the first. */
export const freebsdInit = byLine({
  id: "init-missing",
  line: /^init: not found in path (\S+)/,
  when: ({ found }) => found.log?.kind === "FreeBSD msgbuf",
  sentence: (match) =>
    `there is no init on the root file system that can be run: FreeBSD has tried ${match[1].replaceAll(":", ", ")}`,
  remedy: (_match, { plan }) =>
    valuesOf(plan.commandLine, "init_path").length > 0
      ? [appendOption(plan.commandLine, /^init_path=/, "")]
      : ["a root file system needs /sbin/init; --append init_path=FILE names another"],
});

/** A kernel that died after so few instructions was not where it had to be. */
const FEW_INSTRUCTIONS = 5_000;
const RESETS_OF_A_LOOP = 2;

/** Entered where it does not begin: it dies at once. */
export const wrongEntry: Rule = {
  id: "wrong-entry",
  find({ end, plan, found }) {
    if (end?.kind !== "crashed" && end?.kind !== "stuck") return undefined;
    if (found.executed === undefined || found.executed > FEW_INSTRUCTIONS || found.log !== undefined)
      return undefined;
    const { loader } = plan;
    return {
      sentence: `the kernel died after ${found.executed} instructions: it was entered at the wrong place, or in a mode that it does not expect (loader ${loader.name}, entry ${loader.entry})`,
      evidence: [
        `${end.route}${end.reason === undefined ? "" : `: ${end.reason}`}`,
        `why this loader: ${loader.why}`,
      ],
      remedy: ["locore inspect KERNEL says which protocols it offers, -o loader.name=NAME takes another"],
    };
  },
};

const FAULT = /it began with vector (\d+)(?: \(error code (0x[0-9a-f]+)\))? at RIP (0x[0-9a-f]+)/;
const VECTORS: Readonly<Record<number, string>> = {
  0: "a division error (#DE)",
  6: "an undefined instruction (#UD)",
  8: "a double fault (#DF)",
  10: "an invalid task state (#TS)",
  11: "a segment that is not present (#NP)",
  12: "a stack fault (#SS)",
  13: "a general-protection fault (#GP)",
  14: "a page fault (#PF)",
};

export const tripleFault: Rule = {
  id: "triple-fault",
  find({ end, found }) {
    if (end?.route !== "triple-fault") return undefined;
    const match = FAULT.exec(end.reason ?? "");
    const vector = match === null ? undefined : Number(match[1]);
    const cpu = found.cpus.find(({ activity }) => activity === "shut down") ?? found.cpus[0];
    const instruction = cpu?.code.find(({ next }) => next === true)?.text;
    const what = vector === undefined ? "an exception" : (VECTORS[vector] ?? `exception ${vector}`);
    const at = cpu?.at.symbol ?? match?.[3] ?? cpu?.at.address ?? "?";
    const table = cpu?.interruptTable;
    return {
      sentence:
        `${what} at ${at}${instruction === undefined ? "" : ` (${instruction})`} could not be delivered` +
        `${table === undefined ? "" : `: the interrupt table at ${table.base} with limit ${table.limit} ${table.problem}`}`,
      evidence: [
        end.reason ?? end.route,
        ...(vector === 14 && cpu?.faultAddress !== undefined
          ? [`the page fault's address is ${cpu.faultAddress}`]
          : []),
      ],
      remedy: [],
    };
  },
};

export const rebootLoop: Rule = {
  id: "reboot-loop",
  find({ resets, end, found }) {
    // Who has ended by itself is in no loop any more.
    if (resets < RESETS_OF_A_LOOP || end?.kind === "off") return undefined;
    return {
      sentence: `the guest resets the machine again and again: ${resets} times so far`,
      evidence: [
        ...(end === undefined ? [] : [`${end.kind} by ${end.route}`]),
        ...(found.console.lastLine === "" ? [] : [found.console.lastLine]),
      ],
      remedy: ["--no-reboot ends at the first reset, and what was printed last says why"],
    };
  },
};

const DECOMPRESSOR =
  /-- System halted|compressed data is corrupt|Decoding failed|uncompression error|incomplete literal|invalid magic|crc error|length error|Out of memory while allocating/i;

/** The part of a bzImage that unpacks the kernel. */
export const decompressorDied: Rule = {
  id: "decompressor-died",
  find(facts) {
    const { found, plan, console } = facts;
    if (found.log !== undefined || plan.image.format !== "bzimage") return undefined;
    const line = console.split(/[\r\n]+/).findLast((one) => DECOMPRESSOR.test(one));
    // Of a payload that is damaged near its end, names are in memory already.
    if (found.symbols === "kallsyms" && line === undefined) return undefined;
    const stopped = found.cpus.every(
      ({ activity, samples }) => activity !== "executing" || samples.length === 1,
    );
    if (line === undefined && !(stopped && facts.end?.kind !== "off")) return undefined;
    const cpu = found.cpus[0];
    return {
      sentence: `the kernel's decompressor gave up${line === undefined ? "" : ` (${line.trim()})`}: no kernel was unpacked whole`,
      evidence: [
        `no kernel has written a log; CPU 0 is ${cpu.activity} at ${cpu.at.address}`,
        ...(line === undefined ? [] : [line.trim()]),
      ],
      remedy: ["the image is damaged, or memory is too small for it: locore inspect KERNEL, --memory 512M"],
    };
  },
};

const PROMPT = /(login:|[#$>%?:])\s*$/;
/** Words by which Linux is told to do without a timer. */
const TIMER_WORD =
  /^(nolapic(_timer)?|noapic|notsc|noapictimer|apic=|lapic|clocksource=|tsc=|nohpet|hpet=|acpi=off|disableapic)/;

/** Every CPU sleeps, and no timer is armed that would wake one. */
export const timerGone: Rule = {
  id: "timer",
  find({ found, plan, end, timerTicks }) {
    const sleeping = found.cpus.filter(({ activity }) => activity !== "never started");
    const asleep = sleeping.every(
      ({ activity, timer }) => activity === "sleeping" && !timer.startsWith("armed"),
    );
    const words = plan.commandLine.split(/\s+/).filter((word) => TIMER_WORD.test(word));
    // Linux leaves the 8254 alone where the CPU has a TSC deadline, even where it may not use that.
    const refused = !timerTicks && words.some((word) => word.startsWith("nolapic"));
    const gone =
      refused || end?.route === "no-wake-source" || !plan.devices.some(({ type }) => type === "i8254");
    if (!asleep || !gone || (found.log === undefined && found.console.bytes === 0)) return undefined;
    const parts = plan.devices.some(({ type }) => type === "i8254") ? "" : "; the machine has no 8254 timer";
    return {
      sentence: `every CPU sleeps and no timer will wake one: the local APIC's timer is ${sleeping[0]?.timer ?? "masked"}${words.length === 0 ? "" : ` (the command line says ${words.join(" ")})`}${parts}`,
      evidence: sleeping.map(
        ({ cpu, at, timer }) => `CPU ${cpu} at ${at.symbol ?? at.address}, its APIC timer ${timer}`,
      ),
      remedy: words.length === 0 ? [] : [appendOption(plan.commandLine, TIMER_WORD, "")],
    };
  },
};

/** Functions of Linux in which it waits for a timer, and which it leaves at once where one comes. */
export const TIMER_WAITS =
  /^(calibrate_delay|calibrate_delay_converge|calibrate_delay_direct|check_timer|timer_irq_works|pit_calibrate_tsc|quick_pit_calibrate|native_calibrate_cpu|calibrate_APIC_clock|hpet_\w+|pit_verify_msb)\b/;
const TIMER_LINES =
  /IO-APIC \+ timer doesn't work|timer doesn't work through|8254 timer not connected|APIC timer .*(?:not|dysfunctional|disabled)|No .*clock ?event|APIC frequency too slow|TSC calibration failed|Unable to calibrate against PIT/i;

export const timerMissing: Rule = {
  id: "timer",
  find(facts) {
    const { plan, timerWait } = facts;
    const lines = saidLines(facts);
    const panic = lines.findLast((one) => /IO-APIC \+ timer doesn't work|Can not start.*timer/.test(one));
    if (panic === undefined && timerWait === undefined) return undefined;
    const words = plan.commandLine.split(/\s+/).filter((word) => TIMER_WORD.test(word));
    const switched = words.length > 0 ? `; the command line says ${words.join(" ")}` : "";
    const complaint = lines.findLast((one) => TIMER_LINES.test(one));
    return {
      sentence: `the kernel waits for a timer that does not come${timerWait === undefined ? "" : `, in ${timerWait}`}${switched}`,
      evidence: [panic ?? complaint ?? `a CPU is in ${timerWait}`].map((one) => one.trim()),
      remedy: words.length > 0 ? [appendOption(plan.commandLine, TIMER_WORD, "")] : [],
    };
  },
};

const LOCKS =
  /^(native_queued_spin_lock_slowpath|_raw_spin_lock\w*|queued_(read|write)_lock_slowpath|__pv_queued_spin_lock_slowpath|csd_lock_wait|smp_call_function_\w+|stop_machine\w*|multi_cpu_stop)\b/;

/** Every CPU in a loop that reads memory with interrupts off: none is left that could change what they read. */
function lockedWithoutNames({ cpus }: Facts["found"]): Finding | undefined {
  const started = cpus.filter(({ activity }) => activity !== "never started");
  const words = started.flatMap(({ cpu, interrupts, loop }) =>
    interrupts === "off" && loop?.reads[0] !== undefined ? [{ cpu, loop, ...loop.reads[0] }] : [],
  );
  if (words.length < 2 || words.length < started.length) return undefined;
  const what = words.map(({ cpu, address }) => `CPU ${cpu} for ${address}`).join(", ");
  return {
    sentence: `CPUs ${words.map(({ cpu }) => cpu).join(" and ")} wait for words of memory that nobody changes (${what}), and none goes on`,
    evidence: words.map(
      ({ cpu, address, value, instruction, loop }) =>
        `CPU ${cpu}: in a loop from ${loop.from} to ${loop.to} with interrupts off, ${address} is ${value}: ${instruction}`,
    ),
    remedy: ["--cpus 1 goes around it"],
  };
}

export const lockedCpus: Rule = {
  id: "cpus-locked",
  find({ found, alive }) {
    if (!alive) return undefined;
    const locked = found.cpus.filter(
      ({ samples }) => samples.length > 0 && samples.every(({ place }) => LOCKS.test(place.symbol ?? "")),
    );
    if (locked.length < 2) return lockedWithoutNames(found);
    // One that does something else may hold what they wait for.
    if (found.cpus.some((cpu) => cpu.activity === "executing" && !locked.includes(cpu))) return undefined;
    return {
      sentence: `CPUs ${locked.map(({ cpu }) => cpu).join(" and ")} wait for locks that each other hold, and none goes on`,
      evidence: locked.map(
        ({ cpu, at, callers }) =>
          `CPU ${cpu}: ${at.symbol ?? at.address}, called by ${callers[0]?.symbol ?? "?"}`,
      ),
      remedy: ["--cpus 1 goes around it"],
    };
  },
};

/** Reads of one place that nothing but a loop makes, in a few million instructions. */
const MANY_READS = 1000;

/** A CPU in a loop of few instructions that reads one device or one word of memory, and always gets the same answer. */
export const polls: Rule = {
  id: "polls",
  find({ found, alive }) {
    const cpu = found.cpus.find(({ loop }) => loop !== undefined);
    if (!alive || cpu?.loop === undefined) return undefined;
    const at = cpu.at.symbol ?? cpu.at.address;
    const access = found.accesses.find(({ write, count }) => !write && count >= MANY_READS);
    if (access !== undefined && access.values.length === 1) {
      const where = `${access.space === "memory" ? "the register at" : access.space} ${hex(access.address)}`;
      return {
        sentence: `CPU ${cpu.cpu} does nothing but read ${where} at ${at}, and the answer is always ${hex(access.values[0])}: ${access.part === undefined ? "there is no device" : `the device is ${access.part}`}`,
        evidence: [`${access.count} reads while it was watched`],
        remedy: access.part === undefined ? ["locore plan lists the machine's devices and their ports"] : [],
      };
    }
    const [word] = cpu.loop.reads;
    if (word === undefined || access !== undefined || cpu.interrupts === "on") return undefined;
    // Another CPU that goes on may write it.
    if (found.cpus.some(({ activity, loop }) => activity === "executing" && loop === undefined))
      return undefined;
    return {
      sentence: `CPU ${cpu.cpu} does nothing but read memory at ${word.address}, which stays ${word.value}, at ${at} with interrupts off`,
      evidence: [`in a loop from ${cpu.loop.from} to ${cpu.loop.to}: ${word.instruction}`],
      remedy: found.cpus.length > 1 ? ["--cpus 1, if it waits for another CPU"] : [],
    };
  },
};

export const anyPanic = byLine({
  id: "panic",
  line: /(?:Kernel panic - not syncing|^panic): (.*)/,
  sentence: (match) => `the kernel has panicked: ${match[1].replace(/ ?\]---$/, "").trim()}`,
});

export const cpuNotStarted = byLine({
  id: "cpu-not-started",
  line: /smpboot: do_boot_cpu failed\(-?\d+\) to wakeup CPU#(\d+)|CPU ?(\d+) (?:failed to report alive|is stuck|not responding)|CPU(\d+): Stuck/i,
  sentence: (match) => `CPU ${match[1] ?? match[2] ?? match[3]} was never started`,
  remedy: () => ["--cpus 1"],
});

/** Nothing can wake it: it has stopped. */
export const haltedForEver: Rule = {
  id: "halted",
  find({ end, found }) {
    if (end?.kind !== "stuck") return undefined;
    const [cpu] = found.cpus;
    return {
      sentence: `the guest has stopped for good at ${cpu.at.symbol ?? cpu.at.address}: ${end.reason ?? end.route}`,
      evidence: cpu.callers.slice(0, 3).map(({ symbol, address }) => `called by ${symbol ?? address}`),
      remedy: [],
    };
  },
};

/** Every CPU sleeps, and the last thing on the console is a question. */
export const waitsForInput: Rule = {
  id: "waits-for-input",
  find(facts: Facts) {
    const { found, alive } = facts;
    const idle = found.cpus.every(
      ({ activity, at, samples }) =>
        activity === "sleeping" ||
        activity === "never started" ||
        /idle|halt|mwait/.test(at.symbol ?? "") ||
        samples.some(({ place }) => /idle/.test(place.symbol ?? "")),
    );
    if (!alive || !idle || !PROMPT.test(found.console.lastLine)) return undefined;
    return {
      sentence: `the guest waits for input: the console shows "${found.console.lastLine.trim().slice(-60)}", and every CPU sleeps`,
      evidence: [],
      remedy: [],
    };
  },
};
