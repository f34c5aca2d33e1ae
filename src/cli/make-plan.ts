/** From a request to a plan, for commands that run nothing. */
import { buildPlan } from "../boot/index.js";
import type { Plan } from "../boot/plan.js";
import { bootOptions } from "./boot-options.js";
import type { BootRequest } from "./boot-request.js";

/** The plan of a request. Throws what makes it impossible. */
export async function makePlan(request: BootRequest): Promise<Plan> {
  return buildPlan(await bootOptions(request));
}
