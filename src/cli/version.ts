/** Which version this is. */
import { readFileSync } from "node:fs";

/** package.json stands three folders above the compiled file. */
const PACKAGE_URL = new URL("../../../package.json", import.meta.url);

/** Version of the package that this file belongs to. */
export function packageVersion(): string {
  return (JSON.parse(readFileSync(PACKAGE_URL, "utf8")) as { version: string }).version;
}

/** The same for people, with what it runs on. */
export function versionLine(): string {
  return `locore ${packageVersion()} (Node ${process.versions.node}, ${process.platform})`;
}
