/**
 * What each pass of the region compiler makes of small programs, from guest bytes to structured code, beside
 * test/fixtures/regions.txt, so that a change of a pass shows as a difference a person can judge. LOCORE_UPDATE_GOLDEN=1
 * rewrites the file.
 */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import path from "node:path";
import test from "node:test";
import { createWasmEngine } from "../../../src/engine/wasm/engine.js";
import { bareGuest, silentHost } from "../../isolation/bare-guest.js";
import { dword, eax, ebx, ecx, edi, esp, type Assembler } from "../../support/asm/index.js";
import { repositoryRoot, repositoryText } from "../../support/repository.js";

const FIXTURE = "test/fixtures/regions.txt";
const DATA = 0x20000;
const HANDLER = 0x8000;
const BUDGET = 5_000;
/** Instructions between two looks for what to compile. */
const PIECE = 51;
const TURNS = 200;

/** Programs that run long enough for their branches to be known, and halt. */
const PROGRAMS: Record<string, (a: Assembler) => void> = {
  "a loop that stores": (a) => {
    a.mov(edi, DATA).mov(ecx, TURNS);
    a.label("again").add(dword(edi), ecx).dec(ecx).jcc("ne", "again");
    a.hlt();
  },
  "ways that join, with flags behind them": (a) => {
    a.mov(ecx, TURNS).mov(eax, 0);
    a.label("again").test(ecx, 1).jcc("e", "even");
    a.add(eax, ecx).jmp("joined");
    a.label("even").sub(eax, ecx);
    a.label("joined").adc(ebx, 0);
    a.dec(ecx).jcc("ne", "again");
    a.hlt();
  },
  "a function that is called in a loop": (a) => {
    a.mov(ecx, TURNS).mov(eax, 1);
    a.label("again").call("double").dec(ecx).jcc("ne", "again");
    a.hlt();
    a.label("double").add(eax, eax).ret();
  },
  "nested loops, through the dispatcher": (a) => {
    a.mov(ecx, TURNS).mov(eax, 0);
    a.label("outer").mov(ebx, 3);
    a.label("inner").inc(eax).dec(ebx).jcc("ne", "inner");
    a.dec(ecx).jcc("ne", "outer");
    a.hlt();
  },
  "an instruction that is left to the interpreter": (a) => {
    a.mov(edi, TURNS);
    a.label("again").mov(eax, 0).cpuid().mov(dword(esp), eax).dec(edi).jcc("ne", "again");
    a.hlt();
  },
};

/** Of this one the code is shown too, of the others what it is made by. */
const WITH_CODE = "a loop that stores";
const CODE_SECTIONS = /── (nodes|structure|wasm) ──\n[^]*?\n\n(?=──|$)/g;

interface Dump {
  text: string;
  wasm: Uint8Array;
}

/** Transfers within a region. */
function transfers({ text }: Dump): number {
  return [...text.matchAll(/→/g)].length;
}

/** The region of a program that knows most of its branches, and the last of these. */
function regionOf(program: (a: Assembler) => void): Dump {
  let chosen: Dump | undefined;
  const engine = createWasmEngine({
    jit: "on",
    eager: true,
    dumpRegion: (text, wasm) => {
      const dump = { text, wasm };
      if (!chosen || transfers(dump) >= transfers(chosen)) chosen = dump;
    },
  });
  const { vm, cpu } = bareGuest(program, { all: HANDLER }, silentHost(), undefined, engine);
  let exit = cpu.run(PIECE);
  while (exit.reason === "budget" && cpu.instructions < BUDGET) exit = cpu.run(PIECE);
  assert.equal(exit.reason, "halt");
  vm.dispose();
  assert.ok(chosen, "a region was compiled");
  return chosen;
}

test("R3.10 every pass of the region compiler reads as test/fixtures/regions.txt says", () => {
  const texts = Object.entries(PROGRAMS).map(([name, program]) => {
    const { text } = regionOf(program);
    assert.ok(!text.includes("?"), `${name}: every value is defined where it is used`);
    return `════ ${name} ════\n\n${name === WITH_CODE ? text : text.replaceAll(CODE_SECTIONS, "")}`;
  });
  const all = texts.join("");
  if (process.env["LOCORE_UPDATE_GOLDEN"] === "1") writeFileSync(path.join(repositoryRoot, FIXTURE), all);
  assert.equal(all, repositoryText(FIXTURE));
});

test("R3.10 the module that is dumped with a region is a valid one", () => {
  for (const program of Object.values(PROGRAMS)) {
    assert.ok(WebAssembly.validate(regionOf(program).wasm as BufferSource));
  }
});
