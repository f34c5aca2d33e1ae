/**
 * One kernel in v86, in a process of its own: v86's assertions end whoever runs it. Prints one line of JSON when the kernel has
 * written to the debug-exit port, when v86 gives up, or when nothing has happened for a while. Arguments: v86's option, that while in milliseconds, then files:
 * the kernel, a BIOS, a VGA BIOS.
 */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { LogLevel, V86 as Emulator } from "v86";
import { EXIT_PORT } from "./x86-collection.js";

/** What v86's types do not have. */
interface Inside {
  v86: {
    cpu: { io: { register_write(port: number, device: object, write: (value: number) => void): void } };
  };
}

const BUILD = new URL("../../../node_modules/v86/build/", import.meta.url);
const MEMORY = 2 ** 27;
const ALL_MESSAGES = 0x7fff_ffff as LogLevel;
/** What v86 says of a kernel comes first. */
const MOST_LINES = 500;
const [option, patience, ...files] = process.argv.slice(2);

const said: string[] = [];
const answer = (more: object): void => {
  process.stdout.write(`${JSON.stringify({ said, ...more })}\n`, () => process.exit(0));
};
console.log = (...words: unknown[]) => {
  if (said.length < MOST_LINES) said.push(words.join(" "));
};
console.assert = (held?: boolean, ...words: unknown[]) => {
  if (held !== true) said.push(`Assertion failed: ${words.join(" ")}`);
};
console.trace = () => undefined;
process.on("uncaughtException", (error: unknown) => answer({ thrown: String(error) }));

/** As v86 takes files. */
const buffers = files.map((file) => ({ buffer: Uint8Array.from(readFileSync(file)).buffer }));
const { V86 } = (await import(new URL("libv86-debug.mjs", BUILD).href)) as { V86: typeof Emulator };
const emulator = new V86({
  wasm_path: fileURLToPath(new URL("v86-debug.wasm", BUILD)),
  [option]: buffers[0],
  bios: buffers[1],
  vga_bios: buffers[2],
  memory_size: MEMORY,
  autostart: false,
  log_level: ALL_MESSAGES,
  disable_speaker: true,
});
emulator.add_listener("emulator-ready", () => {
  const { io } = (emulator as unknown as Inside).v86.cpu;
  io.register_write(EXIT_PORT, {}, (value) => answer({ exit: value }));
  void emulator.run();
});
setTimeout(() => answer({}), Number(patience));
