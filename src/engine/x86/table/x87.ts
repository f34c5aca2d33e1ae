/**
 * Instruction forms: x87 escapes. Which operation a ModRM byte names is decided by the x87 unit's own table; here
 * only the decoder's view: one byte of opcode and a ModRM operand. D9 and DD have environments and states in memory,
 * whose layout depends on the operand size. Notation of `forms.ts`.
 */
export const X87_FORMS = `
D8 m        x87     M
D8 r        x87     -
D9 m        x87     M,v
D9 r        x87     -
DA m        x87     M
DA r        x87     -
DB m        x87     M
DB r        x87     -
DC m        x87     M
DC r        x87     -
DD m        x87     M,v
DD r        x87     -
DE m        x87     M
DE r        x87     -
DF m        x87     M
DF r        x87     -
`;
