/** `--gdb [WHERE][,wait][,arch=…]`: where a gdb may attach, and what it finds. */
import type { GdbOptions } from "../host/gdb-debugger.js";
import type { GdbPlace } from "../host/node/gdb-server.js";
import { UsageError, type Arguments, type OptionSpec } from "./args.js";

/** What is asked of a run about gdb. */
export interface GdbRequest extends GdbOptions {
  place: GdbPlace;
}

/** QEMU's too. */
export const USUAL_GDB_PORT = 1234;
const LAST_PORT = 65535;
const UNIX = "unix:";
const ARCHITECTURE = "arch=";
const ARCHITECTURES = { i386: "i386", "x86-64": "i386:x86-64" } as const;

export const GDB_OPTION: OptionSpec = {
  name: "gdb",
  value: "[WHERE]",
  optional: { standing: "", value: /^(\d+|wait|arch=[^,]*|none|null|stdio|pty|\w+:.*)(,.*)?$/ },
  repeats: true,
  values: /^(?!(?!unix:)\w+:|none$|null$|stdio$|pty$|.*,(server|nowait|nodelay|wait=))/,
  help:
    "let gdb attach to a port of this host (1234; 0 is any that is free) or to unix:PATH. Behind it, with commas: wait, the machine begins once " +
    "gdb lets it; arch=i386 or arch=x86-64, what gdb is to take it for",
};

/** Where a gdb finds the usual place. */
export const USUAL_GDB: GdbRequest = { place: { port: USUAL_GDB_PORT }, wait: false };

function readPlace(text: string): GdbPlace {
  if (text.startsWith(UNIX)) {
    const path = text.slice(UNIX.length);
    if (path !== "") return { path };
  }
  const port = /^\d+$/.test(text) ? Number(text) : NaN;
  if (port <= LAST_PORT) return { port };
  throw new UsageError(`--gdb ${text}: expected a port up to ${LAST_PORT}, or unix:PATH`);
}

/** Adds what one word says. */
function readWord(request: GdbRequest, word: string): void {
  const architecture = word.startsWith(ARCHITECTURE) ? word.slice(ARCHITECTURE.length) : undefined;
  if (word === "wait") request.wait = true;
  else if (architecture === undefined) request.place = readPlace(word);
  else if (architecture in ARCHITECTURES)
    request.architecture = ARCHITECTURES[architecture as keyof typeof ARCHITECTURES];
  else throw new UsageError(`--gdb ${word}: expected arch=i386 or arch=x86-64`);
}

/** Reads `GDB_OPTION`; each that was given adds what it says. Throws UsageError. */
export function readGdb(args: Arguments): GdbRequest | undefined {
  if (!args.has("gdb")) return undefined;
  const request: GdbRequest = { ...USUAL_GDB };
  for (const given of args.values("gdb"))
    for (const word of given.split(",").filter((one) => one !== "")) readWord(request, word);
  return request;
}
