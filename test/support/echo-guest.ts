/** A kernel that says "ready", sends back what it is sent, and halts at a "q". */
import { pvhElf } from "./qemu/pvh-elf.js";

const LOAD = 0x10_0000;
const TEXT_AT = 0x100;
const SIZE = 0x200;

function u32(value: number): number[] {
  return [0, 8, 16, 24].map((shift) => (value >>> shift) & 255);
}

/** What it says first; the line's end behind it. */
export const READY = "ready";

/** An ELF file for PVH. */
export function echoGuest(): Uint8Array {
  const image = new Uint8Array(SIZE);
  const text = new TextEncoder().encode(`${READY}\r\n`);
  image.set(text, TEXT_AT);
  image.set([
    // mov esi, text; mov ecx, length; mov dx, 0x3f8; rep outsb
    ...[0xbe, ...u32(LOAD + TEXT_AT), 0xb9, ...u32(text.length), 0x66, 0xba, 0xf8, 3, 0xf3, 0x6e],
    // again: mov dx, 0x3fd; wait: pause; in al, dx; test al, 1; jz wait
    ...[0x66, 0xba, 0xfd, 3, 0xf3, 0x90, 0xec, 0xa8, 1, 0x74, 0xf9],
    // mov dx, 0x3f8; in al, dx; cmp al, "q"; je quit; out dx, al; jmp again
    ...[0x66, 0xba, 0xf8, 3, 0xec, 0x3c, 0x71, 0x74, 3, 0xee, 0xeb, 0xe9],
    // quit: cli; hlt
    ...[0xfa, 0xf4],
  ]);
  return pvhElf(LOAD, image, LOAD);
}
