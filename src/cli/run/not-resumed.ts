/** A machine that was kept and did not go on: how that is told from what goes wrong with machines of any kind. Knows no machine. */
import { SessionError } from "../../host/node/session.js";

/** A machine that was kept did not come to its command: nothing was seen of it. */
export class NotResumed extends Error {
  override readonly name = "NotResumed";
}

/** What may go wrong with a machine that goes on beside its state: with folders and disks that it is handed. */
const OF_THE_HOST: ReadonlySet<string> = new Set(["ShareError", "DiskError", "ThreadError"]);

/** Whether an error of a machine that goes on may be its state's, which then is not to be taken again. */
export function isOfState(error: unknown): boolean {
  return error instanceof SessionError && error.what !== "engine" && !OF_THE_HOST.has(error.name);
}
