/**
 * The trampoline of a wrapped 32-bit kernel: ARM code, ARMv7-A and later, entered as a zImage is (MMU and data cache
 * off, interrupts off, any privileged mode, r0–r2 as Linux's Documentation/arch/arm/booting.rst has them). It runs
 * where it was loaded, puts the kernel where it belongs and enters it with r0–r3 and the processor's mode as they were;
 * r2 is another address when the device tree had to move. sp and lr are overwritten: no boot protocol has values in
 * them. It has no stack: there is no memory that it may assume.
 * Cache maintenance by ARM DDI 0406C §B2.2.8; barriers between it and the stores before it by §A3.8.3.
 *
 * Every access is aligned: with the MMU off, memory behaves as strongly-ordered (ARM DDI 0406C §A3.2.1).
 */
import { HEADER_SIZE, TAIL_SIZE, TREE_ALIGNMENT, WRAPPER32 } from "./wrapper.js";

const { MASK, DEST, FILE, MEMORY, ENTRY, WHOLE, CODE } = WRAPPER32;

/** See `listingBytes`. */
export const TRAMPOLINE32 = `
          .equ  MASK, ${MASK}
          .equ  DEST, ${DEST}
          .equ  FILE, ${FILE}
          .equ  MEMORY, ${MEMORY}
          .equ  ENTRY, ${ENTRY}
          .equ  WHOLE, ${WHOLE}
          .equ  CODE, ${CODE}
          .equ  HEADER, ${HEADER_SIZE}
          .equ  TAIL, ${TAIL_SIZE}
          .equ  TREE_MASK, ${TREE_ALIGNMENT - 1}
code:
  f10c01c0  cpsid aif                     @ nothing interrupts before the kernel has vectors
  e1a0d003  mov   sp, r3                  @ sp keeps r3, which becomes scratch
  e24f4010  adr   r4, code
  e2444080  sub   r4, r4, #CODE           @ r4: where this image is
  e5945048  ldr   r5, [r4, #MASK]
  e0055004  and   r5, r5, r4
  e594604c  ldr   r6, [r4, #DEST]
  e0855006  add   r5, r5, r6              @ r5: destination
  e5946054  ldr   r6, [r4, #MEMORY]
  e0866005  add   r6, r6, r5              @ r6: end of the destination, bss included
  e594705c  ldr   r7, [r4, #WHOLE]
  e0877004  add   r7, r7, r4
  e1570006  cmp   r7, r6
  31a07006  movlo r7, r6                  @ r7: first address above both image and destination

          @ The device tree, if r2 is one: r8 to r9, both 0 without.
  e3a08000  mov   r8, #0
  e3a09000  mov   r9, #0
  e3520000  cmp   r2, #0
  0a00003c  beq   place
  e3120003  tst   r2, #3
  1a00003a  bne   place
  e1a0a002  mov   r10, r2
  e282b008  add   r11, r2, #8
  eb00007f  bl    flush                   @ who wrote the tree may have had caches on
  e592a000  ldr   r10, [r2]
  e300bdd0  movw  r11, #0x0dd0
  e34ebdfe  movt  r11, #0xedfe            @ d00dfeed, big-endian
  e15a000b  cmp   r10, r11
  1a000032  bne   place
  e1a08002  mov   r8, r2
  e5929004  ldr   r9, [r2, #4]
  e6bf9f39  rev   r9, r9                  @ its size, in units of 8 bytes
  e2899007  add   r9, r9, #7
  e3c99007  bic   r9, r9, #7
  e0899002  add   r9, r9, r2
  e1580006  cmp   r8, r6
  2a00002a  bhs   place                   @ above the destination
  e1590005  cmp   r9, r5
  9a000028  bls   place                   @ below it

          @ It is in the way: move it.
  e1a0a008  mov   r10, r8
  e1a0b009  mov   r11, r9
  eb00006d  bl    flush                   @ all of it to memory, where it is read from
  e049b008  sub   r11, r9, r8             @ r11: its size
  e30fafff  movw  r10, #:lower16:TREE_MASK
  e340a01f  movt  r10, #:upper16:TREE_MASK
  e5943048  ldr   r3, [r4, #MASK]
  e3530000  cmp   r3, #0
  0a000011  beq   higher                  @ where memory starts is not known
  e0033004  and   r3, r3, r4              @ r3: start of memory
  e1540005  cmp   r4, r5
  31a0c004  movlo r12, r4
  21a0c005  movhs r12, r5
  e04cc003  sub   r12, r12, r3            @ r12: room below both image and destination
  e05cc00b  subs  r12, r12, r11
  3a00000a  blo   higher
  e1ccc00a  bic   r12, r12, r10
  e083800c  add   r8, r3, r12
  e08bb008  add   r11, r11, r8
  e1a0a008  mov   r10, r8
  eb00005b  bl    flush
  e1a03008  mov   r3, r8

          @ Down to memory that is there: first bytes first, as its new place may reach into it.
lower:
  e8b21400  ldmia r2!, {r10, r12}
  e8a31400  stmia r3!, {r10, r12}
  e1520009  cmp   r2, r9
  3afffffb  blo   lower
  ea000009  b     moved

          @ Up, last bytes first, as it may reach into its new place.
higher:
  e087800a  add   r8, r7, r10
  e1c8800a  bic   r8, r8, r10
  e08bb008  add   r11, r11, r8
  e1a0a008  mov   r10, r8
  eb000050  bl    flush
  e1a0300b  mov   r3, r11
tree:
  e9391400  ldmdb r9!, {r10, r12}
  e9231400  stmdb r3!, {r10, r12}
  e1590002  cmp   r9, r2
  8afffffb  bhi   tree
moved:
  e1a0a008  mov   r10, r8
  eb000049  bl    flush
  e1a0900b  mov   r9, r11
  e1a02008  mov   r2, r8

          @ This code: stay unless it lies in the destination; else the tail; else above everything, and above the
          @ tree when that is there.
place:
  e284ab01  add   r10, r4, #HEADER
  e1540006  cmp   r4, r6
  2a00001f  bhs   ready
  e15a0005  cmp   r10, r5
  9a00001d  bls   ready
  e594a05c  ldr   r10, [r4, #WHOLE]
  e08aa004  add   r10, r10, r4
  e24acb01  sub   r12, r10, #TAIL
  e15c0006  cmp   r12, r6
  2a000008  bhs   leave
  e15a0005  cmp   r10, r5
  9a000006  bls   leave
  e1a0c007  mov   r12, r7
  e28cab01  add   r10, r12, #TAIL
  e158000a  cmp   r8, r10
  2a000002  bhs   leave
  e159000c  cmp   r9, r12
  9a000000  bls   leave
  e1a0c009  mov   r12, r9
leave:
  e1a0800c  mov   r8, r12                 @ r8: where the copy runs
  e1a0a00c  mov   r10, r12
  e28cbb01  add   r11, r12, #TAIL
  eb000030  bl    flush
  e1a07004  mov   r7, r4
  e1a09008  mov   r9, r8
self:
  e8b71400  ldmia r7!, {r10, r12}
  e8a91400  stmia r9!, {r10, r12}
  e159000b  cmp   r9, r11
  3afffffb  blo   self
  e1a0a008  mov   r10, r8
  eb000028  bl    flush
  e28fa008  adr   r10, ready
  e04aa004  sub   r10, r10, r4
  e08aa008  add   r10, r10, r8
  e12fff1a  bx    r10

          @ The kernel: r7 from, r5 to, r9 end of its contents there, r3 entry.
ready:
  e1a0a005  mov   r10, r5
  e1a0b006  mov   r11, r6
  eb000021  bl    flush                   @ before: no dirty line may be written over it later
  e2847b01  add   r7, r4, #HEADER
  e5948050  ldr   r8, [r4, #FILE]
  e0859008  add   r9, r5, r8
  e5943058  ldr   r3, [r4, #ENTRY]
  e0833005  add   r3, r3, r5
  e1570005  cmp   r7, r5
  0a00000c  beq   clear
  3a000005  blo   down
  e1a04005  mov   r4, r5
up:
  e8b71d00  ldmia r7!, {r8, r10, r11, r12}
  e8a41d00  stmia r4!, {r8, r10, r11, r12}
  e1540009  cmp   r4, r9
  3afffffb  blo   up
  ea000005  b     clear
down:
  e0877008  add   r7, r7, r8
  e1a04009  mov   r4, r9
back:
  e9371d00  ldmdb r7!, {r8, r10, r11, r12}
  e9241d00  stmdb r4!, {r8, r10, r11, r12}
  e1540005  cmp   r4, r5
  8afffffb  bhi   back
clear:
  e3a08000  mov   r8, #0
  e3a0a000  mov   r10, #0
  e3a0b000  mov   r11, #0
  e3a0c000  mov   r12, #0
  ea000000  b     bss
zero:
  e8a91d00  stmia r9!, {r8, r10, r11, r12}
bss:
  e1590006  cmp   r9, r6
  3afffffc  blo   zero
  e1a04003  mov   r4, r3
  e1a0a005  mov   r10, r5
  e1a0b006  mov   r11, r6
  eb000001  bl    flush                   @ after: no stale line may be found there later
  e1a0300d  mov   r3, sp
  e12fff14  bx    r4

          @ Cleans and invalidates r10 to r11 to the point of coherency, then instruction cache and branch predictor.
          @ Uses r3, r10 and r12.
flush:
  f57ff04f  dsb                           @ stores reach memory before their lines are cleaned
  ee10cf30  mrc   p15, 0, r12, c0, c0, 1  @ CTR: DminLine, log2 of words
  e7e3c85c  ubfx  r12, r12, #16, #4
  e3a03004  mov   r3, #4
  e1a0cc13  lsl   r12, r3, r12
  e24c3001  sub   r3, r12, #1
  e1caa003  bic   r10, r10, r3
line:
  ee07af3e  mcr   p15, 0, r10, c7, c14, 1 @ DCCIMVAC
  e08aa00c  add   r10, r10, r12
  e15a000b  cmp   r10, r11
  3afffffb  blo   line
  f57ff04f  dsb
  ee07af15  mcr   p15, 0, r10, c7, c5, 0  @ ICIALLU
  ee07afd5  mcr   p15, 0, r10, c7, c5, 6  @ BPIALL
  f57ff04f  dsb
  f57ff06f  isb
  e12fff1e  bx    lr
`;
