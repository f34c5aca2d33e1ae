/** What a machine was made of: whether it is as it was, and whether it can be told from itself after a change. Reads no contents. */
import { list, oneOf, optional, record, text, type Shape } from "../../../bytes/shape.js";
import { changedNs, isUnchanged, type Input } from "../../../guests/light.js";

const LONGEST_PATH = 0x10000;
/** What a run looks at before it goes on from a kept machine: a tree of Linux has some thousand folders. */
const MOST_INPUTS = 10_000;
const LONGEST_FACTS = 200;
/** A file may be changed again so soon after a change, ns, without that its times show it. */
const SETTLING_NS = 20_000_000n;
/** The same where a file system counts in whole seconds, or two. */
const SETTLING_COARSE_NS = 2_000_000_000n;
const NS_PER_SECOND = 1_000_000_000n;
const NS_PER_MS = 1_000_000n;

export const inputsShape: Shape<Input[]> = list(
  record<Input>({
    path: text(LONGEST_PATH),
    kind: oneOf("none", "folder", "entries", "file"),
    facts: optional(text(LONGEST_FACTS)),
  }),
  { max: MOST_INPUTS },
);

/** The first place where something else is than there was; undefined: all is as it was. */
export function changedInput(inputs: readonly Input[]): string | undefined {
  return inputs.find((was) => !isUnchanged(was))?.path;
}

function isSettled(input: Input, begunNs: bigint): boolean {
  const changed = changedNs(input);
  if (changed === undefined) return true;
  const settling = changed % NS_PER_SECOND === 0n ? SETTLING_COARSE_NS : SETTLING_NS;
  return changed + settling < begunNs;
}

/**
 * Each of what was looked at before it was read, once. Undefined where some of it is another now or was changed since `begunMs` (ms
 * since 1970), or so shortly before that a further change might not show; and where it is too much to be looked at in every run.
 */
export function settledInputs(seen: readonly Input[], begunMs: number): Input[] | undefined {
  const begunNs = BigInt(Math.floor(begunMs)) * NS_PER_MS;
  const inputs = [...new Map(seen.map((input) => [`${input.kind} ${input.path}`, input])).values()];
  const isKept =
    inputs.length <= MOST_INPUTS && seen.every((one) => isUnchanged(one) && isSettled(one, begunNs));
  return isKept ? inputs : undefined;
}
