/** What a command line asks for, whether it says so itself or names a file that does; what reads such a file is loaded with it. */
import type { Arguments } from "./args.js";
import { readBootRequest, type BootRequest } from "./boot-request.js";

/** The request of a command line: of its options, or of the file that `--plan` names. Throws UsageError, PlanFileError. */
export async function askedRequest(args: Arguments): Promise<BootRequest> {
  const file = args.value("plan");
  if (file === undefined) return readBootRequest(args);
  return (await import("./plan-file.js")).plannedRequest(file, args);
}
