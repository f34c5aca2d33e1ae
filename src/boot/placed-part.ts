/**
 * Whether a line of the plan is one: `place` of a part type of somebody's own may have given anything. What a machine is
 * built from must be plain data, and each place in it claimed. Parts that are built in are not asked.
 */
import { hex } from "../bytes/hex.js";
import type { Announcement, PartRequest, PlanPart } from "../devices/part.js";
import { PartError, type Owned } from "../devices/resources.js";
import type { Span } from "../memory/layout.js";
import { GENERAL_EVENT_COUNT } from "../spec/acpi-pm.js";

const FIELDS: readonly string[] = ["name", "type", "ports", "mmio", "irqs", "config"];
const SHAPE = `an object with ${FIELDS.join(", ")}`;
/** Deeper than any configuration that a person writes, and shallow enough to be walked. */
const DEEPEST = 32;

/**
 * Checks what `place` gave for `request`. `owned`: what it claimed.
 * @throws PartError that names what is wrong with it.
 */
export function checkPlaced(
  placed: unknown,
  request: PartRequest & { name: string },
  owned: Owned,
): PlanPart {
  const refuse = (
    found: string,
    expected: string,
    advice = "place must return a line of the plan.",
  ): never => {
    throw new PartError(request.name, `${found} from place`, expected, advice);
  };
  if (placed instanceof Promise) return refuse("a Promise", "the part itself", "place must not be async.");
  if (!isObject(placed)) return refuse(kindOf(placed), SHAPE);
  const unknown = Object.keys(placed).find((key) => !FIELDS.includes(key));
  if (unknown !== undefined)
    return refuse(`a field "${unknown}"`, SHAPE, "What else it needs goes into config.");
  for (const field of ["name", "type"] as const) {
    if (placed[field] !== request[field])
      return refuse(`the ${field} ${kindOf(placed[field])}`, `"${request[field]}", as it was asked for`);
  }
  for (const field of ["ports", "mmio"] as const) {
    for (const range of list(placed[field], field, refuse))
      if (!isSpan(range) || !owned[field].some((claimed) => inside(range, claimed)))
        return refuse(
          `${field} ${spanText(range)}`,
          `ranges that claim.${field} was called for`,
          CLAIM_FIRST,
        );
  }
  for (const irq of list(placed["irqs"], "irqs", refuse))
    if (!owned.irqs.includes(irq as number))
      return refuse(`irqs ${kindOf(irq)}`, "interrupts that claim.irq was called for", CLAIM_FIRST);
  const { config } = placed;
  if (config !== undefined && !isObject(config)) return refuse(`config ${kindOf(config)}`, "an object");
  const odd = oddValue(config ?? {}, "config", 0);
  if (odd !== undefined) return refuse(odd, "texts, numbers, booleans, null, arrays and objects of them");
  return placed as unknown as PlanPart;
}

/** Checks what `announce` told. Throws PartError that names what is wrong with it. */
export function checkAnnouncement(given: unknown, { name, irqs = [] }: PlanPart): Announcement {
  const refuse = (found: string, expected: string): never => {
    throw new PartError(
      name,
      `${found} from announce`,
      expected,
      "announce tells what tables are made from.",
    );
  };
  if (given === undefined) return {};
  if (!isObject(given)) return refuse(kindOf(given), "an object, or nothing");
  const announcement = given as Announcement;
  const {
    acpi = [],
    events = [],
    levelIrqs = [],
    fixed = {},
    words = {},
    files = new Map<string, unknown>(),
  } = announcement;
  if (!Array.isArray(acpi) || acpi.some((node) => !(node instanceof Uint8Array)))
    return refuse("acpi", "an array of what the functions of aml give");
  if (!Array.isArray(events) || !events.every(isEvent))
    return refuse(
      "events",
      `{ number, body }: 0 to ${GENERAL_EVENT_COUNT - 1}, and an array of what aml gives`,
    );
  if (!Array.isArray(levelIrqs) || levelIrqs.some((irq) => !irqs.includes(irq as number)))
    return refuse("levelIrqs", "interrupts of its own");
  if (!isObject(fixed)) return refuse(`fixed ${kindOf(fixed)}`, "an object");
  if (!isObject(words) || Object.values(words).some((text) => typeof text !== "string"))
    return refuse("words", "a text for each system");
  if (!(files instanceof Map) || [...files.values()].some((bytes) => !(bytes instanceof Uint8Array)))
    return refuse("files", "a Map from names to bytes");
  return announcement;
}

const CLAIM_FIRST = "Whatever it lists must be claimed first, so that no two parts have it.";

function list(value: unknown, field: string, refuse: (found: string, expected: string) => never): unknown[] {
  if (value === undefined) return [];
  return Array.isArray(value) ? (value as unknown[]) : refuse(`${field} ${kindOf(value)}`, "an array");
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isSpan(value: unknown): value is Span {
  return isObject(value) && Number.isSafeInteger(value["start"]) && Number.isSafeInteger(value["size"]);
}

function isEvent(value: unknown): boolean {
  if (!isObject(value)) return false;
  const { number, body } = value;
  return (
    Number.isInteger(number) &&
    (number as number) >= 0 &&
    (number as number) < GENERAL_EVENT_COUNT &&
    Array.isArray(body) &&
    body.every((term) => term instanceof Uint8Array)
  );
}

function inside(range: Span, claimed: Span): boolean {
  return (
    range.size >= 1 &&
    range.start >= claimed.start &&
    range.start + range.size <= claimed.start + claimed.size
  );
}

/** What no plan can hold, with the path to it; undefined where there is nothing of the kind. */
function oddValue(value: unknown, at: string, depth: number): string | undefined {
  if (value === null || typeof value === "string" || typeof value === "boolean") return undefined;
  if (typeof value === "number") return Number.isFinite(value) ? undefined : `${at} = ${value}`;
  if (depth > DEEPEST) return `${at}, more than ${DEEPEST} levels deep`;
  const plain = Array.isArray(value) || (isObject(value) && isPlain(value));
  if (!plain) return `${at} = ${kindOf(value)}`;
  for (const [key, inner] of Object.entries(value)) {
    const odd = inner === undefined ? undefined : oddValue(inner, `${at}.${key}`, depth + 1);
    if (odd !== undefined) return odd;
  }
  return undefined;
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

/** A value for people. */
function kindOf(value: unknown): string {
  if (typeof value === "string") return `"${value}"`;
  if (typeof value === "number" || typeof value === "boolean" || value === null || value === undefined)
    return String(value);
  if (Array.isArray(value)) return "an array";
  if (typeof value !== "object") return `a ${typeof value}`;
  return isPlain(value) ? "an object" : `an object of class ${value.constructor.name}`;
}

function spanText(range: unknown): string {
  return isSpan(range) ? `${hex(range.start)}+${range.size}` : kindOf(range);
}
