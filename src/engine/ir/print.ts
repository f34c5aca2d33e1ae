/** The text form of IR functions, for golden tests and dumps. */
import type { IrFunction, Label, Statement, Value } from "./ir.js";

class Printer {
  private readonly lines: string[] = [];
  private readonly names = new Map<Value, string>();

  print(f: IrFunction): string {
    this.lines.push(
      `func ${f.name}(${f.signature.parameters.join(", ")}) ${f.signature.results.join(", ")}`.trimEnd(),
    );
    this.block(f.body, 1);
    return this.lines.join("\n") + "\n";
  }

  private line(depth: number, text: string): void {
    this.lines.push("  ".repeat(depth) + text);
  }

  private name(value: Value): string {
    if (value.op === "const") {
      const v = value.immediate;
      return v instanceof Uint8Array
        ? Array.from(v, (byte) => byte.toString(16).padStart(2, "0")).join("")
        : `${String(v)}${value.type === "i64" ? "L" : ""}`;
    }
    if (value.op === "parameter") return `p${String(value.target as number)}`;
    return this.names.get(value) ?? "?";
  }

  private args(values: readonly Value[]): string {
    return values.map((v) => this.name(v)).join(" ");
  }

  private block(statements: readonly Statement[], depth: number): void {
    for (const s of statements) this.statement(s, depth);
  }

  private statement(s: Statement, depth: number): void {
    switch (s.kind) {
      case "define": {
        const name = `v${this.names.size}`;
        const target = typeof s.target === "object" ? s.target.name : String(s.target ?? "");
        const immediate = s.immediate === undefined ? "" : ` +${String(s.immediate as number)}`;
        this.line(
          depth,
          `${name} = ${[s.op, target, this.args(s.args)].filter(Boolean).join(" ")}${immediate}`,
        );
        this.names.set(s, name);
        break;
      }
      case "store":
        this.line(depth, `${s.op} ${this.args([s.address, s.value])} +${s.offset}`);
        break;
      case "set":
        this.line(depth, `${s.variable.name} = ${this.name(s.value)}`);
        break;
      case "call":
        this.line(depth, `call ${s.callee} ${this.args(s.args)}`.trimEnd());
        break;
      case "bulk":
        this.line(depth, `${s.op} ${this.args(s.args)}`);
        break;
      case "if":
        this.line(depth, `if ${this.name(s.condition)}`);
        this.block(s.then, depth + 1);
        if (s.else.length > 0) {
          this.line(depth, "else");
          this.block(s.else, depth + 1);
        }
        break;
      case "loop":
      case "block":
        this.line(depth, `${s.kind} ${s.label.name}`);
        this.block(s.body, depth + 1);
        break;
      case "branch":
        this.line(depth, `branch ${s.label.name}${s.condition ? ` if ${this.name(s.condition)}` : ""}`);
        break;
      case "branchTable":
        this.line(depth, `branch table ${this.name(s.index)} ${labels(s.labels)} else ${s.otherwise.name}`);
        break;
      case "return":
        this.line(depth, `return ${s.value ? this.name(s.value) : ""}`.trimEnd());
    }
  }
}

function labels(list: readonly Label[]): string {
  return `[${list.map((l) => l.name).join(" ")}]`;
}

/** One statement a line, values numbered in order of definition. */
export function printFunction(f: IrFunction): string {
  return new Printer().print(f);
}
