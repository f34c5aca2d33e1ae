/** What a rule of a loader is, for people: `locore inspect --explain`. */
import { LOADERS, RULES, type LoaderFacts, type NamedRule } from "../../verdicts/index.js";

/** The lines about a rule, or about every rule of a loader; undefined for a name of neither. */
export function explanation(name: string, own: readonly LoaderFacts[]): string[] | undefined {
  const rule = RULES.find(({ id }) => id === name);
  if (rule !== undefined) return ruleLines(rule);
  const rules = RULES.filter(({ id }) => id.startsWith(`${name}/`) || isOf(id, name));
  const loaders = [...LOADERS, ...own].filter((one) => one.name === name || one.name.startsWith(`${name}-`));
  if (loaders.length === 0 && rules.length === 0) return undefined;
  return [
    ...loaders.flatMap(({ name: loader, what, source }) => [`${loader}: ${what}`, `  source  ${source}`]),
    ...(rules.length === 0 ? [] : ["", ...rules.map(({ id, what }) => `${id}: ${what}`)]),
  ];
}

/** Whether a rule is one of a loader's, whose name is longer than the prefix: "qemu-pc" has those of "qemu". */
function isOf(id: string, loader: string): boolean {
  const prefix = id.slice(0, id.indexOf("/"));
  return loader.startsWith(`${prefix}-`) && LOADERS.some(({ name }) => name === loader);
}

/** What can be asked for. */
export function explainable(own: readonly LoaderFacts[]): string[] {
  return [...RULES.map(({ id }) => id), ...[...LOADERS, ...own].map(({ name }) => name)];
}

function ruleLines({ id, what, prints, since, advice, source }: NamedRule): string[] {
  return [
    `${id}: ${what}`,
    ...(since === undefined ? [] : [`  since   ${since}`]),
    ...(prints ?? []).map((text) => `  prints  ${text}`),
    ...(advice === undefined ? [] : [`  do      ${advice}`]),
    `  source  ${source}`,
  ];
}
