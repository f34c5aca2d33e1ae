/** What an ELF object file says of itself as a Linux kernel module: its `.modinfo` section. Describes only. */
import { ET, SHT } from "../../spec/elf.js";
import type { Fact } from "../image.js";
import type { ElfImage } from "./elf.js";

type Described = Pick<ElfImage, "header" | "sections" | "bytes">;

const MODINFO = ".modinfo";
/** More than any module has. */
const MOST_BYTES = 65536n;
/** What is shown, of many. */
const SHOWN = ["name", "vermagic", "license", "description", "version", "depends", "firmware"];

interface ModuleEntry {
  readonly key: string;
  readonly value: string;
  readonly offset: number;
}

function entries({ header, sections, bytes }: Described): ModuleEntry[] {
  const section =
    header.type === ET.REL
      ? sections.find(({ name, type }) => name === MODINFO && type === SHT.PROGBITS)
      : undefined;
  if (section === undefined || section.size > MOST_BYTES) return [];
  if (section.offset + section.size > BigInt(bytes.length)) return [];
  const found: ModuleEntry[] = [];
  let at = Number(section.offset);
  for (const text of new TextDecoder("latin1")
    .decode(bytes.subarray(at, at + Number(section.size)))
    .split("\0")) {
    const equals = text.indexOf("=");
    if (equals > 0) found.push({ key: text.slice(0, equals), value: text.slice(equals + 1), offset: at });
    at += text.length + 1;
  }
  return found;
}

/** The name of the module; undefined for what is none. */
export function moduleName(image: Described): string | undefined {
  const all = entries(image);
  return (
    all.find(({ key }) => key === "name")?.value ??
    (all.some(({ key }) => key === "vermagic") ? "?" : undefined)
  );
}

/** Its facts; none for what is no module. */
export function moduleFacts(image: Described): Fact[] {
  return entries(image)
    .filter(({ key }) => SHOWN.includes(key))
    .map(({ key, value, offset }) => ({
      name: `module.${key}`,
      value,
      offset,
      meaning: "of a Linux kernel module",
    }));
}
