/**
 * Functions of the interpreter's module that do what is common themselves and call TypeScript for all that is rare:
 * translation of data and code that a TLB does not answer, and delivery of events. Each either does its work as the
 * exact function would, or leaves to that with nothing changed.
 */
import { VECTOR_PF } from "../../spec/x86-privileged.js";
import type { IrFunction, Value } from "../ir/ir.js";
import * as layout from "../x86/layout.js";
import { enterHandler } from "../x86/semantics/interrupt-entry.js";
import { translateFetch, translateMiss } from "../x86/semantics/page-translation.js";
import type { LeaveIf } from "../x86/semantics/quick-access.js";
import { HandlerBuilder, type HelperIndex } from "./handler-builder.js";

function builder(name: string, parameters: number, helperIndex: HelperIndex): HandlerBuilder {
  const types = Array.from({ length: parameters }, () => "i32" as const);
  return new HandlerBuilder(name, { parameters: types, results: ["i32"] }, helperIndex);
}

/** Delivers an event, `(cpu, vector, error code, restarts)`: 1, or 0 with nothing changed. */
function enterQuickly(helperIndex: HelperIndex): IrFunction {
  const b = builder("enterQuickly", 4, helperIndex);
  const [vector, errorCode, restarts] = [1, 2, 3].map((i) => b.parameter(i));
  const leaveIf: LeaveIf = (condition) => b.if(condition, () => b.return(b.i32(0)));
  enterHandler(b, { vector, errorCode, restarts }, leaveIf);
  b.return(b.i32(1));
  return b.finish();
}

/** Delivers a page fault at RIP and returns 0, or leaves with nothing changed. */
function pageFault(b: HandlerBuilder, linear: Value, code: Value, leaveIf: LeaveIf): void {
  const cpu = b.parameter(0);
  leaveIf(b.eqz(b.call("enterQuickly", "i32", [cpu, b.i32(VECTOR_PF), code, b.i32(1)])));
  b.setState("i64.store", layout.CR2, linear);
  b.setState("i32.store", layout.INTERRUPT_SHADOW, b.i32(0));
  b.return(b.i32(0));
}

/**
 * A data access at MAIL_ADDRESS that the TLB does not answer, `(cpu, record, info)`: its host address, or 0 with the
 * fault delivered. Import `slowTranslate` does the same, for all that is rare.
 */
function translate(helperIndex: HelperIndex): IrFunction {
  const b = builder("translate", 3, helperIndex);
  const [cpu, record, info] = [0, 1, 2].map((i) => b.parameter(i));
  b.setState("i32.store", layout.TLB_MISSES, b.add(b.state("i32.load", layout.TLB_MISSES), b.i32(1)));
  const leaveIf: LeaveIf = (condition) =>
    b.if(condition, () => b.return(b.call("slowTranslate", "i32", [cpu, record, info])));
  const linear = b.state("i64.load", layout.MAIL_ADDRESS);
  const fault = (code: Value): void => {
    b.setState("i64.store", layout.RIP, b.currentRip());
    pageFault(b, linear, code, leaveIf);
  };
  b.return(translateMiss(b, { linear, info, leaveIf, fault }));
  return b.finish();
}

/**
 * Code at MAIL_ADDRESS, which is RIP's, that the instruction TLB does not answer: 1 once it does, or 0 with the fault
 * delivered. Import `translateCode` does the same, for all that is rare.
 */
function fetch(helperIndex: HelperIndex): IrFunction {
  const b = builder("fetch", 1, helperIndex);
  const leaveIf: LeaveIf = (condition) =>
    b.if(condition, () => b.return(b.call("translateCode", "i32", [b.parameter(0)])));
  const linear = b.state("i64.load", layout.MAIL_ADDRESS);
  translateFetch(b, linear, leaveIf, (code) => pageFault(b, linear, code, leaveIf));
  b.return(b.i32(1));
  return b.finish();
}

/** All of them. */
export function quickFunctions(helperIndex: HelperIndex): readonly IrFunction[] {
  return [enterQuickly, translate, fetch].map((make) => make(helperIndex));
}
