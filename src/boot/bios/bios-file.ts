/**
 * The BIOS that is to run before a kernel: must be PC firmware, and gives its bytes. Knows no platform.
 */
import { recognise } from "../../formats/index.js";
import type { FirmwareImage } from "../../formats/firmware/firmware.js";
import { BootError } from "../boot-error.js";
import type { NamedBytes } from "../options.js";

/** Throws FormatError, or BootError for a file that is something else. */
export function readBios(file: NamedBytes): FirmwareImage {
  const image = recognise(file.bytes);
  if (image.format === "firmware") return image;
  throw new BootError(`read the BIOS "${file.name}"`, {
    place: { kind: "file", offset: 0 },
    found: image.summary,
    expected: "raw PC firmware, such as SeaBIOS' bios-256k.bin",
    meaning: "loader.bios names the firmware that runs before the kernel, not the kernel.",
  });
}
