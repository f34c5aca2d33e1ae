/**
 * Whether the states of a board that come from a file are states that its parts can be in (R6.2). What passes makes a board
 * that is sound; everything else is refused by part and field. Knows no file and makes no part.
 */
import { ShapeError, type Shape } from "../bytes/shape.js";
import type { MachineFacts, PlanPart } from "../devices/part.js";
import type { PartRegistry } from "../devices/registry.js";
import type { BoardState } from "./board.js";

/** Where the states stand, in errors. */
const ROOT = "parts";

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

/** For types that say nothing of their states: `create` gets it as it is. */
const ANY_OBJECT: Shape<object> = {
  check(value, path) {
    if (isObject(value)) return value;
    throw new ShapeError(path, value === null ? "null" : `a ${typeof value}`, "an object");
  },
};

/**
 * The states that `saveParts` gave, as copies that `buildBoard` can be trusted with: one for every part of the plan and none
 * besides. `plan` and `types` are trusted; `states` is not.
 * @throws ShapeError, whose path begins with `parts.` and the part's name; PartError for a part of no type.
 */
export function checkBoardState(
  plan: MachineFacts & { readonly devices: readonly PlanPart[] },
  types: PartRegistry,
  states: unknown,
): BoardState {
  if (!isObject(states) || Array.isArray(states) || ArrayBuffer.isView(states)) {
    throw new ShapeError(ROOT, "no object", "the state of each part under its name");
  }
  const names = new Set(plan.devices.map(({ name }) => name));
  const surplus = Object.keys(states).find((name) => !names.has(name));
  if (surplus !== undefined) {
    throw new ShapeError(`${ROOT}.${surplus}`, "the state of a part", "none, as the plan has no such part");
  }
  const checked = plan.devices.map((part) => {
    const path = `${ROOT}.${part.name}`;
    if (!Object.hasOwn(states, part.name)) {
      throw new ShapeError(path, "nothing", "the state of the part, as the plan has it");
    }
    const shape = types.typeOf(part).state?.(part, plan) ?? ANY_OBJECT;
    return [part.name, shape.check((states as Record<string, unknown>)[part.name], path)] as const;
  });
  return Object.fromEntries(checked);
}
