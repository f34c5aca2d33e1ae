/**
 * What a machine does as JSON for Perfetto and chrome://tracing: an array with an event a line, a track for each CPU. It can be read while
 * it grows, since readers forgive an array that has no end.
 *
 * Specification: Trace Event Format (Chromium), "JSON Array Format", complete events ("X") and instants ("i").
 */
import type { PlanPart } from "../../devices/part.js";
import type { DeviceAccess, MachineTrace } from "../../machine/accesses.js";
import { LAPIC_MMIO } from "../../memory/layout.js";
import { VIRTIO_MMIO } from "../../spec/virtio.js";
import type { TraceFilter, TraceKind, TraceWords } from "./trace-words.js";

interface Device {
  readonly name: string;
  readonly virtio: boolean;
  readonly start: number;
  readonly size: number;
}

const NS_PER_US = 1000;
const HEX = 16;
const PROCESS = 1;

const VIRTIO_REGISTERS = new Map<number, string>(
  Object.entries(VIRTIO_MMIO).map(([name, offset]) => [offset, name.toLowerCase().replaceAll("_", "-")]),
);

function hex(value: number): string {
  return `0x${value.toString(HEX)}`;
}

/** Whether a part is one of the virtio devices, by its type's name. */
function isVirtio({ type }: PlanPart): boolean {
  return type.startsWith("virtio");
}

function virtioRegister(offset: number): string {
  if (offset >= VIRTIO_MMIO.CONFIG) return `config+${hex(offset - VIRTIO_MMIO.CONFIG)}`;
  return VIRTIO_REGISTERS.get(offset) ?? hex(offset);
}

export class ChromeTrace implements MachineTrace {
  readonly #kinds: ReadonlySet<TraceKind>;
  readonly #only: readonly TraceFilter[] | undefined;
  readonly #ports: readonly Device[];
  readonly #memory: readonly Device[];
  readonly #write: (text: string) => void;

  /** `write` takes the text, whole lines at a time. */
  constructor({ kinds, only }: TraceWords, parts: readonly PlanPart[], write: (text: string) => void) {
    this.#kinds = new Set(kinds);
    this.#only = only;
    this.#write = write;
    const devices = (of: "ports" | "mmio"): Device[] =>
      parts.flatMap((part) =>
        (part[of] ?? []).map(({ start, size }) => ({ name: part.name, virtio: isVirtio(part), start, size })),
      );
    this.#ports = devices("ports");
    this.#memory = devices("mmio");
    write(`[\n{"name":"process_name","ph":"M","pid":${PROCESS},"args":{"name":"machine"}}`);
  }

  /** The end of the array; nothing may follow. */
  close(): void {
    this.#write("\n]\n");
  }

  access(at: number, { cpu, space, address, size, write, value }: DeviceAccess): void {
    const device = this.#device(space, address);
    const kind = this.#kindOf(space, device);
    if (kind === undefined || !this.#counts(address, device?.name)) return;
    const where =
      device === undefined
        ? this.#unnamed(space, address)
        : kind === "virtio"
          ? `${device.name} ${virtioRegister(address - device.start)}`
          : `${device.name}+${hex(address - device.start)}`;
    this.#instant(at, cpu, kind, `${write ? "write" : "read"} ${where}`, {
      address: hex(address),
      size,
      value: hex(value),
    });
  }

  interrupt(at: number, cpu: number, vector: number): void {
    if (!this.#kinds.has("irq") || !this.#counts(vector, undefined)) return;
    this.#instant(at, cpu, "irq", `interrupt ${hex(vector)}`, { vector });
  }

  ran(
    from: number,
    to: number,
    { cpu, reason, instructions }: { cpu: number; reason: string; instructions: number },
  ): void {
    if (!this.#kinds.has("exit")) return;
    const times = { ts: from / NS_PER_US, dur: Math.max(0, to - from) / NS_PER_US };
    this.#event({
      name: reason,
      cat: "exit",
      ph: "X",
      ...times,
      pid: PROCESS,
      tid: cpu,
      args: { instructions },
    });
  }

  /** Both kinds take a virtio device's registers; the one that names them counts before the other. */
  #kindOf(space: DeviceAccess["space"], device: Device | undefined): TraceKind | undefined {
    if (space === "memory" && device?.virtio === true && this.#kinds.has("virtio")) return "virtio";
    const kind = space === "memory" ? "mmio" : space;
    return this.#kinds.has(kind) ? kind : undefined;
  }

  #device(space: DeviceAccess["space"], address: number): Device | undefined {
    if (space === "msr") return undefined;
    const devices = space === "port" ? this.#ports : this.#memory;
    return devices.find(({ start, size }) => address >= start && address < start + size);
  }

  #unnamed(space: DeviceAccess["space"], address: number): string {
    if (space === "msr") return `MSR ${hex(address)}`;
    const offset = address - LAPIC_MMIO.start;
    if (space === "memory" && offset >= 0 && offset < LAPIC_MMIO.size) return `lapic+${hex(offset)}`;
    return hex(address);
  }

  #counts(address: number, name: string | undefined): boolean {
    if (this.#only === undefined) return true;
    return this.#only.some((filter) => {
      if ("from" in filter) return address >= filter.from && address <= filter.to;
      if (name === undefined) return false;
      return filter.name.endsWith("*") ? name.startsWith(filter.name.slice(0, -1)) : name === filter.name;
    });
  }

  #instant(at: number, cpu: number, cat: TraceKind, name: string, args: Record<string, unknown>): void {
    this.#event({ name, cat, ph: "i", s: "t", ts: at / NS_PER_US, pid: PROCESS, tid: cpu, args });
  }

  #event(event: Record<string, unknown>): void {
    this.#write(`,\n${JSON.stringify(event)}`);
  }
}
