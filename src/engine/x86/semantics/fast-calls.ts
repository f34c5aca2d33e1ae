/**
 * SYSCALL, 64-bit SYSRET, SWAPGS, STAC and CLAC: on the path of every system call. What is rare about them (single
 * steps, alignment checks, faults) is the helpers' (system/fast-calls.ts). SDM vol. 2B; vol. 3A §5.8.8.
 */
import { R11, RCX } from "../../../spec/x86-encoding.js";
import {
  EFER_SCE,
  FLAGS_STATUS,
  FLAGS_SYSTEM,
  FLAG_AC,
  FLAG_ALWAYS,
  FLAG_RF,
  FLAG_TF,
  FLAT_LIMIT,
  USER_LEVEL,
  VECTOR_GP,
  VECTOR_UD,
} from "../../../spec/x86-privileged.js";
import type { Value } from "../../ir/ir.js";
import * as numbers from "../fast-call-numbers.js";
import * as L from "../layout.js";
import type { InstructionBuilder, SemanticsTable } from "./instruction-builder.js";
import { isCanonical, supervisorMode, tlbOf } from "./quick-access.js";

function loadFlat(b: InstructionBuilder, segment: number, selector: Value, access: number): void {
  b.setState("i32.store", L.SEGMENT_SELECTOR + segment * 4, selector);
  b.setState("i64.store", L.SEGMENT_BASE + segment * 8, b.i64(0));
  b.setState("i32.store", L.SEGMENT_LIMIT + segment * 4, b.i32(FLAT_LIMIT));
  b.setState("i32.store", L.SEGMENT_ACCESS + segment * 4, b.i32(access));
}

function useTlb(b: InstructionBuilder, mode: Value): void {
  b.setState("i32.store", L.TLB_CURRENT, tlbOf(b, mode));
}

function setPrivilege(b: InstructionBuilder, cpl: 0 | 3): void {
  b.setState("i32.store", L.CPL, b.i32(cpl));
  b.setState("i32.store", L.CODE_ACCESS, b.i32(cpl === 3 ? 1 : 0));
  useTlb(b, cpl === 3 ? b.i32(L.ACCESS_USER) : supervisorMode(b, b.i32(0)));
}

/** Half of IA32_STAR: the selectors of SYSCALL or SYSRET. */
function star(b: InstructionBuilder, shift: 32 | 48): Value {
  return b.and(b.wrap(b.shrU(b.state("i64.load", L.MSR_STAR), b.i64(shift))), b.i32(0xffff));
}

function isEnabled(b: InstructionBuilder): Value {
  return b.and(b.state("i32.load", L.EFER), b.i32(EFER_SCE));
}

/** Whether neither TF nor AC is among these flags. */
function isPlain(b: InstructionBuilder, flags: Value): Value {
  return b.eqz(b.and(flags, b.i32(FLAG_TF | FLAG_AC)));
}

function syscall(b: InstructionBuilder): void {
  const system = b.state("i32.load", L.FLAG_SYSTEM);
  b.if(b.eqz(b.and(isEnabled(b), isPlain(b, system))), () => b.helper("syscall"));
  const status = b.statusFlags();
  const next = b.nextRip();
  const cleared = b.or(b.state("i32.load", L.MSR_FMASK), b.i32(FLAG_RF));
  const flags = b.or(status, b.or(b.and(system, b.i32(~FLAG_RF)), b.i32(FLAG_ALWAYS)));
  const kept = b.not(b.and(cleared, b.i32(FLAGS_SYSTEM)));
  b.setState("i32.store", L.FLAG_SYSTEM, b.or(b.and(system, kept), b.i32(FLAG_ALWAYS)));
  const selector = b.and(star(b, 32), b.i32(numbers.NO_RPL));
  loadFlat(b, L.CS, selector, numbers.CODE64_KERNEL);
  const stack = b.and(b.add(selector, b.i32(numbers.STACK_AFTER_CODE)), b.i32(0xffff));
  loadFlat(b, L.SS, stack, numbers.DATA_KERNEL);
  setPrivilege(b, 0);
  b.setStatusFlags(b.and(status, b.not(cleared)));
  b.setGpr(RCX, 8, next);
  b.setGpr(R11, 8, b.extendU(flags));
  b.jump(b.state("i64.load", L.MSR_LSTAR), 8);
}

function sysret(b: InstructionBuilder): void {
  const system = b.state("i32.load", L.FLAG_SYSTEM);
  const target = b.gpr(RCX, 8);
  const loaded = b.wrap(b.gpr(R11, 8));
  const supervisor = b.eqz(b.state("i32.load", L.CPL));
  const plain = b.and(isPlain(b, b.or(system, loaded)), isCanonical(b, target));
  b.if(b.eqz(b.and(b.and(isEnabled(b), supervisor), plain)), () => b.helper("sysret"));
  b.interruptWindow();
  const mask = numbers.SYSRET_FLAGS & FLAGS_SYSTEM;
  const flags = b.or(b.and(system, b.i32(~mask)), b.and(loaded, b.i32(mask)));
  b.setState("i32.store", L.FLAG_SYSTEM, b.or(flags, b.i32(FLAG_ALWAYS)));
  const selector = star(b, 48);
  const user = (distance: number): Value =>
    b.or(b.and(b.add(selector, b.i32(distance)), b.i32(0xffff)), b.i32(USER_LEVEL));
  loadFlat(b, L.CS, user(numbers.SYSRET_CS64), numbers.CODE64_USER);
  loadFlat(b, L.SS, user(numbers.STACK_AFTER_CODE), numbers.DATA_USER);
  setPrivilege(b, 3);
  b.setStatusFlags(b.and(loaded, b.i32(FLAGS_STATUS)));
  b.jump(target, 8);
}

function swapgs(b: InstructionBuilder): void {
  b.if(b.state("i32.load", L.CPL), () => b.raise(VECTOR_GP, 0));
  const base = L.SEGMENT_BASE + L.GS * 8;
  const old = b.state("i64.load", base);
  b.setState("i64.store", base, b.state("i64.load", L.MSR_KERNEL_GS_BASE));
  b.setState("i64.store", L.MSR_KERNEL_GS_BASE, old);
}

/** At privilege level 0 AC only says which pages may be accessed. */
function setAccess(b: InstructionBuilder, allowed: boolean): void {
  b.if(b.state("i32.load", L.CPL), () => b.raise(VECTOR_UD));
  const system = b.state("i32.load", L.FLAG_SYSTEM);
  const flags = allowed ? b.or(system, b.i32(FLAG_AC)) : b.and(system, b.i32(~FLAG_AC));
  b.setState("i32.store", L.FLAG_SYSTEM, flags);
  useTlb(b, allowed ? b.i32(L.ACCESS_SUPERVISOR_USER) : supervisorMode(b, b.i32(0)));
}

export const FAST_CALLS: SemanticsTable = {
  syscall,
  sysret: (b, { size }) => (size === 8 ? sysret(b) : b.helper("sysret")),
  swapgs,
  stac: (b) => setAccess(b, true),
  clac: (b) => setAccess(b, false),
};
