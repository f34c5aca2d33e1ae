/**
 * Instruction forms: x87 escapes. Which operation a ModRM byte names is decided by the x87 unit's own table; here
 * only the decoder's view: one byte of opcode and a ModRM operand. D9 and DD have environments and states in memory,
 * whose layout depends on the operand size. Notation of `forms.ts`.
 */
export const X87_FORMS = `
D8 m        x87     M   ?fpu
D8 r        x87     -   ?fpu
D9 m        x87     M,v ?fpu
D9 r        x87     -   ?fpu
DA m        x87     M   ?fpu
DA/0r      x87     -   ?cmov
DA/1r      x87     -   ?cmov
DA/2r      x87     -   ?cmov
DA/3r      x87     -   ?cmov
DA/4r      x87     -   ?fpu
DA/5r      x87     -   ?fpu
DA/6r      x87     -   ?fpu
DA/7r      x87     -   ?fpu
DB/0m      x87     M   ?fpu
DB/1m      x87     M   ?sse3
DB/2m      x87     M   ?fpu
DB/3m      x87     M   ?fpu
DB/4m      x87     M   ?fpu
DB/5m      x87     M   ?fpu
DB/6m      x87     M   ?fpu
DB/7m      x87     M   ?fpu
DB/0r      x87     -   ?cmov
DB/1r      x87     -   ?cmov
DB/2r      x87     -   ?cmov
DB/3r      x87     -   ?cmov
DB/4r      x87     -   ?fpu
DB/5r      x87     -   ?cmov
DB/6r      x87     -   ?cmov
DB/7r      x87     -   ?fpu
DC m        x87     M   ?fpu
DC r        x87     -   ?fpu
DD/0m      x87     M,v ?fpu
DD/1m      x87     M,v ?sse3
DD/2m      x87     M,v ?fpu
DD/3m      x87     M,v ?fpu
DD/4m      x87     M,v ?fpu
DD/5m      x87     M,v ?fpu
DD/6m      x87     M,v ?fpu
DD/7m      x87     M,v ?fpu
DD r        x87     -   ?fpu
DE m        x87     M   ?fpu
DE r        x87     -   ?fpu
DF/0m      x87     M   ?fpu
DF/1m      x87     M   ?sse3
DF/2m      x87     M   ?fpu
DF/3m      x87     M   ?fpu
DF/4m      x87     M   ?fpu
DF/5m      x87     M   ?fpu
DF/6m      x87     M   ?fpu
DF/7m      x87     M   ?fpu
DF/0r      x87     -   ?fpu
DF/1r      x87     -   ?fpu
DF/2r      x87     -   ?fpu
DF/3r      x87     -   ?fpu
DF/4r      x87     -   ?fpu
DF/5r      x87     -   ?cmov
DF/6r      x87     -   ?cmov
DF/7r      x87     -   ?fpu
`;
