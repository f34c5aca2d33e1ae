/** What a rare vector operation is. Knows no CPU and no memory. */

/**
 * Computes on copies of two 128-bit operands. The destination is the first operand and receives the result.
 * `immediate` is the immediate byte and what the instruction adds to it. The return value means what the instruction's
 * semantics say; 0 where they do not ask.
 */
export type VectorOperation = (destination: DataView, source: DataView, immediate: number) => number;
