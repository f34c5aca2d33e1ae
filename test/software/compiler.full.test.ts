/**
 * Debian's GCC in the guest: it writes the assembly that it writes on the host, and what it builds there, checks of
 * integers, three floating-point formats, every vector instruction set, faults and threads, prints what the same
 * programs print on the host.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import path from "node:path";
import test from "node:test";
import type { AddedFile } from "../../src/guests/index.js";
import { repositoryRoot } from "../support/repository.js";
import { testSoftware, type Software } from "../support/software.js";

const LIMIT = 60e9;
const MEMORY = 1280 * 2 ** 20;
/** Sanitizers, profilers and plug-ins, which nothing here is linked with. */
const ASSUME = [
  "libasan8",
  "libasan6",
  "liblsan0",
  "libtsan2",
  "libubsan1",
  "libitm1",
  "libgprofng0",
  "libcc1-0",
  "libgomp1",
];
const SOURCES = ["check.h", "numbers.c", "vectors.c", "faults.c"];

const FILES: AddedFile[] = SOURCES.map((name) => ({
  to: `/c/${name}`,
  bytes: readFileSync(path.join(repositoryRoot, "test/software/c", name)),
}));

/** The library has code for FMA and AVX, which rounds differently now and then and which only the host can run. */
const SCRIPT = `
export GLIBC_TUNABLES=glibc.cpu.hwcaps=-AVX2,-FMA,-FMA4,-AVX,-AVX512F
cd /tmp
V="-msse4.2 -maes -mpclmul -msha -mbmi -mbmi2 -mlzcnt -mmovbe -madx -mpopcnt"
build() { # name source options...
  name=$1 source=$2; shift 2
  gcc -std=gnu11 "$@" -S -o $name.s /c/$source && echo "$name: $(busybox sha256sum <$name.s)"
  gcc "$@" -o $name $name.s -lm -pthread && ./$name
}
build numbers-O2 numbers.c -O2 -frounding-math
build vectors-O2 vectors.c -O2 $V
build vectors-O0 vectors.c -O0 $V
build faults faults.c -O1 -msse2
`;

/**
 * Linux 6.1 for 32 bits loses the NX bit of what a program maps (`vm_get_page_prot` keeps protections in an `unsigned
 * long`), under QEMU too: data can be executed there.
 */
const WITHOUT_NX = /^execution of data /;

/** x87 arithmetic is the rule for i386; the same checks once more in registers of 64 bits. */
const MORE: Record<NonNullable<Software["architecture"]>, string> = {
  amd64: "build numbers-O0 numbers.c -O0 -frounding-math\n",
  i386: "build numbers-sse numbers.c -O2 -frounding-math -msse2 -mfpmath=sse\n",
};

for (const [architecture, kernel] of [
  ["amd64", "debian-cloud"],
  ["i386", "debian-686-pae"],
  ["i386", "debian-13-cloud"],
] as const) {
  test(`R6.1 GCC for ${architecture} builds under ${kernel} what it builds on the host, and that computes the same`, async (t) => {
    const output = await testSoftware(
      t,
      {
        packages: ["gcc", "libc6-dev"],
        architecture,
        assume: ASSUME,
        files: FILES,
        script: SCRIPT + MORE[architecture],
      },
      {
        maxInstructions: LIMIT,
        memory: MEMORY,
        kernel,
        ...(kernel === "debian-686-pae" ? { except: WITHOUT_NX } : {}),
      },
    );
    if (output === undefined) return;
    for (const line of ["contexts", "x87 transcendental", "aes_and_pclmulqdq"])
      assert.match(output, new RegExp(`^${line} `, "m"));
  });
}
