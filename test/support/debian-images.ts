/**
 * Debian's images that tests look at and the catalogue has no place for: EFI stubs and boot loaders, kernels of other processors,
 * firmware. Fetched, verified and cached as guests are.
 */
import type { TestContext } from "node:test";
import type { AptTarget } from "../../src/guests/apt/apt.js";
import type { CatalogueEntry } from "../../src/guests/catalogue/catalogue-entry.js";
import { GuestError } from "../../src/guests/index.js";
import { pullEntry } from "../../src/guests/pull.js";
import { missing } from "./requires.js";

/** A package, and the files in it that tests look at, by the names that tests have for them. */
export interface ImagePackage extends AptTarget {
  readonly package: string;
  /** See CatalogueEntry. */
  readonly dependsOn?: CatalogueEntry["dependsOn"];
  readonly files: Readonly<Record<string, RegExp>>;
}

function entryOf({ package: name, release, architecture, files, dependsOn }: ImagePackage): CatalogueEntry {
  const text = `${name} of Debian ${release}`;
  return {
    ...{
      name: `tests-${name}-${release}-${architecture}`,
      what: text,
      source: text,
      verified: "",
      licence: "",
    },
    ...{ shows: "", target: { release, architecture }, package: name, files },
    ...(dependsOn === undefined ? {} : { dependsOn }),
  };
}

/** The paths of a package's files by their names, or undefined after the test was skipped. */
export async function requireImages(
  t: TestContext,
  wanted: ImagePackage,
): Promise<Readonly<Record<string, string>> | undefined> {
  const entry = entryOf(wanted);
  try {
    const { files } = await pullEntry(entry);
    const all = Object.keys(wanted.files).every((name) => name in files);
    // The cache may be from before a file was added to the list.
    return all ? files : (await pullEntry(entry, { refresh: true })).files;
  } catch (error) {
    if (!(error instanceof GuestError)) throw error;
    missing(t, `${entry.what} cannot be had: ${error.message}`);
    return undefined;
  }
}
