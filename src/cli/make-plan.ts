/** From a request to what a machine is planned from, and to its plan for commands that run nothing. */
import type { Plan } from "../boot/plan.js";
import { makePlan as planOf } from "../host/node/make-plan.js";
import type { PlannedSource } from "../host/node/messages.js";
import { bootOptions } from "./boot-options.js";
import type { BootRequest } from "./boot-request.js";

/** A request with its files read; what is plugged in is loaded where the machine is planned. */
export async function machineSource(request: BootRequest, signal?: AbortSignal): Promise<PlannedSource> {
  const boot = await bootOptions(request, signal);
  return request.plugIns === undefined ? { boot } : { boot, plugIns: request.plugIns };
}

/** The plan of a request. Throws what makes it impossible. */
export async function makePlan(request: BootRequest): Promise<Plan> {
  return (await planOf(await machineSource(request))).plan;
}
