/**
 * The 8042 keyboard controller with an idle keyboard and no mouse: enough that every driver's probe ends at
 * once, with the reset pulse and the A20 gate that kernels use it for. Knows its two ports, two interrupt lines,
 * the A20 line and how to reset. Specification: IBM PS/2 Hardware Interface Technical Reference; `spec/i8042.ts`.
 */
import { bool, list, record, u16, u8, whole } from "../../bytes/shape.js";
import type { AccessSize, InterruptLine, PortDevice, PowerControl } from "../device.js";
import { ROUTE } from "../power/reset-routes.js";
import {
  I8042_COMMAND,
  I8042_MODE,
  I8042_OUTPUT_PORT,
  I8042_RAM_SIZE,
  I8042_RESPONSE,
  I8042_STATUS,
  KEYBOARD_COMMAND,
  KEYBOARD_RESPONSE,
} from "../../spec/i8042.js";

export interface I8042State {
  /** The controller's RAM; byte 0 is the command byte. */
  ram: number[];
  outputPort: number;
  /** Bytes for port 0x60, each with status bits in bits 15–8. */
  output: number[];
  /** The command that waits for a byte at port 0x60, or -1. */
  command: number;
  lastWriteWasCommand: boolean;
  /** The keyboard's command that waits for its parameter, or -1. */
  keyboardCommand: number;
  /** Whether a keyboard is there. */
  keyboard: boolean;
  /** The keyboard's last byte, for "resend". */
  lastSent: number;
}

/** As firmware leaves it: self test passed, keyboard interrupt on, no mouse. */
export function initialI8042State(keyboard = true): I8042State {
  const ram = new Array<number>(I8042_RAM_SIZE).fill(0);
  ram[0] =
    I8042_MODE.keyboardInterrupt |
    I8042_MODE.systemFlag |
    I8042_MODE.auxiliaryDisabled |
    I8042_MODE.translate;
  return {
    ram,
    outputPort: I8042_OUTPUT_PORT.powerOn,
    output: [],
    command: -1,
    lastWriteWasCommand: false,
    keyboardCommand: -1,
    keyboard,
    lastSent: 0,
  };
}

const STATUS_SHIFT = 8;
/** Bytes kept for a guest that does not read; more are dropped, as a keyboard's buffer does. */
const OUTPUT_LIMIT = 16;
/** A command that waits for its byte, or -1. */
const waiting = whole(-1, 0xff);

export const i8042Shape = record<I8042State>({
  ram: list(u8, I8042_RAM_SIZE),
  outputPort: u8,
  output: list(u16, { max: OUTPUT_LIMIT }),
  command: waiting,
  lastWriteWasCommand: bool,
  keyboardCommand: waiting,
  keyboard: bool,
  lastSent: u8,
});

export interface I8042Wiring {
  keyboardIrq: InterruptLine;
  auxiliaryIrq: InterruptLine;
  power: PowerControl;
  /** Up while address line 20 is let through. */
  a20?: InterruptLine;
}

export class I8042 {
  readonly state: I8042State;
  /** Port 0x60. */
  readonly dataPort: PortDevice;
  /** Port 0x64. */
  readonly commandPort: PortDevice;

  constructor(
    private readonly wiring: I8042Wiring,
    state: I8042State = initialI8042State(),
  ) {
    this.state = state;
    this.dataPort = {
      name: "i8042 data",
      readPort: () => this.readData(),
      writePort: (_offset: number, _size: AccessSize, value: number) => this.writeData(value),
    };
    this.commandPort = {
      name: "i8042 command",
      readPort: () => this.status(),
      writePort: (_offset: number, _size: AccessSize, value: number) => this.writeCommand(value),
    };
    this.wiring.a20?.set((state.outputPort & I8042_OUTPUT_PORT.a20) !== 0);
    this.update();
  }

  private get mode(): number {
    return this.state.ram[0];
  }

  private status(): number {
    const { output, lastWriteWasCommand } = this.state;
    return (
      I8042_STATUS.unlocked |
      (output.length > 0 ? I8042_STATUS.outputFull | (output[0] >> STATUS_SHIFT) : 0) |
      (this.mode & I8042_MODE.systemFlag ? I8042_STATUS.systemFlag : 0) |
      (lastWriteWasCommand ? I8042_STATUS.command : 0)
    );
  }

  private readData(): number {
    const byte = this.state.output.shift() ?? 0;
    // The next byte is a new edge.
    this.wiring.keyboardIrq.set(false);
    this.wiring.auxiliaryIrq.set(false);
    this.update();
    return byte & 0xff;
  }

  private push(byte: number, status = 0): void {
    const { output } = this.state;
    if (output.length < OUTPUT_LIMIT) output.push(byte | (status << STATUS_SHIFT));
  }

  private writeCommand(command: number): void {
    const { state } = this;
    state.lastWriteWasCommand = true;
    state.command = -1;
    if (command >= I8042_COMMAND.pulse) {
      if (!(command & I8042_OUTPUT_PORT.notReset)) this.reset(ROUTE.i8042Pulse);
    } else if ((command & ~I8042_COMMAND.ramMask) === I8042_COMMAND.readRam) {
      this.push(state.ram[command & I8042_COMMAND.ramMask]);
    } else if ((command & ~I8042_COMMAND.ramMask) === I8042_COMMAND.writeRam) {
      state.command = command;
    } else {
      this.simpleCommand(command);
    }
    this.update();
  }

  private simpleCommand(command: number): void {
    const { state } = this;
    switch (command) {
      case I8042_COMMAND.selfTest:
        state.output.length = 0;
        state.ram[0] |= I8042_MODE.systemFlag;
        this.push(I8042_RESPONSE.selfTestPassed);
        return;
      case I8042_COMMAND.testKeyboard:
        this.push(I8042_RESPONSE.keyboardTestPassed);
        return;
      case I8042_COMMAND.testAuxiliary:
        this.push(I8042_RESPONSE.auxiliaryTestFailed);
        return;
      case I8042_COMMAND.disableAuxiliary:
      case I8042_COMMAND.enableAuxiliary:
        this.setMode(I8042_MODE.auxiliaryDisabled, command === I8042_COMMAND.disableAuxiliary);
        return;
      case I8042_COMMAND.disableKeyboard:
      case I8042_COMMAND.enableKeyboard:
        this.setMode(I8042_MODE.keyboardDisabled, command === I8042_COMMAND.disableKeyboard);
        return;
      case I8042_COMMAND.readInputPort:
        this.push(I8042_RESPONSE.inputPort);
        return;
      case I8042_COMMAND.readOutputPort:
        this.push(state.outputPort | (state.output.length > 0 ? I8042_OUTPUT_PORT.keyboardFull : 0));
        return;
      case I8042_COMMAND.disableA20:
      case I8042_COMMAND.enableA20:
        this.writeOutputPort(
          command === I8042_COMMAND.enableA20
            ? state.outputPort | I8042_OUTPUT_PORT.a20
            : state.outputPort & ~I8042_OUTPUT_PORT.a20,
        );
        return;
      case I8042_COMMAND.writeOutputPort:
      case I8042_COMMAND.writeKeyboardBuffer:
      case I8042_COMMAND.writeAuxiliaryBuffer:
      case I8042_COMMAND.writeAuxiliary:
        state.command = command;
    }
  }

  private setMode(bit: number, on: boolean): void {
    if (on) this.state.ram[0] |= bit;
    else this.state.ram[0] &= ~bit;
  }

  /** Port 0x60: the parameter of a command, or a byte for the keyboard. */
  private writeData(value: number): void {
    const { state } = this;
    const { command } = state;
    state.lastWriteWasCommand = false;
    state.command = -1;
    switch (command) {
      case -1:
        this.toKeyboard(value);
        break;
      case I8042_COMMAND.writeOutputPort:
        this.writeOutputPort(value);
        break;
      case I8042_COMMAND.writeKeyboardBuffer:
      case I8042_COMMAND.writeAuxiliaryBuffer:
        // Without a mouse its byte comes back as the keyboard's, which tells a driver so at once.
        this.push(value);
        break;
      case I8042_COMMAND.writeAuxiliary:
        this.push(KEYBOARD_RESPONSE.resend, I8042_STATUS.timeout | I8042_STATUS.auxiliaryData);
        break;
      default:
        state.ram[command & I8042_COMMAND.ramMask] = value;
    }
    this.update();
  }

  private writeOutputPort(value: number): void {
    this.state.outputPort = value & ~I8042_OUTPUT_PORT.keyboardFull;
    this.wiring.a20?.set((value & I8042_OUTPUT_PORT.a20) !== 0);
    if (!(value & I8042_OUTPUT_PORT.notReset)) this.reset(ROUTE.i8042OutputPort);
  }

  private reset(route: string): void {
    this.wiring.power.request({ kind: "reset", route });
  }

  /** A byte for the keyboard; without one the line times out. */
  private toKeyboard(value: number): void {
    const { state } = this;
    if (!state.keyboard) {
      this.push(KEYBOARD_RESPONSE.resend, I8042_STATUS.timeout);
      return;
    }
    const command = state.keyboardCommand;
    state.keyboardCommand = -1;
    if (command < 0) {
      this.keyboardCommand(value);
      return;
    }
    this.answer(KEYBOARD_RESPONSE.acknowledge);
    // "Which scan code set?"
    if (command === KEYBOARD_COMMAND.scanCodeSet && value === 0) this.answer(KEYBOARD_RESPONSE.scanCodeSet);
  }

  private keyboardCommand(command: number): void {
    const { state } = this;
    const translated = (this.mode & I8042_MODE.translate) !== 0;
    switch (command) {
      case KEYBOARD_COMMAND.echo:
        this.answer(KEYBOARD_COMMAND.echo);
        return;
      case KEYBOARD_COMMAND.setLeds:
      case KEYBOARD_COMMAND.scanCodeSet:
      case KEYBOARD_COMMAND.setRate:
        state.keyboardCommand = command;
        this.answer(KEYBOARD_RESPONSE.acknowledge);
        return;
      case KEYBOARD_COMMAND.identify:
        this.answer(KEYBOARD_RESPONSE.acknowledge);
        for (const byte of translated ? KEYBOARD_RESPONSE.translatedId : KEYBOARD_RESPONSE.id)
          this.answer(byte);
        return;
      case KEYBOARD_COMMAND.resend:
        this.answer(state.lastSent);
        return;
      case KEYBOARD_COMMAND.reset:
        this.answer(KEYBOARD_RESPONSE.acknowledge);
        this.answer(KEYBOARD_RESPONSE.testPassed);
        return;
      default:
        this.answer(
          command >= KEYBOARD_COMMAND.enable && command <= KEYBOARD_COMMAND.lastKeyType
            ? KEYBOARD_RESPONSE.acknowledge
            : KEYBOARD_RESPONSE.resend,
        );
    }
  }

  private answer(byte: number): void {
    this.state.lastSent = byte;
    this.push(byte);
  }

  private update(): void {
    const { output } = this.state;
    const full = output.length > 0;
    const auxiliary = full && ((output[0] >> STATUS_SHIFT) & I8042_STATUS.auxiliaryData) !== 0;
    this.wiring.keyboardIrq.set(full && !auxiliary && (this.mode & I8042_MODE.keyboardInterrupt) !== 0);
    this.wiring.auxiliaryIrq.set(auxiliary && (this.mode & I8042_MODE.auxiliaryInterrupt) !== 0);
  }
}
