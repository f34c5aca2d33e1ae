/** Debian's busybox and 32-bit kernel, instruction by instruction. Its 64-bit kernel: real-code.full.test.ts. */
import { testProgram } from "./real-code.js";

testProgram({ guest: "busybox", file: "busybox", bits: 64, instructions: 300_000 });
testProgram({ guest: "debian-686-pae", file: "kernel", bits: 32, instructions: 2_000_000 });
