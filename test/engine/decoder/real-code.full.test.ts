/** Debian's 64-bit kernel, instruction by instruction. */
import { testProgram } from "./real-code.js";

testProgram({ guest: "debian-cloud", file: "kernel", bits: 64, instructions: 2_000_000 });
