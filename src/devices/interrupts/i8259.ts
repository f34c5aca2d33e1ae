/**
 * The pair of 8259A interrupt controllers of a PC, with the edge/level registers of EISA. Knows its registers
 * and one output line; not what its inputs are wired to nor which CPU takes its vectors.
 * Specification: Intel 8259A data sheet (231468); ICH9 data sheet §13.4 for ELCR.
 *
 * ```
 *  ports 0x20/0x21      master: inputs 0–7, input 2 is the slave's output
 *  ports 0xa0/0xa1      slave:  inputs 8–15
 *  ports 0x4d0/0x4d1    ELCR: a set bit makes the input level-triggered
 * ```
 */
import { bits, bool, oneOf, record, u8, whole, type Shape } from "../../bytes/shape.js";
import type { InterruptLine, PortDevice } from "../device.js";
import {
  BIOS_VECTOR_BASE,
  CASCADE_INPUT,
  ELCR_WRITABLE,
  ICW1,
  ICW2_BASE,
  ICW4,
  INPUTS,
  OCW2,
  OCW2_OPERATION,
  OCW3,
  POLL_PENDING,
  SPURIOUS_INPUT,
} from "../../spec/i8259.js";

/** One chip. Bit n of a mask belongs to input n. */
export interface I8259ChipState {
  /** Requests. */
  irr: number;
  /** In service. */
  isr: number;
  /** Masked. */
  imr: number;
  /** Levels of the inputs. */
  lines: number;
  /** Inputs that are level-triggered. */
  elcr: number;
  vectorBase: number;
  /** Which initialisation word the next write to A0 = 1 is; 0 when initialised. */
  expects: 0 | 2 | 3 | 4;
  /** ICW1 as written. */
  icw1: number;
  autoEoi: boolean;
  rotateInAutoEoi: boolean;
  specialMask: boolean;
  specialFullyNested: boolean;
  /** The input with the lowest priority; 7 unless rotated. */
  lowest: number;
  /** A read of A0 = 0 gives ISR, not IRR. */
  readIsr: boolean;
  /** The next read is a poll. */
  poll: boolean;
}

export interface I8259State {
  master: I8259ChipState;
  slave: I8259ChipState;
}

function initialChip(vectorBase: number): I8259ChipState {
  return {
    irr: 0,
    isr: 0,
    imr: 0,
    lines: 0,
    elcr: 0,
    vectorBase,
    expects: 0,
    icw1: 0,
    autoEoi: false,
    rotateInAutoEoi: false,
    specialMask: false,
    specialFullyNested: false,
    lowest: SPURIOUS_INPUT,
    readIsr: false,
    poll: false,
  };
}

/** Both chips as a PC's BIOS leaves their vectors, with nothing masked yet: a kernel may come without initialising them. */
export function initialI8259State(): I8259State {
  return { master: initialChip(BIOS_VECTOR_BASE.MASTER), slave: initialChip(BIOS_VECTOR_BASE.SLAVE) };
}

function chipShape(elcrWritable: number): Shape<I8259ChipState> {
  return record<I8259ChipState>({
    irr: u8,
    isr: u8,
    imr: u8,
    lines: u8,
    elcr: bits(elcrWritable),
    vectorBase: bits(ICW2_BASE),
    expects: oneOf(0, 2, 3, 4),
    icw1: u8,
    autoEoi: bool,
    rotateInAutoEoi: bool,
    specialMask: bool,
    specialFullyNested: bool,
    lowest: whole(0, INPUTS - 1),
    readIsr: bool,
    poll: bool,
  });
}

export const i8259Shape = record<I8259State>({
  master: chipShape(ELCR_WRITABLE.master),
  slave: chipShape(ELCR_WRITABLE.slave),
});

/** The input with the highest priority among `mask`, or -1. */
function highestPriority(chip: I8259ChipState, mask: number): number {
  for (let step = 1; step <= INPUTS; step++) {
    const input = (chip.lowest + step) % INPUTS;
    if (mask & (1 << input)) return input;
  }
  return -1;
}

/** Rank of an input: 0 is the highest priority, 7 the lowest. */
function rank(chip: I8259ChipState, input: number): number {
  return (input - chip.lowest - 1 + INPUTS) % INPUTS;
}

/** The input that the chip asks to have served now, or -1. */
function request(chip: I8259ChipState, cascade: boolean): number {
  const wanted = highestPriority(chip, chip.irr & ~chip.imr);
  if (wanted < 0) return -1;
  let blocking = chip.isr;
  if (chip.specialMask) blocking &= ~chip.imr;
  if (chip.specialFullyNested && cascade) blocking &= ~(1 << CASCADE_INPUT);
  const serving = highestPriority(chip, blocking);
  return serving < 0 || rank(chip, wanted) < rank(chip, serving) ? wanted : -1;
}

/** Input level changes: an edge-triggered request lives from the rising edge until it is taken or withdrawn. */
function setInput(chip: I8259ChipState, input: number, raised: boolean): void {
  const bit = 1 << input;
  if (raised) {
    if (chip.elcr & bit || !(chip.lines & bit)) chip.irr |= bit;
    chip.lines |= bit;
  } else {
    chip.lines &= ~bit;
    chip.irr &= ~bit;
  }
}

/** First INTA cycle for `input`. */
function take(chip: I8259ChipState, input: number): void {
  const bit = 1 << input;
  if (!(chip.elcr & bit)) chip.irr &= ~bit;
  if (!chip.autoEoi) chip.isr |= bit;
  else if (chip.rotateInAutoEoi) chip.lowest = input;
}

/** Takes what the chip asks for and returns the input, or the spurious one. */
function serve(chip: I8259ChipState, cascade: boolean): number {
  const input = request(chip, cascade);
  if (input < 0) return SPURIOUS_INPUT;
  take(chip, input);
  return input;
}

function writeIcw1(chip: I8259ChipState, value: number): void {
  chip.icw1 = value;
  chip.expects = 2;
  chip.imr = 0;
  chip.isr = 0;
  chip.irr = chip.lines & chip.elcr;
  chip.lowest = SPURIOUS_INPUT;
  chip.specialMask = false;
  chip.readIsr = false;
  chip.poll = false;
  chip.rotateInAutoEoi = false;
  if (!(value & ICW1.needsIcw4)) {
    chip.autoEoi = false;
    chip.specialFullyNested = false;
  }
}

/** ICW2 to ICW4, or OCW1. */
function writeOdd(chip: I8259ChipState, value: number): void {
  switch (chip.expects) {
    case 0:
      chip.imr = value;
      return;
    case 2:
      chip.vectorBase = value & ICW2_BASE;
      chip.expects = !(chip.icw1 & ICW1.single) ? 3 : chip.icw1 & ICW1.needsIcw4 ? 4 : 0;
      return;
    case 3:
      chip.expects = chip.icw1 & ICW1.needsIcw4 ? 4 : 0;
      return;
    case 4:
      chip.autoEoi = (value & ICW4.autoEoi) !== 0;
      chip.specialFullyNested = (value & ICW4.fullyNestedSpecial) !== 0;
      chip.expects = 0;
  }
}

/** Ends the service of the input with the highest priority; a masked one is skipped in special mask mode. */
function endHighest(chip: I8259ChipState, rotate: boolean): void {
  const input = highestPriority(chip, chip.specialMask ? chip.isr & ~chip.imr : chip.isr);
  if (input < 0) return;
  chip.isr &= ~(1 << input);
  if (rotate) chip.lowest = input;
}

function writeOcw2(chip: I8259ChipState, value: number): void {
  const level = value & OCW2.level;
  switch (value & OCW2.operation) {
    case OCW2_OPERATION.clearRotateInAutoEoi:
      chip.rotateInAutoEoi = false;
      return;
    case OCW2_OPERATION.setRotateInAutoEoi:
      chip.rotateInAutoEoi = true;
      return;
    case OCW2_OPERATION.nonSpecificEoi:
      endHighest(chip, false);
      return;
    case OCW2_OPERATION.rotateNonSpecificEoi:
      endHighest(chip, true);
      return;
    case OCW2_OPERATION.specificEoi:
      chip.isr &= ~(1 << level);
      return;
    case OCW2_OPERATION.rotateSpecificEoi:
      chip.isr &= ~(1 << level);
      chip.lowest = level;
      return;
    case OCW2_OPERATION.setPriority:
      chip.lowest = level;
  }
}

function writeOcw3(chip: I8259ChipState, value: number): void {
  chip.poll = (value & OCW3.poll) !== 0;
  if (value & OCW3.readRegister) chip.readIsr = (value & OCW3.readIsr) !== 0;
  if (value & OCW3.setSpecialMask) chip.specialMask = (value & OCW3.specialMask) !== 0;
}

function writeEven(chip: I8259ChipState, value: number): void {
  if (value & ICW1.isIcw1) writeIcw1(chip, value);
  else if (value & OCW3.isOcw3) writeOcw3(chip, value);
  else writeOcw2(chip, value);
}

export class I8259Pair {
  readonly state: I8259State;
  /** Ports 0x20 and 0x21. */
  readonly masterPorts: PortDevice;
  /** Ports 0xa0 and 0xa1. */
  readonly slavePorts: PortDevice;
  /** Ports 0x4d0 and 0x4d1. */
  readonly elcrPorts: PortDevice;

  /** `output` is INTR, up while a vector can be acknowledged. */
  constructor(
    private readonly output: InterruptLine,
    state: I8259State = initialI8259State(),
  ) {
    this.state = state;
    this.masterPorts = this.chipPorts("i8259 master", state.master, true);
    this.slavePorts = this.chipPorts("i8259 slave", state.slave, false);
    this.elcrPorts = {
      name: "i8259 ELCR",
      readPort: (offset) => (offset === 0 ? state.master : state.slave).elcr,
      writePort: (offset, _size, value) => this.writeElcr(offset, value),
    };
    this.update();
  }

  /** Input `irq` (0–15; 2 is the cascade and cannot be driven from outside). */
  line(irq: number): InterruptLine {
    if (!Number.isInteger(irq) || irq < 0 || irq >= 2 * INPUTS || irq === CASCADE_INPUT) {
      throw new RangeError(`i8259: no input ${irq}; inputs are 0 to 15 without 2, which is the cascade`);
    }
    const chip = irq < INPUTS ? this.state.master : this.state.slave;
    return {
      set: (raised) => {
        setInput(chip, irq % INPUTS, raised);
        this.update();
      },
    };
  }

  /** Both INTA cycles: returns the vector. A chip without a request answers with its input 7 ("spurious"). */
  acknowledge(): number {
    const { master, slave } = this.state;
    const input = serve(master, true);
    const vector =
      input === CASCADE_INPUT ? slave.vectorBase + serve(slave, false) : master.vectorBase + input;
    // INT goes low with the acknowledge, so that a following request is an edge again.
    this.output.set(false);
    this.update();
    return vector;
  }

  private chipPorts(name: string, chip: I8259ChipState, cascade: boolean): PortDevice {
    return {
      name,
      readPort: (offset) => this.read(chip, offset, cascade),
      writePort: (offset, _size, value) => {
        if (offset === 0) writeEven(chip, value);
        else writeOdd(chip, value);
        this.update();
      },
    };
  }

  private read(chip: I8259ChipState, offset: number, cascade: boolean): number {
    if (!chip.poll) return offset !== 0 ? chip.imr : chip.readIsr ? chip.isr : chip.irr;
    chip.poll = false;
    const input = request(chip, cascade);
    if (input >= 0) take(chip, input);
    this.update();
    return input < 0 ? SPURIOUS_INPUT : POLL_PENDING | input;
  }

  private writeElcr(offset: number, value: number): void {
    const chip = offset === 0 ? this.state.master : this.state.slave;
    chip.elcr = value & (offset === 0 ? ELCR_WRITABLE.master : ELCR_WRITABLE.slave);
    chip.irr |= chip.lines & chip.elcr;
    this.update();
  }

  private update(): void {
    const { master, slave } = this.state;
    // The slave's output is a level: it may stay up from one of its inputs to the next.
    if (request(slave, false) >= 0) master.irr |= 1 << CASCADE_INPUT;
    else master.irr &= ~(1 << CASCADE_INPUT);
    this.output.set(request(master, true) >= 0);
  }
}
