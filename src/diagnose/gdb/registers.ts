/**
 * A CPU's registers as gdb knows them: their order, names and widths, and where each stands in a `CpuState`. Two layouts: of a CPU
 * that gdb takes for x86-64, and of one that it takes for i386. Knows no packet.
 *
 * Specification: "Debugging with GDB", appendix G.5.6 (i386 features); SDM vol. 1 §8.1.7 (tag word), table 10-2 (FXSAVE image).
 */
import { FXSAVE } from "../../spec/fxsave.js";
import { CR0_PE, FLAG_VM, MXCSR_RESET } from "../../spec/x86-privileged.js";
import { MSR_IA32_KERNEL_GS_BASE } from "../../spec/x86-msr.js";
import {
  X87_CONTROL_INIT,
  X87_REGISTERS,
  X87_STATUS_TOP,
  X87_STATUS_TOP_SHIFT,
  X87_TAG_EMPTY,
  X87_TAG_SPECIAL,
  X87_TAG_VALID,
  X87_TAG_ZERO,
} from "../../spec/x87.js";
import { GPR_NAMES, type CpuState, type SegmentName } from "../../x86/cpu-state.js";

/** What gdb takes the machine for. */
export type GdbArchitecture = "i386:x86-64" | "i386";

/** A CPU's state with what of it the local APIC has. */
export interface DebuggedState extends CpuState {
  /** CR8. */
  taskPriority: number;
}

/** One register. Values are unsigned, of `bits` bits. */
export interface Register {
  name: string;
  bits: number;
  /** The type in the description that gdb gets. */
  type: string;
  /** gdb's group, where it is another than the type's. */
  group?: "float" | "vector";
  read: (state: DebuggedState) => bigint;
  /** Changes a copy of a state; false where that register cannot have the value. Absent: it cannot be written. */
  write?: (state: CpuState, value: bigint) => boolean;
}

/** Registers that gdb knows by a feature's name. */
export interface Feature {
  name: string;
  registers: readonly Register[];
}

const BYTE_BITS = 8;
const SELECTOR_SHIFT = 4n;
const XMM_BYTES = 16;
/** Bits of an x87 register above the fraction, and those of its fraction. */
const X87_EXPONENT_MASK = 0x7fffn;
const X87_FRACTION_BITS = 64n;
const X87_INTEGER_BIT = 1n << 63n;
const TAG_BITS = 2;
const TAG_MASK = 3;

const GPR_64 = [
  "rax",
  "rbx",
  "rcx",
  "rdx",
  "rsi",
  "rdi",
  "rbp",
  "rsp",
  "r8",
  "r9",
  "r10",
  "r11",
  "r12",
  "r13",
  "r14",
  "r15",
] as const;
/** By the names of the registers whose lower halves they are. */
const GPR_32 = ["rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi"] as const;
const SELECTORS: readonly SegmentName[] = ["cs", "ss", "ds", "es", "fs", "gs"];

function emptyImage(): Uint8Array {
  const image = new Uint8Array(FXSAVE.SIZE);
  const view = new DataView(image.buffer);
  view.setUint16(FXSAVE.CONTROL, X87_CONTROL_INIT, true);
  view.setUint32(FXSAVE.MXCSR, MXCSR_RESET, true);
  return image;
}

function littleEndian(bytes: Uint8Array): bigint {
  let value = 0n;
  for (let i = bytes.length - 1; i >= 0; i--) value = (value << BigInt(BYTE_BITS)) | BigInt(bytes[i]);
  return value;
}

/** The bytes of a value of so many bits, the lowest first. */
export function valueBytes(value: bigint, bits: number): Uint8Array {
  return Uint8Array.from({ length: bits / BYTE_BITS }, (_, i) =>
    Number(BigInt.asUintN(BYTE_BITS, value >> BigInt(BYTE_BITS * i))),
  );
}

/** A register that is a plain number of the state. */
function plain(
  name: string,
  bits: number,
  type: string,
  of: { read: (state: CpuState) => bigint; set: (state: CpuState, value: bigint) => void },
): Register {
  return {
    name,
    bits,
    type,
    read: (state) => BigInt.asUintN(bits, of.read(state)),
    write: (state, value) => {
      of.set(state, value);
      return true;
    },
  };
}

function general(name: (typeof GPR_NAMES)[number], bits: 32 | 64): Register {
  const index = GPR_NAMES.indexOf(name);
  const pointer = name === "rsp" || name === "rbp";
  const type = pointer ? "data_ptr" : bits === 64 ? "int64" : "int32";
  return plain(bits === 64 ? name : name.replace("r", "e"), bits, type, {
    read: ({ gpr }) => gpr[index],
    set: ({ gpr }, value) => (gpr[index] = value),
  });
}

/** In real and virtual-8086 mode the base follows the selector; elsewhere a descriptor would have to be loaded. */
function selector(name: SegmentName): Register {
  return {
    name,
    bits: 32,
    type: "int32",
    read: (state) => BigInt(state[name].selector),
    write: (state, value) => {
      const segment = state[name];
      if (value === BigInt(segment.selector)) return true;
      const real = (state.cr0 & BigInt(CR0_PE)) === 0n || (state.rflags & BigInt(FLAG_VM)) !== 0n;
      if (!real || value !== BigInt.asUintN(16, value)) return false;
      state[name] = { ...segment, selector: Number(value), base: value << SELECTOR_SHIFT };
      return true;
    },
  };
}

/** Bytes of the FXSAVE image. */
function ofImage(name: string, bits: number, type: string, at: { offset: number; bytes: number }): Register {
  return plain(name, bits, type, {
    read: ({ fxsave }) => littleEndian((fxsave ?? emptyImage()).subarray(at.offset, at.offset + at.bytes)),
    set: (state, value) => {
      const image = state.fxsave?.slice() ?? emptyImage();
      image.set(valueBytes(value, BYTE_BITS * at.bytes), at.offset);
      state.fxsave = image;
    },
  });
}

/** What the value of an x87 register is by the tag word. */
function tagOf(value: bigint): number {
  const exponent = (value >> X87_FRACTION_BITS) & X87_EXPONENT_MASK;
  const fraction = BigInt.asUintN(Number(X87_FRACTION_BITS), value);
  if (exponent === 0n && fraction === 0n) return X87_TAG_ZERO;
  const normal = exponent !== 0n && exponent !== X87_EXPONENT_MASK && (fraction & X87_INTEGER_BIT) !== 0n;
  return normal ? X87_TAG_VALID : X87_TAG_SPECIAL;
}

/** The full tag word, of which the image has only which registers are empty. */
const TAG_WORD: Register = {
  name: "ftag",
  bits: 32,
  type: "int",
  group: "float",
  read: ({ fxsave }) => {
    const image = fxsave ?? emptyImage();
    const status = image[FXSAVE.STATUS] | (image[FXSAVE.STATUS + 1] << BYTE_BITS);
    const top = (status & X87_STATUS_TOP) >> X87_STATUS_TOP_SHIFT;
    let word = 0;
    for (let physical = 0; physical < X87_REGISTERS; physical++) {
      const at = FXSAVE.ST + FXSAVE.ST_STEP * ((physical - top + X87_REGISTERS) % X87_REGISTERS);
      const used = (image[FXSAVE.TAGS] >> physical) & 1;
      const tag = used ? tagOf(littleEndian(image.subarray(at, at + FXSAVE.ST_BYTES))) : X87_TAG_EMPTY;
      word |= tag << (TAG_BITS * physical);
    }
    return BigInt(word);
  },
  write: (state, value) => {
    const image = state.fxsave?.slice() ?? emptyImage();
    image[FXSAVE.TAGS] = 0;
    for (let physical = 0; physical < X87_REGISTERS; physical++) {
      const tag = Number(value >> BigInt(TAG_BITS * physical)) & TAG_MASK;
      if (tag !== X87_TAG_EMPTY) image[FXSAVE.TAGS] |= 1 << physical;
    }
    state.fxsave = image;
    return true;
  },
};

function x87Selector(name: string, which: "code" | "data"): Register {
  return plain(name, 32, "int", {
    read: ({ x87Selectors }) => BigInt(x87Selectors?.[which] ?? 0),
    set: (state, value) =>
      (state.x87Selectors = {
        code: 0,
        data: 0,
        ...state.x87Selectors,
        [which]: Number(BigInt.asUintN(16, value)),
      }),
  });
}

function float(one: Register): Register {
  return { ...one, group: "float" };
}

function x87(): Register[] {
  const registers = Array.from({ length: X87_REGISTERS }, (_, i) =>
    ofImage(`st${i}`, FXSAVE.ST_BYTES * BYTE_BITS, "i387_ext", {
      offset: FXSAVE.ST + FXSAVE.ST_STEP * i,
      bytes: FXSAVE.ST_BYTES,
    }),
  );
  return [
    ...registers,
    float(ofImage("fctrl", 32, "int", { offset: FXSAVE.CONTROL, bytes: 2 })),
    float(ofImage("fstat", 32, "int", { offset: FXSAVE.STATUS, bytes: 2 })),
    TAG_WORD,
    float(x87Selector("fiseg", "code")),
    float(ofImage("fioff", 32, "int", { offset: FXSAVE.INSTRUCTION, bytes: 4 })),
    float(x87Selector("foseg", "data")),
    float(ofImage("fooff", 32, "int", { offset: FXSAVE.OPERAND, bytes: 4 })),
    float(ofImage("fop", 32, "int", { offset: FXSAVE.OPCODE, bytes: 2 })),
  ];
}

function xmm(count: number): Register[] {
  const registers = Array.from({ length: count }, (_, i) =>
    ofImage(`xmm${i}`, XMM_BYTES * BYTE_BITS, "vec128", {
      offset: FXSAVE.XMM + XMM_BYTES * i,
      bytes: XMM_BYTES,
    }),
  );
  return [
    ...registers,
    { ...ofImage("mxcsr", 32, "i386_mxcsr", { offset: FXSAVE.MXCSR, bytes: 4 }), group: "vector" },
  ];
}

function base(name: SegmentName, bits: 32 | 64): Register {
  return plain(`${name}_base`, bits, bits === 64 ? "int64" : "int32", {
    read: (state) => state[name].base,
    set: (state, value) => (state[name] = { ...state[name], base: value }),
  });
}

/** A segment's base that can only be looked at. */
function shownBase(name: SegmentName, bits: 32 | 64): Register {
  const { write: _, ...shown } = base(name, bits);
  return shown;
}

const KERNEL_GS_BASE = plain("k_gs_base", 64, "int64", {
  read: ({ msrs }) => msrs[MSR_IA32_KERNEL_GS_BASE] ?? 0n,
  set: (state, value) => (state.msrs = { ...state.msrs, [MSR_IA32_KERNEL_GS_BASE]: value }),
});

function control(name: "cr0" | "cr2" | "cr3" | "cr4" | "efer", bits: 32 | 64, type?: string): Register {
  return plain(name, bits, type ?? (bits === 64 ? "int64" : "int32"), {
    read: (state) => state[name],
    set: (state, value) => (state[name] = value),
  });
}

function pointer(name: "rip" | "eip", bits: 32 | 64): Register {
  return plain(name, bits, "code_ptr", {
    read: ({ rip }) => rip,
    set: (state, value) => (state.rip = value),
  });
}

const EFLAGS = plain("eflags", 32, "i386_eflags", {
  read: ({ rflags }) => rflags,
  set: (state, value) => (state.rflags = value),
});

const TASK_PRIORITY: Register = {
  name: "cr8",
  bits: 64,
  type: "int64",
  read: ({ taskPriority }) => BigInt(taskPriority),
};

/** What gdb has no feature of its own for. */
function system(bits: 32 | 64): Feature {
  const shown = SELECTORS.filter((name) => bits === 32 || (name !== "fs" && name !== "gs"));
  return {
    name: "org.locore.gdb.i386.system",
    registers: [
      ...(bits === 64 ? [KERNEL_GS_BASE] : []),
      control("cr0", bits, "i386_cr0"),
      control("cr2", bits),
      control("cr3", bits),
      control("cr4", bits, "i386_cr4"),
      ...(bits === 64 ? [TASK_PRIORITY] : []),
      control("efer", bits, "i386_efer"),
      ...shown.map((name) => shownBase(name, bits)),
    ],
  };
}

const WIDE: readonly Feature[] = [
  {
    name: "org.gnu.gdb.i386.core",
    registers: [
      ...GPR_64.map((name) => general(name, 64)),
      pointer("rip", 64),
      EFLAGS,
      ...SELECTORS.map(selector),
      ...x87(),
    ],
  },
  { name: "org.gnu.gdb.i386.sse", registers: xmm(16) },
  { name: "org.gnu.gdb.i386.segments", registers: [base("fs", 64), base("gs", 64)] },
  system(64),
];

const NARROW: readonly Feature[] = [
  {
    name: "org.gnu.gdb.i386.core",
    registers: [
      ...GPR_32.map((name) => general(name, 32)),
      pointer("eip", 32),
      EFLAGS,
      ...SELECTORS.map(selector),
      ...x87(),
    ],
  },
  { name: "org.gnu.gdb.i386.sse", registers: xmm(8) },
  system(32),
];

/** The features of a layout, in the order of their registers' numbers. */
export function featuresOf(architecture: GdbArchitecture): readonly Feature[] {
  return architecture === "i386" ? NARROW : WIDE;
}

/** All registers of a layout by number. */
export function registersOf(architecture: GdbArchitecture): readonly Register[] {
  return featuresOf(architecture).flatMap(({ registers }) => registers);
}

/** The value of bytes, the lowest first. */
export const bytesValue = littleEndian;
