/**
 * An I/O APIC with 24 pins, edge- and level-triggered. Knows its registers and where messages go; not what its
 * pins are wired to. Specification: Intel 82093AA data sheet §3; ICH9 data sheet §13.5 for the EOI register.
 *
 * Polarity is kept but has no effect: the machine's lines say "raised", whatever voltage that would be.
 */
import { bits, bool, list, oneOf, record, u8 } from "../../bytes/shape.js";
import type { EoiReceiver, InterruptSink } from "./apic-messages.js";
import type { AccessSize, InterruptLine, MmioDevice } from "../device.js";
import {
  BROADCAST,
  DELIVERY,
  IOAPIC,
  IOAPIC_ID,
  IOAPIC_PINS,
  IOAPIC_REGISTER,
  IOAPIC_VERSION,
  REDIRECTION,
} from "../../spec/apic.js";

export interface IoapicPinState {
  /** Redirection entry. */
  low: number;
  high: number;
  /** Level of the input. */
  raised: boolean;
}

export interface IoapicState {
  /** Id register, bits 27–24. */
  id: number;
  /** 0x11 (82093AA) or 0x20 (with EOI register). */
  version: number;
  select: number;
  pins: IoapicPinState[];
}

/** Power-on state: every pin masked. `id` is 0–15. */
export function initialIoapicState(id: number, version: number = IOAPIC_VERSION.withEoi): IoapicState {
  const pins = Array.from({ length: IOAPIC_PINS }, () => ({
    low: REDIRECTION.masked,
    high: 0,
    raised: false,
  }));
  return { id: id << IOAPIC_ID.shift, version, select: 0, pins };
}

export const ioapicShape = record<IoapicState>({
  id: bits(IOAPIC_ID.mask),
  version: oneOf(IOAPIC_VERSION.plain, IOAPIC_VERSION.withEoi),
  select: u8,
  pins: list(
    record<IoapicPinState>({
      low: bits(REDIRECTION.writable | REDIRECTION.remoteIrr),
      high: bits(REDIRECTION.highWritable),
      raised: bool,
    }),
    IOAPIC_PINS,
  ),
});

const ALL_ONES = 0xffffffff;

export class Ioapic implements MmioDevice, EoiReceiver {
  readonly name = "I/O APIC";

  constructor(
    private readonly sink: InterruptSink,
    readonly state: IoapicState,
  ) {}

  /** Input pin `pin`, 0–23. */
  line(pin: number): InterruptLine {
    const state = this.state.pins[pin];
    if (!state) throw new RangeError(`I/O APIC: no pin ${pin}; pins are 0 to ${IOAPIC_PINS - 1}`);
    return { set: (raised) => this.setPin(state, raised) };
  }

  /** A CPU completed a level-triggered `vector`: pins that are still up interrupt again. */
  endOfInterrupt(vector: number): void {
    for (const pin of this.state.pins) {
      if (!(pin.low & REDIRECTION.remoteIrr) || (pin.low & REDIRECTION.vector) !== vector) continue;
      pin.low &= ~REDIRECTION.remoteIrr;
      this.serveLevel(pin);
    }
  }

  /** Registers are 32 bits wide; a narrower read gets the bytes it names. */
  readMmio(offset: number, size: AccessSize): number {
    const register = offset - (offset % 4);
    const value = this.read(register);
    return ((value >>> (8 * (offset - register))) & (ALL_ONES >>> (32 - 8 * size))) >>> 0;
  }

  /** The select register may be written by byte; the others only as 32 bits. */
  writeMmio(offset: number, size: AccessSize, value: number): void {
    if (offset === IOAPIC.select) {
      this.state.select = value & 0xff;
    } else if (offset === IOAPIC.window && size === 4) {
      this.writeWindow(value);
    } else if (offset === IOAPIC.endOfInterrupt && this.state.version >= IOAPIC_VERSION.withEoi) {
      this.endOfInterrupt(value & REDIRECTION.vector);
    }
  }

  private read(register: number): number {
    if (register === IOAPIC.select) return this.state.select;
    return register === IOAPIC.window ? this.readWindow() : ALL_ONES;
  }

  private readWindow(): number {
    const { id, version, select, pins } = this.state;
    switch (select) {
      case IOAPIC_REGISTER.id:
      case IOAPIC_REGISTER.arbitration:
        return id;
      case IOAPIC_REGISTER.version:
        return version | ((IOAPIC_PINS - 1) << IOAPIC_VERSION.maxEntryShift);
    }
    const pin = pins[(select - IOAPIC_REGISTER.redirection) >> 1];
    if (!pin) return ALL_ONES;
    return select % 2 === 0 ? pin.low : pin.high;
  }

  private writeWindow(value: number): void {
    const { state } = this;
    if (state.select === IOAPIC_REGISTER.id) {
      state.id = value & IOAPIC_ID.mask;
      return;
    }
    const pin = state.pins[(state.select - IOAPIC_REGISTER.redirection) >> 1];
    if (!pin) return;
    if (state.select % 2 === 1) {
      pin.high = (value & REDIRECTION.highWritable) >>> 0;
      return;
    }
    // Going to edge forgets what was not completed: how kernels without the EOI register clear a stuck pin.
    const kept = value & REDIRECTION.level ? pin.low & REDIRECTION.remoteIrr : 0;
    pin.low = (value & REDIRECTION.writable) | kept;
    this.serveLevel(pin);
  }

  /** Edges on a masked pin are lost (82093AA §3.2.4, "Interrupt Mask"). */
  private setPin(pin: IoapicPinState, raised: boolean): void {
    const rising = raised && !pin.raised;
    pin.raised = raised;
    if (isLevel(pin)) this.serveLevel(pin);
    else if (rising && !(pin.low & REDIRECTION.masked)) this.deliver(pin);
  }

  private serveLevel(pin: IoapicPinState): void {
    if (!pin.raised || !isLevel(pin)) return;
    if (pin.low & (REDIRECTION.masked | REDIRECTION.remoteIrr)) return;
    // The bit is up before the message is, because the CPU may complete it at once.
    pin.low |= REDIRECTION.remoteIrr;
    if (!this.deliver(pin)) pin.low &= ~REDIRECTION.remoteIrr;
  }

  private deliver(pin: IoapicPinState): boolean {
    const { low, high } = pin;
    const id = high >>> REDIRECTION.destinationShift;
    return this.sink.deliver({
      mode: deliveryMode(pin),
      vector: low & REDIRECTION.vector,
      level: isLevel(pin),
      destination: id === BROADCAST.xapic ? BROADCAST.x2apic : id,
      logical: (low & REDIRECTION.logical) !== 0,
    });
  }
}

function deliveryMode(pin: IoapicPinState): number {
  return (pin.low >> REDIRECTION.modeShift) & REDIRECTION.modeMask;
}

/** Only fixed and lowest-priority interrupts can be level-triggered; the others are edges whatever the bit says. */
function isLevel(pin: IoapicPinState): boolean {
  const mode = deliveryMode(pin);
  const fixed = mode === DELIVERY.fixed || mode === DELIVERY.lowestPriority;
  return fixed && (pin.low & REDIRECTION.level) !== 0;
}
