/**
 * What a machine's state from a file must be, beside the plan, its parts and each CPU's registers, which have shapes of their own:
 * who runs next, what the clock shows. What passes makes a machine that is sound, whatever its guest then does.
 */
import {
  bool,
  bytes,
  finite,
  list,
  natural,
  oneOf,
  optional,
  record,
  refine,
  text,
  whole,
  type Fault,
  type Shape,
} from "../bytes/shape.js";
import type { Plan } from "../boot/plan.js";
import { checkCpuState, translationsShape } from "../engine/x86/checked-state.js";
import { MOST_INPUT_HELD } from "../machine/console.js";
import type { ClockState, MachineState, SlotState, TurnsState } from "../machine/state.js";
import { MAXIMUM_CPUS } from "../x86/topology.js";

const MOST_BACK_ENDS = 256;
const LONGEST_NAME = 256;
const U32_LAST = 0xffff_ffff;
/** Longest time and count: what is added to it stays exact for a century. */
const LAST_COUNT = 2 ** 52;

const counts = whole(0, LAST_COUNT);
const used = finite(0, LAST_COUNT);

function slot({ cpuid }: Plan): Shape<SlotState> {
  return record<SlotState>({
    cpu: { check: (value, path) => checkCpuState(value, cpuid, path) },
    translations: optional(translationsShape),
    status: oneOf("ready", "sleeping", "halted", "waiting"),
    instructions: counts,
    used,
    pausesLeft: whole(0, U32_LAST),
  });
}

const ids = list(whole(0, MAXIMUM_CPUS - 1), { max: MAXIMUM_CPUS });

const turns: Shape<TurnsState> = record<TurnsState>({
  ready: ids,
  interrupted: ids,
  arrived: ids,
  gone: ids,
  current: whole(-1, MAXIMUM_CPUS - 1),
  turnEnd: optional(used),
  waits: bool,
  preempted: bool,
  floor: used,
});

const deterministicClock = record<Extract<ClockState, { kind: "deterministic" }>>({
  kind: oneOf("deterministic"),
  instructions: counts,
  skippedNs: counts,
});

const realClock = record<Extract<ClockState, { kind: "real" }>>({
  kind: oneOf("real"),
  timeNs: counts,
  ticks: natural,
  missedNs: counts,
});

const request: Shape<[source: string, count: number]> = {
  check(value, path) {
    const pair: unknown[] = Array.isArray(value) ? (value as unknown[]) : [];
    return [text(LONGEST_NAME).check(pair[0], `${path}[0]`), counts.check(pair[1], `${path}[1]`)];
  },
};

/** Each list names each CPU once, and those that have something to do are those that stand in line. */
function turnsFault({ cpus, turns: state }: Pick<MachineState, "cpus" | "turns">): Fault | undefined {
  const ready = new Set(state.ready);
  const wrong = (at: string, found: string, expected: string): Fault => ({
    at: `.turns.${at}`,
    found,
    expected,
  });
  for (const [id, { status }] of cpus.entries())
    if (ready.has(id) !== (status === "ready"))
      return wrong("ready", `CPU ${id}, ${status}`, "those that are ready");
  for (const name of ["ready", "interrupted", "arrived", "gone"] as const) {
    const listed = state[name];
    if (new Set(listed).size !== listed.length) return wrong(name, "a CPU twice", "each once");
    if (listed.some((id) => id >= cpus.length))
      return wrong(name, "a CPU that there is not", `0 to ${cpus.length - 1}`);
    if (name !== "gone" && listed.some((id) => !ready.has(id)))
      return wrong(name, "a CPU that is not ready", "ready ones");
  }
  if (state.current >= 0 && !ready.has(state.current))
    return wrong("current", `CPU ${state.current}`, "one that is ready");
  return undefined;
}

/** The state of a machine of this plan but for its parts, which are anything here. */
export function machineStateShape(plan: Plan): Shape<Omit<MachineState, "plan">> {
  const clock: Shape<ClockState> = plan.clock.deterministic === undefined ? realClock : deterministicClock;
  return refine(
    record<Omit<MachineState, "plan">>({
      tripleFault: oneOf("crash", "reset"),
      cpus: list(slot(plan), plan.cpus),
      turns,
      sinceLook: counts,
      parts: { check: (value) => value as MachineState["parts"] },
      clock,
      random: whole(1, U32_LAST),
      input: bytes({ max: MOST_INPUT_HELD }),
      requests: list(request, { max: MOST_BACK_ENDS }),
      resets: counts,
    }),
    turnsFault,
  );
}
