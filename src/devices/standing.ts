/** The places of parts that stand somewhere unless asked otherwise, and of those that cannot be moved. */
import { hex } from "../bytes/hex.js";
import type { Span } from "../memory/layout.js";
import type { AskedSpan, PartType, PlanPart } from "./part.js";
import { PartError } from "./resources.js";

/** Anywhere: so many bytes of addresses. */
export interface Anywhere {
  readonly size: number;
}

/** Where a type stands. */
export interface Place {
  ports?: readonly Span[];
  /** What has no start goes wherever there is room. */
  mmio?: readonly (Span | Anywhere)[];
  /** "any": a free one. */
  irqs?: readonly (number | "any")[];
  /** Guests find it elsewhere too; absent: its place is folklore that they have built in. */
  movable?: true;
}

/** A `place` for a part of a fixed shape: the ranges asked for must be as many, of the sizes of `where`. */
export function standing(type: string, where: Place): PartType["place"] {
  return (request, claim) => {
    const part: PlanPart = { name: request.name ?? type, type };
    const { movable } = where;
    const ports = placed({ part: part.name, what: "ports", movable }, request.ports, where.ports);
    const mmio = placed({ part: part.name, what: "mmio", movable }, request.mmio, where.mmio);
    const irqs = irqsOf(part.name, request.irqs, where);
    for (const range of ports) claim.ports(spanOf(range));
    const addresses = mmio.map((range) => {
      if (!("start" in range)) return claim.anyMmio(range.size);
      claim.mmio(range);
      return range;
    });
    const lines = irqs.map((irq) => {
      if (irq === "any") return claim.anyIrq();
      claim.irq(irq);
      return irq;
    });
    if (ports.length > 0) part.ports = ports.map(spanOf);
    if (addresses.length > 0) part.mmio = addresses;
    if (lines.length > 0) part.irqs = lines;
    if (request.config !== undefined) part.config = request.config;
    return part;
  };
}

interface Asking {
  part: string;
  what: "ports" | "mmio";
  movable: true | undefined;
}

function spanOf(range: Span | Anywhere): Span {
  if ("start" in range) return range;
  throw new RangeError(`${range.size} ports without a place: ports are where guests expect them`);
}

function placed(
  { part, what, movable }: Asking,
  asked: readonly AskedSpan[] | undefined,
  usual: readonly (Span | Anywhere)[] = [],
): (Span | Anywhere)[] {
  if (asked === undefined) return usual.map((range) => ({ ...range }));
  const same =
    asked.length === usual.length &&
    asked.every(({ size }, index) => size === undefined || size === usual[index].size);
  if (!same) {
    throw new PartError(
      part,
      `${what} ${spans(asked)}`,
      `ranges of these sizes: ${usual.map(({ size }) => size).join(", ") || "none"}`,
      "Its registers need all of them and no more.",
    );
  }
  const moved = asked.some(({ start }, index) => {
    const range = usual[index];
    return "start" in range && start !== range.start;
  });
  if (moved && movable === undefined) throw fixed(part, `${what} ${spans(asked)}`, spans(usual));
  return asked.map(({ start }, index) => ({ start, size: usual[index].size }));
}

function irqsOf(
  name: string,
  asked: readonly number[] | undefined,
  { irqs = [], movable }: Place,
): (number | "any")[] {
  if (asked === undefined) return [...irqs];
  if (asked.length !== irqs.length) {
    throw new PartError(name, `${asked.length} interrupts`, `${irqs.length}`, "Give as many as it has.");
  }
  const moved = asked.some((irq, index) => irqs[index] !== "any" && irq !== irqs[index]);
  if (moved && movable === undefined) throw fixed(name, `interrupt ${asked.join(", ")}`, irqs.join(", "));
  return [...asked];
}

function fixed(name: string, found: string, expected: string): PartError {
  return new PartError(
    name,
    found,
    expected,
    "Guests look for it there and nowhere else: it cannot be moved.",
  );
}

function spans(ranges: readonly { start?: number; size?: number }[]): string {
  const text = ranges.map(({ start, size }) => {
    const where = start === undefined ? "anywhere" : hex(start);
    return size === undefined ? where : `${where}+${size}`;
  });
  return text.join(", ") || "none";
}
