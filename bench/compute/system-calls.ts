/**
 * A storm of system calls: SYSCALL from user mode, SWAPGS, a stack of the kernel's, a sum, SYSRET.
 *
 * Specification: Intel SDM vol. 3A §5.8.8; vol. 2B (SYSCALL, SYSRET, SWAPGS).
 */
import {
  addressOf,
  eax,
  ecx,
  edi,
  gs,
  memory,
  r11,
  r12d,
  rax,
  rcx,
  rdx,
  rsp,
} from "../../test/support/asm/index.js";
import type { Assembler, Immediate } from "../../test/support/asm/index.js";
import { prologue } from "../../test/conformance/support/environments.js";
import type { GuestBuilder } from "../../test/conformance/support/guest.js";
import * as layout from "../../test/conformance/support/layout.js";
import { ARRAY, DONE } from "./program.js";
import type { ComputeProgram } from "./program.js";

const MSR_STAR = 0xc0000081;
const MSR_LSTAR = 0xc0000082;
const MSR_FMASK = 0xc0000084;
const MSR_KERNEL_GS_BASE = 0xc0000102;
const FMASK = 0x47700;
/** What the kernel keeps at its GS base: its stack, the user's. */
const KERNEL_STACK = 0;
const USER_STACK = 8;
const FOLD = 31;

/** Clobbers RAX, RCX, RDX. */
function writeMsr(a: Assembler, msr: number, value: Immediate): void {
  a.mov(ecx, msr).movabs(rax, value).mov(rdx, rax).shr(rdx, 32).wrmsr();
}

const perCpu = (disp: number): ReturnType<typeof memory> => memory(64, { disp, segment: gs });

function entry(a: Assembler): void {
  a.label("entry").swapgs().mov(perCpu(USER_STACK), rsp).mov(rsp, perCpu(KERNEL_STACK)).push(rcx).push(r11);
  a.imul3(eax, eax, FOLD).add(eax, edi);
  a.pop(r11).pop(rcx).mov(rsp, perCpu(USER_STACK)).swapgs().sysret(64);
}

function write(g: GuestBuilder, count: number): number {
  const { a } = g;
  prologue(a);
  writeMsr(a, MSR_STAR, (BigInt(layout.USER_CODE32) << 48n) | (BigInt(layout.KERNEL_CODE) << 32n));
  writeMsr(a, MSR_LSTAR, addressOf("entry"));
  writeMsr(a, MSR_FMASK, FMASK);
  writeMsr(a, MSR_KERNEL_GS_BASE, ARRAY);
  g.words(ARRAY, BigInt(layout.RSP0_TOP));
  a.mov(r12d, count).xor(eax, eax);
  g.user(() => {
    a.label("call").mov(edi, r12d).syscall().dec(r12d).jcc("ne", "call");
  });
  a.jmp(DONE);
  entry(a);
  let sum = 0;
  for (let left = count; left > 0; left--) sum = (Math.imul(sum, FOLD) + left) >>> 0;
  return sum;
}

/** Size: calls. */
export const systemCalls: ComputeProgram = {
  name: "syscall storm",
  what: "SYSCALL, SWAPGS, SYSRET",
  class: "storm",
  size: 2_000_000,
  tiny: 50,
  write,
};
