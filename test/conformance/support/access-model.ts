/**
 * What paging allows: whether an access goes through, with which error code it faults, and which accessed and dirty
 * bits it leaves. Written from the manual alone, as a second opinion on the engine; knows no engine and no guest.
 *
 * Specification: SDM vol. 3A §4.1.3 (modes), §4.6 (access rights), §4.7 (error codes), §4.8 (accessed and dirty).
 */
import { A, D, NX, P, RW, US } from "./page-tables.js";

export const CR0_WP = 0x10000;
export const CR4_SMEP = 1 << 20;
export const CR4_SMAP = 1 << 21;
export const EFER_NXE = 0x800;
export const FLAG_AC = 0x40000;

const PF_P = 1;
const PF_W = 2;
const PF_U = 4;
const PF_RSVD = 8;
const PF_I = 16;

/** How tables are made: 4-level and PAE entries have 8 bytes and XD, those of 32-bit paging 4. */
export type Format = "4-level" | "PAE" | "32-bit";

/** What an instruction does to the page. The implicit ones are the CPU's own, supervisor at any CPL. */
export const KINDS = [
  "read",
  "write",
  "update",
  "fetch",
  "implicit read",
  "implicit write",
  "port map",
] as const;
export type Kind = (typeof KINDS)[number];

/** The bits of CR0, CR4, EFER and RFLAGS that matter; all others stay as they are. */
export interface Controls {
  wp: boolean;
  smep: boolean;
  smap: boolean;
  nxe: boolean;
  ac: boolean;
}

export interface Attempt {
  format: Format;
  /** The entry above the leaf, when it has rights, and the leaf. */
  entries: readonly bigint[];
  /** Reserved bits that are set in one of them. */
  reserved: bigint;
  kind: Kind;
  user: boolean;
  controls: Controls;
}

export interface Verdict {
  /** Error code of the page fault; undefined when the access goes through. */
  error: number | undefined;
  /** Accessed and dirty bits that the leaf must have gained. */
  leafGains: bigint;
}

const isImplicit = (kind: Kind): boolean => kind.startsWith("implicit") || kind === "port map";

/** Error code of one access, or undefined. */
function refused(a: Attempt, write: boolean): number | undefined {
  const { controls, kind, format } = a;
  const wide = format !== "32-bit";
  const implicit = isImplicit(kind);
  const userMode = a.user && !implicit;
  const fetch = kind === "fetch";
  const code =
    (write ? PF_W : 0) |
    (userMode ? PF_U : 0) |
    (fetch && (controls.smep || (wide && controls.nxe)) ? PF_I : 0);
  const reserved = a.reserved | (wide && !controls.nxe ? NX : 0n);
  for (const entry of a.entries) {
    if (!(entry & P)) return code;
    if (entry & reserved) return code | PF_P | PF_RSVD;
  }
  const userPage = a.entries.every((e) => e & US);
  const writable = a.entries.every((e) => e & RW);
  const noExecute = wide && a.entries.some((e) => e & NX);
  let allowed: boolean;
  if (userMode) allowed = userPage && (!write || writable) && !(fetch && noExecute);
  else if (fetch) allowed = !noExecute && !(userPage && controls.smep);
  else {
    const overridden = controls.ac && !implicit;
    allowed = (!write || writable || !controls.wp) && !(userPage && controls.smap && !overridden);
  }
  return allowed ? undefined : code | PF_P;
}

/** What must come of an access. */
export function judge(a: Attempt): Verdict {
  const write = a.kind === "write" || a.kind === "update";
  // The accessed bit of a descriptor is set after the descriptor was read.
  const stages = a.kind === "implicit write" ? [false, true] : [write];
  let leafGains = 0n;
  for (const stage of stages) {
    const error = refused(a, stage);
    if (error !== undefined) return { error, leafGains };
    leafGains |= stage ? A | D : A;
  }
  return { error: undefined, leafGains };
}
