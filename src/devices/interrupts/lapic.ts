/**
 * One local APIC as software sees it: the registers at their offsets, which serve the memory-mapped form
 * (xAPIC, here) as well as the MSR form (x2APIC, `lapic-msr.ts`). What the registers do is in `lapic-core.ts`.
 * Specification: Intel SDM vol. 3A §11.4.1 and table 11-1; §11.6.1 for the interrupt command register.
 */
import type { AccessSize, MmioDevice } from "../device.js";
import { LapicCore, LVT_ENTRIES } from "./lapic-core.js";
import { x2apicLogicalId } from "./lapic-destination.js";
import {
  BROADCAST,
  DELIVERY,
  DFR,
  ESR,
  FIRST_LEGAL_VECTOR,
  ICR,
  LAPIC,
  LAPIC_STRIDE,
  LAPIC_VERSION,
  SHORTHAND,
  SVR,
} from "../../spec/apic.js";

/** Bytes of a 256-bit register: eight words at the usual stride. */
const VECTOR_REGISTER_BYTES = 0x80;

export class LocalApic extends LapicCore implements MmioDevice {
  /** Value of the register at `offset`, or undefined if there is none. */
  readRegister(offset: number): number | undefined {
    const { registers } = this;
    const word = this.vectorRegisterWord(offset);
    if (word !== undefined) return word;
    const entry = LVT_ENTRIES.find(([at]) => at === offset);
    if (entry) return registers.lvt[entry[1]];
    switch (offset) {
      case LAPIC.id:
        return this.x2apic ? this.id : (this.state.xapicId << ICR.destinationShift) >>> 0;
      case LAPIC.version:
        return LAPIC_VERSION.version | ((LVT_ENTRIES.length - 1) << LAPIC_VERSION.maxLvtShift);
      case LAPIC.taskPriority:
        return registers.taskPriority;
      case LAPIC.processorPriority:
        return this.priority;
      case LAPIC.arbitrationPriority:
      case LAPIC.remoteRead:
      case LAPIC.endOfInterrupt:
        return 0;
      case LAPIC.logicalDestination:
        return this.x2apic ? x2apicLogicalId(this.id) : registers.logicalDestination;
      case LAPIC.destinationFormat:
        return registers.destinationFormat;
      case LAPIC.spurious:
        return registers.spurious;
      case LAPIC.errorStatus:
        return registers.errorStatus;
      case LAPIC.commandLow:
        return registers.commandLow;
      case LAPIC.commandHigh:
        return registers.commandHigh;
      case LAPIC.initialCount:
        return registers.timer.initial;
      case LAPIC.currentCount:
        this.timer.settle();
        return this.timer.currentCount();
      case LAPIC.divide:
        return registers.timer.divide;
      default:
        return undefined;
    }
  }

  /** Writes the register at `offset`; false if there is none. Bits that are reserved are dropped. */
  writeRegister(offset: number, value: number): boolean {
    const { registers } = this;
    const entry = LVT_ENTRIES.find(([at]) => at === offset);
    if (entry) {
      this.writeLvt(entry[1], value & entry[2]);
      return true;
    }
    switch (offset) {
      case LAPIC.id:
        this.state.xapicId = value >>> ICR.destinationShift;
        break;
      case LAPIC.taskPriority:
        registers.taskPriority = value & 0xff;
        break;
      case LAPIC.endOfInterrupt:
        this.endOfInterrupt();
        break;
      case LAPIC.logicalDestination:
        registers.logicalDestination = (value & (BROADCAST.xapic << ICR.destinationShift)) >>> 0;
        break;
      case LAPIC.destinationFormat:
        registers.destinationFormat = (value | DFR.fixed) >>> 0;
        break;
      case LAPIC.spurious:
        this.writeSpurious(value & SVR.writable);
        break;
      case LAPIC.errorStatus:
        registers.errorStatus = registers.errors;
        registers.errors = 0;
        break;
      case LAPIC.commandLow:
        registers.commandLow = value & ICR.writable;
        this.sendCommand();
        break;
      case LAPIC.commandHigh:
        registers.commandHigh = this.x2apic
          ? value
          : (value & (BROADCAST.xapic << ICR.destinationShift)) >>> 0;
        break;
      case LAPIC.initialCount:
        this.timer.setInitialCount(value);
        break;
      case LAPIC.divide:
        this.timer.setDivide(value);
        break;
      default:
        return isReadOnly(offset);
    }
    this.update();
    return true;
  }

  private vectorRegisterWord(offset: number): number | undefined {
    if (offset < LAPIC.inService || offset >= LAPIC.request + VECTOR_REGISTER_BYTES) return undefined;
    const { inService, triggerMode, request } = this.registers;
    const set = offset >= LAPIC.request ? request : offset >= LAPIC.triggerMode ? triggerMode : inService;
    return set[(offset % VECTOR_REGISTER_BYTES) / LAPIC_STRIDE];
  }

  /** Sends what the interrupt command register says. */
  private sendCommand(): void {
    const { commandLow, commandHigh } = this.registers;
    const mode = (commandLow >> ICR.modeShift) & ICR.modeMask;
    const vector = commandLow & ICR.vector;
    const shorthand = (commandLow >> ICR.shorthandShift) & ICR.shorthandMask;
    // The "INIT level de-assert" message only sets arbitration ids, which no longer exist.
    if (mode === DELIVERY.init && commandLow & ICR.level && !(commandLow & ICR.assert)) return;
    if (mode === DELIVERY.fixed || mode === DELIVERY.lowestPriority) {
      if (vector < FIRST_LEGAL_VECTOR) {
        this.fail(ESR.sendIllegalVector);
        return;
      }
    } else if (mode !== DELIVERY.nmi && mode !== DELIVERY.init && mode !== DELIVERY.startUp) {
      return;
    } else if (shorthand === SHORTHAND.self || shorthand === SHORTHAND.all) {
      // Only fixed interrupts may include the sender (table 11-3).
      return;
    }
    const raw = this.x2apic ? commandHigh : commandHigh >>> ICR.destinationShift;
    const destination = !this.x2apic && raw === BROADCAST.xapic ? BROADCAST.x2apic : raw;
    const logical = (commandLow & ICR.logical) !== 0;
    this.wiring.bus.sendIpi(this.id, shorthand, { mode, vector, level: false, destination, logical });
  }

  /** x2APIC's SELF IPI register. */
  sendSelf(vector: number): void {
    if (vector < FIRST_LEGAL_VECTOR) this.fail(ESR.sendIllegalVector);
    else if (this.acceptsFixed) this.request(vector, false);
  }

  // ── xAPIC: registers in memory ────────────────────────────────────────────────────────────────────────────

  readMmio(offset: number, size: AccessSize): number {
    if (this.mmioBase === undefined) return 0xffffffff >>> (32 - 8 * size);
    const register = offset - (offset % LAPIC_STRIDE);
    const value = this.readRegister(register);
    if (value === undefined) this.fail(ESR.illegalRegister);
    const within = offset - register;
    return within < 4 ? (((value ?? 0) >>> (8 * within)) & (0xffffffff >>> (32 - 8 * size))) >>> 0 : 0;
  }

  /** Only aligned 32-bit writes are defined (§11.4.1); others are dropped. */
  writeMmio(offset: number, size: AccessSize, value: number): void {
    if (this.mmioBase === undefined || size !== 4 || offset % LAPIC_STRIDE !== 0) return;
    if (!this.writeRegister(offset, value)) this.fail(ESR.illegalRegister);
  }
}

function isReadOnly(offset: number): boolean {
  const readOnly: readonly number[] = [
    LAPIC.version,
    LAPIC.arbitrationPriority,
    LAPIC.processorPriority,
    LAPIC.remoteRead,
    LAPIC.currentCount,
  ];
  const inVectors = offset >= LAPIC.inService && offset < LAPIC.request + VECTOR_REGISTER_BYTES;
  return inVectors || readOnly.includes(offset);
}
