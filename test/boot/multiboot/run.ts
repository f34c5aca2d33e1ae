/** Runs a conformance guest on the built-in engine; wraps it in the file formats that Multiboot takes. */
import { buildPlan } from "../../../src/boot/index.js";
import type { BootOptions } from "../../../src/boot/options.js";
import type { Plan } from "../../../src/boot/plan.js";
import { loadEngine } from "../../../src/host/node/engines.js";
import { runToEnd } from "../../../src/host/run.js";
import { SHT } from "../../../src/spec/elf.js";
import { makeElf } from "../../support/images.js";
import { Report, type Guest } from "./guest.js";

export const SYMBOLS = new Uint8Array(64).fill(0x5a);
/** A section without an address that the kernel is to find in memory. */
const SECTIONS = [
  { name: ".symtab", type: SHT.SYMTAB, bytes: SYMBOLS, align: 16 },
  { name: ".comment", type: SHT.PROGBITS, bytes: new TextEncoder().encode("made by hand\0"), align: 1 },
];

/** The guest as an ELF file of either class, with sections. `virtual` is added to its virtual addresses. */
export function elfOf(guest: Guest, elfClass: 32 | 64, virtual = 0): Uint8Array {
  const { address, bytes, size, entry } = guest;
  return makeElf({
    elfClass,
    entry: entry + virtual,
    segments: [{ vaddr: address + virtual, paddr: address, bytes, memsz: size }],
    sections: SECTIONS,
  });
}

/** Boots a kernel and reads what it reported. */
export async function reportOf(
  kernel: Uint8Array,
  options: Partial<BootOptions> = {},
): Promise<{ plan: Plan; report: Report }> {
  const plan = buildPlan({
    kernel: { name: "/some where/guest.elf", bytes: kernel },
    memory: 64 * 1024 * 1024,
    commandLine: "one two",
    clock: { deterministic: { nsPerInstruction: 10 } },
    ...options,
  });
  const blocks: Buffer[] = [];
  runToEnd({
    plan,
    engine: await loadEngine("wasm"),
    console: {
      write: (bytes) => void blocks.push(Buffer.from(bytes)),
      read: () => new Uint8Array(0),
      inputOpen: () => false,
    },
    hostNow: () => performance.now() * 1e6,
    wait: () => undefined,
    maxInstructions: 2_000_000,
  });
  return { plan, report: new Report(Buffer.concat(blocks).toString("latin1")) };
}
