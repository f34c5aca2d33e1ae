/** Whoever writes an engine, a device or a loader can name every type that the library's declarations name. */
import assert from "node:assert/strict";
import path from "node:path";
import { test } from "node:test";
import ts from "typescript";

const SOURCES = path.resolve("src");

/**
 * Parts of a machine that nobody makes or calls from outside: their types stay closed. Of tables of names only the types made of them are
 * wanted.
 */
const CLOSED = [
  "bytes/byte-view.ts",
  "boot/disk-root.ts",
  "boot/announce-ways.ts",
  "devices/bus/mmio-bus.ts",
  "devices/bus/port-bus.ts",
  "devices/interrupts/apic-port.ts",
  "devices/virtio/mmio-transport.ts",
  "engine/ir/ir.ts",
  "engine/wasm/host-compiler.ts",
  "machine/clock.ts",
  "machine/completions.ts",
  "machine/cpu-slot.ts",
  "machine/debugging.ts",
  "machine/guard.ts",
  "machine/held-time.ts",
  "machine/scheduler.ts",
  "machine/timers.ts",
  "machine/wake.ts",
  "spec/compression.ts",
  "spec/elf.ts",
];
const TABLE = /^[A-Z][A-Z0-9_]*$/;
/** What carries commands and consoles between the object and its machine. */
const WAYS = [
  "bytes/error-data.ts",
  "guests/initramfs/exec-init.ts",
  "host/node/session.ts",
  "vm/guest/commands.ts",
  "vm/guest/execution.ts ExecutionHooks",
  "vm/guest/shell.ts",
  "vm/guest/slot.ts",
  "vm/input-queue.ts",
];
/** Two types have this name; the devices' one is exported. */
const TWICE = "engine/contract.ts AccessSize";

const OPTIONS: ts.CompilerOptions = {
  strict: true,
  module: ts.ModuleKind.NodeNext,
  target: ts.ScriptTarget.ES2023,
  types: ["node"],
  skipLibCheck: true,
  noEmit: true,
};

function isHidden(node: ts.Node): boolean {
  if (ts.isBlock(node)) return true;
  if (!ts.isClassElement(node)) return false;
  if (node.name !== undefined && ts.isPrivateIdentifier(node.name)) return true;
  return (
    ts.canHaveModifiers(node) &&
    (node.modifiers ?? []).some(({ kind }) => kind === ts.SyntaxKind.PrivateKeyword)
  );
}

function isTypeName(node: ts.Node): node is ts.Identifier {
  const { parent } = node;
  return (
    ts.isIdentifier(node) &&
    (ts.isTypeReferenceNode(parent) ||
      ts.isExpressionWithTypeArguments(parent) ||
      ts.isQualifiedName(parent) ||
      ts.isTypeQueryNode(parent))
  );
}

/** Names, each with its file, that an entry's exports lead to and that it does not export. */
function unnameable(entry: string): string[] {
  const program = ts.createProgram([path.join(SOURCES, entry)], OPTIONS);
  const checker = program.getTypeChecker();
  const source = program.getSourceFile(path.join(SOURCES, entry));
  const module = source && checker.getSymbolAtLocation(source);
  assert.ok(module);
  const own = (symbol: ts.Symbol): ts.Symbol =>
    symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
  const known = new Set(checker.getExportsOfModule(module).map(own));
  const missing = new Set<string>();
  const take = (symbol: ts.Symbol): void => {
    const [declaration] = symbol.declarations ?? [];
    if (declaration === undefined || known.has(symbol) || symbol.flags & ts.SymbolFlags.TypeParameter) return;
    const file = declaration.getSourceFile();
    const place = path.relative(SOURCES, file.fileName).replaceAll(path.sep, "/");
    const home = checker.getSymbolAtLocation(file);
    const isExported =
      home !== undefined && checker.getExportsOfModule(home).some((one) => own(one) === symbol);
    if (place.startsWith("..") || !isExported || CLOSED.includes(place) || TABLE.test(symbol.name)) return;
    missing.add(`${place} ${symbol.name}`);
  };
  const visit = (node: ts.Node): void => {
    if (isHidden(node)) return;
    if (ts.isPropertyDeclaration(node) || ts.isVariableDeclaration(node) || ts.isParameter(node)) {
      if (node.type !== undefined) visit(node.type);
      return;
    }
    const symbol = isTypeName(node) ? checker.getSymbolAtLocation(node) : undefined;
    if (symbol !== undefined) take(own(symbol));
    ts.forEachChild(node, visit);
  };
  for (const symbol of known) for (const declaration of symbol.declarations ?? []) visit(declaration);
  return [...missing].filter((name) => name !== TWICE).sort();
}

test("R1.1 every type that a declaration of the library names is exported by it", () => {
  assert.deepEqual(unnameable("api/index.ts"), []);
});

test("R1.10 every type that a declaration of locore/node names is exported by it, but the way to the guest", () => {
  const own = unnameable("vm/index.ts").filter(
    (name) => !WAYS.some((way) => name === way || name.startsWith(`${way} `)),
  );
  assert.deepEqual(own, []);
});
