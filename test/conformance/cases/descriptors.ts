/**
 * Every type of descriptor under every instruction that looks at one: LAR, LSL, VERR, VERW, loads of DS, SS, LDTR and
 * TR, far JMP, CALL, RET and IRET, at CPL 0 and 3, in protected and IA-32e mode. Expectations come from
 * `descriptor-model.ts`.
 *
 * Specification: SDM vol. 3A §3.4.5, §3.5, §5.5–5.8; vol. 2.
 */
import { at, cx, ds, eax, ebx, ecx, rbx, rcx, ss } from "../../support/asm/index.js";
import { prologue } from "../support/environments.js";
import { INSTRUCTIONS, rule } from "../support/descriptor-model.js";
import type { DescriptorFacts, Instruction } from "../support/descriptor-model.js";
import { guest } from "../support/guest.js";
import type { Guest, GuestBuilder } from "../support/guest.js";
import * as layout from "../support/layout.js";
import { LANDING, POINTER, emitTrials, trialGates } from "../support/trials.js";
import type { Stub, Trial } from "../support/trials.js";

const EXPANDS_DOWN = 4;
const LIMIT = 0xfffff;
const LAR_SHOWS = 0x00f0ff00n;
const ACCESSED = 1n << 40n;
const BUSY = 2n << 40n;
/** System types that only protected mode knows. */
const LEGACY_TYPES = [1, 3, 4, 5];
const TRANSFERS: readonly Instruction[] = ["JMP", "CALL", "RET", "IRET"];
/** CPL and RPL. */
const LEVELS = [
  [0, 0],
  [0, 3],
  [3, 0],
  [3, 3],
] as const;
const IRET_FLAGS = 2;

function stubs(wide: boolean): Record<Instruction, Stub> {
  const far = wide ? 64 : 32;
  const [B, C] = wide ? [rbx, rcx] : [ebx, ecx];
  return {
    LAR: (a) => a.lar(eax, ecx),
    LSL: (a) => a.lsl(eax, ecx),
    VERR: (a) => a.verr(cx),
    VERW: (a) => a.verw(cx),
    "MOV DS": (a) => a.movToSegment(ds, ecx),
    "MOV SS": (a) => a.movToSegment(ss, ecx),
    LLDT: (a) => a.lldt(cx),
    LTR: (a) => a.ltr(cx),
    JMP: (a) => a.jmpFarAt(at(POINTER), 32),
    CALL: (a) => a.callFarAt(at(POINTER), 32),
    RET: (a) => a.push(B).push(layout.USER_STACK_TOP).push(C).push(LANDING).retf(far),
    IRET: (a) => {
      a.push(B).push(layout.USER_STACK_TOP).push(IRET_FLAGS).push(C).push(LANDING);
      return wide ? a.iretq() : a.iret();
    },
  };
}

function words(d: DescriptorFacts): readonly [bigint, bigint] {
  const expandsDown = d.segment && (d.type & 8) === 0 && (d.type & EXPANDS_DOWN) !== 0;
  const limit = expandsDown ? 0 : LIMIT;
  const access = BigInt(d.type | (d.segment ? 0x10 : 0) | (d.dpl << 5) | (d.present ? 0x80 : 0));
  const flags = BigInt((d.long ? 2 : 0) | (d.big ? 4 : 0) | (expandsDown || !d.segment ? 0 : 8));
  const low = BigInt(limit & 0xffff) | (access << 40n) | (BigInt(limit >> 16) << 48n) | (flags << 52n);
  return [low, 0n];
}

function* descriptors(longMode: boolean): Generator<DescriptorFacts> {
  for (let type = 0; type < 32; type++) {
    const segment = (type & 16) !== 0;
    const code = segment && (type & 8) !== 0;
    for (const dpl of [0, 1, 3])
      for (const present of [false, true]) {
        const d = { segment, type: type & 15, dpl, present };
        yield { ...d, long: false, big: segment };
        if (!code || !longMode) continue;
        yield { ...d, long: true, big: false };
        yield { ...d, long: true, big: true };
      }
  }
}

/** What LAR and LSL put into EAX. */
function shown(instruction: Instruction, d: DescriptorFacts): { eax: number; eaxMask?: bigint } {
  const [low] = words(d);
  const high = Number(low >> 32n);
  if (instruction === "LAR") return { eax: high, eaxMask: LAR_SHOWS };
  const limit = Number(low & 0xffffn) | (high & 0xf0000);
  return { eax: high & 0x800000 ? ((limit << 12) | 0xfff) >>> 0 : limit };
}

function trialOf(
  s: { instruction: Instruction; descriptor: DescriptorFacts; rpl: number; cpl: number },
  selector: number,
  longMode: boolean,
): Trial | undefined {
  const { instruction, descriptor, rpl, cpl } = s;
  const ruling = rule({ ...s, selector: selector | rpl, longMode });
  const task = instruction === "LTR";
  const toTask = !descriptor.segment && (descriptor.type === 1 || descriptor.type === 9);
  // A jump to a task that is there is a task switch: `tasks.ts`.
  if (ruling.fault?.[1] === 0 && toTask && !longMode && !task) return undefined;
  const long = descriptor.long ? (descriptor.big ? " L D" : " L") : "";
  const kind = `${descriptor.segment ? "segment" : "system"} type ${descriptor.type}${long}`;
  const rest = `DPL ${descriptor.dpl}${descriptor.present ? "" : ", absent"}`;
  const want: Trial["want"] = { gains: ruling.marks ? (task ? BUSY : ACCESSED) : 0n };
  if (ruling.fault) want.fault = ruling.fault;
  if (ruling.zero !== undefined) want.zero = ruling.zero;
  if (ruling.zero && instruction.startsWith("L")) Object.assign(want, shown(instruction, descriptor));
  return {
    descriptor: words(descriptor),
    rpl,
    value: rpl === 3 ? layout.USER_DATA_SELECTOR : layout.KERNEL_DATA,
    stub: INSTRUCTIONS.indexOf(instruction),
    user: cpl === 3,
    note: `${instruction} at CPL ${cpl}, RPL ${rpl}: ${kind}, ${rest}`,
    want,
  };
}

/** Where QEMU 7.2 departs from the manual. */
function differsOnQemu(instruction: Instruction, d: DescriptorFacts, longMode: boolean): boolean {
  if (["LAR", "LSL", "LTR"].includes(instruction))
    return longMode && !d.segment && LEGACY_TYPES.includes(d.type);
  if (!TRANSFERS.includes(instruction) || !d.segment || (d.type & 8) === 0) return false;
  return (d.type & 1) === 0 || (d.long && d.big);
}

function everyType(onQemu: boolean): (g: GuestBuilder) => void {
  return (g) => {
    trialGates(g);
    prologue(g.a);
    const selector = g.descriptor(0n, 0n);
    const longMode = g.mode === 64;
    const trials: Trial[] = [];
    for (const descriptor of descriptors(longMode)) {
      for (const instruction of INSTRUCTIONS) {
        if (differsOnQemu(instruction, descriptor, longMode) === onQemu) continue;
        for (const [cpl, rpl] of LEVELS) {
          const trial = trialOf({ instruction, descriptor, rpl, cpl }, selector, longMode);
          if (trial) trials.push(trial);
        }
      }
    }
    const emit = stubs(longMode);
    const order = INSTRUCTIONS.map((name) => emit[name]);
    emitTrials(g, selector, order, trials);
    g.exit();
  };
}

export function descriptorGuests(): Guest[] {
  const cites = "SDM vol. 3A §3.4.5, §5.5–5.8; vol. 2";
  const marks = "QEMU 7.2 never sets the accessed bit of a code segment";
  const types = `${marks}, knows 16-bit types in IA-32e mode and takes L with D; the SDM is right in all`;
  return [
    guest("every type in protected mode", { mode: 32, cites }, everyType(true)),
    guest("every type in IA-32e mode", { cites }, everyType(true)),
    guest(
      "far transfers mark code segments accessed",
      { mode: 32, cites: "SDM vol. 3A §3.4.5.1", notOnQemu: `${marks}; the SDM is right` },
      everyType(false),
    ),
    guest(
      "what IA-32e mode does not know; far transfers mark code segments accessed",
      { cites: "SDM vol. 3A §3.4.5.1, §3.5; vol. 2A, tables 3-53 and 3-55", notOnQemu: types },
      everyType(false),
    ),
  ];
}
