/**
 * Symbols of files: System.map ("ffffffff81000000 T _text", one a line) and the symbol table of an ELF file. A file has addresses as
 * the kernel was linked; a kernel that moved itself (KASLR) runs elsewhere: `slideOf` finds how far.
 */
import { ELF_MAGIC } from "../../spec/elf.js";
import { recognise } from "../../formats/index.js";
import type { CpuState } from "../../x86/cpu-state.js";
import { SymbolTable, type NamedAddress } from "./symbol-table.js";

const MAP_LINE = /^([0-9a-f]{1,16}) ([a-zA-Z?]) (\S{1,511})/;
const MOST_SYMBOLS = 1 << 21;
/** Where a system call enters the kernel for 64 bits: the MSR, and the functions' names. */
const MSR_LSTAR = 0xc000_0082;
const SYSTEM_CALLS = ["entry_SYSCALL_64", "fast_syscall", "Xfast_syscall", "Xsyscall"];
/** Symbols that tables of one kernel share. */
const ANCHORS = ["_stext", "_text", "startup_64", "start_kernel"];

/** The symbols of a file; undefined where it has none. Throws FormatError for a damaged ELF file. */
export function symbolsOfFile(bytes: Uint8Array): SymbolTable | undefined {
  const isElf = ELF_MAGIC.every((byte, i) => bytes[i] === byte);
  const symbols = isElf ? elfSymbols(bytes) : mapSymbols(bytes);
  return symbols.length === 0 ? undefined : new SymbolTable(isElf ? "ELF symbols" : "System.map", symbols);
}

function elfSymbols(bytes: Uint8Array): NamedAddress[] {
  const image = recognise(bytes);
  if (image.format !== "elf") return [];
  const symbols: NamedAddress[] = [];
  for (const { name, value } of image.symbols()) {
    if (name === undefined || name === "" || BigInt(value) === 0n) continue;
    symbols.push({ name, address: BigInt(value) });
    if (symbols.length >= MOST_SYMBOLS) break;
  }
  return symbols;
}

function mapSymbols(bytes: Uint8Array): NamedAddress[] {
  const symbols: NamedAddress[] = [];
  for (const line of new TextDecoder("latin1").decode(bytes).split("\n")) {
    const match = MAP_LINE.exec(line);
    if (match !== null) symbols.push({ name: match[3], address: BigInt(`0x${match[1]}`) });
    if (symbols.length >= MOST_SYMBOLS) break;
  }
  return symbols;
}

/** How far a kernel runs above where a file has it: by the names in its memory, or by where its system calls enter. */
export function slideOf(
  file: SymbolTable,
  running: SymbolTable | undefined,
  { msrs }: Pick<CpuState, "msrs">,
): bigint {
  for (const name of ANCHORS) {
    const [linked, runs] = [file.find(name), running?.find(name)];
    if (linked !== undefined && runs !== undefined) return runs - linked;
  }
  const entry = msrs[MSR_LSTAR] ?? 0n;
  for (const name of SYSTEM_CALLS) {
    const linked = file.find(name);
    if (linked !== undefined && entry !== 0n) return entry - linked;
  }
  return 0n;
}
