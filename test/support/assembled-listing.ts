/** Listings of machine code against GNU as. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import type { TestContext } from "node:test";
import { codeBytes, codeSize, type ListedLine } from "../../src/x86/code-listing.js";
import { requireTool } from "./requires.js";

/** A value for every name of a listing: such that no assembler finds a shorter form. */
function sampleValues(lines: readonly ListedLine[]): Record<string, bigint> {
  const values: Record<string, bigint> = {};
  for (const { parts } of lines)
    for (const part of parts)
      if (typeof part !== "number")
        values[part.value] = { 2: 0x1234n, 4: 0x12345678n }[part.size] ?? 0x123456789abcdef0n;
  return values;
}

/** What GNU as makes of a listing's assembly. */
function assembled(as: string, lines: readonly ListedLine[], bits: 16 | 32 | 64): Uint8Array {
  const values = sampleValues(lines);
  const text = lines.map(({ assembly }) =>
    assembly.replace(/<(\w+)>/g, (_, name: string) => `0x${values[name].toString(16)}`),
  );
  // GNU as writes a far jump as ljmp selector, offset.
  const source = text.map((line) => line.replace(/^jmp (0x\w+):(0x\w+)$/, "ljmp $1, $2"));
  const folder = mkdtempSync(path.join(tmpdir(), "locore-as-"));
  try {
    const [file, object, binary] = ["a.s", "a.o", "a.bin"].map((name) => path.join(folder, name));
    writeFileSync(file, [".intel_syntax noprefix", `.code${bits}`, ...source, ""].join("\n"));
    const made = spawnSync(as, [bits === 64 ? "--64" : "--32", "-o", object, file], { encoding: "utf8" });
    assert.equal(made.status, 0, made.stderr);
    const copied = spawnSync("objcopy", ["-O", "binary", "-j", ".text", object, binary], {
      encoding: "utf8",
    });
    assert.equal(copied.status, 0, copied.stderr);
    return readFileSync(binary);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Asserts that the bytes of a listing are what GNU as makes of the assembly beside them; skips the test where there is no as. */
export function assertAssembled(t: TestContext, lines: readonly ListedLine[], bits: 16 | 32 | 64): void {
  const as = requireTool(t, "as");
  if (!as || !requireTool(t, "objcopy")) return;
  const wanted = Buffer.from(codeBytes(lines, sampleValues(lines))).toString("hex");
  const found = Buffer.from(assembled(as, lines, bits)).subarray(0, codeSize(lines));
  assert.equal(found.toString("hex"), wanted);
}
