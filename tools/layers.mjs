// The layers of `src/`, lowest first, and the ESLint rule that keeps imports going downwards only. Plain
// JavaScript, because ESLint loads it before anything is built. Knows folder names, nothing about their contents.
import path from "node:path";

/** One row a layer. A folder may import itself and every folder in an earlier row; `only` narrows that. */
export const LAYERS = [
  { folders: ["bytes"] },
  { folders: ["spec"] },
  { folders: ["codecs"] },
  { folders: ["block"] },
  { folders: ["share"], only: ["bytes", "spec"] },
  { folders: ["net"], only: ["bytes", "spec"] },
  { folders: ["disk"], only: ["bytes", "spec", "codecs", "block"] },
  { folders: ["formats"], not: ["block", "disk"] },
  { folders: ["verdicts"] },
  { folders: ["convert"], only: ["bytes", "spec", "codecs", "formats"] },
  { folders: ["memory"] },
  { folders: ["x86"] },
  { folders: ["firmware"] },
  { folders: ["devices"] },
  { folders: ["boot"] },
  { folders: ["export"] },
  { folders: ["engine"], not: ["devices", "boot", "export"] },
  { folders: ["machine"] },
  { folders: ["diagnose"] },
  { folders: ["snapshot"] },
  { folders: ["guests", "host"] },
  { folders: ["api"] },
  { folders: ["cli"] },
  { folders: ["vm"] },
];

/** Folders of `src/` that may know Node: its modules and its globals. */
export const NODE_FOLDERS = ["host/node", "guests", "cli", "vm"];

/** Node's globals that code which also runs in a browser must not touch. */
export const NODE_GLOBALS = [
  "process",
  "Buffer",
  "require",
  "__dirname",
  "__filename",
  "setImmediate",
  "global",
];

/** The folders of `src/` that files in `folder` may import; undefined when the folder is in no row. */
export function allowedImports(folder) {
  const rank = LAYERS.findIndex((layer) => layer.folders.includes(folder));
  if (rank < 0) return undefined;
  const { only, not = [] } = LAYERS[rank];
  const below = only ?? LAYERS.slice(0, rank).flatMap((layer) => layer.folders);
  return new Set([folder, ...below.filter((name) => !not.includes(name))]);
}

/** `filename` as a path inside `src/` with forward slashes, or undefined when it lies elsewhere. */
function insideSource(filename, root) {
  const relative = path.relative(path.join(root, "src"), filename).split(path.sep).join("/");
  return relative.startsWith("../") || path.isAbsolute(relative) ? undefined : relative;
}

function inNodeFolder(file) {
  return NODE_FOLDERS.some((folder) => file.startsWith(`${folder}/`));
}

/** Why `file` (inside `src/`) may not import `specifier`; undefined when it may. */
export function importFault(file, specifier) {
  if (specifier.startsWith("node:")) {
    return inNodeFolder(file) ? undefined : `node:* is only for src/{${NODE_FOLDERS.join(",")}}`;
  }
  if (!specifier.startsWith(".")) return undefined;
  const target = path.posix.join(path.posix.dirname(file), specifier);
  if (target.startsWith("../")) return "src/ imports nothing outside src/";
  const from = file.split("/")[0];
  const to = target.split("/")[0];
  const allowed = allowedImports(from);
  if (!allowed) return `src/${from} is in no row of tools/layers.mjs`;
  if (allowed.has(to)) return undefined;
  return `src/${from} may import only ${[...allowed].join(", ")}; not src/${to} (tools/layers.mjs)`;
}

/** ESLint rule `locore/layers`: reports every import, re-export and dynamic import that `importFault` names. */
export const layersRule = {
  meta: { type: "problem", schema: [], messages: { fault: "{{fault}}" } },
  create(context) {
    const file = insideSource(context.filename, context.cwd);
    if (file === undefined) return {};
    const check = (node) => {
      if (typeof node.source?.value !== "string") return;
      const fault = importFault(file, node.source.value);
      if (fault) context.report({ node: node.source, messageId: "fault", data: { fault } });
    };
    return {
      ImportDeclaration: check,
      ExportNamedDeclaration: check,
      ExportAllDeclaration: check,
      ImportExpression: check,
    };
  },
};
