/**
 * How an error crosses from one thread to another: as data, because cloning makes a plain `Error` of every error and
 * drops its name. Knows no thread and no kind of error.
 */

/** What an error is and says. Can be cloned if its facts can. */
export interface ErrorData {
  name: string;
  message: string;
  stack: string | undefined;
  /** What it says besides: offset, found, expected, code, … */
  facts: Record<string, unknown>;
}

/** Whatever was thrown, taken apart. Its cause stays behind. */
export function errorData(thrown: unknown): ErrorData {
  const error = thrown instanceof Error ? thrown : new Error(String(thrown));
  const { name, message, stack } = error;
  return { name, message, stack, facts: { ...error } };
}

/** Gives `error`, which was made with the message of `data`, all else that the one in the other thread had. Returns it. */
export function withErrorData<E extends Error>(error: E, { name, stack, facts }: ErrorData): E {
  Object.assign(error, facts, { name });
  if (stack !== undefined) error.stack = stack;
  return error;
}
