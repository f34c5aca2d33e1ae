/**
 * A 16550A UART. Knows its registers, an interrupt line and an interface for what leaves it; not where the
 * bytes go, nor its address. Specification: National Semiconductor PC16550D data sheet.
 *
 * How it differs from the chip, on purpose:
 * - The line is infinitely fast: a byte is out when it is written, so LSR always shows an empty transmitter.
 *   The interrupt for it is latched as on the chip: by a write to THR, and by enabling it in IER.
 * - Four character times of silence have always passed: bytes below the trigger level time out at once.
 * - Word length, parity and baud rate are registers only. A guest that never sets them is understood.
 * - It never loses input. It takes bytes (`receive`) only while the guest listens: receive interrupts are on
 *   or it polls LSR; and not while the guest holds RTS down after having raised it. A guest that has raised DTR
 *   but never RTS has found the port and not opened it yet: what it reads now, it throws away (Linux's probe
 *   and start-up of a port do, with receive interrupts on for a moment), so interrupts alone do not count.
 */
import { bits, bool, list, oneOf, record, refine, u8, whole } from "../../bytes/shape.js";
import type { AccessSize, InterruptLine, PortDevice } from "../device.js";
import {
  UART,
  UART_FCR,
  UART_FIFO_SIZE,
  UART_IER,
  UART_IIR,
  UART_LCR,
  UART_LSR,
  UART_MCR,
  UART_MSR,
  UART_RESET_DIVISOR,
  UART_TRIGGER_LEVELS,
} from "../../spec/uart16550.js";

/** What leaves the UART. */
export interface UartEvents {
  /** One byte sent by the guest. */
  transmit(byte: number): void;
  /** The UART would take input now: after it was full, or when the guest begins to listen. */
  receiveReady?(): void;
}

export interface Uart16550State {
  ier: number;
  lcr: number;
  mcr: number;
  scratch: number;
  divisorLow: number;
  divisorHigh: number;
  fifoEnabled: boolean;
  /** Bytes at which the receive interrupt fires. */
  trigger: number;
  /** Received bytes, each with its LSR error bits in bits 15–8. */
  received: number[];
  /** Error bits of LSR that were not read yet. */
  lineErrors: number;
  /** The transmit interrupt is latched. */
  transmitPending: boolean;
  /** MSR bits 3–0. */
  modemDeltas: number;
  /** The MCR bits that were ever on outside loopback. */
  mcrRaised: number;
  /** LSR reads without any other access between them. */
  polls: number;
}

/** Power-on: interrupts and FIFOs off, an empty receiver. */
export function initialUart16550State(): Uart16550State {
  return {
    ier: 0,
    lcr: 0,
    mcr: 0,
    scratch: 0,
    divisorLow: UART_RESET_DIVISOR,
    divisorHigh: 0,
    fifoEnabled: false,
    trigger: 1,
    received: [],
    lineErrors: 0,
    transmitPending: false,
    modemDeltas: 0,
    mcrRaised: 0,
    polls: 0,
  };
}

/** Where the errors of a received byte stand in `received`. */
const ERROR_SHIFT = 8;
/**
 * LSR reads in a row that mean "waits for input". A driver that waits for room to send reads LSR once per byte,
 * because there is always room.
 */
const POLLS_THAT_LISTEN = 4;

/** The receiver never holds more than it has room for. */
export const uart16550Shape = refine(
  record<Uart16550State>({
    ier: bits(UART_IER.all),
    lcr: u8,
    mcr: bits(UART_MCR.all),
    scratch: u8,
    divisorLow: u8,
    divisorHigh: u8,
    fifoEnabled: bool,
    trigger: oneOf(...UART_TRIGGER_LEVELS),
    received: list(bits(0xff | (UART_LSR.errors << ERROR_SHIFT)), { max: UART_FIFO_SIZE }),
    lineErrors: bits(UART_LSR.errors),
    transmitPending: bool,
    modemDeltas: bits(UART_MSR.deltas),
    mcrRaised: bits(UART_MCR.all),
    polls: whole(0, POLLS_THAT_LISTEN),
  }),
  ({ received, fifoEnabled }) =>
    received.length > 1 && !fifoEnabled
      ? { at: ".received", found: `a list of ${received.length}`, expected: "one at most, with the FIFO off" }
      : undefined,
);

/** The modem lines outside loopback: a peer that is there and ready. */
const PEER_READY = UART_MSR.cts | UART_MSR.dsr | UART_MSR.dcd;

export class Uart16550 implements PortDevice {
  readonly state: Uart16550State;

  constructor(
    readonly name: string,
    private readonly irq: InterruptLine,
    private readonly events: UartEvents,
    state: Uart16550State = initialUart16550State(),
  ) {
    this.state = state;
    this.update();
  }

  /**
   * Offers bytes from the line; returns how many were taken (from the front). Offer the rest again after
   * `receiveReady`.
   */
  receive(bytes: ArrayLike<number>): number {
    if (!this.listens()) return 0;
    const count = Math.min(bytes.length, this.capacity() - this.state.received.length);
    for (let i = 0; i < count; i++) this.state.received.push(bytes[i] & 0xff);
    if (count > 0) this.update();
    return Math.max(0, count);
  }

  /** A break condition on the line. Returns whether it was taken, as `receive`. */
  receiveBreak(): boolean {
    if (!this.listens() || this.state.received.length >= this.capacity()) return false;
    this.push(UART_LSR.break << ERROR_SHIFT);
    this.update();
    return true;
  }

  readPort(offset: number, _size: AccessSize): number {
    const value = this.read(offset);
    this.countPolls(offset === UART.lineStatus);
    this.update();
    return value;
  }

  writePort(offset: number, _size: AccessSize, value: number): void {
    const listened = this.listens();
    this.write(offset, value);
    this.countPolls(false);
    this.update();
    if (!listened && this.listens()) this.events.receiveReady?.();
  }

  private read(offset: number): number {
    const { state } = this;
    switch (offset) {
      case UART.data:
        return this.divisorAccess ? state.divisorLow : this.readData();
      case UART.interruptEnable:
        return this.divisorAccess ? state.divisorHigh : state.ier;
      case UART.identification:
        return this.readIdentification();
      case UART.lineControl:
        return state.lcr;
      case UART.modemControl:
        return state.mcr;
      case UART.lineStatus:
        return this.readLineStatus();
      case UART.modemStatus:
        return this.readModemStatus();
      default:
        return state.scratch;
    }
  }

  private write(offset: number, value: number): void {
    const { state } = this;
    switch (offset) {
      case UART.data:
        if (this.divisorAccess) state.divisorLow = value;
        else this.send(value);
        return;
      case UART.interruptEnable:
        if (this.divisorAccess) state.divisorHigh = value;
        else this.writeInterruptEnable(value & UART_IER.all);
        return;
      case UART.identification:
        this.writeFifoControl(value);
        return;
      case UART.lineControl:
        state.lcr = value;
        return;
      case UART.modemControl:
        this.writeModemControl(value & UART_MCR.all);
        return;
      case UART.scratch:
        state.scratch = value;
    }
  }

  private get divisorAccess(): boolean {
    return (this.state.lcr & UART_LCR.divisorAccess) !== 0;
  }

  private get loopback(): boolean {
    return (this.state.mcr & UART_MCR.loopback) !== 0;
  }

  private capacity(): number {
    return this.state.fifoEnabled ? UART_FIFO_SIZE : 1;
  }

  /** Whether the guest will look at what is received. */
  private listens(): boolean {
    const { state } = this;
    if (this.loopback) return false;
    const rts = (state.mcr & UART_MCR.rts) !== 0;
    if (state.mcrRaised & UART_MCR.rts && !rts) return false;
    if (state.polls >= POLLS_THAT_LISTEN) return true;
    return (state.ier & UART_IER.receive) !== 0 && (rts || !(state.mcrRaised & UART_MCR.dtr));
  }

  private countPolls(lineStatus: boolean): void {
    const { state } = this;
    if (!lineStatus) {
      state.polls = 0;
      return;
    }
    if (state.polls < POLLS_THAT_LISTEN) state.polls++;
    if (state.polls === POLLS_THAT_LISTEN && state.received.length === 0 && this.listens()) {
      this.events.receiveReady?.();
    }
  }

  private readData(): number {
    const { state } = this;
    const entry = state.received.shift();
    if (entry === undefined) return 0;
    this.revealErrors();
    if (state.received.length === 0 && this.listens()) this.events.receiveReady?.();
    return entry & 0xff;
  }

  /** Errors of a byte appear in LSR when it comes to the top of the FIFO. */
  private revealErrors(): void {
    const { received } = this.state;
    if (received.length === 0) return;
    this.state.lineErrors |= received[0] >> ERROR_SHIFT;
    received[0] &= 0xff;
  }

  private push(entry: number): void {
    const { state } = this;
    if (state.received.length >= this.capacity()) {
      state.lineErrors |= UART_LSR.overrun;
      // Without a FIFO the new byte takes the place of the old; with one it is lost.
      if (!state.fifoEnabled) state.received[0] = entry;
    } else {
      state.received.push(entry);
    }
    if (state.received.length === 1) this.revealErrors();
  }

  private send(byte: number): void {
    if (this.loopback) this.push(byte);
    else this.events.transmit(byte);
    this.state.transmitPending = true;
  }

  private writeInterruptEnable(value: number): void {
    const { state } = this;
    if (value & UART_IER.transmit && !(state.ier & UART_IER.transmit)) state.transmitPending = true;
    state.ier = value;
  }

  private writeFifoControl(value: number): void {
    const { state } = this;
    const enable = (value & UART_FCR.enable) !== 0;
    if (enable !== state.fifoEnabled || (enable && value & UART_FCR.resetReceive)) state.received.length = 0;
    state.fifoEnabled = enable;
    state.trigger = enable ? UART_TRIGGER_LEVELS[value >> UART_FCR.triggerShift] : 1;
    if (enable && value & UART_FCR.resetTransmit) state.transmitPending = true;
  }

  /** MSR bits 7–4: the peer's, or in loopback our own outputs. */
  private modemLines(): number {
    if (!this.loopback) return PEER_READY;
    const { mcr } = this.state;
    return (
      (mcr & UART_MCR.rts ? UART_MSR.cts : 0) |
      (mcr & UART_MCR.dtr ? UART_MSR.dsr : 0) |
      (mcr & UART_MCR.out1 ? UART_MSR.ring : 0) |
      (mcr & UART_MCR.out2 ? UART_MSR.dcd : 0)
    );
  }

  private writeModemControl(value: number): void {
    const { state } = this;
    const before = this.modemLines();
    state.mcr = value;
    if (!this.loopback) state.mcrRaised |= value;
    const after = this.modemLines();
    const changed = before ^ after;
    if (changed & UART_MSR.cts) state.modemDeltas |= UART_MSR.deltaCts;
    if (changed & UART_MSR.dsr) state.modemDeltas |= UART_MSR.deltaDsr;
    if (changed & UART_MSR.dcd) state.modemDeltas |= UART_MSR.deltaDcd;
    if (changed & before & UART_MSR.ring) state.modemDeltas |= UART_MSR.trailingRing;
  }

  private readModemStatus(): number {
    const value = this.modemLines() | this.state.modemDeltas;
    this.state.modemDeltas = 0;
    return value;
  }

  private readLineStatus(): number {
    const { state } = this;
    let value = UART_LSR.transmitHoldingEmpty | UART_LSR.transmitterEmpty | state.lineErrors;
    if (state.received.length > 0) value |= UART_LSR.dataReady;
    const errorInFifo = state.lineErrors & ~UART_LSR.overrun || state.received.some((entry) => entry > 0xff);
    if (state.fifoEnabled && errorInFifo) value |= UART_LSR.fifoError;
    state.lineErrors = 0;
    return value;
  }

  /** The pending interrupt with the highest priority, as IIR shows it. */
  private interrupt(): number {
    const { state } = this;
    if (state.ier & UART_IER.lineStatus && state.lineErrors) return UART_IIR.lineStatus;
    if (state.ier & UART_IER.receive && state.received.length > 0) {
      return state.received.length >= state.trigger ? UART_IIR.receive : UART_IIR.timeout;
    }
    if (state.ier & UART_IER.transmit && state.transmitPending) return UART_IIR.transmit;
    if (state.ier & UART_IER.modemStatus && state.modemDeltas) return UART_IIR.modemStatus;
    return UART_IIR.none;
  }

  /** Reading IIR withdraws the transmit interrupt if that is what it reports. */
  private readIdentification(): number {
    const pending = this.interrupt();
    if (pending === UART_IIR.transmit) this.state.transmitPending = false;
    return pending | (this.state.fifoEnabled ? UART_IIR.fifosEnabled : 0);
  }

  private update(): void {
    this.irq.set(this.interrupt() !== UART_IIR.none);
  }
}
