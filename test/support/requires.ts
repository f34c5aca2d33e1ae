/**
 * What a test needs from the machine it runs on. A missing thing skips the test with a reason; with
 * LOCORE_REQUIRE_GUESTS=1 (as `.ci/run` sets it) it fails instead, so that nothing is skipped unnoticed.
 */
import { accessSync, constants } from "node:fs";
import path from "node:path";
import type { TestContext } from "node:test";
import { fetchPackages, GuestError, pullGuest } from "../../src/guests/index.js";
import type { PackageRequest, PackageSet, PulledGuest } from "../../src/guests/index.js";

/** Folders where Debian puts tools that an ordinary user's PATH may not name. */
const MORE_FOLDERS = ["/usr/sbin", "/sbin"];

/** Skips the test, or throws when nothing may be skipped. */
export function missing(t: TestContext, reason: string): void {
  if (process.env["LOCORE_REQUIRE_GUESTS"] === "1") throw new Error(`LOCORE_REQUIRE_GUESTS=1, but ${reason}`);
  t.skip(reason);
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/**
 * The path of a program, or undefined after the test was skipped:
 * `const qemu = requireTool(t, "qemu-system-x86_64"); if (!qemu) return;`
 */
export function requireTool(t: TestContext, name: string): string | undefined {
  const folders = [...(process.env["PATH"] ?? "").split(path.delimiter), ...MORE_FOLDERS];
  const found = folders.map((folder) => path.join(folder, name)).find(isExecutable);
  if (found === undefined) missing(t, `${name} is not installed`);
  return found;
}

/**
 * A guest of the catalogue, fetched if it is not cached, or undefined after the test was skipped:
 * `const guest = await requireGuest(t, "debian-cloud"); if (!guest) return;`
 */
export async function requireGuest(t: TestContext, name: string): Promise<PulledGuest | undefined> {
  try {
    return await pullGuest(name);
  } catch (error) {
    if (!(error instanceof GuestError)) throw error;
    missing(t, `the guest ${name} cannot be had: ${error.message}`);
    return undefined;
  }
}

/** Debian packages with all they depend on, fetched if they are not cached, or undefined after the test was skipped. */
export async function requirePackages(
  t: TestContext,
  request: PackageRequest,
): Promise<PackageSet | undefined> {
  try {
    return await fetchPackages(request);
  } catch (error) {
    if (!(error instanceof GuestError)) throw error;
    missing(t, `the packages ${request.packages.join(" ")} cannot be had: ${error.message}`);
    return undefined;
  }
}
