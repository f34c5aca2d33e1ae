/**
 * Forms of SSE floating point that have a quick path, and how rows of operands are put to them: all of a table by one guest,
 * and one by the exact unit. What the two make of a row must be the same: results, EFLAGS, MXCSR.
 *
 * Specification: SDM vol. 1 §11.5 (exceptions), vol. 2 (the instructions).
 */
import assert from "node:assert/strict";
import { createWasmEngine } from "../../src/engine/wasm/engine.js";
import { executeSseFloat, sseFloatOperation } from "../../src/engine/x86/sse-float.js";
import { FLOAT_COMPARE_AFFECTED } from "../../src/spec/sse.js";
import { memory, qword, r12, rax, rbx, rsi, xmm0, xmm1 } from "../support/asm/index.js";
import { guest } from "../conformance/support/guest.js";
import { finish, load } from "../conformance/support/on-engine.js";

/** Of a row in memory: XMM0, XMM1, MXCSR; RAX, EFLAGS and XMM0 and MXCSR as the instruction left them. */
const [LEFT, RIGHT, CONTROL, OUT_RAX, OUT_FLAGS, OUT_XMM, OUT_MXCSR, ROW_BYTES] = [
  0, 16, 32, 40, 48, 56, 72, 80,
];
const TABLE = 0x800000;
const OLD_RAX = 0x1122334455667788n;

export interface Form {
  /** Name in the exact unit. */
  unit: string;
  bytes: number[];
  imm?: number;
  /** The integer is in, or goes to, RAX. */
  general?: "source" | "destination";
  flags?: boolean;
}

const XMM0_XMM1 = 0xc1;
const PREFIX = { ps: [], pd: [0x66], ss: [0xf3], sd: [0xf2] } as const;
const SHAPES = ["ps", "pd", "ss", "sd"] as const;
const ARITHMETIC = { add: 0x58, mul: 0x59, sub: 0x5c, min: 0x5d, div: 0x5e, max: 0x5f, sqrt: 0x51 };

const plain = (unit: string, prefix: readonly number[], opcode: number): Form => ({
  unit,
  bytes: [...prefix, 0x0f, opcode, XMM0_XMM1],
});

function lanewise(): Form[] {
  return SHAPES.flatMap((shape, i) => [
    ...Object.entries(ARITHMETIC).map(([name, opcode]) => plain(name + shape, PREFIX[shape], opcode)),
    ...[0, 1, 2, 3, 4, 5, 6, 7].map((imm): Form => {
      const { unit, bytes } = plain(`cmp${shape}`, PREFIX[shape], 0xc2);
      return { unit, bytes: [...bytes, imm], imm };
    }),
    ...[0, 1, 2, 3, 4, 8, 9, 12].map((imm): Form => ({
      unit: `round${shape}`,
      bytes: [0x66, 0x0f, 0x3a, 8 + i, XMM0_XMM1, imm],
      imm,
    })),
  ]);
}

function conversions(): Form[] {
  const general = (["ss", "sd"] as const).flatMap((shape) =>
    ([32, 64] as const).flatMap((width): Form[] => {
      const code = (opcode: number): number[] =>
        [...PREFIX[shape], ...(width === 64 ? [0x48] : []), 0x0f, opcode, XMM0_XMM1]; // prettier-ignore
      return [
        // XMM0 from RCX would be C1: RAX is C0.
        { unit: `cvtsi2${shape}${width}`, bytes: [...code(0x2a).slice(0, -1), 0xc0], general: "source" },
        { unit: `cvt${shape}2si${width}`, bytes: code(0x2d), general: "destination" },
        { unit: `cvtt${shape}2si${width}`, bytes: code(0x2c), general: "destination" },
      ];
    }),
  );
  return [
    ...general,
    plain("cvtss2sd", PREFIX.ss, 0x5a),
    plain("cvtsd2ss", PREFIX.sd, 0x5a),
    plain("cvtps2pd", PREFIX.ps, 0x5a),
    plain("cvtpd2ps", PREFIX.pd, 0x5a),
    plain("cvtdq2pd", PREFIX.ss, 0xe6),
    plain("cvtdq2ps", PREFIX.ps, 0x5b),
    plain("cvtps2dq", PREFIX.pd, 0x5b),
    plain("cvttps2dq", PREFIX.ss, 0x5b),
    plain("cvtpd2dq", PREFIX.sd, 0xe6),
    plain("cvttpd2dq", PREFIX.pd, 0xe6),
  ];
}

export const FORMS: readonly Form[] = [
  ...lanewise(),
  ...conversions(),
  ...(["add", "sub"] as const).flatMap((name, i) => [
    plain(`h${name}ps`, PREFIX.sd, 0x7c + i),
    plain(`h${name}pd`, PREFIX.pd, 0x7c + i),
  ]),
  plain("addsubps", PREFIX.sd, 0xd0),
  plain("addsubpd", PREFIX.pd, 0xd0),
  { ...plain("ucomiss", [], 0x2e), flags: true },
  { ...plain("ucomisd", [0x66], 0x2e), flags: true },
  { ...plain("comiss", [], 0x2f), flags: true },
  { ...plain("comisd", [0x66], 0x2f), flags: true },
];

/** Operands of a row: XMM0 and XMM1, low half first, and MXCSR. */
export interface Row {
  left: readonly [bigint, bigint];
  right: readonly [bigint, bigint];
  control: number;
}

/** A table of rows as the guest reads it. */
export function tableOf(rows: readonly Row[]): DataView {
  const view = new DataView(new ArrayBuffer(rows.length * ROW_BYTES));
  rows.forEach(({ left, right, control }, row) => {
    const start = row * ROW_BYTES;
    left.forEach((word, i) => view.setBigUint64(start + LEFT + 8 * i, word, true));
    right.forEach((word, i) => view.setBigUint64(start + RIGHT + 8 * i, word, true));
    view.setUint32(start + CONTROL, control, true);
  });
  return view;
}

/** Runs one form over all rows as a guest; the rows with what it left. */
function onEngine(form: Form, rows: DataView): DataView {
  const made = guest(form.unit, { cites: "SDM vol. 2" }, (g) => {
    g.data(TABLE, new Uint8Array(rows.buffer));
    const { a } = g;
    a.mov(rsi, TABLE)
      .mov(r12, rows.byteLength / ROW_BYTES)
      .label("row");
    a.movdqu(xmm0, memory(128, rsi, LEFT)).movdqu(xmm1, memory(128, rsi, RIGHT));
    if (form.general === "source") a.mov(rax, qword(rsi, RIGHT));
    else a.mov(rax, OLD_RAX);
    // ldmxcsr [rsi + CONTROL]
    a.db(0x0f, 0xae, 0x56, CONTROL).db(...form.bytes);
    a.pushf().pop(rbx).mov(qword(rsi, OUT_FLAGS), rbx).mov(qword(rsi, OUT_RAX), rax);
    // stmxcsr [rsi + OUT_MXCSR]
    a.movdqu(memory(128, rsi, OUT_XMM), xmm0).db(0x0f, 0xae, 0x5e, OUT_MXCSR);
    a.lea(rsi, memory(64, rsi, ROW_BYTES))
      .dec(r12)
      .jcc("ne", "row");
    g.exit();
  });
  const session = load(createWasmEngine(), made);
  try {
    assert.deepEqual(finish(session).ending, { kind: "exit", code: 0 }, form.unit);
    const bytes = session.memory.read(TABLE, rows.byteLength).slice();
    return new DataView(bytes.buffer);
  } finally {
    session.vm.dispose();
  }
}

/** What the exact unit makes of a row, in the same places. */
function byUnit(form: Form, rows: DataView, start: number): DataView {
  const view = new DataView(rows.buffer.slice(start, start + ROW_BYTES));
  const toGeneral = form.general === "destination";
  view.setBigUint64(OUT_RAX, form.general === "source" ? view.getBigUint64(RIGHT, true) : OLD_RAX, true);
  for (let i = 0; i < 16; i += 8) view.setBigUint64(OUT_XMM + i, view.getBigUint64(LEFT + i, true), true);
  view.setUint32(OUT_MXCSR, view.getUint32(CONTROL, true), true);
  const flags = executeSseFloat(
    sseFloatOperation(form.unit),
    view,
    toGeneral ? OUT_RAX : OUT_XMM,
    RIGHT,
    form.imm ?? 0,
    OUT_MXCSR,
  );
  view.setUint32(OUT_FLAGS, flags, true);
  return view;
}

const hex = (view: DataView, offset: number): string => view.getBigUint64(offset, true).toString(16);

/** Holds one form to the exact unit on every row of a table. */
export function compareForm(form: Form, rows: DataView): void {
  const got = onEngine(form, rows);
  for (let start = 0; start < rows.byteLength; start += ROW_BYTES) {
    const wanted = byUnit(form, rows, start);
    const here = new DataView(got.buffer, start, ROW_BYTES);
    const places = [OUT_XMM, OUT_XMM + 8, OUT_RAX];
    const same =
      places.every((place) => here.getBigUint64(place, true) === wanted.getBigUint64(place, true)) &&
      here.getUint32(OUT_MXCSR, true) === wanted.getUint32(OUT_MXCSR, true) &&
      (!form.flags ||
        (here.getUint32(OUT_FLAGS, true) & FLOAT_COMPARE_AFFECTED) === wanted.getUint32(OUT_FLAGS, true));
    if (same) continue;
    const operands = [LEFT + 8, LEFT, RIGHT + 8, RIGHT].map((place) => hex(wanted, place)).join(" ");
    const show = (view: DataView): string =>
      [OUT_XMM + 8, OUT_XMM, OUT_RAX, OUT_FLAGS].map((place) => hex(view, place)).join(" ") +
      ` MXCSR ${view.getUint32(OUT_MXCSR, true).toString(16)}`;
    const control = wanted.getUint32(CONTROL, true).toString(16);
    assert.fail(
      `${form.unit} ${form.imm ?? ""} of ${operands}, MXCSR ${control}: ${show(here)}, not ${show(wanted)}`,
    );
  }
}
