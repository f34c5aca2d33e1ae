// Modules that a start does not come to, in groups that are each loaded when something of theirs is first used (RATIONALE.md). Who imports
// from a group has an object in its stead, whose properties load it: esbuild looks each name up where it is used, as it does with all that
// is CommonJS. Between modules of one group nothing changes.
import path from "node:path";
import { pathToFileURL } from "node:url";

/**
 * Modules of the machine's thread, by the name of their group. Nothing of a group may be used where a module outside begins: it would be
 * loaded in each start then (test/cli/start.test.ts).
 */
const GROUPS = {
  // Floating point, as far as generated code does not do it.
  float: /^engine\/x86\/(softfloat|sse|x87)\/(?!state)|^engine\/x86\/(x87|sse-float)\.js$/,
  // Of a machine that was saved, or will be.
  snapshot:
    /^snapshot\/|^host\/node\/(snapshot-file|known-start|copy-file)\.js$|^boot\/plan-shape\.js$|^machine\/board-state\.js$/,
  ninep: /^share\/ninep\//,
  fuse: /^share\/fuse\//,
  virtio:
    /^devices\/virtio\/(chain|queue|split-ring|packed-ring|mmio-transport|net-receiver|net-filter|net-steering)|^net\/(tcp\/|segmentation|flow-hash)/,
  codecs: /^codecs\/(?!identify)/,
  verdicts: /^verdicts\//,
  formats:
    /^formats\/(arm64-image|cpio|device-tree|firmware|fit|flat|uimage|zimage)\/|^formats\/unrecognised\.js$/,
  multiboot: /^boot\/multiboot\/(?!hand-over)|^boot\/multiboot\d\/(?!multiboot)/,
  bios: /^boot\/bios\/(?!firmware)|^boot\/linux\/real-mode\.js$|^firmware\/acpi\/table-loader\.js$/,
};
/** Groups as modules of the build, and what stands for one of their modules. */
const GROUP = "group";
const STAND_IN = "stand-in";
/** Gives a part where another one asks for it by its name; tools/bundle.mjs has parts know it. */
export const PART_BY_NAME = "__part";

/** The name of a group's part. */
export const groupPart = (group) => `later-${group}`;
export const GROUP_PARTS = Object.keys(GROUPS).map(groupPart);
const groupOf = (module) => Object.keys(GROUPS).find((name) => GROUPS[name].test(module));

/** A file below `from`, as the patterns name it. */
const moduleName = (from, file) => path.relative(from, file).replaceAll(path.sep, "/");

/** By group, those of its modules that others import. `inputs`: all modules of the thread, and what they import (esbuild's metafile). */
export function importedOfGroups(from, inputs) {
  const imported = new Map();
  for (const [importer, { imports }] of Object.entries(inputs)) {
    for (const { path: file, kind } of imports) {
      const module = moduleName(from, file);
      const group = groupOf(module);
      if (kind !== "import-statement" || group === undefined || group === groupOf(moduleName(from, importer)))
        continue;
      imported.set(group, (imported.get(group) ?? new Set()).add(module));
    }
  }
  return new Map([...imported].map(([group, modules]) => [group, [...modules].sort()]));
}

/** What stands for a module of a group: whoever uses one of its names first has the group loaded. */
async function standIn(from, module, index) {
  const names = Object.keys(await import(pathToFileURL(path.join(from, module)).href));
  const property = (name) =>
    `Object.defineProperty(exports, "${name}", { enumerable: true, configurable: true, get: () => found("${name}") });`;
  return [
    `Object.defineProperty(exports, "__esModule", { value: true });`,
    `const found = (name) => {`,
    `  const value = ${PART_BY_NAME}("./${groupPart(groupOf(module))}.cjs").m${index}[name];`,
    `  Object.defineProperty(exports, name, { value });`,
    `  return value;`,
    `};`,
    ...names.map(property),
  ].join("\n");
}

/** Entry points of the groups. */
export const groupEntries = (imported) =>
  [...imported.keys()].map((group) => ({ in: `${GROUP}:${group}`, out: groupPart(group) }));

/** Has who imports from a group load it later. */
export const laterGroups = (from, imported) => ({
  name: "later-groups",
  setup(build) {
    build.onResolve({ filter: new RegExp(`^${GROUP}:`) }, ({ path: name }) => ({
      path: name.slice(GROUP.length + 1),
      namespace: GROUP,
    }));
    build.onLoad({ filter: /.*/, namespace: GROUP }, ({ path: group }) => ({
      contents: imported
        .get(group)
        .map((module, index) => `export * as m${index} from ${JSON.stringify(path.join(from, module))};`)
        .join("\n"),
      resolveDir: from,
    }));
    build.onResolve({ filter: /^\.\.?\// }, ({ kind, path: name, resolveDir, importer, namespace }) => {
      if (kind !== "import-statement" || namespace !== "file") return undefined;
      const module = moduleName(from, path.resolve(resolveDir, name));
      const group = groupOf(module);
      if (!imported.get(group)?.includes(module) || groupOf(moduleName(from, importer)) === group)
        return undefined;
      return { path: module, namespace: STAND_IN };
    });
    build.onLoad({ filter: /.*/, namespace: STAND_IN }, async ({ path: module }) => ({
      contents: await standIn(from, module, imported.get(groupOf(module)).indexOf(module)),
    }));
  },
});
