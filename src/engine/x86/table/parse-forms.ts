/**
 * Parses the listings of instruction forms.
 *
 * A line is `OPCODE MNEMONIC OPERANDS ATTRIBUTES`.
 * - Opcode: `L0` (VEX-encoded, VEX.L 0), optional mandatory prefix (`NP`: none of 66 F2 F3; `66`, `F2`, `F3`), bytes, then `/n` (ModRM.reg must
 *   be n), `m` or `r` (ModRM must name memory, or a register), `=xx` (the whole ModRM byte), `+r` (register in the
 *   low three bits).
 * - Operands: SDM appendix A.2 letters. `E` ModRM.rm, `G` ModRM.reg, `B` VEX.vvvv, `Z` register in the opcode, `M` memory, `R` rm
 *   register, `I` immediate (`Ib` sign-extended, `Iu` unsigned byte, `I2` second byte), `J` relative target, `O`
 *   absolute address, `S` segment register (`S0`–`S5` fixed), `C` `D` control and debug registers, `V W` XMM, `P Q`
 *   MMX, `A` far pointer; `AL rAX CL 1` as themselves. Sizes: b w d q bytes 1 2 4 8; v operand size; z operand size
 *   but at most 4; y 4 or 8; x 16; a 16 and aligned; p far pointer.
 * - A bare size letter (`b v z y`) is no operand: it only says what the operand size depends on.
 * - Attributes: `lock` LOCK allowed with a memory destination; `i64` invalid and `o64` valid only in 64-bit mode;
 *   `d64` default and `f64` forced 64-bit operand size there; `end` does not continue with the next instruction
 *   as a matter of course; `rep` string instruction; `edword` byte and word register operands are 32-bit; `?name` the
 *   CPUID feature that announces it, where `features.ts` cannot tell by the mnemonic.
 * - `mmx XX name` stands for the pair `NP 0F XX name Pq,Qq` and `66 0F XX name Vx,Wa`.
 */
import { FEATURE_BITS, type FeatureName } from "../../../spec/cpuid.js";
import { featuresOf } from "./features.js";
import { INTEGER_FORMS } from "./integer.js";
import { SSE_FORMS } from "./sse.js";
import { SYSTEM_FORMS } from "./system.js";
import { X87_FORMS } from "./x87.js";
import { VEX_MAP, type Form, type MandatoryPrefix, type OperandSpec, type Unit } from "./form.js";

const MODRM_KINDS = new Set(["E", "G", "M", "R", "S", "C", "D", "V", "W", "P", "Q"]);
const FIXED_OPERANDS = new Set(["AL", "rAX", "CL", "1", "-"]);

function parseOperand(text: string): OperandSpec | undefined {
  if (text === "-" || /^[bvzy]$/.test(text)) return undefined;
  if (FIXED_OPERANDS.has(text)) return { kind: text, size: text === "rAX" ? "v" : "b" };
  return { kind: text[0], size: text.slice(1) };
}

interface Opcode {
  map: number;
  opcode: number;
  prefix: MandatoryPrefix;
  vectorLength: number;
  extension: number;
  rm: "" | "m" | "r";
  modrmByte: number;
  inOpcode: boolean;
}

function parseOpcode(text: string): Opcode {
  const match =
    /^(?:L([01]) )?(?:(NP|66|F2|F3) )?(0F 38 |0F 3A |0F )?([0-9A-F]{2})(?:\/(\d))?(\+r)?(?: ?([mr]))?(?: ?=([0-9A-F]{2}))?$/.exec(
      text,
    );
  if (!match) throw new Error(`instruction table: cannot read opcode "${text}"`);
  const maps = ["", "0F ", "0F 38 ", "0F 3A "];
  return {
    vectorLength: match[1] === undefined ? -1 : Number(match[1]),
    prefix: (match[2] ?? "") as MandatoryPrefix,
    map: maps.indexOf(match[3] ?? "") + (match[1] === undefined ? 0 : VEX_MAP),
    opcode: parseInt(match[4], 16),
    extension: match[5] === undefined ? -1 : Number(match[5]),
    inOpcode: match[6] !== undefined,
    rm: (match[7] ?? "") as "" | "m" | "r",
    modrmByte: match[8] === undefined ? -1 : parseInt(match[8], 16),
  };
}

function sizingOf(sizeLetters: string): "" | "v" | "y" {
  if (/[vz]/.test(sizeLetters)) return "v";
  return sizeLetters.includes("y") ? "y" : "";
}

const SSE_STATE_MNEMONICS = new Set(["ldmxcsr", "stmxcsr"]);

function unitOf(mnemonic: string, operands: readonly OperandSpec[]): Unit {
  if (mnemonic === "x87") return "x87";
  if (mnemonic === "emms") return "mmx";
  if (SSE_STATE_MNEMONICS.has(mnemonic) || operands.some((o) => o.kind === "V" || o.kind === "W"))
    return "sse";
  return operands.some((o) => o.kind === "P" || o.kind === "Q") ? "mmx" : "integer";
}

/** The feature that an attribute names. */
function listedFeature(attributes: ReadonlySet<string>): FeatureName | undefined {
  const name = [...attributes].find((a) => a.startsWith("?"))?.slice(1);
  if (name !== undefined && !(name in FEATURE_BITS))
    throw new Error(`instruction table: no CPUID feature is called "${name}"`);
  return name as FeatureName | undefined;
}

function makeForms(line: string, firstId: number, sse: boolean): Form[] {
  const match = /^(.*?)\s+([a-z][a-z0-9_]+)\s+(\S+)(?:\s+(\S+))?$/.exec(line);
  if (!match) throw new Error(`instruction table: cannot read "${line}"`);
  const opcode = parseOpcode(match[1].trim());
  const texts = match[3].split(",");
  const attributes = new Set((match[4] ?? "").split(","));
  const operands = texts.map(parseOperand).filter((o) => o !== undefined);
  const bare =
    texts.filter((t) => /^[bvzy]$/.test(t)).join("") +
    [...attributes].filter((a) => /^[vy]$/.test(a)).join("");
  const branches = attributes.has("f64") || attributes.has("d64");
  const sizing = branches ? "v" : sizingOf(bare + operands.map((o) => o.size).join(""));
  const hasModrm =
    opcode.extension >= 0 ||
    opcode.rm !== "" ||
    opcode.modrmByte >= 0 ||
    operands.some((o) => MODRM_KINDS.has(o.kind) && !/^S[0-5]$/.test(o.kind + o.size));
  const unit = unitOf(match[2], operands);
  const features = featuresOf(
    { mnemonic: match[2], prefix: opcode.prefix, operands },
    listedFeature(attributes),
    sse,
  );
  const forms: Form[] = [];
  for (let i = 0; i < (opcode.inOpcode ? 8 : 1); i++) {
    forms.push({
      id: firstId + i,
      map: opcode.map,
      opcode: opcode.opcode + i,
      prefix: opcode.prefix,
      vectorLength: opcode.vectorLength,
      extension: opcode.extension,
      rm: opcode.rm,
      modrmByte: opcode.modrmByte,
      hasModrm,
      mnemonic: match[2],
      operands,
      sizing,
      lock: attributes.has("lock"),
      invalidIn64: attributes.has("i64"),
      only64: attributes.has("o64"),
      default64: attributes.has("d64"),
      force64: attributes.has("f64"),
      ends: attributes.has("end"),
      rep: attributes.has("rep"),
      dwordRegister: attributes.has("edword"),
      unit,
      features,
    });
  }
  return forms;
}

function expandMmx(line: string): string[] {
  const match = /^mmx (38_)?([0-9A-F]{2}) (\w+)$/.exec(line);
  if (!match) return [line];
  const bytes = `0F ${match[1] ? "38 " : ""}${match[2]}`;
  return [`NP ${bytes} ${match[3]} Pq,Qq`, `66 ${bytes} ${match[3]} Vx,Wa`];
}

/** Every form; the one with number `id` is at that index. Throws Error for a line that cannot be read. */
export function parseForms(): Form[] {
  const forms: Form[] = [];
  for (const listing of [INTEGER_FORMS, SYSTEM_FORMS, X87_FORMS, SSE_FORMS]) {
    for (const line of listing.split("\n").filter((l) => l.trim() !== "")) {
      for (const one of expandMmx(line.trim()))
        forms.push(...makeForms(one, forms.length, listing === SSE_FORMS));
    }
  }
  return forms;
}
