/**
 * Where x87 and SSE registers lie in a 512-byte FXSAVE64 image, bytes. Data only.
 *
 * Specification: Intel SDM vol. 1, table 10-2 and §13.4.1.
 */
export const FXSAVE = {
  SIZE: 512,
  CONTROL: 0,
  STATUS: 2,
  /** The abridged tag word: a bit a physical register, set unless it is empty. */
  TAGS: 4,
  OPCODE: 6,
  INSTRUCTION: 8,
  OPERAND: 16,
  MXCSR: 24,
  /** ST0 to ST7, in the order of the stack: 10 bytes every 16. */
  ST: 32,
  ST_STEP: 16,
  ST_BYTES: 10,
  XMM: 160,
} as const;
