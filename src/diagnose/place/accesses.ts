/** What CPUs asked of devices while they were watched, counted by place. Memory is bounded whatever a guest does. */
import type { PlanPart } from "../../devices/part.js";
import type { AccessSpace, DeviceAccess } from "../../machine/accesses.js";

/** One place that was accessed. */
export interface AccessCount {
  space: AccessSpace;
  /** Port, guest-physical address or number of an MSR. */
  address: number;
  write: boolean;
  /** The part that is there, by its name; absent where nothing is. */
  part?: string;
  count: number;
  /** The last different values, oldest first. */
  values: number[];
}

/** Places and values that are kept. */
const MOST_PLACES = 256;
const MOST_VALUES = 4;
const MOST_LAST = 16;

export class AccessCounts {
  readonly #places = new Map<string, AccessCount>();
  readonly #last: DeviceAccess[] = [];
  readonly #parts: readonly PlanPart[];

  constructor(parts: readonly PlanPart[]) {
    this.#parts = parts;
  }

  take(access: DeviceAccess): void {
    if (this.#last.push(access) > MOST_LAST) this.#last.shift();
    const key = `${access.space} ${access.address} ${access.write}`;
    const known = this.#places.get(key);
    if (known === undefined) {
      if (this.#places.size >= MOST_PLACES) return;
      const { space, address, write, value } = access;
      const part = this.#partAt(space, address);
      this.#places.set(key, { space, address, write, ...(part && { part }), count: 1, values: [value] });
      return;
    }
    known.count++;
    if (known.values.includes(access.value)) return;
    if (known.values.push(access.value) > MOST_VALUES) known.values.shift();
  }

  /** The places, most accessed first. */
  get places(): AccessCount[] {
    return [...this.#places.values()].sort((a, b) => b.count - a.count);
  }

  /** The last accesses, oldest first. */
  get last(): readonly DeviceAccess[] {
    return this.#last;
  }

  #partAt(space: AccessSpace, address: number): string | undefined {
    if (space === "msr") return this.#parts.find(({ type }) => type === "lapic")?.name;
    return this.#parts.find(({ ports = [], mmio = [] }) =>
      (space === "port" ? ports : mmio).some(({ start, size }) => address >= start && address < start + size),
    )?.name;
  }
}
