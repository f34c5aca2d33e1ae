/** What a trace is asked to have: kinds of events, and the devices or addresses that count. */

/** Kinds of events: `mmio` are accesses to device memory, `virtio` those to virtio devices by the names of their registers. */
export const TRACE_KINDS = ["port", "mmio", "irq", "exit", "msr", "virtio"] as const;
export type TraceKind = (typeof TRACE_KINDS)[number];

/** What counts: a device's name, which may end with * for all that begin so, or addresses of ports, memory or MSRs, or vectors. */
export type TraceFilter = { readonly name: string } | { readonly from: number; readonly to: number };

/** As `--trace` has it. Plain data. */
export interface TraceWords {
  readonly kinds: readonly TraceKind[];
  /** Absent: everything counts. */
  readonly only?: readonly TraceFilter[];
}

const RANGE = /^(0x[0-9a-f]+|\d+)(?:-(0x[0-9a-f]+|\d+))?$/i;
const NAME = /^[a-z0-9][a-z0-9.-]*\*?$/i;

function filterOf(text: string): TraceFilter | undefined {
  const [, first, last = first] = RANGE.exec(text) ?? [];
  if (first === undefined) return NAME.test(text) ? { name: text } : undefined;
  const [from, to] = [Number(first), Number(last)];
  return Number.isSafeInteger(from) && Number.isSafeInteger(to) && from <= to ? { from, to } : undefined;
}

/** Reads `KIND[,KIND…][:FILTER[,FILTER…]]`; what is wrong with it, in words, where it makes no sense. */
export function parseTrace(text: string): TraceWords | string {
  const colon = text.indexOf(":");
  const words = (colon < 0 ? text : text.slice(0, colon)).split(",");
  const unknown = words.find((word) => !(TRACE_KINDS as readonly string[]).includes(word));
  if (unknown !== undefined) return `there is nothing called ${unknown}; there are ${TRACE_KINDS.join(", ")}`;
  const kinds = [...new Set(words)] as TraceKind[];
  if (colon < 0) return { kinds };
  const only: TraceFilter[] = [];
  for (const word of text.slice(colon + 1).split(",")) {
    const filter = filterOf(word);
    if (filter === undefined) return `${word} is neither a device's name nor an address or a range of them`;
    only.push(filter);
  }
  return { kinds, only };
}
