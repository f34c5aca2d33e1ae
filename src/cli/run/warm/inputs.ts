/** What a machine was made of: whether it is as it was, and whether it can be told from itself after a change. Reads no contents. */
import { list, oneOf, optional, record, text, type Shape } from "../../../bytes/shape.js";
import { changedNs, isUnchanged, SETTLING_MS, type Input } from "../../../guests/light.js";

const LONGEST_PATH = 0x10000;
/** What a run looks at before it goes on from a kept machine: a tree of Linux has some thousand folders. */
const MOST_INPUTS = 10_000;
const LONGEST_FACTS = 200;
/** SETTLING_MS where a file system counts in whole seconds, or two. */
const SETTLING_COARSE_MS = 2000;
const NS_PER_SECOND = 1_000_000_000n;
const NS_PER_MS = 1_000_000n;

/** What a machine was made of, as it is kept. */
export type KeptInput = Omit<Input, "lookedMs">;

export const inputsShape: Shape<KeptInput[]> = list(
  record<KeptInput>({
    path: text(LONGEST_PATH),
    kind: oneOf("none", "folder", "entries", "file"),
    facts: optional(text(LONGEST_FACTS)),
  }),
  { max: MOST_INPUTS },
);

/** The first place where something else is than there was; undefined: all is as it was. */
export function changedInput(inputs: readonly KeptInput[]): string | undefined {
  return inputs.find((was) => !isUnchanged(was))?.path;
}

/** Whether a change since it was looked at would show. */
function isSettled(input: Input): boolean {
  const changed = changedNs(input);
  if (changed === undefined) return true;
  const settling = changed % NS_PER_SECOND === 0n ? SETTLING_COARSE_MS : SETTLING_MS;
  return changed + BigInt(settling) * NS_PER_MS < BigInt(Math.floor(input.lookedMs ?? 0)) * NS_PER_MS;
}

function eachOnce(seen: readonly Input[]): KeptInput[] {
  return [
    ...new Map(
      seen.map(({ path, kind, facts }) => [
        `${kind} ${path}`,
        { path, kind, ...(facts !== undefined && { facts }) },
      ]),
    ).values(),
  ];
}

/** What a machine is kept with: each of what was looked at before it was read, once. */
export interface SettledInputs {
  inputs: KeptInput[];
  /** Why nothing can be kept with them. */
  unsettled?: string;
}

/**
 * They are not settled where one is another now, or was changed so shortly before it was looked at that a further change might not show;
 * and where they are too many to be looked at in every run.
 */
export function settledInputs(seen: readonly Input[]): SettledInputs {
  const inputs = eachOnce(seen);
  if (inputs.length > MOST_INPUTS)
    return { inputs, unsettled: `it is made of more than ${MOST_INPUTS} files` };
  const odd = seen.find((one) => !isUnchanged(one) || !isSettled(one));
  return odd === undefined ? { inputs } : { inputs, unsettled: `${odd.path} was changed just now` };
}
