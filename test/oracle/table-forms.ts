/**
 * Forms from the engine's own table: every line at every operand size, with register and with memory operand, in
 * 64-bit mode and in 32-bit compatibility mode. What a mnemonic needs in registers stands in `preparations.ts`;
 * what is left out altogether, in `exemptions.ts`.
 */
import { everyForm } from "../../src/engine/x86/table/forms.js";
import type { Form as TableForm } from "../../src/engine/x86/table/form.js";
import type { Case } from "./case.js";
import { choose, encode } from "./encode.js";
import type { Variant } from "./encode.js";
import { lanesOf } from "./float-state.js";
import type { Form } from "./form.js";
import { PREPARATIONS } from "./preparations.js";

const FORMS = everyForm();

const BRANCHES = new Set(["call_near", "jmp_near", "ret"]);

type Size = Variant["size"];

/** Operand sizes that a line has in a mode. */
function sizes(line: TableForm, mode: Form["mode"]): readonly Size[] {
  if (line.sizing === "") return [0];
  if (line.sizing === "y") return mode === 64 ? [4, 8] : [4];
  if (mode === 16) return line.prefix === "66" ? [4] : line.prefix === "NP" ? [2] : [2, 4];
  if (mode !== 64) return line.prefix === "66" ? [2] : line.prefix === "NP" ? [4] : [2, 4];
  if (line.force64) return [8];
  if (line.default64) return [2, 8];
  if (line.prefix === "66") return [2, 8];
  if (line.prefix === "NP") return [4, 8];
  return [2, 4, 8];
}

function kinds(line: TableForm): readonly boolean[] {
  if (line.modrmByte >= 0) return [false];
  if (line.operands.some((o) => o.kind === "O")) return [true];
  if (line.operands.some((o) => o.kind === "R")) return [false];
  if (line.rm === "m" || line.operands.some((o) => o.kind === "M")) return [true];
  if (line.rm === "r" || !line.hasModrm) return [false];
  return [false, true];
}

/** The text of a line as a person would look it up. */
function describe(line: TableForm): string {
  const opcode = line.opcode.toString(16).toUpperCase().padStart(2, "0");
  const map = ["", "0F ", "0F38 ", "0F3A "][line.map % 4];
  const vex = line.map >= 4 ? "VEX " : "";
  const prefix = line.prefix === "" || line.prefix === "NP" ? line.prefix : `${line.prefix} `;
  const extension = line.extension >= 0 ? `/${line.extension}` : "";
  const whole = line.modrmByte >= 0 ? ` =${line.modrmByte.toString(16)}` : "";
  const operands = line.operands.map((o) => o.kind + (o.kind.length > 1 ? "" : o.size)).join(",");
  return `${line.mnemonic} ${operands} [${vex}${prefix === "NP" ? "NP " : prefix}${map}${opcode}${extension}${whole}]`;
}

function makeForm(v: Variant, mode: Form["mode"], segmented: boolean, lines: readonly TableForm[]): Form {
  const { line } = v;
  const prepare = PREPARATIONS[line.mnemonic];
  const lanes = lanesOf(line.mnemonic);
  const size = v.size === 0 ? "" : ` ${8 * v.size}`;
  return {
    name: `${describe(line)}${size} ${v.memory ? "m" : "r"} ${mode}${segmented ? "s" : ""}`,
    mnemonic: line.mnemonic,
    covers: lines.map((l) => l.id),
    mode,
    segmented,
    ...(lanes !== undefined && { lanes }),
    apart: BRANCHES.has(line.mnemonic) || line.operands.some((o) => o.kind === "J"),
    build(c: Case): void {
      const choices = choose(c, v);
      prepare?.(c, choices, v);
      encode(c, v, choices);
      prepare?.after?.(c, choices, v);
    },
  };
}

/** Lines that differ only in the register that the opcode names count as one. */
function grouped(): TableForm[][] {
  const groups: TableForm[][] = [];
  for (const line of FORMS) {
    const last = groups.at(-1)?.[0];
    const named = line.operands.some((o) => o.kind === "Z");
    if (named && last?.mnemonic === line.mnemonic && last.map === line.map && (last.opcode ^ line.opcode) < 8)
      groups.at(-1)!.push(line);
    else groups.push([line]);
  }
  return groups;
}

/** INC and DEC of 32-bit code, whose opcodes are REX prefixes in 64-bit mode. */
const isRex = (line: TableForm, mode: 64 | 32): boolean =>
  mode === 64 && line.map === 0 && line.opcode >> 4 === 4;

/** All forms of the table that `wanted` lets through. */
export function tableForms(wanted: (line: TableForm, mode: 64 | 32) => boolean): Form[] {
  const forms: Form[] = [];
  for (const mode of [64, 32] as const) {
    for (const lines of grouped()) {
      const line = lines[0];
      if (!wanted(line, mode) || isRex(line, mode)) continue;
      for (const size of sizes(line, mode))
        for (const memory of kinds(line)) forms.push(makeForm({ line, size, memory }, mode, false, lines));
    }
  }
  return forms;
}

/** Mnemonics with operands in memory that ModRM does not name. */
const IMPLICIT = /^(push|pop|call|ret|enter|leave|xlat|movs|cmps|stos|lods|scas|ins|outs|maskmov|loop|j)/;

/**
 * Forms for segments with limits and types, in 32-bit and in 16-bit code: those of the one-byte and two-byte maps that
 * have something in memory, and all of the one-byte map in 16-bit code, whose operand sizes are the other way round.
 */
export function segmentedForms(wanted: (line: TableForm, mode: 64 | 32) => boolean): Form[] {
  const forms: Form[] = [];
  for (const lines of grouped()) {
    const line = lines[0];
    if (!wanted(line, 32) || line.only64 || line.map > 1) continue;
    for (const memory of kinds(line)) {
      const touches = memory || IMPLICIT.test(line.mnemonic);
      for (const mode of [32, 16] as const) {
        if (!touches && (mode === 32 || line.map !== 0)) continue;
        for (const size of sizes(line, mode)) forms.push(makeForm({ line, size, memory }, mode, true, lines));
      }
    }
  }
  return forms;
}
