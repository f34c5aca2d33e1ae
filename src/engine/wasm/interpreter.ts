/**
 * Generates the interpreter: a WebAssembly module with one handler a operation, the run loop that dispatches them
 * (the hottest inlined as arms of its branch table), and the resolver that finds the record of an RIP.
 *
 * Protocol: a handler returns the next record, or 0 when RIP is set and has to be resolved. Faults are delivered
 * by TypeScript before a handler returns 0.
 */
import { VECTOR_GP, VECTOR_NM } from "../../spec/x86-privileged.js";
import type { Label, Value } from "../ir/ir.js";
import { INFO_ADDEND } from "../x86/call-info.js";
import { constantTables } from "../x86/constant-tables.js";
import * as layout from "../x86/layout.js";
import { OPERATIONS, type Operation } from "../x86/operands.js";
import { PSEUDO } from "../x86/pseudo-operations.js";
import * as rec from "../x86/record.js";
import { HELPER_NAMES } from "../x86/semantics/delegated.js";
import { SEMANTICS } from "../x86/semantics/index.js";
import { isEntryOf, lookupEntry } from "./decode-lookup.js";
import { HANDLER_SIGNATURE, HANDLER_TYPE, HandlerBuilder } from "./handler-builder.js";
import type { InlineContinuation } from "./record-builder.js";
import { HOT_OPERATIONS } from "./hot-operations.js";
import { INDIRECT } from "./lower.js";
import { ModuleBuilder } from "./module-builder.js";
import { quickDecoder } from "./quick-decoder.js";
import { quickFunctions } from "./quick-functions.js";

const MODE_64 = 2;
const MODE_SIZE_MASK = 3;

/** Imports of the generated module, all from "env"; every argument and result is an i32. */
export const IMPORTS: Record<string, { parameters: number; result: boolean }> = {
  slowTranslate: { parameters: 3, result: true },
  commit: { parameters: 3, result: false },
  checkedAddress: { parameters: 3, result: true },
  checkedStack: { parameters: 3, result: true },
  checkedString: { parameters: 3, result: true },
  helper: { parameters: 4, result: true },
  raise: { parameters: 4, result: false },
  requestExit: { parameters: 1, result: false },
  translateCode: { parameters: 1, result: true },
  decode: { parameters: 2, result: true },
  crossing: { parameters: 2, result: true },
  sseFloat: { parameters: 5, result: true },
  vectorOperation: { parameters: 4, result: true },
};

/** Numbers of operations that decode, and that the interpreter does not execute. */
export function unimplementedOperations(): number[] {
  return OPERATIONS.list.filter((operation) => !isImplemented(operation)).map(({ id }) => id);
}

/** Operations the interpreter executes; decoding any other gives the "undefined" record. */
export function isImplemented(operation: Operation): boolean {
  return operation.mnemonic in SEMANTICS;
}

function helperIndex(mnemonic: string): number {
  const index = HELPER_NAMES.indexOf(mnemonic);
  if (index < 0) throw new Error(`no helper is called ${mnemonic}`);
  return index;
}

/** RIP of a record: page start plus offset, wrapped to the mode. */
function recordRip(b: HandlerBuilder, cpu: Value, record: Value, field: number, op: string): Value {
  const rip = b.add(b.load("i64.load", cpu, layout.PAGE_RIP), b.load(op, record, field));
  return b.and(rip, b.load("i64.load", cpu, layout.LINEAR_MASK));
}

/** Target of a relative branch outside 64-bit mode: 32 or, by operand size, 16 bits. */
function legacyTarget(b: HandlerBuilder, cpu: Value, record: Value): Value {
  const rip = recordRip(b, cpu, record, rec.REC_IMMEDIATE, "i64.load");
  const narrow = b.and(b.load("i32.load8_u", record, rec.REC_MISC), b.i32(rec.MISC_NARROW_BRANCH));
  return b.and(rip, b.select(narrow, b.i64(0xffff), b.i64(0xffffffffn)));
}

class InterpreterGenerator {
  private readonly module = new ModuleBuilder();

  generate(): Uint8Array {
    for (const [name, { parameters, result }] of Object.entries(IMPORTS)) {
      this.module.import(name, {
        parameters: Array(parameters).fill("i32") as "i32"[],
        results: result ? ["i32"] : [],
      });
    }
    this.module.defineType(HANDLER_TYPE, HANDLER_SIGNATURE);
    const table = OPERATIONS.list.map((operation) => this.handler(operation));
    this.module.setTable(table);
    this.address();
    this.resolve();
    this.branchAllowed();
    this.branch();
    this.run();
    for (const f of quickFunctions(helperIndex)) this.module.add(f);
    this.module.add(quickDecoder());
    this.module.export("run");
    this.module.export("enterQuickly");
    this.module.export("decodeQuickly");
    // Tests hold it to the exact path.
    this.module.export("translate");
    this.module.export("fetch");
    this.module.exportTable("handlers");
    this.module.addData(layout.AES_ENCRYPT, constantTables());
    return this.module.build();
  }

  /** One operation as a function; returns its name. Operations without semantics share the undefined handler. */
  private handler(operation: Operation): string {
    if (!isImplemented(operation) && !(operation.key in PSEUDO_BODIES)) return `${PSEUDO.undefined}`;
    const name = `${operation.id}`;
    const b = new HandlerBuilder(name, HANDLER_SIGNATURE, helperIndex);
    b.begin(operation);
    this.body(b, operation);
    b.end();
    this.module.add(b.finish());
    return name;
  }

  private body(b: HandlerBuilder, operation: Operation): void {
    const pseudo = PSEUDO_BODIES[operation.key];
    if (pseudo) pseudo(b);
    else SEMANTICS[operation.mnemonic](b, operation);
  }

  /** Linear address of a memory operand that is more than base + displacement. */
  private address(): void {
    const b = new HandlerBuilder(
      "address",
      { parameters: ["i32", "i32", "i32"], results: ["i64"] },
      helperIndex,
    );
    const cpu = b.parameter(0);
    const record = b.parameter(1);
    b.if(b.eq(b.load("i32.load8_u", record, rec.REC_EA), b.i32(rec.EA_CHECKED)), () => {
      const good = b.call("checkedAddress", "i32", [cpu, record, b.parameter(2)]);
      b.store("i32.store", cpu, b.eqz(good), layout.ADDRESS_FAULT);
      b.return(b.load("i64.load", cpu, layout.MAIL_ADDRESS));
    });
    b.store("i32.store", cpu, b.i32(0), layout.ADDRESS_FAULT);
    const slot = (field: number): Value =>
      b.load("i64.load", b.add(cpu, b.load("i32.load16_u", record, field)));
    const scaled = b.shl(slot(rec.REC_X), b.load("i64.load8_u", record, rec.REC_SCALE));
    const offset = b.add(
      b.add(slot(rec.REC_B), scaled),
      b.load("i64.load32_s", record, rec.REC_DISPLACEMENT),
    );
    const segment = b.add(cpu, b.load("i32.load8_u", record, rec.REC_SEGMENT));
    const moves = b.and(b.parameter(2), b.i32(INFO_ADDEND));
    const addend = b.select(moves, b.load("i64.load", cpu, layout.MAIL_ADDRESS), b.i64(0));
    const linear = b.add(b.add(offset, addend), b.load("i64.load", segment, layout.SEGMENT_BASE));
    b.return(b.and(linear, b.load("i64.load", cpu, layout.LINEAR_MASK)));
    this.module.add(b.finish());
  }

  /** Record of the instruction at RIP, or 0 after a fault was delivered. Sets PAGE_RIP. */
  private resolve(): void {
    const b = new HandlerBuilder("resolve", { parameters: ["i32"], results: ["i32"] }, helperIndex);
    const cpu = b.parameter(0);
    const rip = b.load("i64.load", cpu, layout.RIP);
    const mode = b.load("i32.load", cpu, layout.MODE_KEY);
    const long = b.eq(b.and(mode, b.i32(MODE_SIZE_MASK)), b.i32(MODE_64));
    const base = b.select(long, b.i64(0), b.load("i64.load", cpu, layout.SEGMENT_BASE + layout.CS * 8));
    const linear = b.and(b.add(rip, base), b.load("i64.load", cpu, layout.LINEAR_MASK));
    const page = b.and(linear, b.i64(-layout.PAGE_SIZE));
    const tag = b.or(page, b.load("i64.load32_u", cpu, layout.CODE_ACCESS));
    const slot = b.and(b.wrap(b.shrU(linear, b.i64(layout.PAGE_SHIFT))), b.i32(layout.ITLB_ENTRIES - 1));
    const entry = b.add(b.add(cpu, b.mul(slot, b.i32(layout.ITLB_ENTRY_SIZE))), b.i32(layout.ITLB));
    b.if(b.ne(b.load("i64.load", entry), tag), () => {
      b.store("i64.store", cpu, linear, layout.MAIL_ADDRESS);
      b.if(b.eqz(b.call("fetch", "i32", [cpu])), () => b.return(b.i32(0)));
    });
    const inPage = b.and(linear, b.i64(layout.PAGE_SIZE - 1));
    b.store("i64.store", cpu, b.sub(rip, inPage), layout.PAGE_RIP);
    const ramOffset = b.add(b.load("i32.load", entry, layout.ITLB_RAM_OFFSET), b.wrap(inPage));
    const found = lookupEntry(b, ramOffset, mode);
    b.if(isEntryOf(b, found, ramOffset, mode), () => b.return(b.load("i32.load", found, 8)));
    b.return(b.call("decode", "i32", [cpu, ramOffset]));
    this.module.add(b.finish());
  }

  /** Outside 64-bit mode: 1 when CS holds the target of a relative branch, 0 with #GP(0) delivered. */
  private branchAllowed(): void {
    const b = new HandlerBuilder("branchAllowed", HANDLER_SIGNATURE, helperIndex);
    const cpu = b.parameter(0);
    const record = b.parameter(1);
    const limit = b.load("i64.load32_u", cpu, layout.SEGMENT_LIMIT + layout.CS * 4);
    b.if(b.gtU(legacyTarget(b, cpu, record), limit), () => {
      b.callVoid("raise", [cpu, record, b.i32(VECTOR_GP), b.i32(0)]);
      b.return(b.i32(0));
    });
    b.return(b.i32(1));
    this.module.add(b.finish());
  }

  /**
   * Relative branch without a link yet: sets RIP, resolves, and links when the target is in the same page. Does not
   * look at the target when the budget is used up: a fault there is the next run's.
   */
  private branch(): void {
    const b = new HandlerBuilder("branch", HANDLER_SIGNATURE, helperIndex);
    const cpu = b.parameter(0);
    const record = b.parameter(1);
    const offset = b.load("i64.load", record, rec.REC_IMMEDIATE);
    const target = b.variable(recordRip(b, cpu, record, rec.REC_IMMEDIATE, "i64.load"));
    const mode = b.load("i32.load", cpu, layout.MODE_KEY);
    b.if(b.ne(b.and(mode, b.i32(MODE_SIZE_MASK)), b.i32(MODE_64)), () => {
      b.set(target, legacyTarget(b, cpu, record));
      b.if(b.eqz(b.call("branchAllowed", "i32", [cpu, record])), () => b.return(b.i32(0)));
    });
    const rip = b.get(target);
    const page = b.load("i64.load", cpu, layout.PAGE_RIP);
    const epoch = b.load("i32.load", cpu, layout.DECODE_EPOCH);
    b.store("i64.store", cpu, rip, layout.RIP);
    b.if(b.leS(b.load("i32.load", cpu, layout.LEFT), b.i32(0)), () => b.return(b.i32(0)));
    const resolved = b.call("resolve", "i32", [cpu]);
    b.if(b.eqz(resolved), () => {
      b.store("i32.store", cpu, b.sub(b.load("i32.load", cpu, layout.LEFT), b.i32(1)), layout.LEFT);
      b.return(b.i32(0));
    });
    b.if(b.ltU(offset, b.i64(layout.PAGE_SIZE)), () => {
      const samePage = b.eq(page, b.load("i64.load", cpu, layout.PAGE_RIP));
      const sameTarget = b.eq(b.wrap(offset), b.load("i32.load16_u", resolved, rec.REC_OFFSET));
      const sameMode = b.eq(mode, b.load("i32.load", cpu, layout.MODE_KEY));
      const sameEpoch = b.eq(epoch, b.load("i32.load", cpu, layout.DECODE_EPOCH));
      b.if(b.and(b.and(samePage, sameTarget), b.and(sameMode, sameEpoch)), () =>
        b.store("i32.store", record, resolved, rec.REC_LINK),
      );
    });
    b.return(resolved);
    this.module.add(b.finish());
  }

  /** The loop: resolve when there is no record, count, dispatch. */
  private run(): void {
    const b = new HandlerBuilder("run", { parameters: ["i32"], results: [] }, helperIndex);
    const cpu = b.parameter(0);
    const record = b.variable(b.i32(0), "record");
    const left = b.variable(b.load("i32.load", cpu, layout.LEFT), "left");
    const hot = HOT_OPERATIONS.map((key) => OPERATIONS.named(key)).filter(
      (operation) => isImplemented(operation) || operation.key in PSEUDO_BODIES,
    );
    b.loop((again) => {
      b.if(b.eqz(b.get(record)), () => {
        b.store("i32.store", cpu, b.get(left), layout.LEFT);
        b.if(b.leS(b.get(left), b.i32(0)), () => b.return());
        b.set(record, b.call("resolve", "i32", [cpu]));
        b.set(left, b.load("i32.load", cpu, layout.LEFT));
        b.if(b.eqz(b.get(record)), () => {
          // A fetch that faults counts, so that handlers which cannot be fetched either do not fault for ever.
          b.set(left, b.sub(b.get(left), b.i32(1)));
          b.branch(again);
        });
      });
      b.set(left, b.sub(b.get(left), b.i32(1)));
      b.if(b.ltS(b.get(left), b.i32(0)), () => {
        b.store(
          "i64.store",
          cpu,
          recordRip(b, cpu, b.get(record), rec.REC_OFFSET, "i64.load16_u"),
          layout.RIP,
        );
        b.store("i32.store", cpu, b.i32(0), layout.LEFT);
        b.return();
      });
      this.dispatch(b, hot, { record, left, again });
    });
    b.return();
    this.module.add(b.finish());
  }

  /** The branch table: hot operations as arms, everything else by an indirect call. */
  private dispatch(b: HandlerBuilder, hot: readonly Operation[], continuation: InlineContinuation): void {
    const arms: Label[] = [];
    const nest = (depth: number): void => {
      if (depth === hot.length) return this.table(b, hot, arms, continuation);
      b.block((label) => {
        arms.push(label);
        nest(depth + 1);
      });
      b.begin(hot[hot.length - 1 - depth], continuation);
      this.body(b, hot[hot.length - 1 - depth]);
      b.end();
    };
    nest(0);
  }

  private table(
    b: HandlerBuilder,
    hot: readonly Operation[],
    arms: readonly Label[],
    continuation: InlineContinuation,
  ): void {
    const cpu = b.parameter(0);
    const op = b.load("i32.load16_u", b.get(continuation.record), rec.REC_OP);
    b.block((cold) => {
      const byId = new Map(hot.map((operation, i) => [operation.id, arms[hot.length - 1 - i]]));
      const highest = Math.max(-1, ...byId.keys());
      const labels = Array.from({ length: highest + 1 }, (_, id) => byId.get(id) ?? cold);
      b.branchTable(op, labels, cold);
    });
    b.store("i32.store", cpu, b.get(continuation.left), layout.LEFT);
    const index = b.load("i32.load16_u", b.get(continuation.record), rec.REC_OP);
    b.set(
      continuation.record,
      b.call(INDIRECT + HANDLER_TYPE, "i32", [cpu, b.get(continuation.record), index]),
    );
    b.set(continuation.left, b.load("i32.load", cpu, layout.LEFT));
    b.branch(continuation.again);
  }
}

/** Pseudo records give back the instruction that the loop counted for them. */
const PSEUDO_BODIES: Record<string, (b: HandlerBuilder) => void> = {
  "relookup.0": (b) => {
    b.uncount();
    b.jump(b.currentRip(), 8);
  },
  "continue.0": (b) => {
    b.uncount();
    b.jumpRelative();
  },
  "crossing.0": (b) => {
    b.uncount();
    b.checkCrossing();
  },
  "undefined.0": (b) => b.helper("ud"),
  "too_long.0": (b) => b.raise(VECTOR_GP, 0),
  "beyond_limit.0": (b) => b.raise(VECTOR_GP, 0),
  "unimplemented.0": (b) => b.helper("unimplemented"),
  "device_not_available.0": (b) => b.raise(VECTOR_NM),
  "mov_absolute.0": (b) => b.helper("mov_absolute"),
};

/** The module's bytes. Deterministic: the same source gives the same module. */
export function generateInterpreter(): Uint8Array {
  return new InterpreterGenerator().generate();
}
