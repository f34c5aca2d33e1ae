/**
 * Runs our CPU one instruction at a time beside the entries of QEMU's log and stops at the first state that
 * differs. Knows neither QEMU's process nor its log format.
 *
 * An entry is the state *before* an instruction. Some things make the sides uneven for a moment:
 *  - After a fault or an interrupt QEMU shows the handler's first instruction; ours delivers the event and executes
 *    that instruction in one step. The entry is then taken as it is, and the one behind it is compared.
 *  - QEMU shows an instruction again that it has left unexecuted because something asked for its attention.
 *  - QEMU shows a repeated string instruction once more when its count has reached 0; ours is already past it.
 */
import type { Side } from "./machine.js";
import { pageWalk } from "./page-walk.js";
import type { Registers } from "./qemu-dump.js";
import type { TraceEntry } from "./qemu-log.js";
import { fromEnvironment, glance, isRepeated, undefinedFlags } from "./tolerance.js";
import type { Instruction } from "./tolerance.js";

/** RFLAGS bits compared: RF is left out, because QEMU does not keep it. */
const COMPARED_FLAGS = 0x0024_7fd5n;
/** RF in a flags image that a fault pushed: ours sets it (SDM vol. 3B §17.3.1.1), QEMU 7.2 does not. */
const RESUME_FLAG = 0x1_0000n;
const GLANCE_BYTES = 15;
const PAGE = 0x1000n;
const LOW_32 = 0xffffffffn;
const LEGACY_REGISTERS = 8;

export interface Difference {
  /** Instructions executed since the start of the comparison. */
  step: number;
  /** State before the instruction after which the sides differ. */
  before: Registers;
  /** Bytes of that instruction. */
  bytes: Uint8Array;
  qemu: Registers;
  ours: Registers;
  what: string[];
}

export interface LockStepCounts {
  steps: number;
  /** Results taken from QEMU: devices, time, CPU identity. */
  adopted: number;
  /** Undefined flags taken from QEMU. */
  flags: number;
  interrupts: number;
  faults: number;
}

const sameState = (a: Registers, b: Registers): boolean =>
  a.rip === b.rip && a.rflags === b.rflags && a.gpr.every((v, i) => v === b.gpr[i]);

export class LockStep {
  readonly counts: LockStepCounts = { steps: 0, adopted: 0, flags: 0, interrupts: 0, faults: 0 };
  private current: Registers | undefined;
  private bytes: Uint8Array = new Uint8Array(0);
  /** Ours has executed the current instruction already. */
  private ahead = false;
  /** Ours is about to deliver an event whose handler QEMU stands at. */
  private delivering = false;
  private readonly side: Side;

  constructor(side: Side) {
    this.side = side;
  }

  /** Takes the next entry; returns a difference or undefined. */
  next(entry: TraceEntry): Difference | undefined {
    const before = this.current;
    const qemu = entry.registers;
    if (!before) return this.settle(qemu);
    const hardware = entry.events.find((e) => e.kind === "hardware");
    const fault = entry.events.some((e) => e.kind === "fault");
    if (fault) {
      this.counts.faults++;
      this.delivering = true;
      return this.settle(qemu);
    }
    if (sameState(before, qemu) && !hardware) return undefined;
    if (!hardware) this.step();
    else {
      const difference = this.reach(before, hardware.at ?? qemu);
      if (difference) return difference;
      this.counts.interrupts++;
      this.side.host.raise(hardware.vector);
      this.side.cpu.setInterruptLine(true);
      this.delivering = true;
      return this.settle(qemu);
    }
    return this.compare(before, qemu);
  }

  /** Brings ours to the state in which QEMU took an interrupt: the current one, or the one behind it. */
  private reach(before: Registers, interrupted: Registers): Difference | undefined {
    if (sameState(before, interrupted)) return undefined;
    this.step();
    return this.compare(before, interrupted);
  }

  /** Executes the current instruction on our side, with the delivery that may come before it. */
  private step(): void {
    this.counts.steps++;
    this.side.host.touched = false;
    if (this.ahead) {
      this.ahead = false;
      return;
    }
    this.side.cpu.run(1);
    // Should the engine count the delivery for itself, it stands where QEMU stands, one instruction early.
    if (this.delivering && this.ours().rip === this.current!.rip) this.side.cpu.run(1);
    if (this.delivering) this.side.cpu.setInterruptLine(false);
    this.delivering = false;
  }

  private compare(before: Registers, qemu: Registers): Difference | undefined {
    const ours = this.ours();
    const instruction = glance(this.bytes, qemu.long);
    const same = !this.registersDiffer(qemu, ours);
    if (isRepeated(instruction) && qemu.rip === before.rip && ours.rip !== qemu.rip && same) {
      this.ahead = true;
      return this.settle(qemu);
    }
    const what = this.differences(qemu, ours);
    if (what.length > 0 && !this.tolerated(instruction, qemu, ours)) {
      return { step: this.counts.steps, before, bytes: this.bytes, qemu, ours, what };
    }
    return this.settle(qemu);
  }

  private tolerated(instruction: Instruction, qemu: Registers, ours: Registers): boolean {
    if (qemu.rip !== ours.rip) return false;
    if (fromEnvironment(instruction) || this.side.host.touched || this.onlyResumeFlag(qemu, ours)) {
      this.counts.adopted++;
      this.adopt(qemu);
      return true;
    }
    if (this.registersDiffer(qemu, ours)) return false;
    const undefinedOnes = undefinedFlags(instruction);
    if (((qemu.rflags ^ ours.rflags) & COMPARED_FLAGS & ~undefinedOnes) !== 0n) return false;
    this.counts.flags++;
    this.adopt(qemu);
    return true;
  }

  /** One register, loaded from a frame that a fault pushed, differs by RF and nothing else. */
  private onlyResumeFlag(qemu: Registers, ours: Registers): boolean {
    const differing = ours.gpr.filter((v, i) => v !== qemu.gpr[i]);
    const explained = ours.gpr.filter((v, i) => v === (qemu.gpr[i] | RESUME_FLAG) && v !== qemu.gpr[i]);
    return this.counts.faults > 0 && qemu.long && differing.length === 1 && explained.length === 1;
  }

  private adopt(qemu: Registers): void {
    const state = this.side.cpu.readState();
    state.gpr = state.gpr.map((v, i) => (qemu.long || i < LEGACY_REGISTERS ? qemu.gpr[i] : v));
    state.rflags = (state.rflags & ~COMPARED_FLAGS) | (qemu.rflags & COMPARED_FLAGS);
    this.side.cpu.writeState(state);
  }

  private ours(): Registers {
    const { gpr, rip, rflags } = this.side.cpu.readState();
    return { gpr, rip, rflags, long: true };
  }

  private registersDiffer(qemu: Registers, ours: Registers): boolean {
    if (qemu.long) return qemu.gpr.some((v, i) => v !== ours.gpr[i]);
    return qemu.gpr.slice(0, LEGACY_REGISTERS).some((v, i) => v !== (ours.gpr[i] & LOW_32));
  }

  private differences(qemu: Registers, ours: Registers): string[] {
    const what: string[] = [];
    if (qemu.rip !== ours.rip) what.push("RIP");
    if (this.registersDiffer(qemu, ours)) what.push("registers");
    if (((qemu.rflags ^ ours.rflags) & COMPARED_FLAGS) !== 0n) what.push("RFLAGS");
    return what;
  }

  /** Makes `registers` the state both sides stand at, and fetches the instruction there. */
  private settle(registers: Registers): undefined {
    this.current = registers;
    this.bytes = this.fetch(registers.rip);
  }

  /** Bytes at `rip`, by our memory; short where they end with a page, none where the address is not mapped. */
  private fetch(rip: bigint): Uint8Array {
    const { memory } = this.side.vm;
    const { cr0, cr3, cr4, efer, cs } = this.side.cpu.readState();
    const linear = (efer & 0x400n) !== 0n && (cs.access & 0x2000) !== 0 ? rip : (cs.base + rip) & LOW_32;
    const physical = pageWalk(memory, { cr0, cr3, cr4, efer }, linear);
    const end = memory.ranges[0].size;
    if (physical === undefined || physical >= end) return new Uint8Array(0);
    return memory.read(physical, Math.min(GLANCE_BYTES, Number(PAGE - (linear % PAGE)), end - physical));
  }
}
