/**
 * The random numbers of a guest that goes on where another one was, and would have the same. Its kernel may hear of that by itself (`vmgenid`,
 * Linux 5.18 and later, if it was built in); here each is asked.
 */
import { reseedProgram } from "../../guests/index.js";
import { randomBytes } from "../../host/node/random-bytes.js";
import type { GuestCommands } from "./commands.js";
import { Execution } from "./execution.js";

const SEED_BYTES = 32;
/** How long a guest may take, whose slots may all have commands, ms. */
const PATIENCE_MS = 5000;
/** What its init does with the program that is its standard input. */
const SCRIPT = `cat >/locore/reseed && chmod 700 /locore/reseed && /locore/reseed
status=$?
rm -f /locore/reseed
exit $status
`;

/** Whether the guest's kernel has made its random numbers anew. Never rejects. */
export async function renewRandomNumbers(commands: GuestCommands): Promise<boolean> {
  const options = { stdin: reseedProgram(randomBytes(SEED_BYTES)), timeoutMs: PATIENCE_MS };
  try {
    return (await new Execution(commands, ["reseed"], options, { script: SCRIPT })).status === 0;
  } catch {
    return false;
  }
}
