/**
 * How a wrapped kernel is laid out as a file, in both kinds of image: what the trampolines and the code that fills them
 * in agree upon. A format of our own inside those of spec/arm-boot.ts; numbers only.
 *
 * ```
 *   0        0x40          CODE             HEADER_SIZE                   whole - TAIL_SIZE        whole
 *   ┌────────┬─────────────┬────────────────┬──────────────────────────────┬────────────────────────┐
 *   │ header │ parameters  │ trampoline     │ the kernel as it lies in     │ room for a copy of     │
 *   │        │             │                │ memory, without its bss      │ everything before it   │
 *   └────────┴─────────────┴────────────────┴──────────────────────────────┴────────────────────────┘
 * ```
 */

/** Everything before the kernel; also what the trampoline copies when it has to get out of its own way. */
export const HEADER_SIZE = 0x400;
/** The room at the end. */
export const TAIL_SIZE = HEADER_SIZE;
/** The trampolines copy in units of this many bytes: sizes and the destination are multiples of it. */
export const COPY_UNIT = 16;
/** A device tree that lies in the way goes to the next boundary of this kind, so that no kernel's mapping splits it. */
export const TREE_ALIGNMENT = 0x20_0000;

/** At `SIGNATURE_OFFSET`: who made this, and the version of the layout. */
export const SIGNATURE = "locore\0\x01";
export const SIGNATURE_OFFSET = 0x40;

/** File offsets of the parameters: words of the machine's size. */
export interface WrapperLayout {
  /** Which bits of the image's own address are the start of memory; 0 when the kernel has a fixed place. */
  readonly MASK: number;
  /** Where the kernel's lowest byte goes, counted from the masked address. */
  readonly DEST: number;
  /** Bytes of it in the file, and in memory. */
  readonly FILE: number;
  readonly MEMORY: number;
  /** Its entry point, counted from its lowest byte; on 32-bit ARM bit 0 set says Thumb. */
  readonly ENTRY: number;
  /** Size of the whole image. */
  readonly WHOLE: number;
  /** Address that the lowest byte was linked for (p_paddr); for unwrapping. */
  readonly LINK: number;
  /** Where the trampoline begins. */
  readonly CODE: number;
}

const PARAMETERS = SIGNATURE_OFFSET + SIGNATURE.length;

function layout(wordSize: number, code: number): WrapperLayout {
  const at = (index: number): number => PARAMETERS + index * wordSize;
  return {
    MASK: at(0),
    DEST: at(1),
    FILE: at(2),
    MEMORY: at(3),
    ENTRY: at(4),
    WHOLE: at(5),
    LINK: at(6),
    CODE: code,
  };
}

/** In a zImage. */
export const WRAPPER32 = layout(4, 0x80);
/** In an arm64 Image. */
export const WRAPPER64 = layout(8, 0x80);
