/**
 * Whether the instruction at RIP is a repeated string instruction. One that has done some of its elements goes on there,
 * and debug exceptions treat that as the middle of an instruction. Asked only while instructions are watched or
 * stepped. Specification: Intel SDM vol. 3B §18.3.1.1, §18.3.1.4; vol. 2A §2.1.1 (prefixes).
 */
import { MAX_INSTRUCTION_LENGTH, PREFIX_REP, PREFIX_REPNE } from "../../../spec/x86-encoding.js";
import type { CpuContext } from "../cpu-context.js";
import * as L from "../layout.js";

const OTHER_PREFIXES: ReadonlySet<number> = new Set([0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67]);
/** INS, OUTS, MOVS, CMPS, STOS, LODS, SCAS. */
const STRING_OPCODES: ReadonlySet<number> = new Set([
  0x6c, 0x6d, 0x6e, 0x6f, 0xa4, 0xa5, 0xa6, 0xa7, 0xaa, 0xab, 0xac, 0xad, 0xae, 0xaf,
]);

/** Whether a repeated string instruction that ran last stands at RIP; only to be asked when RIP did not move. */
export function repeatsAtRip(cpu: CpuContext): boolean {
  const rip = cpu.getAddress(L.RIP);
  const linear = cpu.code64 ? rip : (cpu.segmentBase(L.CS) + rip) >>> 0;
  const entry = cpu.tlb.codeEntry(Math.floor(linear / L.PAGE_SIZE));
  const inPage = linear & (L.PAGE_SIZE - 1);
  const first = cpu.services.ramBase + cpu.u32[entry + 2] + inPage;
  const end = first + Math.min(MAX_INSTRUCTION_LENGTH, L.PAGE_SIZE - inPage);
  let repeated = false;
  for (let at = first; at < end; at++) {
    const byte = cpu.u8[at];
    if (byte === PREFIX_REP || byte === PREFIX_REPNE) repeated = true;
    else if (!OTHER_PREFIXES.has(byte) && !(cpu.code64 && (byte & 0xf0) === 0x40))
      return repeated && STRING_OPCODES.has(byte);
  }
  return false;
}
