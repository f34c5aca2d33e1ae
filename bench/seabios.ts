/** Where Debian's package `seabios` puts the firmware that v86 needs. */
import { existsSync } from "node:fs";

export const SEABIOS = "/usr/share/seabios/bios.bin";
export const SEABIOS_VGA = "/usr/share/seabios/vgabios-stdvga.bin";

/** Why v86 cannot be used here, or undefined. */
export function seabiosMissing(): string | undefined {
  const missing = [SEABIOS, SEABIOS_VGA].find((file) => !existsSync(file));
  return missing === undefined ? undefined : `${missing} is missing (Debian's package seabios)`;
}
