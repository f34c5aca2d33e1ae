/** When package lists are fetched anew. Knows neither apt nor what is looked up in them. */
import { GuestError } from "../errors.js";

/** Runs `attempt`; when lists of before turn out to be outdated (a version was retired), once more with new ones. */
export async function withLists<T>(
  force: boolean,
  update: (force: boolean) => Promise<boolean>,
  attempt: () => Promise<T>,
): Promise<T> {
  const updated = await update(force);
  try {
    return await attempt();
  } catch (error) {
    const outdated = error instanceof GuestError && (error.fault === "fetch" || error.fault === "not-found");
    if (!outdated || updated) throw error;
    await update(true);
    return attempt();
  }
}
