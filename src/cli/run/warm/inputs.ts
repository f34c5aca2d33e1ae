/** What a machine was made of, as files that can be told from others and from themselves after a change. Reads no contents. */
import { statSync, type BigIntStats } from "node:fs";
import { list, oneOf, optional, record, text, type Shape } from "../../../bytes/shape.js";

/** A place, and what was there. */
export interface Input {
  path: string;
  kind: "none" | "folder" | "file";
  /** Of a file: device, number, bytes, and when contents and facts were last changed, ns since 1970. */
  facts?: string;
}

const LONGEST_PATH = 0x10000;
const MOST_INPUTS = 0x10000;
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
    kind: oneOf("none", "folder", "file"),
    facts: optional(text(LONGEST_FACTS)),
  }),
  { max: MOST_INPUTS },
);

function statsOf(path: string): BigIntStats | undefined {
  try {
    return statSync(path, { bigint: true, throwIfNoEntry: false });
  } catch {
    return undefined;
  }
}

/** What is at a place, by what was found there; nothing where it could not be looked at. */
function inputOf(path: string, found: BigIntStats | undefined): Input {
  if (found === undefined) return { path, kind: "none" };
  if (found.isDirectory()) return { path, kind: "folder" };
  const { dev, ino, size, mtimeNs, ctimeNs } = found;
  return { path, kind: "file", facts: [dev, ino, size, mtimeNs, ctimeNs].join(" ") };
}

/** What is at a place now. */
export function inputAt(path: string): Input {
  return inputOf(path, statsOf(path));
}

/** The first place where something else is than there was; undefined: all is as it was. */
export function changedInput(inputs: readonly Input[]): string | undefined {
  const isSame = ({ path, kind, facts }: Input): boolean => {
    const now = inputAt(path);
    return now.kind === kind && now.facts === facts;
  };
  return inputs.find((was) => !isSame(was))?.path;
}

/**
 * What is at these places now, after they were read; undefined where some of it was changed since `begunMs` (ms since 1970), or so
 * shortly before that a further change might not show.
 */
export function settledInputs(paths: readonly string[], begunMs: number): Input[] | undefined {
  const begun = BigInt(Math.floor(begunMs)) * NS_PER_MS;
  const inputs: Input[] = [];
  for (const path of new Set(paths)) {
    const found = statsOf(path);
    const input = inputOf(path, found);
    if (found !== undefined && input.kind === "file") {
      const { ctimeNs } = found;
      const settling = ctimeNs % NS_PER_SECOND === 0n ? SETTLING_COARSE_NS : SETTLING_NS;
      if (ctimeNs + settling >= begun) return undefined;
    }
    inputs.push(input);
  }
  return inputs;
}
