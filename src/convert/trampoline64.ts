/**
 * The trampoline of a wrapped 64-bit kernel: A64 code, entered as an arm64 Image is (MMU and data cache off, EL1 or EL2,
 * x0–x3 as Linux's Documentation/arch/arm64/booting.rst has them). It runs where it was loaded, puts the kernel where
 * it belongs and enters it with x0–x3 and sp as they were; x0 is another address when the device tree had to move.
 * It has no stack: there is no memory that it may assume. Cache maintenance by ARM DDI 0487 §D7.5.
 *
 * The device tree only moves up: where the kernel's place is relative, the image lies at the start of memory, and where
 * it is fixed, nothing says how far memory reaches down.
 *
 * Every access is aligned: with the MMU off, memory behaves as Device-nGnRnE (ARM DDI 0487 §D8.2.12).
 */
import { HEADER_SIZE, TAIL_SIZE, TREE_ALIGNMENT, WRAPPER64 } from "./wrapper.js";

const { MASK, DEST, FILE, MEMORY, ENTRY, WHOLE, CODE } = WRAPPER64;

/** See `listingBytes`. */
export const TRAMPOLINE64 = `
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
  d5034fdf  msr   daifset, #15              // nothing interrupts before the kernel has vectors
  10ffffe4  adr   x4, code
  d1020084  sub   x4, x4, #CODE             // x4: where this image is
  f9402485  ldr   x5, [x4, #MASK]
  8a0400a5  and   x5, x5, x4
  f9402886  ldr   x6, [x4, #DEST]
  8b0600a5  add   x5, x5, x6                // x5: destination
  f9403086  ldr   x6, [x4, #MEMORY]
  8b0500c6  add   x6, x6, x5                // x6: end of the destination, bss included
  f9403887  ldr   x7, [x4, #WHOLE]
  8b0400e7  add   x7, x7, x4
  eb0600ff  cmp   x7, x6
  9a8730c7  csel  x7, x6, x7, lo            // x7: first address above both image and destination

          // The device tree, if x0 is one: x8 to x9, both 0 without.
  d2800008  mov   x8, #0
  d2800009  mov   x9, #0
  b4000500  cbz   x0, place
  f240081f  tst   x0, #7
  540004c1  b.ne  place
  aa0003ea  mov   x10, x0
  9100200b  add   x11, x0, #8
  94000065  bl    flush                     // the boot protocol has only the image cleaned, not the tree
  b940000a  ldr   w10, [x0]
  5281ba0b  mov   w11, #0x0dd0
  72bdbfcb  movk  w11, #0xedfe, lsl #16     // d00dfeed, big-endian
  6b0b015f  cmp   w10, w11
  540003c1  b.ne  place
  aa0003e8  mov   x8, x0
  b9400409  ldr   w9, [x0, #4]
  5ac00929  rev   w9, w9                    // its size, in units of 16 bytes
  91003d29  add   x9, x9, #15
  927ced29  and   x9, x9, #~15
  8b000129  add   x9, x9, x0
  eb06011f  cmp   x8, x6
  540002c2  b.hs  place                     // above the destination
  eb05013f  cmp   x9, x5
  54000289  b.ls  place                     // below it

          // It is in the way: move it up, last bytes first, as it may reach into its new place.
  aa0803ea  mov   x10, x8
  aa0903eb  mov   x11, x9
  94000053  bl    flush                     // all of it to memory, where it is read from
  cb08012b  sub   x11, x9, x8
  b24053ea  mov   x10, #TREE_MASK
  8b0a00e8  add   x8, x7, x10
  8a2a0108  bic   x8, x8, x10
  8b08016b  add   x11, x11, x8
  aa0803ea  mov   x10, x8
  9400004c  bl    flush
  aa0b03ee  mov   x14, x11
tree:
  a9ff4530  ldp   x16, x17, [x9, #-16]!
  a9bf45d0  stp   x16, x17, [x14, #-16]!
  eb00013f  cmp   x9, x0
  54ffffa8  b.hi  tree
  aa0803ea  mov   x10, x8
  94000045  bl    flush
  aa0b03e9  mov   x9, x11
  aa0803e0  mov   x0, x8

          // This code: stay unless it lies in the destination; else the tail; else above everything, and above the
          // tree when that is there.
place:
  9110008a  add   x10, x4, #HEADER
  eb06009f  cmp   x4, x6
  54000422  b.hs  ready
  eb05015f  cmp   x10, x5
  540003e9  b.ls  ready
  f940388a  ldr   x10, [x4, #WHOLE]
  8b04014a  add   x10, x10, x4
  d110014c  sub   x12, x10, #TAIL
  eb06019f  cmp   x12, x6
  54000142  b.hs  leave
  eb05015f  cmp   x10, x5
  54000109  b.ls  leave
  aa0703ec  mov   x12, x7
  9110018a  add   x10, x12, #TAIL
  eb0a011f  cmp   x8, x10
  54000082  b.hs  leave
  eb0c013f  cmp   x9, x12
  54000049  b.ls  leave
  aa0903ec  mov   x12, x9
leave:
  aa0c03e8  mov   x8, x12                   // x8: where the copy runs
  aa0c03ea  mov   x10, x12
  9110018b  add   x11, x12, #TAIL
  9400002c  bl    flush
  aa0403e7  mov   x7, x4
  aa0803e9  mov   x9, x8
self:
  a8c144f0  ldp   x16, x17, [x7], #16
  a8814530  stp   x16, x17, [x9], #16
  eb0b013f  cmp   x9, x11
  54ffffa3  b.lo  self
  aa0803ea  mov   x10, x8
  94000024  bl    flush
  1000008a  adr   x10, ready
  cb04014a  sub   x10, x10, x4
  8b08014a  add   x10, x10, x8
  d61f0140  br    x10

          // The kernel: x7 from, x5 to, x9 end of its contents there, x14 entry.
ready:
  aa0503ea  mov   x10, x5
  aa0603eb  mov   x11, x6
  9400001d  bl    flush                     // before: no dirty line may be written over it later
  91100087  add   x7, x4, #HEADER
  f9402c88  ldr   x8, [x4, #FILE]
  8b0800a9  add   x9, x5, x8
  f940348e  ldr   x14, [x4, #ENTRY]
  8b0501ce  add   x14, x14, x5
  eb0500ff  cmp   x7, x5
  54000200  b.eq  bss
  540000e3  b.lo  down
  aa0503ea  mov   x10, x5
up:
  a8c144f0  ldp   x16, x17, [x7], #16
  a8814550  stp   x16, x17, [x10], #16
  eb09015f  cmp   x10, x9
  54ffffa3  b.lo  up
  14000009  b     bss
down:
  8b0800e7  add   x7, x7, x8
  aa0903ea  mov   x10, x9
back:
  a9ff44f0  ldp   x16, x17, [x7, #-16]!
  a9bf4550  stp   x16, x17, [x10, #-16]!
  eb05015f  cmp   x10, x5
  54ffffa8  b.hi  back
  14000002  b     bss
zero:
  a8817d3f  stp   xzr, xzr, [x9], #16
bss:
  eb06013f  cmp   x9, x6
  54ffffc3  b.lo  zero
  aa0503ea  mov   x10, x5
  aa0603eb  mov   x11, x6
  94000002  bl    flush                     // after: no stale line may be found there later
  d61f01c0  br    x14

          // Cleans and invalidates x10 to x11 to the point of coherency, then the instruction cache. Uses x10, x12, x15.
flush:
  d5033f9f  dsb   sy                        // stores reach memory before their lines are cleaned
  d53b002c  mrs   x12, ctr_el0              // DminLine, log2 of words
  d3504d8c  ubfx  x12, x12, #16, #4
  d280008f  mov   x15, #4
  9acc21ec  lsl   x12, x15, x12
  d100058f  sub   x15, x12, #1
  8a2f014a  bic   x10, x10, x15
line:
  d50b7e2a  dc    civac, x10
  8b0c014a  add   x10, x10, x12
  eb0b015f  cmp   x10, x11
  54ffffa3  b.lo  line
  d5033f9f  dsb   sy
  d508751f  ic    iallu
  d5033f9f  dsb   sy
  d5033fdf  isb
  d65f03c0  ret
`;
