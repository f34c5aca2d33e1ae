/** A module of Linux that oopses when it is loaded: a real one whose first instruction stores to address 0. */
import type { ElfFile } from "../../src/formats/elf/header.js";
import { readElfHeader } from "../../src/formats/elf/header.js";
import { readSections, readSymbols, type ElfSection } from "../../src/formats/elf/sections.js";

const SHT_RELA = 4;
const RELA_BYTES = 24;
/** Where an entry of SHT_RELA has its type; R_X86_64_NONE is 0. */
const RELA_TYPE = 8;
const STORE_TO_ZERO = [0xc7, 0x04, 0x25, 0, 0, 0, 0, 0, 0, 0, 0];

function ofCode({ sections }: { sections: readonly ElfSection[] }, file: ElfFile): [ElfSection, number] {
  for (const { name, section, value } of readSymbols(file, sections))
    if (name === "init_module") return [sections[section]!, Number(value)];
  throw new Error("a module without init_module");
}

/** `module` with another beginning of its init function, to which no relocation is applied. */
export function oopsing(module: Uint8Array): Uint8Array {
  const bytes = module.slice();
  const { file, header } = readElfHeader(bytes);
  const table = readSections(file, header);
  const [code, start] = ofCode(table, file);
  for (const section of table.sections) {
    if (section.type !== SHT_RELA || section.name !== `.rela${code.name}`) continue;
    const view = new DataView(bytes.buffer, Number(section.offset), Number(section.size));
    for (let at = 0; at < view.byteLength; at += RELA_BYTES) view.setUint32(at + RELA_TYPE, 0, true);
  }
  bytes.set(STORE_TO_ZERO, Number(code.offset) + start);
  return bytes;
}
