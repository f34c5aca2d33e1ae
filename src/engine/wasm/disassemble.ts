/**
 * WebAssembly as text: the functions of a module that module-builder.ts made, one instruction a line, for dumps. Knows the
 * instructions that lowering uses and no others; what it does not know it says.
 *
 * Specification: WebAssembly core 2.0 §5.4 (instructions), §5.5.13 (code section).
 */
import { ENCODINGS, PREFIX_MISC, PREFIX_SIMD, TYPE_CODES } from "./opcodes.js";

const CODE_SECTION = 10;
const HEADER_BYTES = 8;
const VECTOR_BYTES = 16;
const CONTINUES = 0x80;
const SIGN = 0x40;

type Immediate = "none" | "block" | "labels" | "indirect" | "index" | "i32" | "i64" | "f32" | "f64";

/** Instructions that are not operations of values. */
const CONTROL: Partial<Record<number, [name: string, immediate: Immediate]>> = {
  0x00: ["unreachable", "none"],
  0x02: ["block", "block"],
  0x03: ["loop", "block"],
  0x04: ["if", "block"],
  0x05: ["else", "none"],
  0x0b: ["end", "none"],
  0x0c: ["br", "index"],
  0x0d: ["br_if", "index"],
  0x0e: ["br_table", "labels"],
  0x0f: ["return", "none"],
  0x10: ["call", "index"],
  0x11: ["call_indirect", "indirect"],
  0x12: ["return_call", "index"],
  0x13: ["return_call_indirect", "indirect"],
  0x1a: ["drop", "none"],
  0x1b: ["select", "none"],
  0x20: ["local.get", "index"],
  0x21: ["local.set", "index"],
  0x22: ["local.tee", "index"],
  0x41: ["i32.const", "i32"],
  0x42: ["i64.const", "i64"],
  0x43: ["f32.const", "f32"],
  0x44: ["f64.const", "f64"],
};
const OPENS = new Set([0x02, 0x03, 0x04, 0x05]);
const CLOSES = new Set([0x05, 0x0b]);

/** Instructions with a byte for each memory, behind `PREFIX_MISC`. */
const BULK: Partial<Record<number, { name: string; memories: number }>> = {
  10: { name: "memory.copy", memories: 2 },
  11: { name: "memory.fill", memories: 1 },
};

/** v128.const, behind `PREFIX_SIMD`. */
const VECTOR_CONSTANT = 12;

const OPERATIONS = new Map([...ENCODINGS].map(([name, code]) => [code, name]));
OPERATIONS.set((PREFIX_SIMD << 8) | VECTOR_CONSTANT, "v128.const");
const TYPES = new Map<number, string>(Object.entries(TYPE_CODES).map(([name, code]) => [code, name]));

class Reader {
  private readonly view: DataView;

  constructor(
    private readonly bytes: Uint8Array,
    public at: number,
  ) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  byte(): number {
    return this.bytes[this.at++];
  }

  unsigned(): number {
    return Number(this.integer(false));
  }

  integer(signed: boolean): bigint {
    let value = 0n;
    let shift = 0n;
    let byte: number;
    do {
      byte = this.byte();
      value |= BigInt(byte & ~CONTINUES) << shift;
      shift += 7n;
    } while (byte & CONTINUES);
    return signed && byte & SIGN ? value - (1n << shift) : value;
  }

  float(bytes: 4 | 8): number {
    this.at += bytes;
    return bytes === 4
      ? this.view.getFloat32(this.at - bytes, true)
      : this.view.getFloat64(this.at - bytes, true);
  }

  hex(count: number): string {
    return Array.from({ length: count }, () => this.byte().toString(16).padStart(2, "0")).join("");
  }

  immediate(kind: Immediate): string {
    switch (kind) {
      case "none":
        return "";
      case "block":
        this.byte();
        return "";
      case "index":
        return ` ${this.unsigned()}`;
      case "indirect":
        return ` type ${this.unsigned()} table ${this.unsigned()}`;
      case "labels":
        return ` ${Array.from({ length: this.unsigned() + 1 }, () => this.unsigned()).join(" ")}`;
      case "i32":
      case "i64":
        return ` ${this.integer(true)}`;
      default:
        return ` ${this.float(kind === "f32" ? 4 : 8)}`;
    }
  }

  /** An operation of values, behind its first byte. */
  operation(first: number): string {
    const prefixed = first === PREFIX_MISC || first === PREFIX_SIMD;
    const number = prefixed ? this.unsigned() : 0;
    const bulk = first === PREFIX_MISC ? BULK[number] : undefined;
    if (bulk) {
      this.at += bulk.memories;
      return bulk.name;
    }
    const name = OPERATIONS.get(prefixed ? (first << 8) | number : first);
    if (name === undefined) return `unknown 0x${first.toString(16)} ${number}`;
    if (name === "v128.const" || name === "i8x16.shuffle") return `${name} ${this.hex(VECTOR_BYTES)}`;
    const memory = /load|store/.test(name) ? this.memory() : "";
    const lane = /_lane/.test(name) ? ` lane ${this.byte()}` : "";
    return name + memory + lane;
  }

  /** Alignment, which says nothing here, and offset. */
  private memory(): string {
    this.unsigned();
    const offset = this.unsigned();
    return offset === 0 ? "" : ` +${offset}`;
  }
}

function locals(reader: Reader): string[] {
  const groups = Array.from({ length: reader.unsigned() }, () => {
    const count = reader.unsigned();
    return `${count} ${TYPES.get(reader.byte()) ?? "?"}`;
  });
  return groups.length > 0 ? [`locals: ${groups.join(", ")}`] : [];
}

function body(reader: Reader, end: number): string[] {
  const lines = locals(reader);
  let depth = 1;
  while (reader.at < end) {
    const first = reader.byte();
    const control = CONTROL[first];
    const text = control ? control[0] + reader.immediate(control[1]) : reader.operation(first);
    if (CLOSES.has(first)) depth--;
    lines.push("  ".repeat(depth) + text);
    if (OPENS.has(first)) depth++;
  }
  return lines;
}

/** The functions of a module. Locals and callees are numbers: parameters come first, and imports. */
export function disassemble(module: Uint8Array): string[] {
  const reader = new Reader(module, HEADER_BYTES);
  while (reader.at < module.length) {
    const section = reader.byte();
    const length = reader.unsigned();
    if (section !== CODE_SECTION) {
      reader.at += length;
      continue;
    }
    return Array.from({ length: reader.unsigned() }, () => {
      const size = reader.unsigned();
      return body(reader, reader.at + size);
    }).flat();
  }
  return [];
}
