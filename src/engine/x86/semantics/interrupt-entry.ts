/**
 * Entering a handler in IA-32e mode from 64-bit code, through an interrupt or trap gate to level 0: what an exception or
 * interrupt in a 64-bit kernel or its user programs nearly always is. All checks come before the first change. What
 * is rare (faults, other modes and levels, breakpoints) is `enterLongMode`'s (system/gates.ts), and so is every access
 * that the TLB does not answer.
 *
 * Specification: Intel SDM vol. 3A §6.12–6.14; vol. 2A, INT n (the pseudo-code).
 */
import { RSP } from "../../../spec/x86-encoding.js";
import {
  CR0_AM,
  DR7_ENABLED,
  FLAG_ALWAYS,
  FLAG_IF,
  FLAG_RF,
  GATE64_SIZE,
  GATE_IST,
  GATE_PRESENT,
  GATE_TYPE_AND_S,
  GATE_TYPE_SHIFT,
  SELECTOR_RPL,
  TSS64_IST1,
  TSS64_RSP0,
  TYPE_INTERRUPT_GATE,
  TYPE_TRAP_GATE,
} from "../../../spec/x86-privileged.js";
import type { Value } from "../../ir/ir.js";
import * as frame from "../interrupt-frames.js";
import * as L from "../layout.js";
import { MODE_CODE_SIZE, MODE_CODE64 } from "../mode.js";
import type { InstructionBuilder } from "./instruction-builder.js";
import {
  globalDescriptor,
  hit,
  implicitTlb,
  isCanonical,
  isPlainCode64,
  nullStackAccess,
  segmentParts,
  setSegment,
  supervisorMode,
  tlbOf,
  type LeaveIf,
} from "./quick-access.js";

const POINTER_BYTES = 8;

/** What is to be delivered, i32 each. */
export interface Event {
  readonly vector: Value;
  /** The value to push, or negative when the vector has none. */
  readonly errorCode: Value;
  /** Whether RF is set in the frame. */
  readonly restarts: Value;
}

interface Gate {
  readonly selector: Value;
  readonly target: Value;
  readonly ist: Value;
  /** Flags that it clears. */
  readonly cleared: Value;
}

/** Not in 64-bit code, with breakpoints, or with alignment checks, which end when the level changes. */
function isSpecial(b: InstructionBuilder, system: Value): Value {
  const watched = b.and(b.state("i32.load", L.DR7), b.i32(DR7_ENABLED));
  // AM and AC are the same bit of their registers.
  const checks = b.and(b.and(system, b.state("i32.load", L.CR0)), b.i32(CR0_AM));
  const size = b.and(b.state("i32.load", L.MODE_KEY), b.i32(MODE_CODE_SIZE));
  const outer = b.select(b.state("i32.load", L.CPL), checks, b.i32(0));
  return b.or(b.or(watched, outer), b.ne(size, b.i32(MODE_CODE64)));
}

function readGate(b: InstructionBuilder, vector: Value, leaveIf: LeaveIf): Gate {
  const offset = b.mul(vector, b.i32(GATE64_SIZE));
  leaveIf(b.gtU(b.add(offset, b.i32(GATE64_SIZE - 1)), b.state("i32.load", L.IDTR_LIMIT)));
  const linear = b.add(b.state("i64.load", L.IDTR_BASE), b.extendU(offset));
  const at = hit(b, implicitTlb(b), linear, GATE64_SIZE, "read", leaveIf);
  const low = b.load("i32.load", at);
  const high = b.load("i32.load", at, 4);
  const type = b.and(b.shrU(high, b.i32(GATE_TYPE_SHIFT)), b.i32(GATE_TYPE_AND_S));
  const interrupt = b.eq(type, b.i32(TYPE_INTERRUPT_GATE));
  leaveIf(b.eqz(b.or(interrupt, b.eq(type, b.i32(TYPE_TRAP_GATE)))));
  leaveIf(b.eqz(b.and(high, b.i32(GATE_PRESENT))));
  const near = b.or(b.and(low, b.i32(0xffff)), b.and(high, b.i32(0xffff0000)));
  const target = b.or(b.extendU(near), b.shl(b.load("i64.load32_u", at, 8), b.i64(32)));
  leaveIf(b.eqz(isCanonical(b, target)));
  return {
    selector: b.shrU(low, b.i32(16)),
    target,
    ist: b.and(high, b.i32(GATE_IST)),
    cleared: b.or(b.mul(interrupt, b.i32(FLAG_IF)), b.i32(frame.ENTRY_CLEARED_FLAGS)),
  };
}

/** Where the frame begins, going down: RSP, or what the TSS has for the gate or for level 0. */
function stackTop(b: InstructionBuilder, { ist }: Gate, leaveIf: LeaveIf): Value {
  const top = b.variable(b.gpr(RSP, 8));
  b.if(b.or(b.state("i32.load", L.CPL), ist), () => {
    const entry = b.add(b.mul(ist, b.i32(POINTER_BYTES)), b.i32(TSS64_IST1 - POINTER_BYTES));
    const offset = b.select(ist, entry, b.i32(TSS64_RSP0));
    const limit = b.state("i32.load", L.SEGMENT_LIMIT + L.TR * 4);
    leaveIf(b.gtU(b.add(offset, b.i32(POINTER_BYTES - 1)), limit));
    const linear = b.add(b.state("i64.load", L.TR_BASE), b.extendU(offset));
    const pointer = b.load("i64.load", hit(b, implicitTlb(b), linear, POINTER_BYTES, "read", leaveIf));
    leaveIf(b.eqz(isCanonical(b, pointer)));
    b.set(top, pointer);
  });
  return b.and(b.get(top), b.i64(-frame.FRAME64_ALIGNMENT));
}

/** The frame's host address behind the error code, if there is one, and the new RSP. */
function reserveFrame(
  b: InstructionBuilder,
  top: Value,
  { errorCode }: Event,
  mode: Value,
  leaveIf: LeaveIf,
): { at: Value; pointer: Value } {
  const code = b.select(b.ltS(errorCode, b.i32(0)), b.i32(0), b.i32(POINTER_BYTES));
  const size = b.add(code, b.i32(frame.FRAME64));
  const pointer = b.sub(top, b.extendU(size));
  const start = hit(b, tlbOf(b, mode), pointer, size, "write", leaveIf);
  return { at: b.add(start, code), pointer };
}

/** RIP, CS, RFLAGS, RSP and SS as they are, and the error code below them. */
function writeFrame(b: InstructionBuilder, at: Value, event: Event, system: Value): void {
  const selector = (segment: number): Value => b.state("i64.load32_u", L.SEGMENT_SELECTOR + segment * 4);
  const rf = b.select(event.restarts, b.i32(FLAG_RF), b.i32(0));
  const flags = b.or(b.or(b.and(system, b.i32(~FLAG_RF)), rf), b.or(b.statusFlags(), b.i32(FLAG_ALWAYS)));
  b.if(b.geS(event.errorCode, b.i32(0)), () => {
    b.store("i64.store", b.sub(at, b.i32(POINTER_BYTES)), b.extendU(event.errorCode));
  });
  b.store("i64.store", at, b.state("i64.load", L.RIP), frame.FRAME64_RIP);
  b.store("i64.store", at, selector(L.CS), frame.FRAME64_CS);
  b.store("i64.store", at, b.extendU(flags), frame.FRAME64_FLAGS);
  b.store("i64.store", at, b.gpr(RSP, 8), frame.FRAME64_RSP);
  b.store("i64.store", at, selector(L.SS), frame.FRAME64_SS);
}

/**
 * Delivers an event; RIP is what the frame gets. `leaveIf` ends the code for the exact path, with nothing changed.
 * Alone what delivery.ts does around every event is not done here.
 */
export function enterHandler(b: InstructionBuilder, event: Event, leaveIf: LeaveIf): void {
  const system = b.state("i32.load", L.FLAG_SYSTEM);
  leaveIf(isSpecial(b, system));
  const gate = readGate(b, event.vector, leaveIf);
  const code = segmentParts(b, globalDescriptor(b, gate.selector, leaveIf));
  const level = b.i32(0);
  leaveIf(b.eqz(isPlainCode64(b, code.access, level)));
  const mode = supervisorMode(b, system);
  const { at, pointer } = reserveFrame(b, stackTop(b, gate, leaveIf), event, mode, leaveIf);
  writeFrame(b, at, event, system);
  b.setGpr(RSP, 8, pointer);
  b.if(b.state("i32.load", L.CPL), () => {
    const none = { base: b.i64(0), limit: b.i32(0), access: nullStackAccess(b, level) };
    setSegment(b, L.SS, level, none);
    b.setState("i32.store", L.CPL, level);
    b.setState("i32.store", L.CODE_ACCESS, level);
    b.setState("i32.store", L.TLB_CURRENT, tlbOf(b, mode));
  });
  setSegment(b, L.CS, b.and(gate.selector, b.i32(~SELECTOR_RPL)), code);
  b.setState("i64.store", L.RIP, gate.target);
  const kept = b.and(system, b.not(gate.cleared));
  b.setState("i32.store", L.FLAG_SYSTEM, b.or(kept, b.i32(FLAG_ALWAYS)));
  const deliveries = b.add(b.state("i32.load", L.DELIVERIES), b.i32(1));
  b.setState("i32.store", L.DELIVERIES, deliveries);
}
