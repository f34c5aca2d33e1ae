/**
 * R2.3 the verdicts about v86 held to v86 itself, its debug build with SeaBIOS: the whole collection, sound and broken. What a
 * verdict says is taken ends by the guest's own debug-exit; what is refused never runs, with the verdict's words.
 */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import test from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { x86Verdicts, type Verdict } from "../../src/verdicts/index.js";
import { requireGuest } from "../support/requires.js";
import { brokenKernels, EXIT_VALUE, recognised, soundKernels, type Sample } from "./x86-collection.js";

const CHILD = fileURLToPath(new URL("v86-child.js", import.meta.url));
const AT_ONCE = 2;
/** How long is waited for a kernel that should end by itself, and for one that should not. */
const PATIENCE_MS = { takes: 60_000, refuses: 5_000, blind: 5_000 } as const;
const LIMIT_MS = 120_000;
const SIGNATURE = { offset: 0x202, text: "HdrS" };

interface Ran {
  readonly said: readonly string[];
  readonly exit?: number;
  readonly thrown?: string;
}

function verdictOf(bytes: Uint8Array): Verdict {
  const image = recognised(bytes);
  const verdict = x86Verdicts(image?.bytes ?? bytes, image).find(({ loader }) => loader.name === "v86");
  assert.ok(verdict);
  return verdict;
}

/** The option that a person would give such a file with. */
function optionFor(bytes: Uint8Array): "bzimage" | "multiboot" {
  const { offset, text } = SIGNATURE;
  return Buffer.from(bytes).toString("latin1", offset, offset + text.length) === text
    ? "bzimage"
    : "multiboot";
}

/** What v86 does otherwise than the verdict says; undefined where they agree. */
function difference(
  { outcome, prints, rule, reason }: Verdict,
  { said, exit, thrown }: Ran,
): string | undefined {
  const words = [...said, thrown ?? ""].join("\n");
  const missing = prints.filter((text) => !words.includes(text));
  const value = reason.includes("real mode") ? EXIT_VALUE.real : EXIT_VALUE.flat32;
  const agree =
    outcome === "takes"
      ? exit === value
      : outcome === "refuses"
        ? exit === undefined && missing.length === 0 && (prints.length > 0 || thrown !== undefined)
        : !/Bad checksum|header not found/.test(words);
  const seen = said.filter((line) => /checksum|ultiboot|elf|ssert/.test(line));
  return agree
    ? undefined
    : `${outcome} by ${rule ?? ""} ${JSON.stringify(prints)}; v86: exit ${exit ?? "none"}, ${thrown ?? "nothing thrown"}, ${JSON.stringify(seen)}`;
}

test("R2.3 v86 does with the whole collection what the verdicts say", async (t) => {
  const seabios = await requireGuest(t, "seabios");
  if (seabios === undefined) return;
  const folder = mkdtempSync(path.join(tmpdir(), "locore-v86-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const waiting = [...soundKernels(), ...brokenKernels()].map((sample, i) => ({ sample, i }));
  const wrong: string[] = [];
  const ask = async ({ name, bytes }: Sample, i: number): Promise<void> => {
    const file = path.join(folder, String(i));
    writeFileSync(file, bytes);
    const patience = String(PATIENCE_MS[verdictOf(bytes).outcome]);
    const words = [
      CHILD,
      optionFor(bytes),
      patience,
      file,
      seabios.files["bios-128k"],
      seabios.files["vgabios"],
    ];
    const { stdout } = await promisify(execFile)(process.execPath, words, { timeout: LIMIT_MS });
    const fault = difference(verdictOf(bytes), JSON.parse(stdout) as Ran);
    if (fault !== undefined) wrong.push(`${name}: ${fault}`);
  };
  const work = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift())
      await ask(next.sample, next.i);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  assert.deepEqual(wrong, []);
});
