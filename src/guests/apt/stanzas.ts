/**
 * Reads what `apt-cache show` prints: stanzas of fields, and the packages a field like `Depends` asks for. Text
 * only; runs no program.
 *
 * Format: deb-control(5), deb-src-control(5); Debian Policy §7.1 for relationships.
 */

/** One stanza; field names in lower case. Continuation lines stay part of the value. */
export type Stanza = ReadonlyMap<string, string>;

/** One name in a relationship field, with the exact version where one is demanded. */
export interface Dependency {
  name: string;
  exactVersion?: string;
}

/** The stanzas of a text in their order. */
export function parseStanzas(text: string): Stanza[] {
  const stanzas: Stanza[] = [];
  for (const block of text.split(/\n(?:[ \t]*\n)+/)) {
    const fields = new Map<string, string>();
    for (const field of block.split(/\n(?![ \t])/)) {
      const colon = field.indexOf(":");
      if (colon > 0) fields.set(field.slice(0, colon).toLowerCase(), field.slice(colon + 1).trim());
    }
    if (fields.size > 0) stanzas.push(fields);
  }
  return stanzas;
}

/** Every package a relationship field names, alternatives included, in their order. */
export function parseDependencies(field: string): Dependency[] {
  const found: Dependency[] = [];
  for (const item of field.split(/[,|]/)) {
    const match = /^\s*([a-z0-9][a-z0-9+.-]*)(?::\w+)?\s*(?:\(\s*(\S*?)\s+(\S+?)\s*\))?/.exec(item);
    if (!match) continue;
    const [, name = "", relation, version] = match;
    found.push(relation === "=" && version !== undefined ? { name, exactVersion: version } : { name });
  }
  return found;
}
