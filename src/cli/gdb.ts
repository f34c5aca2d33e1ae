/** A place where gdb may attach, opened before the machine is made: one that is taken is said before anything runs. */
import { GDB_CHANNEL_BYTES } from "../host/gdb-frames.js";
import type { GdbServer } from "../host/node/gdb-server.js";
import type { SessionChannel } from "../host/node/session.js";
import { USUAL_GDB, type GdbRequest } from "./gdb-option.js";

/** How to attach. */
export function attachLine(server: GdbServer): string {
  return `locore: gdb -ex 'target remote ${server.target}' attaches; name the kernel's ELF file for symbols`;
}

/** Opens it and says how to come there. Rejects with GdbServerError. `say`: told a line at a time. */
export async function openGdb({ place, wait }: GdbRequest, say: (line: string) => void): Promise<GdbServer> {
  const { GdbServer } = await import("../host/node/gdb-server.js");
  const server = await GdbServer.open(place, (line) => say(`locore: ${line}`));
  say(attachLine(server) + (wait ? "; the machine waits for it" : ""));
  return server;
}

/** Opens the usual place, or another one where somebody has that: for who has not said where. Rejects with GdbServerError. */
export async function openGdbSomewhere(say: (line: string) => void): Promise<GdbServer> {
  try {
    return await openGdb(USUAL_GDB, say);
  } catch {
    return openGdb({ ...USUAL_GDB, place: { port: 0 } }, say);
  }
}

/** The session's channel of a server that is there, or may be later. */
export function gdbChannel(server: () => GdbServer | undefined): SessionChannel {
  return {
    capacity: GDB_CHANNEL_BYTES,
    output: (bytes) => server()?.take(bytes) ?? Promise.resolve(),
    onRoom: () => server()?.offer(),
  };
}
