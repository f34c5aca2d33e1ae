/** Debian's 32-bit kernels, and a program for them: a 32-bit userspace small enough to write down. */
import assert from "node:assert/strict";
import test from "node:test";
import { assertEnd, bootKernel, lastWords, WITHOUT_CRYPTO_TESTS } from "../support/kernel-boot.js";
import { askFor, type Way } from "./protocols.js";

const LINE = "userspace: 32 bits\n";
const BASE = 0x08048000;
const HEADERS_SIZE = 52 + 32;

/** Little-endian bytes of a 32-bit word. */
function word(value: number): number[] {
  return [...new Uint8Array(Uint32Array.of(value).buffer)];
}

/** int 0x80 with a number and three arguments. */
function call(number: number, ebx: number, ecx: number, edx: number): number[] {
  const registers = [0xb8, ...word(number), 0xbb, ...word(ebx), 0xb9, ...word(ecx), 0xba, ...word(edx)];
  return [...registers, 0xcd, 0x80];
}

/** An i386 ELF program: write(1, LINE), then reboot(2) to power off. ELF specification 1.2, book I. */
function program(): Uint8Array {
  const [write, reboot] = [4, 88];
  const [magic1, magic2, powerOff] = [0xfee1dead, 0x28121969, 0x4321fedc];
  const code = (text: number): number[] => [
    ...call(write, 1, text, LINE.length),
    ...call(reboot, magic1, magic2, powerOff),
  ];
  const entry = BASE + HEADERS_SIZE;
  const body = [...code(entry + code(0).length), ...Buffer.from(LINE)];
  const size = HEADERS_SIZE + body.length;
  return Uint8Array.from([
    // e_ident: ELF, 32 bits, little-endian, version 1
    ...[0x7f, 0x45, 0x4c, 0x46, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0],
    // e_type EXEC, e_machine 386; e_version, e_entry, e_phoff, e_shoff, e_flags
    ...[2, 0, 3, 0, ...word(1), ...word(entry), ...word(52), ...word(0), ...word(0)],
    // e_ehsize, e_phentsize, e_phnum, e_shentsize, e_shnum, e_shstrndx
    ...[52, 0, 32, 0, 1, 0, 0, 0, 0, 0, 0, 0],
    // PT_LOAD from offset 0, readable and executable
    ...[1, 0, BASE, BASE, size, size, 5, 0x1000].flatMap(word),
    ...body,
  ]);
}

const KERNELS = {
  "debian-686-pae": {
    name: "Debian's 32-bit kernel with PAE",
    version: /Linux version \S+-686-pae /,
    paging: /NX \(Execute Disable\) protection: active/,
  },
  "debian-686": {
    name: "Debian's 32-bit kernel without PAE",
    version: /Linux version \S+-686 /,
    paging: /NX \(Execute Disable\) protection missing|non-PAE kernel/,
  },
};

/** Boots one of them to its own userspace and out again. */
export function testThirtyTwoBitKernel(guest: keyof typeof KERNELS, way: Way): void {
  const { name, version, paging } = KERNELS[guest];
  const requirement = way === "pvh" ? "R2.1" : "R1.2";
  test(`${requirement} by ${way}: ${name} runs a 32-bit program, which powers off`, async (t) => {
    const boot = await bootKernel(t, {
      guest,
      ...askFor(way),
      commandLine: `console=ttyS0 ${WITHOUT_CRYPTO_TESTS}`,
      initramfs: { files: [{ to: "/init", bytes: program(), mode: 0o755 }] },
    });
    if (boot === undefined) return;
    assert.match(boot.console, version, lastWords(boot.console));
    assert.match(boot.console, paging);
    assert.match(boot.console, /^userspace: 32 bits$/m, lastWords(boot.console));
    assertEnd(boot, "off", "acpi-s5", 0);
    const complaints = boot.console
      .split("\n")
      .filter((line) => /WARNING|\bBUG:|Call Trace|unchecked MSR/.test(line));
    assert.deepEqual(complaints, []);
  });
}
