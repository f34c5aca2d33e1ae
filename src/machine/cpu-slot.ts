/**
 * One CPU of a machine with what the run loop must remember about it: whether it has something to do, and the
 * IPIs that arrived while it was running. Knows the engine contract; no device, no clock.
 */
import type { Cpu } from "../engine/contract.js";
import type { CpuState } from "../x86/cpu-state.js";
import type { SlotState } from "./state.js";

/** What a CPU is doing, as far as scheduling goes. */
export type CpuStatus =
  /** It has instructions to execute. */
  | "ready"
  /** In HLT or MWAIT with interrupts enabled: a raised line or an NMI wakes it, a write only from MWAIT. */
  | "sleeping"
  /** The same with interrupts disabled: only an NMI or INIT wakes it, or the write. */
  | "halted"
  /** After INIT: only a start-up IPI begins it. */
  | "waiting";

/** An IPI that changes what a CPU is, latched until no `run` of that CPU is in progress. */
type PendingIpi = { kind: "init" } | { kind: "startup"; vector: number };

/** Who hears what becomes of a CPU. */
export interface SlotWatcher {
  /** It has something to do now, or nothing any more. */
  changed(slot: CpuSlot): void;
  /** Something outside it wants it to act: an interrupt, an NMI, a start-up IPI, a write that it waited for. */
  interrupted(slot: CpuSlot): void;
}

export class CpuSlot {
  readonly id: number;
  /** What it has used of the time that CPUs share. */
  used = 0;
  watcher: SlotWatcher | undefined;
  #status: CpuStatus;
  /** Whether this CPU is inside `Cpu.run` right now. */
  running = false;
  #cpu: Cpu | undefined;
  #line = false;
  /** A debugger keeps maskable interrupts from the CPU. */
  #held = false;
  /** Instructions executed before the engine made its CPU. */
  #instructionsBefore = 0;
  readonly #pending: PendingIpi[] = [];

  constructor(id: number, status: CpuStatus) {
    this.id = id;
    this.#status = status;
  }

  get status(): CpuStatus {
    return this.#status;
  }

  set status(status: CpuStatus) {
    if (status === this.#status) return;
    this.#status = status;
    this.watcher?.changed(this);
  }

  /** The engine's CPU; set once, because the devices are wired before the engine makes it. */
  get cpu(): Cpu {
    if (this.#cpu === undefined) throw new Error(`CPU ${this.id} is used before the engine made it`);
    return this.#cpu;
  }

  attach(cpu: Cpu): void {
    this.#cpu = cpu;
  }

  /** At power-on and after a reset of the machine: no interrupt, no IPI, this state. Not while the CPU runs. */
  enter(status: CpuStatus, state: CpuState): void {
    this.status = status;
    this.#pending.length = 0;
    this.cpu.writeState(state);
  }

  /** Instructions executed since power-on, by whichever engine. */
  get instructions(): number {
    return this.#instructionsBefore + this.cpu.instructions;
  }

  /** Between runs. `exact`: with its translations, which a CPU may forget at any time. */
  save(exact: boolean): SlotState {
    const { cpu } = this;
    const translations = exact ? cpu.readTranslations?.() : undefined;
    return {
      cpu: cpu.readState(),
      ...(translations && { translations }),
      status: this.status,
      instructions: this.instructions,
      used: this.used,
      pausesLeft: cpu.pausesLeft ?? 0,
    };
  }

  /** After `restore`, and after turns are as they were: something that came since the machine was saved wakes it. */
  hearLine(): void {
    if (this.#line && this.status === "sleeping") this.status = "ready";
  }

  /**
   * Goes on where `save` left a CPU, after the parts have driven its line. Nobody hears of it: turns have a state of their own.
   * Throws RangeError for translations that cannot be.
   */
  restore(state: SlotState): void {
    const { cpu } = this;
    this.#status = state.status;
    this.#instructionsBefore = state.instructions - cpu.instructions;
    this.used = state.used;
    this.#pending.length = 0;
    cpu.writeState(state.cpu);
    if (state.translations !== undefined) cpu.writeTranslations?.(state.translations);
    cpu.setInterruptLine(this.#line);
    cpu.limitPauses?.(state.pausesLeft);
  }

  /** Level of INTR from the local APIC. */
  setInterruptLine(raised: boolean): void {
    if (raised && this.status === "sleeping") this.status = "ready";
    if (raised === this.#line) return;
    this.#line = raised;
    if (!this.#held) this.#cpu?.setInterruptLine(raised);
    if (raised) this.#interrupted();
  }

  /** Maskable interrupts wait from now on, or come again. Between runs. */
  holdInterrupts(held: boolean): void {
    if (held === this.#held) return;
    this.#held = held;
    this.cpu.setInterruptLine(this.#line && !held);
    if (!held) this.hearLine();
  }

  /** A write has ended the CPU's MWAIT. */
  wake(): void {
    this.#rouse();
    this.#interrupted();
  }

  raiseNmi(): void {
    this.#rouse();
    this.#cpu?.raiseNmi();
    this.#interrupted();
  }

  /** INIT IPI. Takes effect at once, or when the run in progress has stopped. */
  init(): void {
    this.#latch({ kind: "init" });
  }

  /** Start-up IPI; ignored unless the CPU waits for one (SDM vol. 3A §9.4.3). */
  startup(vector: number): void {
    this.#latch({ kind: "startup", vector });
  }

  /** Asks a run in progress to return. */
  stop(): void {
    if (this.running) this.cpu.stop();
  }

  /** Applies what was latched during a run. */
  settle(): void {
    for (const ipi of this.#pending.splice(0)) this.#apply(ipi);
  }

  #latch(ipi: PendingIpi): void {
    this.#pending.push(ipi);
    if (this.running) this.cpu.stop();
    // Parts made from a saved state may send some before the engine has made the CPU; `enter` forgets them.
    else if (this.#cpu !== undefined) this.settle();
  }

  #apply(ipi: PendingIpi): void {
    if (ipi.kind === "init") {
      this.cpu.init();
      this.status = "waiting";
    } else if (this.status === "waiting") {
      this.cpu.startup(ipi.vector);
      this.status = "ready";
      this.#interrupted();
    }
  }

  #rouse(): void {
    if (this.status === "sleeping" || this.status === "halted") this.status = "ready";
  }

  #interrupted(): void {
    if (this.status === "ready") this.watcher?.interrupted(this);
  }
}
