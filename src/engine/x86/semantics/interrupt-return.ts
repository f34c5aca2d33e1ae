/**
 * IRETQ from level 0 to 64-bit code, as every page fault and interrupt of a 64-bit kernel ends. What is rare about it
 * (faults, other levels and modes, single steps, breakpoints, blocked NMIs, nested tasks, segments to drop) is the
 * helper's (system/interrupt-instructions.ts), and so is every access that the TLB does not answer.
 *
 * Specification: Intel SDM vol. 2A, IRET; vol. 3A §6.14.3.
 */
import { RSP } from "../../../spec/x86-encoding.js";
import {
  ACCESS_DPL,
  ACCESS_DPL_SHIFT,
  ACCESS_UNUSABLE,
  CR0_AM,
  DR7_ENABLED,
  FLAGS_STATUS,
  FLAGS_SYSTEM,
  FLAG_ALWAYS,
  FLAG_NT,
  FLAG_TF,
  SELECTOR_RPL,
  USER_LEVEL,
} from "../../../spec/x86-privileged.js";
import type { Value } from "../../ir/ir.js";
import * as frame from "../interrupt-frames.js";
import * as L from "../layout.js";
import type { InstructionBuilder, SemanticsTable } from "./instruction-builder.js";
import {
  globalDescriptor,
  hit,
  isCanonical,
  isPlainCode64,
  isPlainStack,
  nullStackAccess,
  segmentParts,
  setSegment,
  supervisorMode,
  tlbOf,
  type LeaveIf,
  type SegmentParts,
} from "./quick-access.js";

const DATA_SEGMENTS = [L.ES, L.DS, L.FS, L.GS];

/** Whether an IRET now is more than loading registers: not at level 0, stepped, watched, in a nested task, after an NMI. */
function isSpecial(b: InstructionBuilder, system: Value): Value {
  const state = b.or(b.state("i32.load", L.CPL), b.state("i32.load", L.NMI_BLOCKED));
  const watched = b.and(b.state("i32.load", L.DR7), b.i32(DR7_ENABLED));
  return b.or(b.or(state, watched), b.and(system, b.i32(FLAG_NT | FLAG_TF)));
}

/**
 * Whether a return to level `cpl` would change one of the data segments, i32: load 0 where it is privileged, or null with
 * an RPL. At level 0 it does not.
 */
function dropsSegments(b: InstructionBuilder, cpl: Value): Value {
  const level = b.shl(cpl, b.i32(ACCESS_DPL_SHIFT));
  const drops = DATA_SEGMENTS.map((segment) => {
    const access = b.state("i32.load", L.SEGMENT_ACCESS + segment * 4);
    const selector = b.state("i32.load", L.SEGMENT_SELECTOR + segment * 4);
    const usable = b.eqz(b.and(access, b.i32(ACCESS_UNUSABLE)));
    const isNull = b.leU(selector, b.i32(SELECTOR_RPL));
    const changes = b.or(b.ne(selector, b.i32(0)), usable);
    return b.select(isNull, changes, b.and(usable, b.ltU(b.and(access, b.i32(ACCESS_DPL)), level)));
  });
  const any = drops.reduce((some, one) => b.or(some, one));
  return b.and(any, b.ne(cpl, b.i32(0)));
}

/** What SS gets: null is allowed below level 3, with that level as its RPL. */
function returnStack(b: InstructionBuilder, selector: Value, cpl: Value, leaveIf: LeaveIf): SegmentParts {
  const base = b.variable(b.i64(0));
  const limit = b.variable(b.i32(0));
  const access = b.variable(nullStackAccess(b, cpl));
  const mayBeNull = b.and(b.eq(selector, cpl), b.ne(cpl, b.i32(USER_LEVEL)));
  b.if(b.eqz(mayBeNull), () => {
    leaveIf(b.ne(b.and(selector, b.i32(SELECTOR_RPL)), cpl));
    const parts = segmentParts(b, globalDescriptor(b, selector, leaveIf));
    leaveIf(b.eqz(isPlainStack(b, parts.access, cpl)));
    b.set(base, parts.base);
    b.set(limit, parts.limit);
    b.set(access, parts.access);
  });
  return { base: b.get(base), limit: b.get(limit), access: b.get(access) };
}

/** Loads RFLAGS as level 0 may, without RF, which only matters while breakpoints are set. */
function loadFlags(b: InstructionBuilder, flags: Value, system: Value): void {
  const mask = frame.IRET_FLAGS_SUPERVISOR & FLAGS_SYSTEM;
  const next = b.or(b.and(system, b.i32(~mask)), b.and(flags, b.i32(mask)));
  b.setState("i32.store", L.FLAG_SYSTEM, b.or(next, b.i32(FLAG_ALWAYS)));
  b.setStatusFlags(b.and(flags, b.i32(FLAGS_STATUS)));
}

function iretq(b: InstructionBuilder): void {
  const leaveIf: LeaveIf = (condition) => b.if(condition, () => b.helper("iret"));
  const system = b.state("i32.load", L.FLAG_SYSTEM);
  leaveIf(isSpecial(b, system));
  const at = hit(b, b.state("i32.load", L.TLB_CURRENT), b.gpr(RSP, 8), frame.FRAME64, "read", leaveIf);
  const rip = b.load("i64.load", at, frame.FRAME64_RIP);
  const codeSelector = b.load("i32.load16_u", at, frame.FRAME64_CS);
  const flags = b.load("i32.load", at, frame.FRAME64_FLAGS);
  const pointer = b.load("i64.load", at, frame.FRAME64_RSP);
  const stackSelector = b.load("i32.load16_u", at, frame.FRAME64_SS);
  const cpl = b.and(codeSelector, b.i32(SELECTOR_RPL));
  const user = b.eq(cpl, b.i32(USER_LEVEL));
  // AM and AC are the same bit: #AC is on, which takes user pages out of the TLB.
  const checksAlignment = b.and(b.and(flags, b.state("i32.load", L.CR0)), b.i32(CR0_AM));
  leaveIf(b.or(b.and(flags, b.i32(FLAG_TF)), b.and(user, b.ne(checksAlignment, b.i32(0)))));
  leaveIf(b.or(b.eqz(isCanonical(b, rip)), dropsSegments(b, cpl)));
  const code = segmentParts(b, globalDescriptor(b, codeSelector, leaveIf));
  leaveIf(b.eqz(isPlainCode64(b, code.access, cpl)));
  const stack = returnStack(b, stackSelector, cpl, leaveIf);
  b.interruptWindow();
  setSegment(b, L.CS, codeSelector, code);
  setSegment(b, L.SS, stackSelector, stack);
  b.setState("i32.store", L.CPL, cpl);
  b.setState("i32.store", L.CODE_ACCESS, user);
  const mode = b.select(user, b.i32(L.ACCESS_USER), supervisorMode(b, flags));
  b.setState("i32.store", L.TLB_CURRENT, tlbOf(b, mode));
  loadFlags(b, flags, system);
  b.setGpr(RSP, 8, pointer);
  b.jump(rip, 8);
}

export const INTERRUPT_RETURN: SemanticsTable = {
  iret: (b, { size }) => (size === 8 ? iretq(b) : b.helper("iret")),
};
