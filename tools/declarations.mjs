// Puts the declarations of the library's entries together for the package: dist/types has one file with all that they reach, and for
// each entry a small one that says what of it is public. One file, so that a class is the same type whichever entry it came by.
import { mkdir, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import ts from "typescript";
import { libraryEntries } from "./library-entries.mjs";

const FROM = path.resolve("dist/src");
const TO = path.resolve("dist/types");
/** Entries, and what they export as a whole under a name. */
const ENTRIES = { ...libraryEntries(), aml: "api/aml" };
const SHARED = "declarations";

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
    return this.name(this.target(symbol)) ?? this.#imported(symbol);
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

/** What an entry exports: names there and here, and whole modules. */
function exportLines(collection, entry, program) {
  const checker = program.getTypeChecker();
  const file = program.getSourceFile(fileOf(entry));
  const names = [];
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
      names.push(name === symbol.name ? name : `${name} as ${symbol.name}`);
    }
  }
  return [`export {\n${names.map((one) => `  ${one},\n`).join("")}} from "./${SHARED}.js";`, ...lines];
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
  for (const entry of entries) {
    const lines = exportLines(collection, entry, program);
    await writeFile(path.join(TO, `${entry}.d.ts`), `${lines.join("\n")}\n`);
  }
  collection.finish();
  const imports = [...collection.imports.values()].map(
    ({ from, there, here }) =>
      `import type { ${there === here ? here : `${there} as ${here}`} } from "${from}";`,
  );
  const statements = [...collection.statements].sort(inOrder).map((one) => edited(...one));
  await writeFile(path.join(TO, `${SHARED}.d.ts`), [...imports, ...statements, "export {};", ""].join("\n"));
}

await declarations();
