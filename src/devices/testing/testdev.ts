/**
 * The test device of suites of unit tests for hypervisors: a register that takes any access, interrupt lines to raise at
 * will, registers in memory. A byte for port 0xe9 is printed as well. Specification: `spec/pc-testdev.ts`.
 */
import { bytes, record, u32 } from "../../bytes/shape.js";
import { BYTE_BITS } from "../bus/access-bytes.js";
import type { AccessSize, InterruptLine, MmioDevice, PortDevice } from "../device.js";
import type { PartType } from "../part.js";
import { standing } from "../standing.js";
import { BOCHS_CONSOLE_READBACK, TESTDEV } from "../../spec/pc-testdev.js";

export interface TestdevState {
  register: number;
  /** Contents of the registers in memory. */
  memory: Uint8Array;
}

const ALL_ONES = 0xffff_ffff;
const LOW_BITS = 3;

/** Bits of the register that an access of `size` bytes at `offset` reaches; it may run over the register's end. */
function shiftOf(offset: number): number {
  return (offset & LOW_BITS) * BYTE_BITS;
}

function maskOf(size: AccessSize): number {
  return ALL_ONES >>> (32 - BYTE_BITS * size);
}

/** The register, in accesses of any size. */
function registerPorts(state: TestdevState): PortDevice {
  return {
    name: "test device",
    readPort: (offset, size) => ((state.register >>> shiftOf(offset)) & maskOf(size)) >>> 0,
    writePort: (offset, size, value) => {
      const mask = maskOf(size) << shiftOf(offset);
      state.register = ((state.register & ~mask) | ((value << shiftOf(offset)) & mask)) >>> 0;
    },
  };
}

/** The same by bytes; one written to port 0xe9 alone is text. */
function bytePorts(state: TestdevState, print: (byte: number) => void): PortDevice {
  const register = registerPorts(state);
  return {
    name: "test device, by bytes",
    readPort: (offset, size) =>
      size === 1 && offset === TESTDEV.CONSOLE ? BOCHS_CONSOLE_READBACK : register.readPort(offset, size),
    writePort: (offset, size, value) => {
      if (size === 1 && offset === TESTDEV.CONSOLE) print(value & 0xff);
      register.writePort(offset, size, value);
    },
  };
}

/** There is no mapping to forget: guest memory is the engine's own. */
const FLUSH: PortDevice = {
  name: "test device, flush",
  readPort: (_offset, size) => maskOf(size),
  writePort: () => undefined,
};

function linePorts(line: (irq: number) => InterruptLine): PortDevice {
  return {
    name: "test device, interrupt lines",
    readPort: (_offset, size) => maskOf(size),
    writePort: (offset, _size, value) => line(offset).set(value !== 0),
  };
}

function memoryRegisters({ memory }: TestdevState): MmioDevice {
  return {
    name: "test device, memory",
    readMmio: (offset, size) => {
      let value = 0;
      for (let i = 0; i < size; i++) value |= memory[offset + i] << (BYTE_BITS * i);
      return value >>> 0;
    },
    writeMmio: (offset, size, value) => {
      for (let i = 0; i < size; i++) memory[offset + i] = (value >>> (BYTE_BITS * i)) & 0xff;
    },
  };
}

export const testdevPart: PartType<TestdevState> = {
  type: "testdev",
  summary: "what suites of unit tests for hypervisors expect: pc-testdev, and the console at port 0xe9",
  place: standing("testdev", {
    ports: [TESTDEV.REGISTER, TESTDEV.FLUSH, TESTDEV.BYTES, TESTDEV.LINES],
    mmio: [TESTDEV.MEMORY],
  }),
  state: () => record<TestdevState>({ register: u32, memory: bytes(TESTDEV.MEMORY.size) }),
  create(_part, wires, state = { register: 0, memory: new Uint8Array(TESTDEV.MEMORY.size) }) {
    wires.ports(0, registerPorts(state), "whole");
    wires.ports(1, FLUSH, "whole");
    wires.ports(
      2,
      bytePorts(state, (byte) => wires.console.transmit(byte)),
      "whole",
    );
    wires.ports(
      3,
      linePorts((irq) => wires.line(irq)),
    );
    wires.mmio(0, memoryRegisters(state));
    return { save: () => state };
  },
};
