/**
 * v86 (npm `v86`) as a monitor with a command line: boots a bzImage with its console on standard output, so that it is
 * measured as every other peer is. Its BIOS is SeaBIOS, as Debian's package installs it.
 *
 * usage: node v86-monitor.js KERNEL INITRD MEMORY_MIB COMMAND_LINE
 */
import { readFileSync, writeSync } from "node:fs";
import { createRequire } from "node:module";
import { SEABIOS, SEABIOS_VGA } from "./seabios.js";

const MIB = 1024 * 1024;
const STDOUT = 1;

/** A file as v86 wants it. */
function image(path: string): { buffer: ArrayBuffer } {
  const bytes = readFileSync(path);
  return { buffer: bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) };
}

const [kernel, initrd, memoryMib, commandLine] = process.argv.slice(2);
const { V86 } = await import("v86");
const emulator = new V86({
  wasm_path: createRequire(import.meta.url).resolve("v86/build/v86.wasm"),
  bios: image(SEABIOS),
  vga_bios: image(SEABIOS_VGA),
  memory_size: Number(memoryMib) * MIB,
  bzimage: image(kernel),
  initrd: image(initrd),
  cmdline: commandLine,
  autostart: true,
  disable_speaker: true,
});

/** Bytes of the console that are not written yet: written a line at a time. */
let line: number[] = [];
emulator.add_listener("serial0-output-byte", (byte) => {
  line.push(byte);
  if (byte !== "\n".charCodeAt(0)) return;
  writeSync(STDOUT, Uint8Array.from(line));
  line = [];
});
