/**
 * The inside of a local APIC: which interrupt its CPU should take, its pins, and the messages it takes from
 * other APICs. How software reaches the registers is in `lapic.ts`. Knows no CPU: what concerns it goes out
 * through `CpuSignals`.
 * Specification: Intel SDM vol. 3A, chapter 11.
 *
 * ```
 *   LINT0, LINT1 ─┐                      ┌─ interrupt ──▶ CPU (`acknowledge` takes the vector)
 *   timer, error ─┼─▶ IRR ─▶ ISR ─▶ EOI  ├─ nmi, init, startup ──▶ CPU
 *   ApicBus ──────┘    priority: TPR,PPR └─ IPIs, EOIs ──▶ ApicBus
 * ```
 */
import type { ApicMessage, ApicReceiver, IpiSink } from "./apic-messages.js";
import type { InterruptLine } from "../device.js";
import { isAddressed } from "./lapic-destination.js";
import {
  highestVector,
  initialLapicRegisters,
  putVector,
  hasVector,
  type LapicLvtState,
  type LapicRegisters,
  type LapicState,
} from "./lapic-state.js";
import { LapicTimer, type LapicTimerClock } from "./lapic-timer.js";
import {
  APIC_BASE,
  DELIVERY,
  ESR,
  FIRST_LEGAL_VECTOR,
  LAPIC,
  LVT,
  LVT_WRITABLE,
  SVR,
} from "../../spec/apic.js";

/** What a local APIC tells its CPU. */
export interface CpuSignals {
  /** The maskable-interrupt line: up while `acknowledge` would return a vector. */
  interrupt: InterruptLine;
  nmi(): void;
  init(): void;
  startup(vector: number): void;
}

/** The 8259 pair, as the CPU's INTA cycle sees it. */
export interface ExternalInterrupts {
  acknowledge(): number;
}

export interface LapicWiring extends LapicTimerClock {
  cpu: CpuSignals;
  bus: IpiSink;
  /** Answers ExtINT. Absent on a CPU that no 8259 reaches. */
  external?: ExternalInterrupts;
}

type LvtName = keyof LapicLvtState;

/** LVT entries: offset, name, bits software may write. The last one counts as "Max LVT entry". */
export const LVT_ENTRIES: readonly [offset: number, name: LvtName, writable: number][] = [
  [LAPIC.lvtTimer, "timer", LVT_WRITABLE.timer],
  [LAPIC.lvtThermal, "thermal", LVT_WRITABLE.monitor],
  [LAPIC.lvtPerformance, "performance", LVT_WRITABLE.monitor],
  [LAPIC.lvtLint0, "lint0", LVT_WRITABLE.lint],
  [LAPIC.lvtLint1, "lint1", LVT_WRITABLE.lint],
  [LAPIC.lvtError, "error", LVT_WRITABLE.error],
];
const PRIORITY_CLASS = 0xf0;

export class LapicCore implements ApicReceiver {
  readonly name: string;
  readonly timer: LapicTimer;
  private raised: boolean | undefined;

  constructor(
    protected readonly wiring: LapicWiring,
    readonly state: LapicState,
  ) {
    this.name = `local APIC ${state.id}`;
    this.timer = new LapicTimer(
      wiring,
      () => this.registers.timer,
      () => this.registers.lvt.timer,
      () => this.deliverLvt("timer"),
    );
    this.timer.arm();
    this.update();
  }

  get id(): number {
    return this.state.id;
  }

  /** IA32_APIC_BASE has EN set. */
  get enabled(): boolean {
    return (this.state.baseFlags & APIC_BASE.enable) !== 0;
  }

  get x2apic(): boolean {
    return (this.state.baseFlags & APIC_BASE.x2apic) !== 0;
  }

  /** Where this CPU finds its registers in memory, or undefined when it does not (disabled, x2APIC). */
  get mmioBase(): number | undefined {
    return this.enabled && !this.x2apic ? this.state.baseAddress : undefined;
  }

  get registers(): LapicRegisters {
    return this.state.registers;
  }

  // ── The CPU's side ────────────────────────────────────────────────────────────────────────────────────────

  /** The vector the APIC itself would deliver now, or -1. The 8259's vectors are only known to `acknowledge`. */
  pending(): number {
    const vector = highestVector(this.registers.request);
    if (vector < 0 || !this.enabled || !this.softwareEnabled) return -1;
    return (vector & PRIORITY_CLASS) > (this.priority & PRIORITY_CLASS) ? vector : -1;
  }

  /** Takes the interrupt: returns its vector, or -1 when there is none after all. */
  acknowledge(): number {
    if (this.externalPending()) {
      this.registers.extIntLatched = false;
      const vector = this.wiring.external?.acknowledge() ?? -1;
      // A pin that nobody answers for is driven by nobody.
      if (vector < 0) this.state.lint0Level = false;
      this.update();
      return vector;
    }
    const vector = this.pending();
    if (vector < 0) return -1;
    putVector(this.registers.request, vector, false);
    putVector(this.registers.inService, vector, true);
    this.update();
    return vector;
  }

  /** CR8: the task-priority class, 0–15. */
  readTaskPriority(): number {
    return this.registers.taskPriority >> 4;
  }

  writeTaskPriority(value: number): void {
    this.registers.taskPriority = (value & 0xf) << 4;
    this.update();
  }

  /** Processor priority (§11.8.3.1). */
  get priority(): number {
    const { taskPriority, inService } = this.registers;
    const service = Math.max(0, highestVector(inService));
    return (taskPriority & PRIORITY_CLASS) >= (service & PRIORITY_CLASS)
      ? taskPriority
      : service & PRIORITY_CLASS;
  }

  // ── Pins and messages ─────────────────────────────────────────────────────────────────────────────────────

  /** The INTR pin, LINT0: the output of the 8259 pair. */
  readonly lint0: InterruptLine = { set: (raised) => this.setPin("lint0", raised) };
  /** The NMI pin, LINT1. */
  readonly lint1: InterruptLine = { set: (raised) => this.setPin("lint1", raised) };

  get acceptsFixed(): boolean {
    return this.enabled && this.softwareEnabled;
  }

  isAddressed(message: ApicMessage): boolean {
    return this.enabled && isAddressed(this.state, message);
  }

  accept(message: ApicMessage): boolean {
    if (!this.enabled) return false;
    const { cpu } = this.wiring;
    switch (message.mode) {
      case DELIVERY.fixed:
      case DELIVERY.lowestPriority:
        return this.softwareEnabled && this.request(message.vector, message.level);
      case DELIVERY.nmi:
        cpu.nmi();
        return true;
      case DELIVERY.init:
        this.resetRegisters();
        cpu.init();
        return true;
      case DELIVERY.startUp:
        cpu.startup(message.vector);
        return true;
      case DELIVERY.extInt:
        this.registers.extIntLatched = true;
        this.update();
        return true;
      default:
        return false;
    }
  }

  /** Puts all registers into their state after INIT; id and IA32_APIC_BASE stay. */
  resetRegisters(): void {
    this.state.registers = initialLapicRegisters();
    this.timer.arm();
    this.update();
  }

  /**
   * Writes IA32_APIC_BASE, after it was checked. Disabling loses the registers (§11.4.3); a change to x2APIC
   * keeps all but the interrupt command (§11.12.5.1).
   */
  setBase(address: number, flags: number): void {
    const { state } = this;
    const wasEnabled = this.enabled;
    const wasX2apic = this.x2apic;
    state.baseAddress = address;
    state.baseFlags = flags;
    if (!this.enabled || this.x2apic) state.xapicId = state.id;
    if (wasEnabled && !this.enabled) this.resetRegisters();
    else if (!wasX2apic && this.x2apic) state.registers.commandHigh = 0;
    this.update();
  }

  private setPin(pin: "lint0" | "lint1", raised: boolean): void {
    const level = pin === "lint0" ? "lint0Level" : "lint1Level";
    const rising = raised && !this.state[level];
    this.state[level] = raised;
    const entry = this.registers.lvt[pin];
    if (!this.enabled) {
      // Without an APIC the pins are INTR and NMI of the CPU (§11.4.3).
      if (rising && pin === "lint1") this.wiring.cpu.nmi();
    } else if (rising && !(entry & LVT.masked) && !(entry & LVT.level)) {
      this.deliverLvt(pin);
    }
    this.serveLevelPin(pin);
    this.update();
  }

  /** A level-triggered fixed interrupt of a pin: once per EOI as long as the pin is up. */
  private serveLevelPin(pin: "lint0" | "lint1"): void {
    const { lvt } = this.registers;
    const entry = lvt[pin];
    const up = pin === "lint0" ? this.state.lint0Level : this.state.lint1Level;
    if (!up || !(entry & LVT.level) || entry & (LVT.masked | LVT.remoteIrr)) return;
    if (deliveryMode(entry) !== DELIVERY.fixed) return;
    lvt[pin] |= LVT.remoteIrr;
    this.request(entry & LVT.vector, true);
  }

  /** Delivers what an LVT entry says, unless it is masked. ExtINT is a level and handled by `update`. */
  private deliverLvt(name: LvtName): void {
    const entry = this.registers.lvt[name];
    if (entry & LVT.masked) return;
    // Timer and error entries have no mode field: it reads as fixed.
    if (deliveryMode(entry) === DELIVERY.fixed) this.request(entry & LVT.vector, false);
    else if (deliveryMode(entry) === DELIVERY.nmi) this.wiring.cpu.nmi();
  }

  /** Puts a vector into IRR; false if it is none that an APIC can deliver. */
  protected request(vector: number, level: boolean): boolean {
    if (vector < FIRST_LEGAL_VECTOR) {
      this.fail(ESR.receiveIllegalVector);
      return false;
    }
    putVector(this.registers.triggerMode, vector, level);
    putVector(this.registers.request, vector, true);
    this.update();
    return true;
  }

  /** Records an error and raises the error interrupt, unless that is what failed. */
  protected fail(error: number): void {
    const { registers } = this;
    registers.errors |= error;
    if ((registers.lvt.error & LVT.vector) >= FIRST_LEGAL_VECTOR) this.deliverLvt("error");
  }

  private get softwareEnabled(): boolean {
    return (this.registers.spurious & SVR.enable) !== 0;
  }

  /** Whether the 8259 pair may interrupt: past a disabled APIC, through LINT0, or by an I/O APIC's message. */
  private externalPending(): boolean {
    const { registers, state } = this;
    if (!this.enabled) return state.lint0Level;
    if (registers.extIntLatched) return true;
    const entry = registers.lvt.lint0;
    return state.lint0Level && !(entry & LVT.masked) && deliveryMode(entry) === DELIVERY.extInt;
  }

  /** Shows the CPU whether there is something to take. Call after every change. */
  update(): void {
    const raised = this.externalPending() || this.pending() >= 0;
    if (raised === this.raised) return;
    this.raised = raised;
    this.wiring.cpu.interrupt.set(raised);
  }

  // ── Register writes that act ──────────────────────────────────────────────────────────────────────────────

  protected writeLvt(name: LvtName, value: number): void {
    const { lvt } = this.registers;
    // While software-disabled the masks cannot be cleared (§11.4.7.2).
    const masked = this.softwareEnabled ? value : value | LVT.masked;
    if (name === "timer") {
      this.timer.changeLvt(() => (lvt.timer = masked));
    } else {
      lvt[name] = value & LVT.level ? masked | (lvt[name] & LVT.remoteIrr) : masked;
    }
    if (name === "lint0" || name === "lint1") this.serveLevelPin(name);
    this.update();
  }

  protected writeSpurious(value: number): void {
    const { registers } = this;
    registers.spurious = value;
    if (this.softwareEnabled) return;
    for (const [, name] of LVT_ENTRIES) this.writeLvt(name, registers.lvt[name] | LVT.masked);
  }

  protected endOfInterrupt(): void {
    const { inService, triggerMode } = this.registers;
    const vector = highestVector(inService);
    if (vector < 0) return;
    putVector(inService, vector, false);
    this.update();
    if (!hasVector(triggerMode, vector)) return;
    this.wiring.bus.endOfInterrupt(vector);
    for (const pin of ["lint0", "lint1"] as const) {
      if ((this.registers.lvt[pin] & LVT.vector) !== vector) continue;
      this.registers.lvt[pin] &= ~LVT.remoteIrr;
      this.serveLevelPin(pin);
    }
  }
}

function deliveryMode(entry: number): number {
  return (entry >> LVT.modeShift) & LVT.modeMask;
}
