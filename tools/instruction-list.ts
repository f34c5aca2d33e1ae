/**
 * Writes docs/instructions.md: every instruction form of the engine's table, whether it has semantics and where, and
 * which CPUID switch announces it. `node dist/tools/instruction-list.js` after a change of the table; a test compares.
 * Which feature an encoding belongs to is asked of iced-x86, not of our own table.
 */
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { CpuidFeature, Decoder, DecoderOptions } from "iced-x86";
import { VEX_MAP, type Form } from "../src/engine/x86/table/form.js";
import { everyForm } from "../src/engine/x86/table/forms.js";
import { HELPER_NAMES } from "../src/engine/x86/semantics/delegated.js";
import { SEMANTICS } from "../src/engine/x86/semantics/index.js";
import { X87_FIRST_OPCODE, lookupX87 } from "../src/engine/x86/x87/table.js";
import type { FeatureName } from "../src/spec/cpuid.js";
import { DEFAULT_CPU_FEATURES } from "../src/x86/cpu-features.js";

const FORMS = everyForm();

export type State = "generated" | "helper" | "undefined" | "missing";

export interface Row {
  form: Form;
  /** Opcode in the table's notation. */
  opcode: string;
  mnemonic: string;
  operands: string;
  state: State;
  /** The CPUID switches that must be on for guests to expect it. */
  switches: FeatureName[];
}

/** Switches by the reference's names of CPUID features; those that are not here are part of every x86-64 CPU. */
const SWITCHES: Record<string, FeatureName> = {
  FPU: "fpu",
  FPU287: "fpu",
  FPU387: "fpu",
  MMX: "mmx",
  SSE: "sse",
  SSE2: "sse2",
  SSE3: "sse3",
  SSSE3: "ssse3",
  SSE4_1: "sse4_1",
  SSE4_2: "sse4_2",
  ADX: "adx",
  AES: "aes",
  PCLMULQDQ: "pclmulqdq",
  SHA: "sha_ni",
  BMI1: "bmi1",
  BMI2: "bmi2",
  LZCNT: "abm",
  POPCNT: "popcnt",
  MOVBE: "movbe",
  CMOV: "cmov",
  CX8: "cx8",
  CMPXCHG16B: "cx16",
  CLFSH: "clflush",
  CLFLUSHOPT: "clflushopt",
  CLWB: "clwb",
  FSGSBASE: "fsgsbase",
  FXSR: "fxsr",
  INVPCID: "invpcid",
  MONITOR: "monitor",
  MSR: "msr",
  RDPID: "rdpid",
  RDRAND: "rdrand",
  RDSEED: "rdseed",
  RDTSCP: "rdtscp",
  SEP: "sep",
  SMAP: "smap",
  SYSCALL: "syscall",
  TSC: "tsc",
  XSAVE: "xsave",
  XSAVEC: "xsavec",
  XSAVEOPT: "xsaveopt",
};

const MAP_BYTES = [[], [0x0f], [0x0f, 0x38], [0x0f, 0x3a]];
const MAP_TITLES = ["One-byte opcodes", "0F", "0F 38", "0F 3A", "VEX", "VEX 0F", "VEX 0F 38", "VEX 0F 3A"];
const PREFIX_BYTES: Record<string, number[]> = { "": [], NP: [], "66": [0x66], F2: [0xf2], F3: [0xf3] };
/** Mandatory prefixes by VEX.pp. */
const VEX_PREFIXES = ["NP", "66", "F3", "F2"];
const LONGEST = 15;
const OPCODE_WIDTH = 18;
const REGISTER_FORM = 0xc0;

const hex = (byte: number): string => byte.toString(16).toUpperCase().padStart(2, "0");

/** A ModRM byte that the form accepts. */
function sampleModrm(form: Form): number {
  if (form.modrmByte >= 0) return form.modrmByte;
  const memory = form.rm === "m" || form.operands.some((o) => o.kind === "M");
  return (Math.max(form.extension, 0) << 3) | (memory ? 0 : REGISTER_FORM);
}

/** Prefixes and map: with VEX no register is extended, and the one it names is register 0 if the form has one. */
function leadingBytes(form: Form): number[] {
  if (form.map < VEX_MAP) return [...PREFIX_BYTES[form.prefix], ...MAP_BYTES[form.map]];
  const pp = Math.max(0, VEX_PREFIXES.indexOf(form.prefix));
  return [0xc4, 0xe0 | (form.map - VEX_MAP), 0x78 | (form.vectorLength << 2) | pp];
}

/** Bytes of one instruction of the form, zeros behind it. */
export function sample(form: Form): Uint8Array {
  const bytes = new Uint8Array(LONGEST);
  bytes.set([...leadingBytes(form), form.opcode, sampleModrm(form)]);
  return bytes;
}

function switchesOf(form: Form): FeatureName[] {
  const decoder = new Decoder(form.invalidIn64 ? 32 : 64, sample(form), DecoderOptions.ForceReservedNop);
  const instruction = decoder.decode();
  const names = [...instruction.cpuidFeatures()].map((feature) => SWITCHES[CpuidFeature[feature]]);
  instruction.free();
  decoder.free();
  return [...new Set(names.filter((name) => name !== undefined))];
}

/** Where the semantics of a mnemonic are. */
function stateOf(mnemonic: string): State {
  if (mnemonic === "ud") return "undefined";
  if (!(mnemonic in SEMANTICS)) return "missing";
  return HELPER_NAMES.includes(mnemonic) ? "helper" : "generated";
}

function opcodeText(form: Form, inOpcode: boolean): string {
  const map = MAP_BYTES[form.map % VEX_MAP].map((byte) => `${hex(byte)} `).join("");
  const length = form.vectorLength < 0 ? "" : `L${form.vectorLength} `;
  const prefix = length + (form.prefix === "" ? "" : `${form.prefix} `);
  const modrm =
    form.modrmByte >= 0 ? ` =${hex(form.modrmByte)}` : form.extension >= 0 ? `/${form.extension}` : "";
  return `${prefix}${map}${hex(form.opcode)}${inOpcode ? "+r" : ""}${modrm}${form.rm}`;
}

/** Whether the form is one of eight that differ in the register in their opcode, and which of them. */
function registerInOpcode(form: Form): number {
  return form.operands.some((o) => o.kind === "Z") ? form.opcode & 7 : -1;
}

/** Every form of the table, those of one line of it joined; x87 forms are not among them. */
export function instructionRows(): Row[] {
  return FORMS.filter((form) => form.mnemonic !== "x87" && registerInOpcode(form) <= 0).map((form) => ({
    form,
    opcode: opcodeText(form, registerInOpcode(form) === 0),
    mnemonic: form.mnemonic,
    operands: form.operands
      .map((o) => (o.kind.length > 1 || o.kind === "1" ? o.kind : o.kind + o.size))
      .join(","),
    state: stateOf(form.mnemonic),
    switches: switchesOf(form),
  }));
}

const switchText = (name: FeatureName): string => (DEFAULT_CPU_FEATURES[name] ? name : `${name} (off)`);

function line(row: Row): string {
  const modes = row.form.only64 ? "64" : row.form.invalidIn64 ? "16 32" : "";
  const columns = [
    row.opcode.padEnd(OPCODE_WIDTH),
    row.mnemonic.padEnd(14),
    row.operands.padEnd(12),
    modes.padEnd(6),
  ];
  return `${columns.join("")}${row.state.padEnd(11)}${row.switches.map(switchText).join(" ")}`.trimEnd();
}

/** Ranges of x87 encodings by mnemonic: memory forms as D8/0m, register forms as their ModRM bytes. */
function x87Lines(): string[] {
  const encodings = new Map<string, string[]>();
  const add = (mnemonic: string, encoding: string): void => {
    encodings.set(mnemonic, [...(encodings.get(mnemonic) ?? []), encoding]);
  };
  for (let opcode = X87_FIRST_OPCODE; opcode < X87_FIRST_OPCODE + 8; opcode++) {
    for (let reg = 0; reg < 8; reg++) {
      const memory = lookupX87(opcode, reg << 3);
      if (memory) add(memory.mnemonic, `${hex(opcode)}/${reg}m`);
      const names = Array.from(
        { length: 8 },
        (_, i) => lookupX87(opcode, REGISTER_FORM | (reg << 3) | i)?.mnemonic,
      );
      const [first] = names;
      if (first !== undefined && names.every((name) => name === first)) add(first, `${hex(opcode)}/${reg}r`);
      else {
        names.forEach((name, i) => {
          if (name !== undefined) add(name, `${hex(opcode)} =${hex(REGISTER_FORM | (reg << 3) | i)}`);
        });
      }
    }
  }
  return [...encodings]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, list]) => `${name.padEnd(12)}${list.join(", ")}`);
}

function section(title: string, lines: readonly string[]): string {
  return `## ${title}\n\n\`\`\`text\n${lines.join("\n")}\n\`\`\`\n`;
}

/** The page's text. */
export function instructionPage(): string {
  const rows = instructionRows();
  const count = (state: State): number => rows.filter((row) => row.state === state).length;
  const missing = [...new Set(rows.filter((row) => row.state === "missing").map((row) => row.mnemonic))];
  const maps = MAP_TITLES.flatMap((title, map) => {
    const inMap = rows.filter((row) => row.form.map === map).sort((a, b) => a.form.opcode - b.form.opcode);
    return inMap.length > 0 ? [section(title, inMap.map(line))] : [];
  });
  return [
    "# Instructions of the built-in engine\n",
    "Written by `tools/instruction-list.ts` from the engine's table; the notation is explained in",
    "`src/engine/x86/table/forms.ts`. Columns: opcode, mnemonic, operands, the code sizes it is limited to, where its",
    "semantics are, the CPUID switch that announces it (none: every x86-64 CPU has it). Where its switch is off a form raises",
    "#UD, or is what its bytes meant before: LZCNT is BSR then, TZCNT is BSF.\n",
    "- **generated**: semantics in `src/engine/x86/semantics/`, compiled into the interpreter.",
    "- **helper**: a TypeScript function in `src/engine/x86/system/` (or the x87 unit) that generated code calls.",
    "- **undefined**: raises #UD by definition.",
    "- **missing**: decoded, but without semantics; raises #UD and is reported once. Never announced by CPUID.\n",
    `${rows.length} forms besides x87: ${count("generated")} generated, ${count("helper")} helper, ` +
      `${count("undefined")} undefined, ${count("missing")} missing` +
      `${missing.length > 0 ? ` (${missing.join(", ")})` : ""}.\n`,
    ...maps,
    section("x87 (helper; some quick paths generated)", x87Lines()),
  ].join("\n");
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  writeFileSync(new URL("../../docs/instructions.md", import.meta.url), instructionPage());
}
