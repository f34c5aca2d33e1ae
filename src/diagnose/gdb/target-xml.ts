/**
 * What gdb is told of the machine before it asks for anything: a description of the registers, the threads, the memory. Text only.
 *
 * Specification: "Debugging with GDB", appendices G (target descriptions), E.14 (memory map), E.15 (thread list).
 */
import {
  CR0_AM,
  CR0_CD,
  CR0_EM,
  CR0_ET,
  CR0_MP,
  CR0_NE,
  CR0_NW,
  CR0_PE,
  CR0_PG,
  CR0_TS,
  CR0_WP,
  CR4_DE,
  CR4_FSGSBASE,
  CR4_MCE,
  CR4_OSFXSR,
  CR4_OSXMMEXCPT,
  CR4_OSXSAVE,
  CR4_PAE,
  CR4_PCE,
  CR4_PCIDE,
  CR4_PGE,
  CR4_PSE,
  CR4_PVI,
  CR4_SMAP,
  CR4_SMEP,
  CR4_TSD,
  CR4_UMIP,
  CR4_VME,
  EFER_LMA,
  EFER_LME,
  EFER_NXE,
  EFER_SCE,
  FLAG_AC,
  FLAG_AF,
  FLAG_ALWAYS,
  FLAG_CF,
  FLAG_DF,
  FLAG_ID,
  FLAG_IF,
  FLAG_NT,
  FLAG_OF,
  FLAG_PF,
  FLAG_RF,
  FLAG_SF,
  FLAG_TF,
  FLAG_VIF,
  FLAG_VIP,
  FLAG_VM,
  FLAG_ZF,
} from "../../spec/x86-privileged.js";
import { featuresOf, type Feature, type GdbArchitecture, type Register } from "./registers.js";

/** Names of the bits of a register, by their masks. */
type FlagNames = Readonly<Record<string, number>>;

const EFLAGS: FlagNames = {
  CF: FLAG_CF,
  "": FLAG_ALWAYS,
  PF: FLAG_PF,
  AF: FLAG_AF,
  ZF: FLAG_ZF,
  SF: FLAG_SF,
  TF: FLAG_TF,
  IF: FLAG_IF,
  DF: FLAG_DF,
  OF: FLAG_OF,
  NT: FLAG_NT,
  RF: FLAG_RF,
  VM: FLAG_VM,
  AC: FLAG_AC,
  VIF: FLAG_VIF,
  VIP: FLAG_VIP,
  ID: FLAG_ID,
};
const CR0: FlagNames = {
  PE: CR0_PE,
  MP: CR0_MP,
  EM: CR0_EM,
  TS: CR0_TS,
  ET: CR0_ET,
  NE: CR0_NE,
  WP: CR0_WP,
  AM: CR0_AM,
  NW: CR0_NW,
  CD: CR0_CD,
  PG: CR0_PG,
};
const CR4: FlagNames = {
  VME: CR4_VME,
  PVI: CR4_PVI,
  TSD: CR4_TSD,
  DE: CR4_DE,
  PSE: CR4_PSE,
  PAE: CR4_PAE,
  MCE: CR4_MCE,
  PGE: CR4_PGE,
  PCE: CR4_PCE,
  OSFXSR: CR4_OSFXSR,
  OSXMMEXCPT: CR4_OSXMMEXCPT,
  UMIP: CR4_UMIP,
  FSGSBASE: CR4_FSGSBASE,
  PCIDE: CR4_PCIDE,
  OSXSAVE: CR4_OSXSAVE,
  SMEP: CR4_SMEP,
  SMAP: CR4_SMAP,
};
const EFER: FlagNames = { SCE: EFER_SCE, LME: EFER_LME, LMA: EFER_LMA, NXE: EFER_NXE };
/** SDM vol. 1 §10.2.3. */
const MXCSR: FlagNames = Object.fromEntries(
  ["IE", "DE", "ZE", "OE", "UE", "PE", "DAZ", "IM", "DM", "ZM", "OM", "UM", "PM"].map((name, bit) => [
    name,
    1 << bit,
  ]),
);

/** How the 16 bytes of a vector register can be looked at: member, type, count of it. */
const VECTOR_VIEWS = [
  ["v4_float", "ieee_single", 4],
  ["v2_double", "ieee_double", 2],
  ["v16_int8", "int8", 16],
  ["v8_int16", "int16", 8],
  ["v4_int32", "int32", 4],
  ["v2_int64", "int64", 2],
] as const;

function flags(id: string, bytes: number, names: FlagNames): string {
  const fields = Object.entries(names).map(([name, mask]) => {
    const bit = 31 - Math.clz32(mask);
    return `<field name="${name}" start="${bit}" end="${bit}"/>`;
  });
  return `<flags id="${id}" size="${bytes}">${fields.join("")}</flags>`;
}

function vectorTypes(): string {
  const vectors = VECTOR_VIEWS.map(
    ([name, type, count]) => `<vector id="${name}_t" type="${type}" count="${count}"/>`,
  );
  const fields = VECTOR_VIEWS.map(([name]) => `<field name="${name}" type="${name}_t"/>`);
  return [
    ...vectors,
    `<union id="vec128">${fields.join("")}<field name="uint128" type="uint128"/></union>`,
    flags("i386_mxcsr", 4, MXCSR),
  ].join("");
}

/** Types that a feature's registers have, by the feature's last word. */
function typesOf({ name }: Feature, wide: boolean): string {
  const bytes = wide ? 8 : 4;
  if (name.endsWith("core")) return flags("i386_eflags", 4, EFLAGS);
  if (name.endsWith("sse")) return vectorTypes();
  if (!name.endsWith("system")) return "";
  return [flags("i386_cr0", bytes, CR0), flags("i386_cr4", bytes, CR4), flags("i386_efer", bytes, EFER)].join(
    "",
  );
}

function registerLine({ name, bits, type, group }: Register): string {
  return `<reg name="${name}" bitsize="${bits}" type="${type}"${group === undefined ? "" : ` group="${group}"`}/>`;
}

/** The target description. */
export function targetXml(architecture: GdbArchitecture): string {
  const wide = architecture !== "i386";
  const features = featuresOf(architecture).map(
    (feature) =>
      `<feature name="${feature.name}">${typesOf(feature, wide)}${feature.registers.map(registerLine).join("")}</feature>`,
  );
  return `<?xml version="1.0"?><!DOCTYPE target SYSTEM "gdb-target.dtd"><target><architecture>${architecture}</architecture>${features.join("")}</target>`;
}

/** The threads by their numbers, each with a name and a word on what it does. */
export function threadsXml(threads: readonly { id: number; name: string; doing: string }[]): string {
  const lines = threads.map(
    ({ id, name, doing }) =>
      `<thread id="${id.toString(16)}" core="${id - 1}" name="${name}">${doing}</thread>`,
  );
  return `<?xml version="1.0"?><threads>${lines.join("")}</threads>`;
}

/** Where memory is. */
export function memoryMapXml(ranges: readonly { start: number | bigint; size: number | bigint }[]): string {
  const lines = ranges.map(
    ({ start, size }) =>
      `<memory type="ram" start="0x${start.toString(16)}" length="0x${size.toString(16)}"/>`,
  );
  return `<?xml version="1.0"?><!DOCTYPE memory-map PUBLIC "+//IDN gnu.org//DTD GDB Memory Map V1.0//EN" "http://sourceware.org/gdb/gdb-memory-map.dtd"><memory-map>${lines.join("")}</memory-map>`;
}
