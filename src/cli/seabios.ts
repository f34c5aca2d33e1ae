/**
 * Where SeaBIOS is found when a command line says "on" instead of naming a file: what this host has installed, else the
 * catalogue's package. Decides nothing about machines.
 */
import { access } from "node:fs/promises";
import path from "node:path";
import { GuestError, pullGuest } from "../guests/index.js";
import { UsageError } from "./args.js";

/** The parts of SeaBIOS, by the options that name them. */
export type SeabiosPart = "bios" | "vgabios";

const FILES: Record<SeabiosPart, string> = { bios: "bios-256k.bin", vgabios: "vgabios-isavga.bin" };
/** Debian, Ubuntu and Alpine; Fedora; what QEMU brings along. */
const FOLDERS = ["/usr/share/seabios", "/usr/share/qemu", "/usr/share/qemu-kvm"];

async function isThere(file: string): Promise<boolean> {
  try {
    await access(file);
    return true;
  } catch {
    return false;
  }
}

/** The path of a part; `signal` breaks off fetching it. Throws UsageError where there is none and it cannot be fetched. */
export async function findSeabios(part: SeabiosPart, signal?: AbortSignal): Promise<string> {
  for (const folder of FOLDERS) {
    const file = path.join(folder, FILES[part]);
    if (await isThere(file)) return file;
  }
  try {
    return (await pullGuest("seabios", signal === undefined ? {} : { signal })).files[part];
  } catch (error) {
    if (!(error instanceof GuestError)) throw error;
    throw new UsageError(
      `-o loader.${part}=on: there is no SeaBIOS here (${FOLDERS.join(", ")}), and it cannot be fetched: ${error.message}`,
      `name its file: -o loader.${part}=${FILES[part]}`,
    );
  }
}
