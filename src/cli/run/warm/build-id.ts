/** Which build of the program this is: a machine that another one saved is none of ours. */
import { readFileSync } from "node:fs";

/** Made by the build (tools/bundle.mjs), in dist/run. */
const FILE = new URL("../../../../run/build-id", import.meta.url);
const ID = /^[0-9a-f]{64}$/;

/** Undefined where nobody says, as in a program that was only compiled. */
export function buildId(): string | undefined {
  try {
    const id = readFileSync(FILE, "latin1");
    return ID.test(id) ? id : undefined;
  } catch {
    return undefined;
  }
}
