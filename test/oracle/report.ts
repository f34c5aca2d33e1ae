/** Mismatches as text: form, bytes, what differed, the operands that matter. */
import { GPR_NAMES } from "../../src/x86/cpu-state.js";
import { FX } from "./case.js";
import { fieldNamed } from "./compare.js";
import { CASE, FX_AT, MEMORY_AT, RESULT } from "./layout.js";
import type { Mismatch } from "./run.js";

const hex = (value: bigint | number): string => value.toString(16);
const bytesOf = (view: DataView): Uint8Array => new Uint8Array(view.buffer, view.byteOffset, view.byteLength);

/** A mismatch in a few lines. */
export function describe(m: Mismatch): string {
  const { before, host, ours, code } = m.finished;
  const outcome = (r: DataView): string =>
    `vector ${r.getUint32(RESULT.VECTOR, true)} error ${hex(r.getUint32(RESULT.ERROR, true))} cr2 ${hex(r.getBigUint64(RESULT.CR2, true))} rip ${hex(r.getBigUint64(RESULT.RIP, true))} rflags ${hex(r.getUint32(RESULT.RFLAGS, true))}`;
  const changed = [...m.fields.keys()].map((name) => {
    const [h, o] = [host, ours].map((r) => hex(fieldNamed(bytesOf(r), name)));
    return `    ${name}: host ${h}, ours ${o}${before_(name, before)}`;
  });
  const gprs = GPR_NAMES.map(
    (n, i) => `${n} ${hex(i === 4 ? before.getBigUint64(CASE.RSP, true) : before.getBigUint64(8 * i, true))}`,
  );
  return [
    `${m.form.name} (row ${m.row}): ${Buffer.from(code).toString("hex")}`,
    `    host ${outcome(host)}`,
    `    ours ${outcome(ours)}`,
    ...changed.slice(0, 12),
    `    before: ${gprs.join(" ")} rflags ${hex(before.getUint32(CASE.RFLAGS, true))} rip ${hex(before.getUint32(CASE.RIP, true))} mxcsr ${hex(before.getUint32(FX_AT + FX.MXCSR, true))}`,
  ].join("\n");
}

/** The field's value before, where the records have it at the same place. */
function before_(name: string, before: DataView): string {
  if (/^(st|xmm|f[csot]w|mxcsr)/.test(name)) return `, before ${hex(fieldNamed(bytesOf(before), name))}`;
  const memory = /^mem\+(\d+)$/.exec(name);
  return memory ? `, before ${hex(before.getBigUint64(MEMORY_AT + Number(memory[1]), true))}` : "";
}
