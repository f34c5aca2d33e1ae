/** The name of the file before what is wrong with it, where a reader that knows no files refuses it. */
import { FormatError } from "../formats/format-error.js";
import { SnapshotError } from "../snapshot/snapshot-error.js";

/** How a reader's message begins where the file is all that it can name. */
const NAMELESS = /^(?:file, |snapshot: )/;

/** The same error, which now says in which file; any other as it is. */
export function inFile<E>(file: string, error: E): E {
  if (error instanceof FormatError) error.message = `${file}: ${error.message.replace(NAMELESS, "")}`;
  if (error instanceof SnapshotError)
    error.message = `snapshot ${file}: ${error.message.replace(NAMELESS, "")}`;
  return error;
}

/** Does `step`, which reads this file. */
export function naming<T>(file: string, step: () => T): T {
  try {
    return step();
  } catch (error) {
    throw inFile(file, error);
  }
}
