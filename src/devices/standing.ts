/** The places of parts that stand somewhere unless asked otherwise, and of those that cannot be moved. */
import { hex } from "../bytes/hex.js";
import type { Span } from "../memory/layout.js";
import type { PartRequest, PartType, PlanPart } from "./part.js";
import { PartError } from "./resources.js";

/** Where a type stands. */
export interface Place {
  ports?: readonly Span[];
  mmio?: readonly Span[];
  irqs?: readonly number[];
  /** Guests find it elsewhere too; absent: its place is folklore that they have built in. */
  movable?: true;
}

/** A `place` for a part of a fixed shape: the ranges asked for must have the sizes of `where`. */
export function standing(type: string, where: Place): PartType["place"] {
  return (request, claim) => {
    const part: PlanPart = { name: request.name ?? type, type };
    const ports = placed(part.name, "ports", request.ports, where.ports, where.movable);
    const mmio = placed(part.name, "mmio", request.mmio, where.mmio, where.movable);
    const irqs = irqsOf(part.name, request.irqs, where);
    for (const range of ports) claim.ports(range);
    for (const range of mmio) claim.mmio(range);
    for (const irq of irqs) claim.irq(irq);
    if (ports.length > 0) part.ports = ports;
    if (mmio.length > 0) part.mmio = mmio;
    if (irqs.length > 0) part.irqs = irqs;
    if (request.config !== undefined) part.config = request.config;
    return part;
  };
}

function placed(
  name: string,
  what: "ports" | "mmio",
  asked: PartRequest["ports"],
  usual: readonly Span[] = [],
  movable: true | undefined,
): Span[] {
  if (asked === undefined) return usual.map(({ start, size }) => ({ start, size }));
  const same = asked.length === usual.length && asked.every(({ size }, index) => size === usual[index].size);
  if (!same) {
    throw new PartError(
      name,
      `${what} ${spans(asked)}`,
      `ranges of these sizes: ${usual.map(({ size }) => size).join(", ") || "none"}`,
      "Its registers need all of them and no more.",
    );
  }
  const moved = asked.some(({ start }, index) => start !== usual[index].start);
  if (moved && movable === undefined) throw fixed(name, `${what} ${spans(asked)}`, spans(usual));
  return asked.map(({ start, size }) => ({ start, size }));
}

function irqsOf(name: string, asked: readonly number[] | undefined, { irqs = [], movable }: Place): number[] {
  if (asked === undefined) return [...irqs];
  if (asked.length !== irqs.length) {
    throw new PartError(name, `${asked.length} interrupts`, `${irqs.length}`, "Give as many as it has.");
  }
  const moved = asked.some((irq, index) => irq !== irqs[index]);
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

function spans(ranges: readonly Span[]): string {
  return ranges.map(({ start, size }) => `${hex(start)}+${size}`).join(", ") || "none";
}
