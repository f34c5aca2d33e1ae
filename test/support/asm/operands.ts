/**
 * Operands of the test assembler: registers, memory references, immediates. Plain data, no encoding.
 *
 * Specification: Intel SDM vol. 2A, §2.1.5 (ModRM and SIB) and §2.2.1 (REX).
 */

export type GprSize = 8 | 16 | 32 | 64;

/** A general register. `high` marks AH, CH, DH, BH; `rex` those byte registers that need a REX prefix. */
export interface Gpr {
  readonly kind: "gpr";
  readonly name: string;
  readonly code: number;
  readonly size: GprSize;
  readonly high?: boolean;
  readonly rex?: boolean;
}

/** A register of another file. */
export interface OtherRegister {
  readonly kind: "segment" | "control" | "debug" | "xmm" | "mm";
  readonly name: string;
  readonly code: number;
}

export interface SegmentOperand extends OtherRegister {
  readonly kind: "segment";
}
export interface ControlOperand extends OtherRegister {
  readonly kind: "control";
}
export interface DebugOperand extends OtherRegister {
  readonly kind: "debug";
}
export interface Xmm extends OtherRegister {
  readonly kind: "xmm";
}
export interface Mm extends OtherRegister {
  readonly kind: "mm";
}

/** The address of a label plus an addend, filled in when the program is linked. */
export interface LabelReference {
  readonly kind: "label";
  readonly label: string;
  readonly addend: number;
}

export type Immediate = number | bigint | LabelReference;

export type MemorySize = 8 | 16 | 32 | 64 | 80 | 128 | 4096 | 0;

/** A memory reference. A label is RIP-relative in 64-bit code and absolute elsewhere. */
export interface Memory {
  readonly kind: "memory";
  /** Bits accessed; 0 where the instruction alone says it; 80 and 4096 are m80 and FXSAVE-like areas. */
  readonly size: MemorySize;
  readonly base?: Gpr;
  readonly index?: Gpr;
  readonly scale: 1 | 2 | 4 | 8;
  readonly disp: number;
  readonly label?: string;
  readonly segment?: SegmentOperand;
}

export interface MemoryParts {
  base?: Gpr;
  index?: Gpr;
  scale?: 1 | 2 | 4 | 8;
  disp?: number;
  label?: string;
  segment?: SegmentOperand;
}

type MemoryPlace = Gpr | number | string | MemoryParts;

/** Makes a memory operand of `size` bits: a register and displacement, an address, a label, or all parts. */
export function memory(size: MemorySize, place: MemoryPlace, disp = 0): Memory {
  if (typeof place === "number") return { kind: "memory", size, scale: 1, disp: place + disp };
  if (typeof place === "string") return { kind: "memory", size, scale: 1, disp, label: place };
  if ("kind" in place) return { kind: "memory", size, base: place, scale: 1, disp };
  const { scale = 1, disp: own = 0, ...rest } = place;
  return { kind: "memory", size, scale, disp: own + disp, ...rest };
}

export const byte = (place: MemoryPlace, disp = 0): Memory => memory(8, place, disp);
export const word = (place: MemoryPlace, disp = 0): Memory => memory(16, place, disp);
export const dword = (place: MemoryPlace, disp = 0): Memory => memory(32, place, disp);
export const qword = (place: MemoryPlace, disp = 0): Memory => memory(64, place, disp);
export const tword = (place: MemoryPlace, disp = 0): Memory => memory(80, place, disp);
export const oword = (place: MemoryPlace, disp = 0): Memory => memory(128, place, disp);
/** A reference whose size the instruction itself decides (LEA, LGDT, INVLPG, FXSAVE …). */
export const at = (place: MemoryPlace, disp = 0): Memory => memory(0, place, disp);

export const addressOf = (label: string, addend = 0): LabelReference => ({ kind: "label", label, addend });

const gpr = (name: string, code: number, size: GprSize, more: Partial<Gpr> = {}): Gpr => ({
  kind: "gpr",
  name,
  code,
  size,
  ...more,
});

const LEGACY = ["ax", "cx", "dx", "bx", "sp", "bp", "si", "di"];

function family(size: GprSize): Gpr[] {
  const legacy = LEGACY.map((name, code) => {
    if (size === 16) return gpr(name, code, 16);
    if (size === 32) return gpr(`e${name}`, code, 32);
    if (size === 64) return gpr(`r${name}`, code, 64);
    return code < 4 ? gpr(`${name[0]}l`, code, 8) : gpr(`${name}l`, code, 8, { rex: true });
  });
  const suffix = { 8: "b", 16: "w", 32: "d", 64: "" }[size];
  const extended = [8, 9, 10, 11, 12, 13, 14, 15].map((code) => gpr(`r${code}${suffix}`, code, size));
  return [...legacy, ...extended];
}

/** The sixteen registers of each size by encoding. */
export const GPRS: Record<GprSize, readonly Gpr[]> = {
  8: family(8),
  16: family(16),
  32: family(32),
  64: family(64),
};

/** The same register at another size. */
export const resize = (register: Gpr, size: GprSize): Gpr => GPRS[size][register.code];

export const [rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15] = GPRS[64];
export const [eax, ecx, edx, ebx, esp, ebp, esi, edi, r8d, r9d, r10d, r11d, r12d, r13d, r14d, r15d] =
  GPRS[32];
export const [ax, cx, dx, bx, sp, bp, si, di, r8w, r9w, r10w, r11w, r12w, r13w, r14w, r15w] = GPRS[16];
export const [al, cl, dl, bl, spl, bpl, sil, dil, r8b, r9b, r10b, r11b, r12b, r13b, r14b, r15b] = GPRS[8];
export const [ah, ch, dh, bh] = ["ah", "ch", "dh", "bh"].map((name, i) =>
  gpr(name, i + 4, 8, { high: true }),
);

const segment = (name: string, code: number): SegmentOperand => ({ kind: "segment", name, code });
export const es = segment("es", 0);
export const cs = segment("cs", 1);
export const ss = segment("ss", 2);
export const ds = segment("ds", 3);
export const fs = segment("fs", 4);
export const gs = segment("gs", 5);

const control = (code: number): ControlOperand => ({ kind: "control", name: `cr${code}`, code });
export const [cr0, cr1, cr2, cr3, cr4] = [0, 1, 2, 3, 4].map(control);
export const cr8 = control(8);

const debug = (code: number): DebugOperand => ({ kind: "debug", name: `db${code}`, code });
export const [dr0, dr1, dr2, dr3, dr4, dr5, dr6, dr7] = [0, 1, 2, 3, 4, 5, 6, 7].map(debug);

export const XMM: readonly Xmm[] = Array.from({ length: 16 }, (_, code) => ({
  kind: "xmm",
  name: `xmm${code}`,
  code,
}));
export const [xmm0, xmm1, xmm2, xmm3, xmm4, xmm5, xmm6, xmm7, xmm8, xmm9, xmm10] = XMM;
export const MM: readonly Mm[] = Array.from({ length: 8 }, (_, code) => ({
  kind: "mm",
  name: `mm${code}`,
  code,
}));
export const [mm0, mm1, mm2, mm3] = MM;

/** Condition codes, SDM vol. 2D table B-10. */
export const CONDITIONS = [
  "o",
  "no",
  "b",
  "ae",
  "e",
  "ne",
  "be",
  "a",
  "s",
  "ns",
  "p",
  "np",
  "l",
  "ge",
  "le",
  "g",
] as const;
export type Condition = (typeof CONDITIONS)[number];
