/**
 * Commands that a debugger's user writes behind `monitor`: what the machine is and does beside its registers. Text in, text out;
 * whatever is wrong is said in it. Knows no packet.
 */
import { hex } from "../../bytes/hex.js";
import type { I8259ChipState, I8259State } from "../../devices/interrupts/i8259.js";
import type { IoapicState } from "../../devices/interrupts/ioapic.js";
import type { LapicState, VectorSet } from "../../devices/interrupts/lapic-state.js";
import { apicPart, type InterruptParts } from "./interrupt-parts.js";
import { kernelLogText, kernelSymbolFile } from "./kernel-facts.js";
import type { MachineDebugging } from "../../machine/debugging.js";
import { machineEnd } from "../../machine/end.js";
import { LVT, REDIRECTION, SVR } from "../../spec/apic.js";
import { SIZE_4K } from "../../spec/x86-system.js";
import { mappingsOf } from "../mappings.js";
import { addressSpace } from "../page-tables.js";
import { GPR_NAMES, SEGMENT_NAMES, type CpuState } from "../../x86/cpu-state.js";

/** What commands ask of the host. */
export interface MonitorServices {
  /** Saves the machine to a file; gives what to say. Absent: it cannot be saved. */
  snapshot?: (file: string) => string;
  /** Writes a file of the host. Throws the host's errors. */
  writeFile?: (file: string, bytes: Uint8Array) => void;
}

/** What a command is about. */
interface Asked extends MonitorServices {
  machine: MachineDebugging;
  /** The CPU that gdb looks at. */
  cpu: number;
  /** What stood behind the command's words. */
  rest: string;
}

interface MonitorCommand {
  words: string;
  /** What QEMU calls it. */
  alias?: string;
  operand?: string;
  help: string;
  run: (asked: Asked) => string;
}

const ADDRESS_DIGITS = 16;
const SELECTOR_DIGITS = 4;
const WORD_BITS = 32;
/** Remembered translations and ranges of memory that are shown: a page or two of a terminal's memory. */
const MOST_TRANSLATIONS = 2000;
const FIELDS = 4;
const HEX = 16;
const REGISTERS_A_LINE = 4;

function registers({ machine, cpu }: Asked): string {
  const state = machine.state(cpu);
  const general = GPR_NAMES.map(
    (name, i) => `${name.padEnd(3)} ${state.gpr[i].toString(16).padStart(ADDRESS_DIGITS, "0")}`,
  );
  const lines = [`CPU ${cpu}: ${machine.status(cpu)}, ${machine.instructions(cpu)} instructions`];
  for (let i = 0; i < general.length; i += REGISTERS_A_LINE)
    lines.push(general.slice(i, i + REGISTERS_A_LINE).join("  "));
  lines.push(`rip ${state.rip.toString(16).padStart(ADDRESS_DIGITS, "0")}  rflags ${hex(state.rflags)}`);
  for (const name of SEGMENT_NAMES) lines.push(segmentLine(name, state));
  lines.push(
    `gdtr ${hex(state.gdtr.base)} limit ${hex(state.gdtr.limit)}  idtr ${hex(state.idtr.base)} limit ${hex(state.idtr.limit)}`,
  );
  lines.push(
    `cr0 ${hex(state.cr0)}  cr2 ${hex(state.cr2)}  cr3 ${hex(state.cr3)}  cr4 ${hex(state.cr4)}  cr8 ${hex(machine.taskPriority(cpu))}  efer ${hex(state.efer)}`,
  );
  return lines.join("\n");
}

function segmentLine(name: (typeof SEGMENT_NAMES)[number], state: CpuState): string {
  const { selector, base, limit, access } = state[name];
  return `${name} ${hex(selector, SELECTOR_DIGITS)}  base ${hex(base)}  limit ${hex(limit)}  access ${hex(access)}`;
}

/** The vectors of a set, "-" for none. */
function vectors(set: VectorSet): string {
  const found: string[] = [];
  set.forEach((word, i) => {
    for (let bit = 0; bit < WORD_BITS; bit++) if ((word >>> bit) & 1) found.push(hex(i * WORD_BITS + bit));
  });
  return found.length === 0 ? "-" : found.join(" ");
}

function lapicLines({ cpus }: { cpus: LapicState[] }): string[] {
  return cpus.map(({ registers: one }, cpu) => {
    const enabled = (one.spurious & SVR.enable) !== 0 ? "enabled" : "disabled";
    const timer = (one.lvt.timer & LVT.masked) !== 0 ? "masked" : `vector ${hex(one.lvt.timer & LVT.vector)}`;
    return `local APIC ${cpu}: ${enabled}, requested ${vectors(one.request)}, in service ${vectors(one.inService)}, task priority ${hex(one.taskPriority)}, timer ${timer}`;
  });
}

function ioapicLines({ pins }: IoapicState): string[] {
  return pins.flatMap(({ low, high, raised }, pin) => {
    const masked = (low & REDIRECTION.masked) !== 0;
    if (masked && !raised) return [];
    const mode = (low & REDIRECTION.level) !== 0 ? "level" : "edge";
    const to = (high >>> REDIRECTION.destinationShift).toString();
    const waits = (low & REDIRECTION.remoteIrr) !== 0 ? ", not acknowledged" : "";
    return [
      `I/O APIC pin ${pin}: ${masked ? "masked" : `vector ${hex(low & REDIRECTION.vector)} to ${to}`}, ${mode}, ${raised ? "raised" : "low"}${waits}`,
    ];
  });
}

function i8259Line(name: string, { irr, isr, imr, vectorBase }: I8259ChipState): string {
  return `8259 ${name}: requested ${hex(irr)}, in service ${hex(isr)}, masked ${hex(imr)}, vectors from ${hex(vectorBase)}`;
}

function i8259Lines({ master, slave }: I8259State): string[] {
  return [i8259Line("master", master), i8259Line("slave", slave)];
}

function interrupts({ machine }: Asked): string {
  const parts = machine.parts();
  const lines: string[] = [];
  const add = <Type extends keyof InterruptParts>(
    type: Type,
    show: (state: InterruptParts[Type]) => string[],
  ): void => {
    const state = apicPart(machine.plan, parts, type);
    if (state !== undefined) lines.push(...show(state));
  };
  add("lapic", lapicLines);
  add("ioapic", ioapicLines);
  add("i8259", i8259Lines);
  return lines.length === 0 ? "this machine has no interrupt controller" : lines.join("\n");
}

function linearOf(page: number): string {
  return hex(BigInt.asUintN(64, BigInt(page) * BigInt(SIZE_4K)), ADDRESS_DIGITS);
}

function translations({ machine, cpu }: Asked): string {
  const found = machine.translations(cpu);
  if (found === undefined) return "this engine does not tell";
  const lines = ["what the CPU remembers; the tables may say something else"];
  for (const [what, list] of [
    ["data", found.data],
    ["code", found.code],
  ] as const) {
    for (let i = 0; i + FIELDS <= list.length && lines.length < MOST_TRANSLATIONS; i += FIELDS)
      lines.push(`${what} ${linearOf(list[i])} -> ${hex(list[i + 2] * SIZE_4K)}`);
  }
  return lines.join("\n");
}

/** As QEMU writes them, and whether code may be executed. */
function mappings({ machine, cpu }: Asked): string {
  const space = addressSpace(machine.state(cpu));
  if (space.paging === "none") return `CPU ${cpu} has no paging: linear addresses are guest-physical ones`;
  const { list, whole } = mappingsOf(machine.memory, space, MOST_TRANSLATIONS);
  const digits = space.paging === "4-level" ? ADDRESS_DIGITS : ADDRESS_DIGITS / 2;
  const text = (address: bigint): string => address.toString(HEX).padStart(digits, "0");
  const lines = list.map(
    ({ from, to, user, writable, executable }) =>
      `${text(from)}-${text(to)} ${text(to - from)} ${user ? "u" : "-"}r${writable ? "w" : "-"}${executable ? "x" : "-"}`,
  );
  if (lines.length === 0) lines.push("nothing is mapped");
  if (!whole) lines.push("… there is more");
  return lines.join("\n");
}

function reset({ machine }: Asked): string {
  if (!machine.reset()) return "this machine cannot begin again";
  return "the machine is as it began; gdb forgets its registers with: maintenance flush register-cache";
}

function translate({ machine, cpu, rest }: Asked): string {
  if (!/^(0x)?[0-9a-f]{1,16}$/i.test(rest))
    return "translate: expected an address such as 0xffffffff81000000";
  const linear = BigInt(/^0x/i.test(rest) ? rest : `0x${rest}`);
  const found = machine.translate(cpu, linear);
  if (found === undefined) return `${hex(linear)}: not mapped on CPU ${cpu}`;
  const { physical, writable, user, executable } = found;
  const rights = [
    writable ? "writable" : "read-only",
    executable ? "executable" : "no code",
    user ? "user" : "supervisor",
  ];
  const ram = machine.memory.contains(physical, 1) ? "RAM" : "no RAM";
  return `${hex(linear)} -> ${hex(physical)} (${ram}): ${rights.join(", ")}`;
}

function spans(list: readonly { start: number; size: number }[] = []): string {
  return list.map(({ start, size }) => ` ${hex(start)}-${hex(start + size - 1)}`).join("");
}

function devices({ machine }: Asked): string {
  return machine.plan.devices
    .map(({ name, type, ports, mmio, irqs = [] }) => {
      const what = [
        ...(ports?.length ? [`ports${spans(ports)}`] : []),
        ...(mmio?.length ? [`addresses${spans(mmio)}`] : []),
        ...(irqs.length > 0 ? [`irq ${irqs.join(" ")}`] : []),
      ];
      return `${name}${name === type ? "" : ` (${type})`}: ${what.length === 0 ? "-" : what.join("; ")}`;
    })
    .join("\n");
}

function symbols({ machine, rest, writeFile }: Asked): string {
  if (rest === "") return "symbols: expected the name of a file";
  if (writeFile === undefined) return "no file can be written from here";
  const found = kernelSymbolFile(machine);
  if (found === undefined)
    return "no Linux kernel with its symbols was found in memory: one that is still packed has none";
  try {
    writeFile(rest, found.bytes);
  } catch (error) {
    return `symbols: ${(error as Error).message}`;
  }
  return `${found.banner.trimEnd()}\n${found.count} symbols; now write: symbol-file ${rest}`;
}

const COMMANDS: readonly MonitorCommand[] = [
  { words: "help", help: "this list", run: () => helpText() },
  { words: "info registers", help: "all of a CPU, with tables and limits", run: registers },
  { words: "info irq", help: "what the interrupt controllers hold, wait for and mask", run: interrupts },
  { words: "info tlb", help: "the translations that the CPU remembers", run: translations },
  { words: "info devices", help: "the machine's parts, their ports, addresses and interrupts", run: devices },
  {
    words: "info mem",
    help: "what the tables map: linear addresses, sizes, and user, read, write, execute",
    run: mappings,
  },
  {
    words: "translate",
    operand: "ADDRESS",
    help: "where a linear address leads, by the tables",
    run: translate,
  },
  {
    words: "log",
    help: "the kernel's own log, read from its memory",
    run: ({ machine }) => kernelLogText(machine) ?? "no kernel's log was found in memory",
  },
  {
    words: "symbols",
    operand: "FILE",
    help: "write a file with the symbols of the Linux kernel in memory, as it runs, for symbol-file",
    run: symbols,
  },
  {
    words: "snapshot",
    operand: "FILE",
    help: "save the machine; locore restore goes on from it",
    run: ({ snapshot, rest }) => {
      if (rest === "") return "snapshot: expected the name of a file";
      return snapshot?.(rest) ?? "this machine cannot be saved from here";
    },
  },
  { words: "reset", alias: "system_reset", help: "the machine begins again, and stands still", run: reset },
  {
    words: "quit",
    help: "end the machine",
    run: ({ machine }) => {
      machine.finish(machineEnd("interrupted", "gdb monitor quit"));
      return "the machine ends once it goes on";
    },
  },
];

function helpText(): string {
  const names = COMMANDS.map(({ words, operand }) => (operand === undefined ? words : `${words} ${operand}`));
  const width = Math.max(...names.map(({ length }) => length));
  return COMMANDS.map(({ help }, i) => `${names[i].padEnd(width)}  ${help}`).join("\n");
}

/** Carries a command out for a CPU and gives what to show, which ends with a newline. */
export function runMonitorCommand(
  command: string,
  machine: MachineDebugging,
  cpu: number,
  services: MonitorServices,
): string {
  const text = command.trim().replaceAll(/\s+/g, " ");
  const begins = (words: string): boolean => text === words || text.startsWith(`${words} `);
  const found = COMMANDS.find(({ words, alias = words }) => begins(words) || begins(alias));
  if (found === undefined) return `${text}: no such command\n${helpText()}\n`;
  const { words, alias = words } = found;
  const rest = text.slice((begins(words) ? words : alias).length).trim();
  if (found.operand === undefined && rest !== "") return `${found.words}: takes no operand\n`;
  return `${found.run({ ...services, machine, cpu, rest })}\n`;
}
