/**
 * One module of Linux as it lies in a file: unpacked, and what it says of itself. Knows no folder and no package.
 *
 * A module is an ELF file; its section .modinfo has texts `key=value`, each ended by NUL (include/linux/module.h).
 */
import { CodecError } from "../../codecs/codec-error.js";
import { decompress } from "../../codecs/decompress.js";
import { identifyCodec } from "../../codecs/identify.js";
import { FormatError } from "../../formats/format-error.js";
import { readElfHeader } from "../../formats/elf/header.js";
import { readSections, sectionView } from "../../formats/elf/sections.js";
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

/** Names of the modules that have to be loaded before this one. Throws GuestError "damaged" for what is no module. */
export function moduleDependencies(name: string, module: Uint8Array): string[] {
  try {
    const { file, header } = readElfHeader(module);
    const found = readSections(file, header).sections.find((section) => section.name === MODINFO);
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
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    throw new GuestError("damaged", `module ${name}: ${error.message}`, { cause: error });
  }
}
