/**
 * Guests that report how an ARM kernel was started, and judge nothing: where they run, the registers they were entered
 * with, whether the device tree is whole, a checksum of their own bytes, and what is in their bss. Words beside their
 * assembly (src/convert/listing.ts has the notation, tools/arm-listings.ts assembles and compares).
 *
 * Each line is a letter, "=" and a number: p where it runs, 0–3 registers, s processor state, d the device tree's first
 * word, e its last token (1 = FDT_BEGIN_NODE, 9 = FDT_END, found by the tree's own header), q the checksum, b all words
 * of bss together, x the end.
 * They print on a PL011 whose address is patched in, or with Xen's console_io hypercall (18) when that is 0, and end by
 * PSCI's SYSTEM_OFF (0x84000008). The test patches the words behind `uart`.
 */

/** Offsets of the words that a test patches, from the first byte of the code. */
export const GUEST_WORDS = { UART: 0x08, FILE: 0x10, MEMORY: 0x18, SIZE_OF_WORD: 8 } as const;
/** Entry points: of the ARM code, and 8 bytes of Thumb code before it that set r3 and go there. */
export const GUEST_ENTRY = { CODE: 0x28, THUMB: 0x20 } as const;
/** What the Thumb code leaves in r3. */
export const THUMB_MARK = 0x54;

/** Entered at 0x28; in Thumb state at 0x20. */
export const GUEST32 = `
first:
  ea000008  b     start
  e320f000  nop
uart:
  00000000  .word 0
  00000000  .word 0
file:
  00000000  .word 0
  00000000  .word 0
memory:
  00000000  .word 0
  00000000  .word 0
  46c02354  .word 0x46c02354             @ Thumb: movs r3, #0x54; nop
  46c04778  .word 0x46c04778             @ Thumb: bx pc, which goes on in ARM state at the next word; nop
start:
  e24f4030  adr   r4, first
  e1a05000  mov   r5, r0
  e1a06001  mov   r6, r1
  e1a07002  mov   r7, r2
  e1a08003  mov   r8, r3
          @ The checksum and bss, before anything is written to memory.
  e51fa034  ldr   r10, file
  e08aa004  add   r10, r10, r4
  e284b028  add   r11, r4, #0x28          @ from start on: what is before is patched
  e3a00000  mov   r0, #0
sum:
  e49bc004  ldr   r12, [r11], #4
  e08c0fe0  add   r0, r12, r0, ror #31
  e15b000a  cmp   r11, r10
  3afffffb  blo   sum
  e1a0d000  mov   sp, r0
  e51fa050  ldr   r10, memory
  e08aa004  add   r10, r10, r4
  e3a00000  mov   r0, #0
  ea000001  b     seen
look:
  e49bc004  ldr   r12, [r11], #4
  e180000c  orr   r0, r0, r12
seen:
  e15b000a  cmp   r11, r10
  3afffffb  blo   look
  e1a01000  mov   r1, r0
  e3a00062  mov   r0, #'b'
  eb00002b  bl    report
  e3a00071  mov   r0, #'q'
  e1a0100d  mov   r1, sp
  eb000028  bl    report
  e3a00070  mov   r0, #'p'
  e1a01004  mov   r1, r4
  eb000025  bl    report
  e3a00030  mov   r0, #'0'
  e1a01005  mov   r1, r5
  eb000022  bl    report
  e3a00031  mov   r0, #'1'
  e1a01006  mov   r1, r6
  eb00001f  bl    report
  e3a00032  mov   r0, #'2'
  e1a01007  mov   r1, r7
  eb00001c  bl    report
  e3a00033  mov   r0, #'3'
  e1a01008  mov   r1, r8
  eb000019  bl    report
  e3a00073  mov   r0, #'s'
  e10f1000  mrs   r1, cpsr
  eb000016  bl    report
  e3570000  cmp   r7, #0
  0a00000d  beq   off
  e5971000  ldr   r1, [r7]
  e6bf1f31  rev   r1, r1
  e3a00064  mov   r0, #'d'
  eb000010  bl    report
  e5971008  ldr   r1, [r7, #8]            @ off_dt_struct
  e6bf1f31  rev   r1, r1
  e5970024  ldr   r0, [r7, #36]           @ size_dt_struct
  e6bf0f30  rev   r0, r0
  e0811000  add   r1, r1, r0
  e2411004  sub   r1, r1, #4
  e7971001  ldr   r1, [r7, r1]
  e6bf1f31  rev   r1, r1
  e3a00065  mov   r0, #'e'
  eb000006  bl    report
off:
  e3a00078  mov   r0, #'x'
  e3a01000  mov   r1, #0
  eb000003  bl    report
  e3000008  movw  r0, #0x0008
  e3480400  movt  r0, #0x8400
  e1400070  hvc   #0
hang:
  eafffffe  b     hang

          @ r0 "=" r1 in eight digits, and a line feed. Uses r0–r3, r9–r12; r11 keeps the way back.
report:
  e1a0b00e  mov   r11, lr
  e1a0a001  mov   r10, r1
  e3a09020  mov   r9, #32
  eb00000c  bl    put
  e3a0003d  mov   r0, #'='
  eb00000a  bl    put
digit:
  e1a00e2a  lsr   r0, r10, #28
  e1a0a20a  lsl   r10, r10, #4
  e350000a  cmp   r0, #10
  32800030  addlo r0, r0, #'0'
  22800057  addhs r0, r0, #('a' - 10)
  eb000004  bl    put
  e2599004  subs  r9, r9, #4
  1afffff7  bne   digit
  e3a0000a  mov   r0, #10
  eb000000  bl    put
  e12fff1b  bx    r11

          @ One character, r0.
put:
  e51f2180  ldr   r2, uart
  e3520000  cmp   r2, #0
  0a000004  beq   ask
full:
  e5923018  ldr   r3, [r2, #0x18]         @ UARTFR
  e3130020  tst   r3, #0x20               @ TXFF
  1afffffc  bne   full
  e5820000  str   r0, [r2]                @ UARTDR
  e12fff1e  bx    lr
ask:
  e28f2018  adr   r2, one
  e5820000  str   r0, [r2]
  f57ff04f  dsb
  e3a00000  mov   r0, #0                  @ CONSOLEIO_write
  e3a01001  mov   r1, #1
  e3a0c012  mov   r12, #18
  e140ea71  hvc   #0xea1
  e12fff1e  bx    lr
one:
  00000000  .word 0
`;

/** Entered at 0x28. */
export const GUEST64 = `
first:
  1400000a  b     start
  d503201f  nop
uart:
  00000000  .word 0
  00000000  .word 0
file:
  00000000  .word 0
  00000000  .word 0
memory:
  00000000  .word 0
  00000000  .word 0
  d503201f  nop
  d503201f  nop
start:
  10fffed3  adr   x19, first
  aa0003f4  mov   x20, x0
  aa0103f5  mov   x21, x1
  aa0203f6  mov   x22, x2
  aa0303f7  mov   x23, x3
  d5384258  mrs   x24, currentel
          // The checksum and bss, before anything is written to memory.
  58fffe8a  ldr   x10, file
  8b13014a  add   x10, x10, x19
  9100a26b  add   x11, x19, #0x28           // from start on: what is before is patched
  52800000  mov   w0, #0
sum:
  b840456c  ldr   w12, [x11], #4
  13807c00  ror   w0, w0, #31
  0b0c0000  add   w0, w0, w12
  eb0a017f  cmp   x11, x10
  54ffff83  b.lo  sum
  2a0003f9  mov   w25, w0
  58fffd8a  ldr   x10, memory
  8b13014a  add   x10, x10, x19
  52800000  mov   w0, #0
  14000003  b     seen
look:
  b840456c  ldr   w12, [x11], #4
  2a0c0000  orr   w0, w0, w12
seen:
  eb0a017f  cmp   x11, x10
  54ffffa3  b.lo  look
  2a0003e1  mov   w1, w0
  52800c40  mov   w0, #'b'
  9400002c  bl    report
  52800e20  mov   w0, #'q'
  2a1903e1  mov   w1, w25
  94000029  bl    report
  52800e00  mov   w0, #'p'
  aa1303e1  mov   x1, x19
  94000026  bl    report
  52800600  mov   w0, #'0'
  aa1403e1  mov   x1, x20
  94000023  bl    report
  52800620  mov   w0, #'1'
  aa1503e1  mov   x1, x21
  94000020  bl    report
  52800640  mov   w0, #'2'
  aa1603e1  mov   x1, x22
  9400001d  bl    report
  52800660  mov   w0, #'3'
  aa1703e1  mov   x1, x23
  9400001a  bl    report
  52800e60  mov   w0, #'s'
  aa1803e1  mov   x1, x24
  94000017  bl    report
  b40001f4  cbz   x20, off
  b9400281  ldr   w1, [x20]
  5ac00821  rev   w1, w1
  52800c80  mov   w0, #'d'
  94000012  bl    report
  b9400a81  ldr   w1, [x20, #8]             // off_dt_struct
  5ac00821  rev   w1, w1
  b9402680  ldr   w0, [x20, #36]            // size_dt_struct
  5ac00800  rev   w0, w0
  0b000021  add   w1, w1, w0
  51001021  sub   w1, w1, #4
  b8616a81  ldr   w1, [x20, x1]
  5ac00821  rev   w1, w1
  52800ca0  mov   w0, #'e'
  94000008  bl    report
off:
  52800f00  mov   w0, #'x'
  d2800001  mov   x1, #0
  94000005  bl    report
  52800100  mov   w0, #0x0008
  72b08000  movk  w0, #0x8400, lsl #16
  d4000002  hvc   #0
hang:
  14000000  b     hang

          // w0 "=" x1 in sixteen digits, and a line feed.
report:
  aa1e03fa  mov   x26, x30
  aa0103fb  mov   x27, x1
  5280081c  mov   w28, #64
  9400000f  bl    put
  528007a0  mov   w0, #'='
  9400000d  bl    put
digit:
  d37cff60  lsr   x0, x27, #60
  d37cef7b  lsl   x27, x27, #4
  1100c009  add   w9, w0, #'0'
  11015c0a  add   w10, w0, #('a' - 10)
  7100281f  cmp   w0, #10
  1a8a3120  csel  w0, w9, w10, lo
  94000006  bl    put
  7100139c  subs  w28, w28, #4
  54ffff01  b.ne  digit
  52800140  mov   w0, #10
  94000002  bl    put
  d61f0340  br    x26

          // One character, w0.
put:
  58fff402  ldr   x2, uart
  b40000a2  cbz   x2, ask
full:
  b9401843  ldr   w3, [x2, #0x18]           // UARTFR
  372fffe3  tbnz  w3, #5, full              // TXFF
  b9000040  str   w0, [x2]                  // UARTDR
  d65f03c0  ret
ask:
  10000102  adr   x2, one
  b9000040  str   w0, [x2]
  d5033f9f  dsb   sy
  d2800000  mov   x0, #0                    // CONSOLEIO_write
  d2800021  mov   x1, #1
  d2800250  mov   x16, #18
  d401d422  hvc   #0xea1
  d65f03c0  ret
one:
  00000000  .word 0
`;
