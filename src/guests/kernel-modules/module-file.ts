/**
 * One module of Linux as it lies in a file: unpacked, and what it says of itself. Knows no folder and no package.
 *
 * A module is an ELF file; its section .modinfo has texts `key=value`, each ended by NUL (include/linux/module.h).
 */
import { CodecError } from "../../codecs/codec-error.js";
import { decompress } from "../../codecs/decompress.js";
import { identifyCodec } from "../../codecs/identify.js";
import { FormatError, reading } from "../../formats/format-error.js";
import { ELF, readElfHeader, type ElfFile } from "../../formats/elf/header.js";
import { readSections, sectionView, type ElfSection } from "../../formats/elf/sections.js";
import { ELF_MAGIC } from "../../spec/elf.js";
import { GuestError } from "../errors.js";

/** The largest modules are some ten MiB; with all their debug data some hundreds. */
const LARGEST_MODULE = 2 ** 29;
const MODINFO = ".modinfo";

/** A module by the name that Linux has for it, in which every hyphen is an underscore. */
export function moduleName(file: string): string {
  return file
    .replace(/^.*\//, "")
    .replace(/\.(ko|o)(\.(gz|xz|zst))?$/, "")
    .replaceAll("-", "_");
}

/** The module's own bytes, whatever it is packed with. Throws GuestError "damaged". */
export function unpackedModule(name: string, stored: Uint8Array): Uint8Array {
  const codec = identifyCodec(stored);
  if (codec === undefined) return stored;
  if (typeof codec !== "string")
    throw new GuestError(
      "damaged",
      `module ${name}: packed with ${codec.unsupported}, which is not read here`,
    );
  try {
    return decompress(codec, stored, { maxOutput: LARGEST_MODULE }).bytes;
  } catch (error) {
    if (!(error instanceof CodecError)) throw error;
    throw new GuestError("damaged", `module ${name}: ${error.message}`, { cause: error });
  }
}

/** What `look` finds in a module's sections. Throws GuestError "damaged" for what is no module. */
function inModule<T>(name: string, module: Uint8Array, look: (elf: ModuleElf) => T): T {
  try {
    return reading(ELF, `module ${name}`, () => {
      if (!ELF_MAGIC.every((byte, at) => module[at] === byte))
        throw new GuestError("damaged", `module ${name}: no ELF file, which every module is`);
      const { file, header } = readElfHeader(module);
      const { sections } = readSections(file, header);
      return look({ file, section: (wanted) => sections.find((section) => section.name === wanted) });
    });
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    throw new GuestError("damaged", `module ${name}: ${error.message}`, { cause: error });
  }
}

interface ModuleElf {
  file: ElfFile;
  section: (name: string) => ElfSection | undefined;
}

/** How a signed module ends, and how long what stands before that is (kernel/module_signature.c). */
const SIGNED = "~Module signature appended~\n";
const SIGNATURE_RECORD = 12;

/**
 * The module without its type information (BTF), for which the kernel would have to read all of its own: a fifth of a boot.
 * Its signature goes as well, as it covers that; the kernel counts the module as unsigned. Changes `module`.
 */
export function withoutTypes(name: string, module: Uint8Array): Uint8Array {
  const place = inModule(name, module, ({ file, section }) => {
    const types = section(".BTF");
    return types && types.headerOffset + file.layout.shdr.name;
  });
  if (place === undefined) return module;
  const data = new DataView(module.buffer, module.byteOffset, module.byteLength);
  // Without its first letter the name says nothing to the kernel.
  data.setUint32(place, data.getUint32(place, true) + 1, true);
  const marked = module.length - SIGNED.length;
  if (String.fromCharCode(...module.subarray(marked)) !== SIGNED) return module;
  const length = data.getUint32(marked - Uint32Array.BYTES_PER_ELEMENT);
  return module.subarray(0, Math.max(0, marked - SIGNATURE_RECORD - length));
}

/** Names of the modules that have to be loaded before this one. Throws GuestError "damaged" for what is no module. */
export function moduleDependencies(name: string, module: Uint8Array): string[] {
  return inModule(name, module, ({ file, section }) => {
    const found = section(MODINFO);
    if (found === undefined)
      throw new GuestError(
        "damaged",
        `module ${name}: an ELF file without ${MODINFO}, which every module has`,
      );
    const view = sectionView(file, found);
    const words = file.view.latin1(view.base, view.length).split("\0");
    return words
      .filter((word) => word.startsWith("depends="))
      .flatMap((word) => word.slice("depends=".length).split(","))
      .filter((each) => each !== "")
      .map(moduleName);
  });
}
