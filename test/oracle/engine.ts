/** Runs the same program as a guest of an engine, in 64-bit mode at CPL 0, with #DE sent to the address in R15. */
import type { Engine } from "../../src/engine/contract.js";
import { TYPE_INTERRUPT_GATE, qword, r15, rsp } from "../support/asm/index.js";
import { prologue } from "../conformance/support/environments.js";
import { guest } from "../conformance/support/guest.js";
import * as layout from "../conformance/support/layout.js";
import { finish, load } from "../conformance/support/on-engine.js";
import type { Form } from "./forms.js";
import { emitForms } from "./program.js";
import { RESULT_WORDS, rowBytes } from "./rows.js";
import type { Row } from "./rows.js";

/** RAM that the environment leaves free. */
const INPUT = 0x800000;
const OUTPUT = 0xb00000;
const OUTPUT_END = layout.RAM_SIZE;
const CELL = layout.DATA + 0x40;
const BYTES_PER_ROW = RESULT_WORDS * 8;
const VECTOR_DE = 0;

/** How many forms of `rows` rows fit one guest. */
export const formsPerGuest = (rows: number): number =>
  Math.floor((OUTPUT - INPUT) / BYTES_PER_ROW / rows / 2);

/** The results of `forms` over `rows`, laid out as the native run's. */
export function runOnEngine(engine: Engine, forms: readonly Form[], rows: readonly Row[][]): Uint8Array {
  const made = guest("oracle", { cites: "the host's CPU" }, (g) => {
    prologue(g.a);
    g.gates.set(VECTOR_DE, {
      selector: layout.KERNEL_CODE,
      offset: 0,
      type: TYPE_INTERRUPT_GATE,
      label: "divide",
    });
    g.data(INPUT, rowBytes(rows));
    // The program outgrows the room below the handlers.
    g.a.jmp("forms").label("divide").mov(qword(rsp), r15).iretq();
    g.a.org(layout.PAGE_TABLE_POOL_END).label("forms");
    emitForms(g.a, forms, rows[0].length, INPUT, OUTPUT, CELL);
    g.exit();
  });
  const session = load(engine, made);
  try {
    const { ending } = finish(session);
    if (ending.kind !== "exit" || ending.code !== 0) {
      throw new Error(
        `the guest ended by ${JSON.stringify(ending)}, RIP 0x${session.cpu.readState().rip.toString(16)}`,
      );
    }
    const length = rows.flat().length * BYTES_PER_ROW;
    if (OUTPUT + length > OUTPUT_END) throw new Error("the results do not fit guest memory");
    return session.memory.read(OUTPUT, length);
  } finally {
    session.vm.dispose();
  }
}
