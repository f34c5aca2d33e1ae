/**
 * A machine with scripted CPUs and a board of two toy devices, for tests of what lies between engine and devices.
 * Ports: 0x10 transmits a byte, 0x11 reads one, 0x40 (32 bits) arms a one-shot timer `value` µs ahead, 0x21 powers off,
 * 0x22 resets, 0x23 exits with a value, 0x30/0x31 send INIT and start-up (vector 8) to CPU `value`.
 */
import type { ApicPort } from "../../src/devices/interrupts/apic-port.js";
import type { Board, BoardContext } from "../../src/machine/board.js";
import { MmioBus } from "../../src/devices/bus/mmio-bus.js";
import { PortBus } from "../../src/devices/bus/port-bus.js";
import type { ConsoleEnd } from "../../src/machine/console.js";
import { Machine, type MachineOptions } from "../../src/machine/machine.js";
import type { Plan } from "../../src/boot/plan.js";
import { createFakeEngine, type FakeProgram } from "./fake-engine.js";
import { emptyState } from "./states.js";

const NS_PER_US = 1000;
const TIMER_VECTOR = 0x40;
const INPUT_VECTOR = 0x41;
/** Bytes the toy port holds. */
const RECEIVE_ROOM = 4;

/** A plan with 64 KiB of RAM and nothing in it. */
export function emptyPlan(overrides: Partial<Plan> = {}): Plan {
  return {
    version: 1,
    loader: { name: "test", entry: "none", why: "a test" },
    image: { name: "test", format: "test", summary: "" },
    ram: [{ start: 0, size: 0x10000 }],
    cpus: 1,
    regions: [],
    e820: [],
    bootCpu: emptyState(),
    cpuid: [],
    commandLine: "",
    devices: [],
    clock: { tscHz: 1e9, apicHz: 1e9, rtcStart: 0, deterministic: { nsPerInstruction: 10 } },
    tables: {},
    modules: [],
    added: [],
    warnings: [],
    ...overrides,
  };
}

/** Keeps output as text; input is what a test queued. */
export class TestConsole implements ConsoleEnd {
  text = "";
  readonly queue: number[] = [];
  open = false;

  write(bytes: Uint8Array): void {
    this.text += Buffer.from(bytes).toString("latin1");
  }

  read(limit: number): Uint8Array {
    return Uint8Array.from(this.queue.splice(0, limit));
  }

  inputOpen(): boolean {
    return this.open || this.queue.length > 0;
  }
}

export function toyBoard(context: BoardContext): Board {
  const ports = new PortBus();
  const received: number[] = [];
  const pending: Set<number>[] = context.cpus.map(() => new Set());
  const update = (cpu: number): void => context.cpus[cpu].interrupt.set(pending[cpu].size > 0);
  const raise = (cpu: number, vector: number): void => {
    pending[cpu].add(vector);
    update(cpu);
  };
  const attach = (
    port: number,
    write: (value: number) => void,
    read: () => number = () => 0,
    size = 1,
  ): void =>
    ports.add({
      start: port,
      size,
      width: "whole",
      device: {
        name: `toy ${port.toString(16)}`,
        readPort: () => read(),
        writePort: (_offset, _size, value) => write(value),
      },
    });
  attach(0x10, (value) => context.console.transmit(value));
  attach(
    0x11,
    () => undefined,
    () => received.shift() ?? 0,
  );
  const armTimer = (value: number): void => {
    context.timers.schedule(context.clock.now() + value * NS_PER_US, () => raise(0, TIMER_VECTOR));
  };
  attach(0x40, armTimer, () => 0, 4);
  attach(0x21, () => context.power.request({ kind: "off", route: "toy" }));
  attach(0x22, () => context.power.request({ kind: "reset", route: "toy" }));
  attach(0x23, (value) => context.power.request({ kind: "debug-exit", route: "toy", value }));
  attach(0x30, (value) => context.cpus[value].init());
  attach(0x31, (value) => context.cpus[value].startup(8));
  const apics: ApicPort[] = context.cpus.map((_, cpu) => ({
    mmioBase: undefined,
    readMmio: () => 0,
    writeMmio: () => undefined,
    readMsr: () => undefined,
    writeMsr: () => false,
    acknowledge: () => {
      const vector = Math.min(...pending[cpu]);
      pending[cpu].delete(vector);
      update(cpu);
      return Number.isFinite(vector) ? vector : -1;
    },
    readTaskPriority: () => 0,
    writeTaskPriority: () => undefined,
  }));
  const serial = {
    receive(bytes: Uint8Array): number {
      const taken = bytes.subarray(0, RECEIVE_ROOM - received.length);
      received.push(...taken);
      if (taken.length > 0) raise(0, INPUT_VECTOR);
      return taken.length;
    },
  };
  context.console.connect(serial);
  return { ports, mmio: new MmioBus(), apics, find: () => undefined, save: () => ({}) };
}

/** A machine that runs `program` on the toy board. */
export function fakeMachine(
  program: FakeProgram,
  overrides: Partial<Plan> = {},
  options: Partial<MachineOptions> = {},
): { machine: Machine; console: TestConsole } {
  const console = new TestConsole();
  const machine = new Machine({
    plan: emptyPlan(overrides),
    engine: createFakeEngine(program),
    console,
    hostNow: () => performance.now() * 1e6,
    board: toyBoard,
    ...options,
  });
  return { machine, console };
}
