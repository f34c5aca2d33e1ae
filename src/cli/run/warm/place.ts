/** Where the machines that are kept for runs lie (`folder.ts`): also for who only looks whether there are any. */
import path from "node:path";

const FOLDER = "warm";
/** How the name of a machine's record ends. */
export const KEPT_END = ".json";

/** `cache`: of this user. */
export function keptMachinesFolder(cache: string): string {
  return path.join(cache, FOLDER);
}
