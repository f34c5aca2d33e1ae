// The library's entries, by the names that the package has for them, and where each is in the sources. The build puts them together
// (tools/bundle.mjs, tools/declarations.mjs).
import { existsSync } from "node:fs";

const ENTRIES = { index: "api/index", node: "vm/index", browser: "api/browser" };

/** Those of Node, and of pages. */
export const libraryEntries = () =>
  Object.fromEntries(Object.entries(ENTRIES).filter(([, module]) => existsSync(`dist/src/${module}.js`)));
