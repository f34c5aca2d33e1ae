/**
 * Makes a zImage or an arm64 Image of a kernel that lies ready: header, parameters, trampoline, contents, room. Knows
 * neither where the kernel came from nor why it goes where it goes. Layout: wrapper.ts; headers: spec/arm-boot.ts.
 */
import { ByteView } from "../bytes/byte-view.js";
import {
  ARM64_IMAGE,
  ARM64_IMAGE_FLAGS,
  ARM64_IMAGE_MAGIC,
  ZIMAGE,
  ZIMAGE_ENDIAN,
  ZIMAGE_MAGIC,
} from "../spec/arm-boot.js";
import type { ArmKernel } from "./arm-kernel.js";
import { listingBytes } from "./listing.js";
import type { Placement } from "./placement.js";
import { TRAMPOLINE32 } from "./trampoline32.js";
import { TRAMPOLINE64 } from "./trampoline64.js";
import {
  HEADER_SIZE,
  SIGNATURE,
  SIGNATURE_OFFSET,
  TAIL_SIZE,
  WRAPPER32,
  WRAPPER64,
  type WrapperLayout,
} from "./wrapper.js";

/** `mov r0, r0`: what Linux' zImage begins with, eight times. */
const ARM_NOP = 0xe1a00000;
/** `b`, always: the word offset counts from two words further on. */
const ARM_BRANCH = 0xea000000;
const ARM_BRANCH_BIAS = 8;
/** `b` of A64, counted from itself; and `nop`. */
const A64_BRANCH = 0x14000000;
const A64_NOP = 0xd503201f;
const WORD = 4;

/** The parameters as the trampoline reads them. */
function parameters(
  kernel: ArmKernel,
  placement: Placement,
  whole: number,
): Record<Exclude<keyof WrapperLayout, "CODE">, bigint> {
  const width = kernel.bits;
  const mask = placement.kind === "absolute" ? 0n : BigInt.asUintN(width, -BigInt(placement.alignment));
  return {
    MASK: mask,
    DEST: BigInt(placement.address),
    FILE: BigInt(kernel.contents.length),
    MEMORY: BigInt(kernel.memory),
    ENTRY: BigInt(kernel.entry),
    WHOLE: BigInt(whole),
    LINK: kernel.link,
  };
}

/** Everything but the image's own header. */
function body(kernel: ArmKernel, placement: Placement, layout: WrapperLayout, code: Uint8Array): ByteView {
  const whole = HEADER_SIZE + kernel.contents.length + TAIL_SIZE;
  const view = new ByteView(new Uint8Array(whole));
  view.setLatin1(SIGNATURE_OFFSET, SIGNATURE);
  const values = parameters(kernel, placement, whole);
  for (const name of ["MASK", "DEST", "FILE", "MEMORY", "ENTRY", "WHOLE", "LINK"] as const) {
    if (kernel.bits === 64) view.setU64(layout[name], values[name]);
    else view.setU32(layout[name], Number(values[name]));
  }
  view.view(0, HEADER_SIZE).setBytes(layout.CODE, code);
  view.setBytes(HEADER_SIZE, kernel.contents);
  return view;
}

/** A zImage: position independent, so that Xen's toolstack takes it too. */
export function wrapZImage(kernel: ArmKernel, placement: Placement): Uint8Array {
  const view = body(kernel, placement, WRAPPER32, listingBytes(TRAMPOLINE32));
  for (let at = ZIMAGE.CODE; at < ZIMAGE.BRANCH; at += WORD) view.setU32(at, ARM_NOP);
  view.setU32(ZIMAGE.BRANCH, ARM_BRANCH + (WRAPPER32.CODE - ZIMAGE.BRANCH - ARM_BRANCH_BIAS) / WORD);
  view.setU32(ZIMAGE.MAGIC, ZIMAGE_MAGIC);
  view.setU32(ZIMAGE.START, 0);
  view.setU32(ZIMAGE.END, view.length);
  view.setU32(ZIMAGE.ENDIAN_MAGIC, ZIMAGE_ENDIAN.LITTLE);
  return view.bytes;
}

/** An arm64 Image: anywhere in memory if the kernel has a fixed place, else near the start of memory. */
export function wrapArm64Image(kernel: ArmKernel, placement: Placement): Uint8Array {
  const view = body(kernel, placement, WRAPPER64, listingBytes(TRAMPOLINE64));
  const fixed = placement.kind === "absolute";
  // Loaders keep this much free for the image; so what is unpacked right there is kept free too, and the trampoline's
  // copy of itself above both.
  const reach = fixed ? 0 : placement.address + kernel.memory;
  view.setU32(ARM64_IMAGE.CODE0, A64_BRANCH + WRAPPER64.CODE / WORD);
  view.setU32(ARM64_IMAGE.CODE1, A64_NOP);
  view.setU64(ARM64_IMAGE.TEXT_OFFSET, 0);
  view.setU64(ARM64_IMAGE.IMAGE_SIZE, Math.max(view.length, reach) + TAIL_SIZE);
  view.setU64(ARM64_IMAGE.FLAGS, fixed ? ARM64_IMAGE_FLAGS.PHYSICAL_PLACEMENT : 0n);
  view.setU32(ARM64_IMAGE.MAGIC, ARM64_IMAGE_MAGIC);
  return view.bytes;
}
