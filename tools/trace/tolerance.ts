/**
 * Which differences are none: instructions whose result comes from the environment (time, devices, CPU identity),
 * and flags that the manual leaves undefined.
 *
 * Specification: SDM vol. 2, "Flags Affected" of each instruction; opcode maps in vol. 2D appendix A.
 */
const AF = 0x10n;
const STATUS = 0x8d5n;
const CF_OF = 0x801n;
const ZF = 0x40n;
const LEGACY_PREFIXES = new Set([0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0xf0, 0xf2, 0xf3]);

const REPNE = 0xf2;

export interface Instruction {
  /** Opcode with the escape: 0x0fa2 for CPUID, 0x88 for MOV. */
  opcode: number;
  modrm: number;
  repeated: boolean;
}

/** As much of an instruction as tolerance needs. `long` is whether REX exists. */
export function glance(bytes: Uint8Array, long: boolean): Instruction {
  let at = 0;
  let repeated = false;
  for (; LEGACY_PREFIXES.has(bytes[at]); at++) repeated ||= bytes[at] >= REPNE;
  if (long && (bytes[at] & 0xf0) === 0x40) at++;
  const escaped = bytes[at] === 0x0f;
  const opcode = escaped ? 0x0f00 | bytes[at + 1] : bytes[at];
  return { opcode, modrm: bytes[at + (escaped ? 2 : 1)] ?? 0, repeated };
}

/** RDTSC, RDMSR, RDPMC, CPUID, RDTSCP and XGETBV, RDRAND and RDSEED, IN, INS. */
export function fromEnvironment({ opcode, modrm }: Instruction): boolean {
  if (opcode === 0x0f31 || opcode === 0x0f32 || opcode === 0x0f33 || opcode === 0x0fa2) return true;
  if (opcode === 0x0f01) return modrm === 0xf9 || modrm === 0xd0;
  if (opcode === 0x0fc7) return modrm >= 0xf0;
  return [0xe4, 0xe5, 0xec, 0xed, 0x6c, 0x6d].includes(opcode);
}

const isString = (opcode: number): boolean =>
  (opcode >= 0xa4 && opcode <= 0xa7) || (opcode >= 0xaa && opcode <= 0xaf);

/** Whether one instruction may take several turns. */
export function isRepeated({ opcode, repeated }: Instruction): boolean {
  return repeated && (isString(opcode) || (opcode >= 0x6c && opcode <= 0x6f));
}

function logical({ opcode, modrm }: Instruction): boolean {
  const group = (modrm >> 3) & 7;
  if (opcode >= 0x80 && opcode <= 0x83) return group === 1 || group === 4 || group === 6;
  if (opcode === 0x84 || opcode === 0x85 || opcode === 0xa8 || opcode === 0xa9) return true;
  if (opcode === 0xf6 || opcode === 0xf7) return group < 2;
  const row = opcode & 0xf8;
  return (row === 0x08 || row === 0x20 || row === 0x30) && (opcode & 7) < 6;
}

/** Status flags that the manual leaves undefined after this instruction. */
export function undefinedFlags(i: Instruction): bigint {
  const group = (i.modrm >> 3) & 7;
  if (logical(i)) return AF;
  if (i.opcode === 0xf6 || i.opcode === 0xf7) return group >= 6 ? STATUS : group >= 4 ? STATUS & ~CF_OF : 0n;
  if (i.opcode === 0x69 || i.opcode === 0x6b || i.opcode === 0x0faf) return STATUS & ~CF_OF;
  if ([0xc0, 0xc1, 0xd0, 0xd1, 0xd2, 0xd3, 0x0fa4, 0x0fa5, 0x0fac, 0x0fad].includes(i.opcode)) {
    // OF is undefined but for counts of 1, AF always; CF where the count exceeds the operand.
    return AF | CF_OF;
  }
  // F3 0F BC is BSF or TZCNT, by CPUID: the same result for a source that is not 0, other flags.
  if (i.opcode === 0x0fbc && i.repeated) return STATUS;
  if (i.opcode === 0x0fbc || i.opcode === 0x0fbd) return STATUS & ~ZF;
  if ([0x0fa3, 0x0fab, 0x0fb3, 0x0fbb, 0x0fba].includes(i.opcode)) return STATUS & ~ZF & ~1n;
  return 0n;
}
