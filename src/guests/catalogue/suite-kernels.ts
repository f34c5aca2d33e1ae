/**
 * Debian's kernels by the names that people have for a release: "debian-12", "bookworm", "sid". Those that the catalogue has are the
 * same guests; the others are made in the same way, from the host's own sources with another suite in them. Data only.
 */
import type { CatalogueEntry } from "./catalogue-entry.js";
import { CATALOGUE } from "./catalogue.js";

interface Suite {
  /** What it is called, the usual name first. */
  names: readonly string[];
  /** The guest whose package is laid out in the same way. */
  like: string;
  /** Where it is another one: what the archive calls the suite. */
  release?: string;
}

const SUITES: readonly Suite[] = [
  { names: ["debian-11", "bullseye"], like: "debian-cloud", release: "bullseye" },
  { names: ["debian-12", "bookworm"], like: "debian-cloud" },
  { names: ["debian-13", "trixie"], like: "debian-13-cloud" },
  { names: ["debian-14", "forky"], like: "debian-sid-cloud", release: "forky" },
  { names: ["testing", "debian-testing"], like: "debian-sid-cloud", release: "testing" },
  { names: ["sid", "unstable", "debian-sid"], like: "debian-sid-cloud" },
];

/** Every name of a release's kernel. */
export function suiteNames(): string[] {
  return SUITES.flatMap(({ names }) => names);
}

/** What the guest of a release that the catalogue does not have is called in the cache. */
function guestName({ names }: Suite): string {
  return `${names[0]}-cloud`;
}

/** The guest that a release's name stands for, or its own name in the cache; undefined for any other name. */
export function suiteKernel(name: string): CatalogueEntry | undefined {
  const suite = SUITES.find(
    (one) => one.names.includes(name) || (one.release !== undefined && guestName(one) === name),
  );
  const like = CATALOGUE.find((entry) => entry.name === suite?.like);
  if (suite?.release === undefined || like === undefined) return like;
  const { release } = suite;
  return {
    ...like,
    name: guestName(suite),
    what: `the kernel for cloud machines of Debian's suite ${release}`,
    source: `Debian's suite ${release}, through this host's apt-get, mirrors and keys`,
    target: { ...like.target, release },
  };
}
