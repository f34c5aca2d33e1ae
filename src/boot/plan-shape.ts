import type { Shape } from "../bytes/shape.js";
import type { Plan } from "./plan.js";
export function planShape(_types: unknown): Shape<Plan> {
  return { check: (v) => v as Plan };
}
