/**
 * Work for busybox in a guest, as data: what to put into its initramfs, shell lines that prepare, run and show the
 * result, and what the result must be. The guest prints a line before and one after each; the harness holds the clock.
 */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import type { AddedFile } from "../src/guests/index.js";
import { SEED, nextRandom, randomWords } from "./compute/random.js";

export interface Workload {
  name: string;
  /** How much of it. */
  what(scale: number): string;
  /** "storm" where it mostly enters and leaves the kernel. */
  bar: "workload" | "storm";
  /** Why it cannot be prepared here, or undefined. */
  missing?(): string | undefined;
  /** Files the guest finds under /bench. */
  files(scale: number): AddedFile[];
  prepare?(scale: number): string;
  /** What is timed. */
  command(scale: number): string;
  /** A command that prints the result on one line. */
  result: string;
  expected(scale: number): string;
}

const MIB = 1024 * 1024;
const MEBIBYTES_HASHED = 64;
const TEXT_BYTES = 4 * MIB;
const UNPACKED_BYTES = 8 * MIB;
const AWK_TURNS = 500_000;
const SORTED_LINES = 1_000_000;
const FORKS = 1_000;
const FOLDERS = 100;
const FILES_A_FOLDER = 100;
const SEARCHES = 10;

const scaled = (amount: number, scale: number): number => Math.max(1, Math.round(amount * scale));
const sha256 = (bytes: Uint8Array | string): string => createHash("sha256").update(bytes).digest("hex");
const digestOf = (file: string): string => `sha256sum ${file} | cut -d' ' -f1`;

const mebibytesOfText = (bytes: number): string => `${+(bytes / MIB).toFixed(1)} MiB of text`;
const millions = (count: number): string => `${+(count / 1e6).toFixed(2)} M`;

const noise = new Uint8Array(randomWords(MIB / 4).buffer);

/** Text of random words, frequent ones often: compresses about as well as prose. */
function text(bytes: number): Buffer {
  const words = Array.from(randomWords(4096), (v) => v.toString(36).slice(0, 2 + (v % 7)));
  const out = Buffer.alloc(bytes, 0x20);
  let random = SEED;
  for (let at = 0; at < bytes;) {
    random = nextRandom(random);
    const share = (random >>> 8) / 2 ** 24;
    at += out.write(words[Math.floor(share ** 3 * words.length)], at, "latin1") + 1;
    if ((random & 0x7000) === 0 && at < bytes) out[at - 1] = 0x0a;
  }
  return out;
}

/** Numbers in no order, one a line. */
function lines(count: number): string[] {
  return Array.from(randomWords(count), (v) => String(v >>> 8));
}

function awkSum(turns: number): number {
  let sum = 0;
  for (let i = 0; i < turns; i++) sum = (sum * 31 + i) % 1_000_003;
  return sum;
}

/** Compressed by the host's xz, which busybox cannot do. */
function xz(bytes: Uint8Array): Uint8Array {
  const run = spawnSync("xz", ["-c", "-6"], { input: bytes, maxBuffer: bytes.length + MIB });
  if (run.status !== 0) throw new Error(`xz: ${run.stderr.toString()}`);
  return run.stdout;
}

const found = Array.from({ length: FILES_A_FOLDER }, (_, i) => i).filter((i) => i % 10 === 7).length;

/** Every workload, in the order in which one boot runs them. */
export const WORKLOADS: readonly Workload[] = [
  {
    name: "sha256sum",
    what: (scale) => `${scaled(MEBIBYTES_HASHED, scale)} MiB`,
    bar: "workload",
    files: () => [{ to: "/bench/noise", bytes: noise }],
    prepare: (scale) =>
      `for i in $(seq ${scaled(MEBIBYTES_HASHED, scale)}); do cat /bench/noise; done >/tmp/in`,
    command: () => "sha256sum /tmp/in >/tmp/out",
    result: "cut -d' ' -f1 /tmp/out",
    expected: (scale) => {
      const hash = createHash("sha256");
      for (let i = 0; i < scaled(MEBIBYTES_HASHED, scale); i++) hash.update(noise);
      return hash.digest("hex");
    },
  },
  {
    name: "gzip",
    what: (scale) => mebibytesOfText(TEXT_BYTES * scale),
    bar: "workload",
    files: (scale) => [{ to: "/bench/text", bytes: text(scaled(TEXT_BYTES, scale)) }],
    command: () => "gzip </bench/text >/tmp/out",
    result: `gunzip </tmp/out >/tmp/in; ${digestOf("/tmp/in")}`,
    expected: (scale) => sha256(text(scaled(TEXT_BYTES, scale))),
  },
  {
    name: "unxz",
    what: (scale) => mebibytesOfText(UNPACKED_BYTES * scale),
    bar: "workload",
    missing: () => (spawnSync("xz", ["--version"]).status === 0 ? undefined : "xz is not installed"),
    files: (scale) => [{ to: "/bench/text.xz", bytes: xz(text(scaled(UNPACKED_BYTES, scale))) }],
    command: () => "unxz </bench/text.xz >/tmp/out",
    result: digestOf("/tmp/out"),
    expected: (scale) => sha256(text(scaled(UNPACKED_BYTES, scale))),
  },
  {
    name: "awk",
    what: (scale) => `a loop of ${millions(AWK_TURNS * scale)} turns`,
    bar: "workload",
    files: () => [],
    command: (scale) =>
      `awk 'BEGIN { for (i = 0; i < ${scaled(AWK_TURNS, scale)}; i++) s = (s * 31 + i) % 1000003; print s }' >/tmp/out`,
    result: "cat /tmp/out",
    expected: (scale) => String(awkSum(scaled(AWK_TURNS, scale))),
  },
  {
    name: "sort",
    what: (scale) => `${millions(SORTED_LINES * scale)} lines`,
    bar: "workload",
    files: (scale) => [
      { to: "/bench/lines", bytes: Buffer.from(lines(scaled(SORTED_LINES, scale)).join("\n") + "\n") },
    ],
    command: () => "sort /bench/lines >/tmp/out",
    result: digestOf("/tmp/out"),
    expected: (scale) => sha256(lines(scaled(SORTED_LINES, scale)).sort().join("\n") + "\n"),
  },
  {
    name: "fork loop",
    what: (scale) => `${scaled(FORKS, scale)} × fork, exec, wait`,
    bar: "storm",
    files: () => [],
    prepare: () => "n=0",
    command: (scale) =>
      `i=0; while [ $i -lt ${scaled(FORKS, scale)} ]; do /bin/true && n=$((n + 1)); i=$((i + 1)); done`,
    result: "echo $n",
    expected: (scale) => String(scaled(FORKS, scale)),
  },
  {
    name: "find",
    what: (scale) => `${SEARCHES} × in ${scaled(FOLDERS, scale) * FILES_A_FOLDER} files`,
    bar: "workload",
    files: () => [],
    prepare: (scale) =>
      `for d in $(seq ${scaled(FOLDERS, scale)}); do mkdir -p /tmp/tree/$d; ` +
      `for f in $(seq 0 ${FILES_A_FOLDER - 1}); do : >/tmp/tree/$d/$f; done; done`,
    command: () => `for i in $(seq ${SEARCHES}); do find /tmp/tree -type f -name '*7'; done >/tmp/out`,
    result: "wc -l </tmp/out",
    expected: (scale) => String(SEARCHES * found * scaled(FOLDERS, scale)),
  },
];
