/**
 * The repository as tests see it: its root, and the files that belong to it (not what was installed or built).
 * Knows nothing of what the files mean.
 */
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

/** Tests run from `dist/test/<layer>/`. */
export const repositoryRoot = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../../..");

/** Folders that hold no source of ours, wherever they are. */
const FOREIGN = new Set([".git", "node_modules", "dist", "coverage"]);

/** Every file of ours under `folder` (a path inside the repository, "" for all), with forward slashes, sorted. */
export function repositoryFiles(folder = ""): string[] {
  const found: string[] = [];
  const visit = (inside: string): void => {
    for (const entry of readdirSync(path.join(repositoryRoot, inside), { withFileTypes: true })) {
      if (FOREIGN.has(entry.name)) continue;
      const file = inside === "" ? entry.name : `${inside}/${entry.name}`;
      if (entry.isDirectory()) visit(file);
      else if (entry.isFile()) found.push(file);
    }
  };
  visit(folder);
  return found.sort();
}

/** The text of a file of ours. */
export function repositoryText(file: string): string {
  return readFileSync(path.join(repositoryRoot, file), "utf8");
}
