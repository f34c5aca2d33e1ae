/**
 * Assembles a WebAssembly module from IR functions: imports, one shared table of handlers, exports, code.
 * Specification: WebAssembly core 2.0 §5.5.
 */
import type { IrFunction, Signature } from "../ir/ir.js";
import { BinaryWriter } from "./binary-writer.js";
import { lowerFunction, type LoweredFunction, type ModuleNames } from "./lower.js";
import { TYPE_CODES } from "./opcodes.js";

const MAGIC_AND_VERSION = Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0);
const MAXIMUM_MEMORY_PAGES = 0x10000;
const FUNCREF = 0x70;
/** Kinds of imports and exports. */
const KIND_TABLE = 1;
const KIND_MEMORY = 2;
const HINT_UNLIKELY = 0;

export class ModuleBuilder implements ModuleNames {
  private readonly types: Signature[] = [];
  private readonly typeOf = new Map<Signature, number>();
  private readonly typeNames = new Map<string, number>();
  private readonly imports: { name: string; type: number }[] = [];
  private readonly functions: { type: number; code: IrFunction | LoweredFunction }[] = [];
  private readonly indices = new Map<string, number>();
  private readonly exported: string[] = [];
  private elements: string[] = [];
  private exportedTable: string | undefined;
  private importedTable: string | undefined;
  private readonly data: { at: number; bytes: Uint8Array }[] = [];

  /** Names a signature for indirect calls. */
  defineType(name: string, signature: Signature): void {
    this.typeNames.set(name, this.type(signature));
  }

  /** Declares a function imported from "env". All imports come before the first `add`. */
  import(name: string, signature: Signature): void {
    this.indices.set(name, this.imports.length);
    this.imports.push({ name, type: this.type(signature) });
  }

  /** Adds a function; what it calls may be added later. */
  add(f: IrFunction): void {
    this.append(f, f);
  }

  /** Adds a function whose callees are all there: its IR is not kept. */
  addLowered(f: IrFunction): void {
    this.append(f, lowerFunction(f, this));
  }

  private append({ name, signature }: IrFunction, code: IrFunction | LoweredFunction): void {
    if (this.indices.has(name)) throw new Error(`function ${name} is defined twice`);
    this.indices.set(name, this.imports.length + this.functions.length);
    this.functions.push({ type: this.type(signature), code });
  }

  export(name: string): void {
    this.exported.push(name);
  }

  /** The functions of table 0, in order. */
  setTable(names: readonly string[]): void {
    this.elements = [...names];
  }

  /** Has these bytes be at this address of the memory whenever the module is made an instance. */
  addData(at: number, bytes: Uint8Array): void {
    this.data.push({ at, bytes });
  }

  /** Exports table 0. */
  exportTable(name: string): void {
    this.exportedTable = name;
  }

  /** Takes table 0 from "env" instead of making one. */
  importTable(name: string): void {
    this.importedTable = name;
  }

  functionIndex(name: string): number {
    const index = this.indices.get(name);
    if (index === undefined) throw new Error(`no function is called ${name}`);
    return index;
  }

  typeIndex(name: string): number {
    const index = this.typeNames.get(name);
    if (index === undefined) throw new Error(`no signature is called ${name}`);
    return index;
  }

  private type(signature: Signature): number {
    const known = this.typeOf.get(signature) ?? this.equalType(signature);
    this.typeOf.set(signature, known);
    return known;
  }

  private equalType(signature: Signature): number {
    const key = JSON.stringify([signature.parameters, signature.results]);
    const found = this.types.findIndex((t) => JSON.stringify([t.parameters, t.results]) === key);
    return found >= 0 ? found : this.types.push(signature) - 1;
  }

  /** The module's bytes. */
  build(): Uint8Array {
    const out = new BinaryWriter();
    out.raw(MAGIC_AND_VERSION);
    out.section(1, this.typeSection());
    out.section(2, this.importSection());
    out.section(
      3,
      vector(this.functions, (w, f) => w.unsigned(f.type)),
    );
    if (this.elements.length > 0) out.section(4, this.tableSection());
    out.section(7, this.exportSection());
    if (this.elements.length > 0) out.section(9, this.elementSection());
    const lowered = this.functions.map(({ code }) => ("bytes" in code ? code : lowerFunction(code, this)));
    const hints = this.hintSection(lowered);
    if (hints) out.section(0, hints);
    const code = vector(lowered, (w, { bytes }) => {
      w.unsigned(bytes.length);
      w.raw(bytes);
    });
    out.section(10, code);
    if (this.data.length > 0) out.section(11, this.dataSection());
    return out.bytes().slice();
  }

  private typeSection(): BinaryWriter {
    return vector(this.types, (w, t) => {
      w.byte(0x60);
      w.raw(vector(t.parameters, (p, x) => p.byte(TYPE_CODES[x])).bytes());
      w.raw(vector(t.results, (p, x) => p.byte(TYPE_CODES[x])).bytes());
    });
  }

  private importSection(): BinaryWriter {
    const w = new BinaryWriter();
    w.unsigned(this.imports.length + (this.importedTable === undefined ? 1 : 2));
    w.name("env");
    w.name("memory");
    w.byte(KIND_MEMORY);
    w.byte(1);
    w.unsigned(1);
    w.unsigned(MAXIMUM_MEMORY_PAGES);
    if (this.importedTable !== undefined) {
      w.name("env");
      w.name(this.importedTable);
      w.byte(KIND_TABLE);
      w.raw(Uint8Array.of(FUNCREF, 0, 0));
    }
    for (const one of this.imports) {
      w.name("env");
      w.name(one.name);
      w.byte(0);
      w.unsigned(one.type);
    }
    return w;
  }

  private tableSection(): BinaryWriter {
    const w = new BinaryWriter();
    w.unsigned(1);
    w.byte(FUNCREF);
    w.byte(0);
    w.unsigned(this.elements.length);
    return w;
  }

  private exportSection(): BinaryWriter {
    const functions = this.exported.map((name) => ({ name, kind: 0, index: this.functionIndex(name) }));
    const table =
      this.exportedTable === undefined ? [] : [{ name: this.exportedTable, kind: KIND_TABLE, index: 0 }];
    return vector([...functions, ...table], (w, { name, kind, index }) => {
      w.name(name);
      w.byte(kind);
      w.unsigned(index);
    });
  }

  private elementSection(): BinaryWriter {
    const w = new BinaryWriter();
    w.unsigned(1);
    w.unsigned(0);
    w.byte(0x41);
    w.signed(0);
    w.byte(0x0b);
    w.raw(vector(this.elements, (v, name) => v.unsigned(this.functionIndex(name))).bytes());
    return w;
  }

  private dataSection(): BinaryWriter {
    return vector(this.data, (w, { at, bytes }) => {
      w.unsigned(0);
      w.byte(0x41);
      w.signed(at);
      w.byte(0x0b);
      w.unsigned(bytes.length);
      w.raw(bytes);
    });
  }

  /**
   * Branches that are seldom taken, for compilers that know the section: what they lead to is kept out of the way.
   * Specification: WebAssembly branch hinting.
   */
  private hintSection(lowered: readonly LoweredFunction[]): BinaryWriter | undefined {
    const hinted = lowered.flatMap(({ seldom }, i) =>
      seldom.length > 0 ? [{ index: this.imports.length + i, seldom }] : [],
    );
    if (hinted.length === 0) return undefined;
    const w = new BinaryWriter();
    w.name("metadata.code.branch_hint");
    w.unsigned(hinted.length);
    for (const { index, seldom } of hinted) {
      w.unsigned(index);
      w.unsigned(seldom.length);
      for (const at of seldom) {
        w.unsigned(at);
        w.unsigned(1);
        w.byte(HINT_UNLIKELY);
      }
    }
    return w;
  }
}

function vector<T>(items: readonly T[], write: (w: BinaryWriter, item: T) => void): BinaryWriter {
  const w = new BinaryWriter();
  w.unsigned(items.length);
  for (const item of items) write(w, item);
  return w;
}
