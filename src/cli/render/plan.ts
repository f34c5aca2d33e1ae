/** A plan as text: the machine a guest would find, section by section. */
import type { Plan, PlanMemory, PlanPart, PlanFwCfgItem, PlanRegion } from "../../boot/plan.js";
import { wide } from "../../bytes/words.js";
import { CR0_PG, EFER_LMA } from "../../spec/x86-privileged.js";
import { tableLines } from "../../boot/table-lines.js";
import { GPR_NAMES, SEGMENT_NAMES, type CpuState } from "../../x86/cpu-state.js";
import { cpuidLines, featureNames } from "../../x86/cpuid-text.js";
import { decodePageTables, type MappedRange } from "../../x86/page-tables.js";
import { describeSegment } from "../../x86/segments.js";
import { wrapped } from "./wrap.js";

const ADDRESS_DIGITS = 9;
const REGISTER_DIGITS = 16;
const REGISTERS_PER_LINE = 4;
const HZ_PER_MHZ = 1e6;

/** A named part of the plan's text. */
export interface PlanSection {
  name: string;
  lines: string[];
}

function address(value: number | bigint): string {
  return value.toString(16).padStart(ADDRESS_DIGITS, "0");
}

function span(start: number | bigint, size: number | bigint): string {
  return `${address(start)}–${address(BigInt(start) + BigInt(size) - 1n)}`;
}

function bytes(size: number): string {
  for (const [unit, factor] of [
    ["GiB", 2 ** 30],
    ["MiB", 2 ** 20],
    ["KiB", 2 ** 10],
  ] as const) {
    if (size >= factor && size % factor === 0) return `${size / factor} ${unit}`;
  }
  return `${size} bytes`;
}

const CONTENTS: Readonly<Record<PlanMemory["contents"], string>> = {
  copied: "contents are copied into the engine's memory",
  adopted: "contents become the guest's memory without being copied",
};

function summary(plan: Plan): string[] {
  const { loader, image, clock, memory } = plan;
  const time = clock.deterministic
    ? `${clock.deterministic.nsPerInstruction} ns an instruction (deterministic)`
    : "the host's time";
  return [
    `image     ${image.name}: ${image.summary}`,
    `loader    ${loader.name}, ${loader.entry}: ${loader.why}`,
    `cpus      ${plan.cpus}`,
    `ram       ${plan.ram.map((r) => `${span(r.start, r.size)} (${bytes(r.size)})`).join(", ")}`,
    ...(memory ? [`memory    ${CONTENTS[memory.contents]}`] : []),
    `clock     TSC ${clock.tscHz / HZ_PER_MHZ} MHz, APIC timer ${clock.apicHz / HZ_PER_MHZ} MHz, ${time}`,
    `rtc       ${new Date(clock.rtcStart * 1000).toISOString()} at power-on`,
    `command   ${plan.commandLine}`,
    ...plan.modules.map(({ name, commandLine, size }) =>
      `module    ${name} (${bytes(size)}) ${commandLine}`.trimEnd(),
    ),
    ...plan.added.map(({ what, why }) => `added     ${what}: ${why}`),
    ...plan.warnings.map((warning) => `warning   ${warning}`),
  ];
}

function memoryMap(regions: readonly PlanRegion[]): string[] {
  const rows = [...regions].sort((a, b) => a.start - b.start);
  const width = rows.reduce((most, { name }) => Math.max(most, name.length), 0);
  return rows.map(({ name, start, size, owner, content }) => {
    const filled = content.kind === "bytes" ? `${content.bytes.length} bytes` : "zero";
    return `${span(start, size)}  ${name.padEnd(width)}  ${filled} (${owner})`;
  });
}

function registers(state: CpuState): string[] {
  const wide = (name: string, value: bigint): string =>
    `${name.padEnd(6)} ${value.toString(16).padStart(REGISTER_DIGITS, "0")}`;
  const general = GPR_NAMES.map((name, i) => wide(name, state.gpr[i]));
  const control = (["rip", "rflags", "cr0", "cr2", "cr3", "cr4", "efer"] as const).map((n) =>
    wide(n, state[n]),
  );
  const lines: string[] = [];
  for (const group of [general, control]) {
    for (let i = 0; i < group.length; i += REGISTERS_PER_LINE) {
      lines.push(group.slice(i, i + REGISTERS_PER_LINE).join("  "));
    }
  }
  for (const name of [...SEGMENT_NAMES, "ldtr", "tr"] as const) {
    const segment = state[name];
    lines.push(
      `${name.padEnd(6)} ${segment.selector.toString(16).padStart(4, "0")} ${describeSegment(segment)}`,
    );
  }
  for (const name of ["gdtr", "idtr"] as const) {
    lines.push(
      `${name.padEnd(6)} base=0x${state[name].base.toString(16)} limit=0x${state[name].limit.toString(16)}`,
    );
  }
  for (const [index, value] of Object.entries(state.msrs)) {
    lines.push(`msr    0x${Number(index).toString(16)} = 0x${value.toString(16)}`);
  }
  return lines;
}

/** Reads eight bytes of what the plan puts into memory; zero where nothing is. */
function planReader(plan: Plan): (at: bigint) => bigint | undefined {
  const entry = new DataView(new ArrayBuffer(8));
  return (at) => {
    const start = Number(at);
    const region = plan.regions.find((r) => start >= r.start && start + 8 <= r.start + r.size);
    if (region === undefined)
      return plan.ram.some((r) => start >= r.start && start < r.start + r.size) ? 0n : undefined;
    for (let i = 0; i < 8; i++) {
      const { content } = region;
      entry.setUint8(i, content.kind === "bytes" ? (content.bytes[start - region.start + i] ?? 0) : 0);
    }
    return entry.getBigUint64(0, true);
  };
}

/** What the boot CPU's page tables map; empty when it starts without 4-level paging. */
export function planMappings(plan: Plan): MappedRange[] {
  const { cr0, cr3, efer } = plan.bootCpu;
  if ((cr0 & wide(CR0_PG)) === 0n || (efer & wide(EFER_LMA)) === 0n) return [];
  return decodePageTables(planReader(plan), cr3);
}

function mappingLines(plan: Plan): string[] {
  const runs = planMappings(plan);
  if (runs.length === 0) return ["paging is off at the first instruction"];
  return runs.map((run) => {
    const rights = `r${run.writable ? "w" : "-"}${run.executable ? "x" : "-"}${run.user ? " user" : ""}`;
    return `${span(run.linear, run.size)} → ${address(run.physical)}  ${bytes(run.pageSize)} pages, ${rights}`;
  });
}

function deviceLine({ name, ports, mmio, irqs = [] }: PlanPart, width: number): string {
  const hex = (value: number): string => `0x${value.toString(16)}`;
  const parts = [
    ...(ports ?? []).map((p) => `ports ${hex(p.start)}–${hex(p.start + p.size - 1)}`),
    ...(mmio ?? []).map((m) => `memory ${span(m.start, m.size)}`),
    ...irqs.map((irq) => `irq ${irq}`),
  ];
  return `${name.padEnd(width)}  ${parts.join(", ")}`;
}

/** What a machine that starts in its firmware has beside: its configuration, and the kernel it hands over to. */
function firmwareSections({ fwCfg, handOver }: Plan): PlanSection[] {
  const sections: PlanSection[] = [];
  if (handOver !== undefined) {
    const lines = [...memoryMap(handOver.regions), "", ...registers(handOver.cpu)];
    sections.push({ name: "hand-over", lines });
  }
  if (fwCfg !== undefined) sections.push({ name: "fw_cfg", lines: fwCfg.map(fwCfgLine) });
  return sections;
}

function fwCfgLine({ key, file, bytes: contents }: PlanFwCfgItem): string {
  return `${key.toString(16).padStart(4, "0")}  ${file ?? "(numbered)"}  ${contents.length} bytes`;
}

/** Every section, in the order it is printed. */
export function planSections(plan: Plan): PlanSection[] {
  const deviceWidth = Math.max(0, ...plan.devices.map(({ name }) => name.length));
  return [
    { name: "summary", lines: summary(plan) },
    { name: "map", lines: memoryMap(plan.regions) },
    { name: "e820", lines: plan.e820.map(({ start, size, type }) => `${span(start, size)}  ${type}`) },
    { name: "registers", lines: registers(plan.bootCpu) },
    { name: "paging", lines: mappingLines(plan) },
    { name: "tables", lines: tableLines(plan) },
    { name: "devices", lines: plan.devices.map((device) => deviceLine(device, deviceWidth)) },
    ...firmwareSections(plan),
    { name: "cpuid", lines: [...cpuidLines(plan.cpuid), "", ...wrapped(featureNames(plan.cpuid))] },
  ];
}
