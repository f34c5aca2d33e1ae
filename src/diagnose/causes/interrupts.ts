/** CPUs that sleep for an interrupt that cannot come: it is masked, or one before it was never acknowledged. */
import type { CpuReport, InputReport } from "../diagnosis.js";
import type { Facts, Finding, Rule } from "./rule.js";

/** Inputs of the 8254, and of the second 8259: what they hold says nothing of a device that is waited for. */
const NO_DEVICE = [0, 2];
/** Vectors of a class have one priority: the upper four bits (Intel SDM vol. 3A §11.8.3). */
const CLASS_SHIFT = 4;

function numberOf({ input }: InputReport): number {
  return Number(/\d+$/.exec(input)?.[0]);
}

function isState({ state }: InputReport, word: string): boolean {
  return state.split(", ").includes(word);
}

function sleepers({ found }: Facts): CpuReport[] {
  return found.cpus.filter(({ activity, interrupts }) => activity === "sleeping" && interrupts === "on");
}

function evidenceOf(inputs: readonly InputReport[], cpus: readonly CpuReport[]): string[] {
  return [
    ...inputs.map(({ input, state }) => `${input}: ${state}`),
    ...cpus.map(
      ({ cpu, at, timer }) => `CPU ${cpu} sleeps at ${at.symbol ?? at.address}, its APIC timer ${timer}`,
    ),
  ];
}

/** An interrupt that a local APIC still serves, while its CPU sleeps and others wait behind it. */
function unacknowledgedByApic({ found }: Facts, cpu: CpuReport): Finding | undefined {
  const served = Math.max(...cpu.inService);
  const behind = cpu.pending.filter((vector) => vector >> CLASS_SHIFT <= served >> CLASS_SHIFT);
  const pins = found.inputs.filter(
    (input) =>
      input.input.startsWith("I/O APIC") && isState(input, "raised") && isState(input, "not acknowledged"),
  );
  if (cpu.inService.length === 0 || behind.length + pins.length === 0) return undefined;
  const waits = [...behind.map((vector) => `vector ${vector}`), ...pins.map(({ input }) => input)];
  return {
    sentence: `CPU ${cpu.cpu} has never acknowledged the interrupt with vector ${served} (no end of interrupt), so that ${waits.join(" and ")} cannot come, and it sleeps`,
    evidence: [
      `vectors in service: ${cpu.inService.join(" ")}; pending: ${cpu.pending.join(" ") || "none"}`,
      ...evidenceOf(pins, [cpu]),
    ],
    remedy: ["the handler has to write the local APIC's register EOI (0xb0; MSR 0x80b of an x2APIC)"],
  };
}

/** The same of the 8259s. */
function unacknowledgedByPair({ found }: Facts, cpu: CpuReport): Finding | undefined {
  const inputs = found.inputs.filter(({ input }) => input.startsWith("8259"));
  const served = inputs.filter((input) => isState(input, "in service"));
  const behind = inputs.filter((input) => isState(input, "requested") && !isState(input, "masked"));
  if (served.length === 0 || behind.length === 0) return undefined;
  const names = (list: readonly InputReport[]): string => list.map(numberOf).join(" and ");
  return {
    sentence: `the interrupt of 8259 input ${names(served)} was never acknowledged (no end of interrupt), so that input ${names(behind)} cannot come, and CPU ${cpu.cpu} sleeps`,
    evidence: evidenceOf(inputs, [cpu]),
    remedy: ["the handler has to write 0x20 to port 0x20, and to port 0xa0 as well for inputs 8 to 15"],
  };
}

/** A handler that forgot the end of its interrupt: nothing of its priority or lower comes any more. */
export const unacknowledged: Rule = {
  id: "interrupt-unacknowledged",
  find(facts) {
    for (const cpu of sleepers(facts)) {
      const finding =
        unacknowledgedByApic(facts, cpu) ?? (cpu.cpu === 0 ? unacknowledgedByPair(facts, cpu) : undefined);
      if (finding !== undefined) return finding;
    }
    return undefined;
  },
};

/** Every CPU sleeps, no timer ticks, and a device's interrupt is masked wherever it is wired to. */
export const maskedInterrupt: Rule = {
  id: "interrupt-masked",
  find(facts) {
    const { found, end, timerTicks } = facts;
    const started = found.cpus.filter(({ activity }) => activity !== "never started");
    const asleep = sleepers(facts);
    if (asleep.length === 0 || asleep.length < started.length) return undefined;
    const ticks = timerTicks || asleep.some(({ timer }) => timer.startsWith("armed"));
    if (ticks && end?.route !== "no-wake-source") return undefined;
    const raised = found.inputs.filter((input) => !NO_DEVICE.includes(numberOf(input)));
    const open = raised.filter((input) => !isState(input, "masked")).map(numberOf);
    const masked = raised.filter((input) => !open.includes(numberOf(input)));
    if (masked.length === 0) return undefined;
    const numbers = [...new Set(masked.map(numberOf))];
    return {
      sentence: `every CPU sleeps, and the interrupt of input ${numbers.join(" and ")}, which is raised, is masked: it wakes nobody`,
      evidence: evidenceOf(masked, asleep),
      remedy: [
        "the guest has to unmask it: ports 0x21 and 0xa1 of the 8259, or the pin's redirection entry of the I/O APIC",
      ],
    };
  },
};
