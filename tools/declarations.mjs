// Puts the declarations of the library's entries together for the package: dist/types has one file with all that they reach, and for
// each entry a small one that says what of it is public. One file, so that a class is the same type whichever entry it came by. What
// only the entry of Node reaches is in a second one: whoever imports the others need not have Node's types, nor the newest of the
// language.
import { mkdir, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import ts from "typescript";
import { libraryEntries } from "./library-entries.mjs";

const FROM = path.resolve("dist/src");
const TO = path.resolve("dist/types");
/** Entries, and what they export as a whole under a name. */
const ENTRIES = { ...libraryEntries(), aml: "api/aml" };
const SHARED = "declarations";
const OF_NODE = "node-declarations";
const NODE = "node";

const fileOf = (entry) => path.join(FROM, `${ENTRIES[entry]}.d.ts`);
const isOurs = (file) => path.resolve(file.fileName).startsWith(FROM + path.sep);

/** The statement of a file's top level that a declaration is, or stands in; undefined for members, parameters and the like. */
function statementOf(declaration) {
  if (ts.isVariableDeclaration(declaration)) {
    const statement = declaration.parent.parent;
    return ts.isVariableStatement(statement) && ts.isSourceFile(statement.parent) ? statement : undefined;
  }
  return ts.isSourceFile(declaration.parent) && !ts.isSourceFile(declaration) ? declaration : undefined;
}

/** Finds what entries reach, and gives each symbol a name of its own. */
class Collection {
  #checker;
  /** Names by symbol, and what is named so. */
  #names = new Map();
  #taken = new Set();
  #queue = [];
  /** Names that each statement uses. */
  used = new Map();
  #using = new Set();
  /** Changes of text by statement: [start, end, text]. */
  statements = new Map();
  /** What comes from elsewhere: names here by module and name there. */
  imports = new Map();

  constructor(checker) {
    this.#checker = checker;
  }

  #free(wanted) {
    let name = wanted;
    for (let i = 2; this.#taken.has(name); i++) name = `${wanted}${i}`;
    this.#taken.add(name);
    return name;
  }

  /** Names of what is declared in one of these statements. */
  namesIn(statements) {
    const isThere = ({ declarations = [] }) => declarations.some((one) => statements.has(statementOf(one)));
    return new Set([...this.#names].flatMap(([symbol, name]) => (isThere(symbol) ? [name] : [])));
  }

  /** What an alias is in the end. */
  target(symbol) {
    return symbol.flags & ts.SymbolFlags.Alias ? this.#checker.getAliasedSymbol(symbol) : symbol;
  }

  /** The name of a symbol of ours; undefined for one that is no declaration of a file's top level. */
  name(symbol) {
    const known = this.#names.get(symbol);
    if (known !== undefined) return known;
    const statements = (symbol.declarations ?? [])
      .filter((one) => isOurs(one.getSourceFile()))
      .map(statementOf);
    if (statements.length === 0 || statements.includes(undefined)) return undefined;
    const name = this.#free(symbol.name);
    this.#names.set(symbol, name);
    this.#queue.push(...statements);
    return name;
  }

  /** The name of something that a file of ours imports from elsewhere. */
  #imported(symbol) {
    const specifier = symbol.declarations?.find(ts.isImportSpecifier);
    const from = specifier?.parent.parent.parent.moduleSpecifier.text;
    if (from === undefined || from.startsWith(".")) return undefined;
    const [there, key] = [(specifier.propertyName ?? specifier.name).text, specifier.name.text];
    const id = `${from} ${there}`;
    if (!this.imports.has(id)) this.imports.set(id, { from, there, here: this.#free(key) });
    return this.imports.get(id).here;
  }

  #nameAt(identifier) {
    const symbol = this.#checker.getSymbolAtLocation(identifier);
    if (symbol === undefined) return undefined;
    const name = this.name(this.target(symbol)) ?? this.#imported(symbol);
    if (name !== undefined) this.#using.add(name);
    return name;
  }

  #visit(node, edits) {
    if (ts.isImportTypeNode(node)) {
      const first = firstOf(node);
      const name = this.#nameAt(first);
      if (name === undefined) throw new Error(`${node.getText()}: what it names is not known`);
      edits.push([node.getStart(), first.getEnd(), node.isTypeOf ? `typeof ${name}` : name]);
      node.typeArguments?.forEach((one) => this.#visit(one, edits));
      return;
    }
    if (ts.isIdentifier(node)) {
      const name = this.#nameAt(node);
      if (name !== undefined && name !== node.text) edits.push([node.getStart(), node.getEnd(), name]);
    }
    ts.forEachChild(node, (child) => this.#visit(child, edits));
  }

  /** Looks at all that was named, and at what that names. */
  finish() {
    for (let statement = this.#queue.pop(); statement !== undefined; statement = this.#queue.pop()) {
      if (this.statements.has(statement)) continue;
      const edits = [];
      this.statements.set(statement, edits);
      this.used.set(statement, (this.#using = new Set()));
      this.#visit(statement, edits);
    }
  }
}

/** The first name of `import("…").A.B`. */
function firstOf({ qualifier, argument }) {
  let first = qualifier;
  while (first !== undefined && ts.isQualifiedName(first)) first = first.left;
  if (first === undefined) throw new Error(`${argument.getText()}: a whole module as a type`);
  return first;
}

/** A statement with what is written about it and its changes. */
function edited(statement, edits) {
  const start = statement.getStart(undefined, true);
  let text = statement.getSourceFile().text.slice(start, statement.getEnd());
  for (const [from, to, name] of edits.sort(([a], [b]) => b - a))
    text = text.slice(0, from - start) + name + text.slice(to - start);
  return text;
}

/** The order of the files' names, and in each its own. */
function inOrder([a], [b]) {
  const [first, second] = [a, b].map((one) => one.getSourceFile().fileName);
  return first === second ? a.pos - b.pos : first < second ? -1 : 1;
}

/** What an entry exports: names there by names here, and lines for whole modules. */
function exportsOf(collection, entry, program) {
  const checker = program.getTypeChecker();
  const file = program.getSourceFile(fileOf(entry));
  const names = new Map();
  const lines = [];
  for (const symbol of checker.getExportsOfModule(checker.getSymbolAtLocation(file))) {
    const target = collection.target(symbol);
    const [whole] = (target.declarations ?? []).filter(ts.isSourceFile);
    const module = whole && Object.keys(ENTRIES).find((one) => fileOf(one) === path.resolve(whole.fileName));
    if (whole !== undefined && module === undefined)
      throw new Error(`${entry}: ${symbol.name} is a module that is no entry`);
    if (module !== undefined) lines.push(`export * as ${symbol.name} from "./${module}.js";`);
    else {
      const name = collection.name(target);
      if (name === undefined) throw new Error(`${entry}: ${symbol.name} is no declaration of ours`);
      names.set(symbol.name, name);
    }
  }
  return { names, lines };
}

const renamed = (here, there) => (here === there ? here : `${here} as ${there}`);

/** Exports those of these names that a file has. */
function exportLines(names, has, file) {
  const found = [...names].filter(([, name]) => has.has(name));
  if (found.length === 0) return [];
  return [
    `export {\n${found.map(([there, name]) => `  ${renamed(name, there)},\n`).join("")}} from "./${file}.js";`,
  ];
}

/** The text of a file of declarations, with what it names of others. */
function fileText(collection, statements, shared = new Set()) {
  const used = new Set(statements.flatMap(([statement]) => [...collection.used.get(statement)]));
  const imports = [...collection.imports.values()]
    .filter(({ here }) => used.has(here))
    .map(({ from, there, here }) => `import type { ${renamed(there, here)} } from "${from}";`);
  const names = [...shared].filter((name) => used.has(name)).map((name) => `  ${name},\n`);
  if (names.length > 0) imports.push(`import type {\n${names.join("")}} from "./${SHARED}.js";`);
  const text = [...statements]
    .sort(inOrder)
    .map((one) => edited(...one))
    .join("\n");
  return [...imports, text, "export {};", ""].join("\n");
}

/** Makes dist/types of dist/src. Throws for a declaration that this does not understand. */
async function declarations() {
  const entries = Object.keys(ENTRIES);
  const program = ts.createProgram(entries.map(fileOf), {
    target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    types: ["node"],
    skipLibCheck: true,
  });
  const collection = new Collection(program.getTypeChecker());
  await rm(TO, { recursive: true, force: true });
  await mkdir(TO, { recursive: true });
  const exported = new Map();
  for (const entry of entries.filter((one) => one !== NODE))
    exported.set(entry, exportsOf(collection, entry, program));
  collection.finish();
  const everywhere = new Set(collection.statements.keys());
  const shared = collection.namesIn(everywhere);
  if (entries.includes(NODE)) exported.set(NODE, exportsOf(collection, NODE, program));
  collection.finish();
  const ofNode = new Set([...collection.statements.keys()].filter((one) => !everywhere.has(one)));
  for (const [entry, { names, lines }] of exported) {
    const all = [
      ...exportLines(names, shared, SHARED),
      ...exportLines(names, collection.namesIn(ofNode), OF_NODE),
      ...lines,
    ];
    await writeFile(path.join(TO, `${entry}.d.ts`), `${all.join("\n")}\n`);
  }
  const those = (kept) => [...collection.statements].filter(([statement]) => kept.has(statement));
  await writeFile(path.join(TO, `${SHARED}.d.ts`), fileText(collection, those(everywhere)));
  if (ofNode.size > 0)
    await writeFile(path.join(TO, `${OF_NODE}.d.ts`), fileText(collection, those(ofNode), shared));
}

await declarations();
