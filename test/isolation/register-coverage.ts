/**
 * Which registers of which devices a guest has reached, over many machines, by watching the board. Knows no guest.
 */
import { IOAPIC_MMIO } from "../../src/memory/layout.js";
import { PC_PORTS } from "../../src/spec/pc-ports.js";
import { APIC_MSR, IOAPIC_PINS, LAPIC_STRIDE } from "../../src/spec/apic.js";
import type { ApicPort } from "../../src/devices/interrupts/apic-port.js";
import type { Board } from "../../src/machine/board.js";
import { everyPort } from "../support/usual-machine.js";

const IOAPIC_DATA = IOAPIC_MMIO.start + 0x10;
const CMOS_INDEX_MASK = 0x7f;
const LINE_CONTROL = PC_PORTS.com1.start + 3;
const DLAB = 0x80;
/** Registers of a local APIC lie below this offset. */
const LAPIC_SPACE = 0x400;
/** Identification, version and arbitration, then two words a pin. */
const FIRST_REDIRECTION = 0x10;
const IOAPIC_REGISTERS = FIRST_REDIRECTION + 2 * IOAPIC_PINS;

export class RegisterCoverage {
  /** Accesses by register, for instance "port 0x3f8 read". */
  readonly counts = new Map<string, number>();

  /** Watches a board that was just wired; returns it with its local APICs watched. */
  watch(board: Board): Board {
    this.watchPorts(board);
    this.watchMmio(board);
    return { ...board, apics: board.apics.map((apic) => this.watchApic(apic)) };
  }

  has(register: string): boolean {
    return this.counts.has(register);
  }

  private add(register: string, count = 1): void {
    this.counts.set(register, (this.counts.get(register) ?? 0) + count);
  }

  /** Every port; CMOS bytes by their index; the serial port's divisor by DLAB. */
  private watchPorts({ ports }: Board): void {
    let cmos = 0;
    let line = 0;
    const note = (port: number, direction: string): void => {
      this.add(ports.deviceAt(port) === undefined ? "absent" : `port ${hex(port)} ${direction}`);
      if (port === PC_PORTS.rtc.start + 1) this.add(`cmos ${cmos} ${direction}`);
      if (port - PC_PORTS.com1.start < 2 && port >= PC_PORTS.com1.start && line & DLAB)
        this.add(`divisor ${port - PC_PORTS.com1.start} ${direction}`);
    };
    const read = ports.read.bind(ports);
    const write = ports.write.bind(ports);
    ports.read = (port, size) => {
      note(port, "read");
      return read(port, size);
    };
    ports.write = (port, size, value) => {
      if (size === 1) {
        if (port === PC_PORTS.rtc.start) cmos = value & CMOS_INDEX_MASK;
        if (port === LINE_CONTROL) line = value;
      }
      note(port, "write");
      write(port, size, value);
    };
  }

  /** The I/O APIC's registers by their index. */
  private watchMmio({ mmio }: Board): void {
    let index = 0;
    const read = mmio.read.bind(mmio);
    const write = mmio.write.bind(mmio);
    mmio.read = (address, size) => {
      if (address === IOAPIC_DATA) this.add(`ioapic ${index} read`);
      return read(address, size);
    };
    mmio.write = (address, size, value) => {
      if (address === IOAPIC_MMIO.start && size === 4) index = value & 0xff;
      if (address === IOAPIC_DATA) this.add(`ioapic ${index} write`);
      write(address, size, value);
    };
  }

  private watchApic(apic: ApicPort): ApicPort {
    return {
      get mmioBase() {
        return apic.mmioBase;
      },
      readMmio: (offset, size) => {
        this.add(`lapic ${hex(offset)} read`);
        return apic.readMmio(offset, size);
      },
      writeMmio: (offset, size, value) => {
        this.add(`lapic ${hex(offset)} write`);
        apic.writeMmio(offset, size, value);
      },
      readMsr: (index) => {
        this.add(`msr ${hex(index)} read`);
        return apic.readMsr(index);
      },
      writeMsr: (index, value) => {
        this.add(`msr ${hex(index)} write`);
        return apic.writeMsr(index, value);
      },
      acknowledge: () => apic.acknowledge(),
      readTaskPriority: () => apic.readTaskPriority(),
      writeTaskPriority: (value) => apic.writeTaskPriority(value),
    };
  }
}

const hex = (value: number): string => `0x${value.toString(16)}`;
const count = (length: number): number[] => Array.from({ length }, (_, i) => i);

/** Every register there is, as `RegisterCoverage` names them, for reading and for writing. */
export function everyRegister(): string[] {
  const names = [
    ...everyPort().map((port) => `port ${hex(port)}`),
    ...count(2).map((i) => `divisor ${i}`),
    ...count(CMOS_INDEX_MASK + 1).map((i) => `cmos ${i}`),
    ...count(LAPIC_SPACE / LAPIC_STRIDE).map((i) => `lapic ${hex(i * LAPIC_STRIDE)}`),
    ...count(IOAPIC_REGISTERS).map((i) => `ioapic ${i}`),
    ...[APIC_MSR.base, APIC_MSR.tscDeadline].map((index) => `msr ${hex(index)}`),
    ...count(LAPIC_SPACE / LAPIC_STRIDE).map((i) => `msr ${hex(APIC_MSR.x2apicFirst + i)}`),
  ];
  return names.flatMap((name) => [`${name} read`, `${name} write`]);
}
