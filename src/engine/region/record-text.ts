/**
 * A decoded instruction as a line of text, for reports and dumps: the operation as the table names it, its operands
 * as the record holds them. Not an assembler's syntax: an address relative to RIP is shown relative to its page.
 */
import { PREFIX_REP, PREFIX_REPNE } from "../../spec/x86-encoding.js";
import { SEGMENT_NAMES } from "../../x86/cpu-state.js";
import * as layout from "../x86/layout.js";
import { OPERATIONS, type Operand } from "../x86/operands.js";
import { FPU_REGISTER_STRIDE } from "../x86/x87/state.js";
import type { DecodedRecord } from "./decoded-record.js";

const WORDS = "ax cx dx bx sp bp si di".split(" ");
const LOW_BYTES = "al cl dl bl spl bpl sil dil".split(" ");
const HIGH_BYTES = "ah ch dh bh".split(" ");
const SIZES: Record<number, string> = { 1: "byte", 2: "word", 4: "dword", 8: "qword", 16: "xmmword" };
const REPEATS: Record<number, string> = { [PREFIX_REPNE]: "repne ", [PREFIX_REP]: "rep " };
const SUFFIX: Record<number, string> = { 1: "b", 2: "w", 4: "d", 8: "" };

function registerName(offset: number, size: number): string {
  const number = offset >> 3;
  if (offset & 1) return HIGH_BYTES[number];
  if (number >= WORDS.length) return `r${number}${SUFFIX[size] ?? ""}`;
  if (size === 1) return LOW_BYTES[number];
  if (size === 2) return WORDS[number];
  return (size === 8 ? "r" : "e") + WORDS[number];
}

function hex(value: number | bigint): string {
  return value < 0 ? `-0x${(-value).toString(16)}` : `0x${value.toString(16)}`;
}

function addressText(record: DecodedRecord): string {
  const size = Math.max(4, record.addressSize);
  const parts: string[] = [];
  if (record.b === layout.PAGE_RIP) parts.push("page");
  else if (record.b < layout.ZERO_SLOT) parts.push(registerName(record.b, size));
  if (record.x < layout.ZERO_SLOT) parts.push(`${registerName(record.x, size)}*${2 ** record.scale}`);
  const { displacement } = record;
  if (displacement !== 0 || parts.length === 0)
    parts.push(parts.length === 0 ? hex(displacement >>> 0) : hex(displacement));
  const segment = record.segment >> 3;
  const prefix = segment < SEGMENT_NAMES.length && segment !== layout.DS ? `${SEGMENT_NAMES[segment]}:` : "";
  return `${prefix}[${parts.join("+").replaceAll("+-", "-")}]`;
}

function slotOf(record: DecodedRecord, field: "a" | "b" | "v"): number {
  return { a: record.a, b: record.b, v: record.v }[field];
}

function operandText(record: DecodedRecord, operand: Operand): string {
  switch (operand.kind) {
    case "register":
      return registerName(slotOf(record, operand.field), operand.size);
    case "memory":
      return `${SIZES[operand.size] ?? ""} ${addressText(record)}`.trim();
    case "xmm":
      return `xmm${(slotOf(record, operand.field) - layout.XMM) / layout.XMM_STRIDE}`;
    case "mmx":
      return `mmx${(slotOf(record, operand.field) - layout.FPU) / FPU_REGISTER_STRIDE}`;
    case "immediate":
      return hex(record.immediate);
    case "cl":
      return "cl";
    case "relative":
      return `page${record.immediate < 0n ? "" : "+"}${hex(record.immediate)}`;
  }
}

/** The instruction's text, e.g. `add rax, qword [rbx+rcx*8+0x10]`. */
export function recordText(record: DecodedRecord): string {
  const operation = OPERATIONS.list[record.operation];
  const operands = operation.operands.map((operand) => operandText(record, operand)).join(", ");
  return `${REPEATS[record.repeat] ?? ""}${operation.mnemonic} ${operands}`.trim();
}
