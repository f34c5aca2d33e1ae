/** The test assembler: one class with every mnemonic, and the operands to call it with. */
export { VectorAssembler as Assembler } from "./vector.js";
export { AsmError } from "./encoder.js";
export type { Chunk, Mode } from "./encoder.js";
export * from "./operands.js";
export * from "./descriptors.js";
