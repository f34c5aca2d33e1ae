/** A gdb without a gdb: talks to a stub in the same thread and runs its machine between slices, as the run loop does. */
import assert from "node:assert/strict";
import { buildPlan } from "../../src/boot/index.js";
import type { BootOptions } from "../../src/boot/options.js";
import { runMonitorCommand, type MonitorServices } from "../../src/diagnose/gdb/monitor.js";
import { asText, packet, PacketReader } from "../../src/diagnose/gdb/packets.js";
import { registersOf, type GdbArchitecture } from "../../src/diagnose/gdb/registers.js";
import { GdbStub } from "../../src/diagnose/gdb/stub.js";
import { loadEngine } from "../../src/host/node/engines.js";
import { Machine } from "../../src/machine/machine.js";
import { TestConsole } from "./fake-machine.js";

const NS_PER_MS = 1e6;
const MEMORY = 0x800000;
const NS_PER_INSTRUCTION = 10;
/** Steps of a machine that waits for a stop: far more than any test takes. */
const MOST_STEPS = 2_000_000;

/** The machine that runs a small kernel. */
export async function smallMachine(
  bytes: Uint8Array,
  options: { deterministic: boolean; jit?: "off" | "eager"; more?: Partial<BootOptions> },
): Promise<Machine> {
  const plan = buildPlan({
    kernel: { name: "small", bytes },
    memory: MEMORY,
    cpus: 2,
    ...(options.deterministic && { clock: { deterministic: { nsPerInstruction: NS_PER_INSTRUCTION } } }),
    ...options.more,
  });
  return new Machine({
    plan,
    engine: await loadEngine("wasm", { jit: options.jit ?? "off" }),
    console: new TestConsole(),
    hostNow: () => performance.now() * NS_PER_MS,
  });
}

export interface ClientOptions extends MonitorServices {
  architecture?: GdbArchitecture;
}

export class GdbClient {
  readonly machine: Machine;
  readonly stub: GdbStub;
  /** Packets that came, not asked for yet. */
  readonly #packets: string[] = [];
  readonly #reader = new PacketReader();
  /** Bytes that came, as they are. */
  raw = "";
  readonly #architecture: GdbArchitecture;

  constructor(machine: Machine, { architecture = "i386", ...services }: ClientOptions = {}) {
    this.machine = machine;
    this.#architecture = architecture;
    const debugging = machine.debugging();
    assert.ok(debugging);
    this.stub = new GdbStub({
      machine: debugging,
      architecture,
      send: (bytes) => this.#take(bytes),
      monitor: (command, cpu) => runMonitorCommand(command, debugging, cpu, services),
    });
  }

  /** Attaches and agrees on the usual things. */
  attach(): this {
    this.stub.attach();
    assert.match(this.ask("qSupported:swbreak+;hwbreak+"), /PacketSize=/);
    assert.equal(this.ask("QStartNoAckMode"), "OK");
    return this;
  }

  /** The answer to a packet; "" where nothing came. */
  ask(content: string): string {
    this.send(content);
    return this.#packets.shift() ?? "";
  }

  send(content: string): void {
    this.stub.receive(packet(content));
  }

  /** Whatever came last that nobody has asked for. */
  next(): string | undefined {
    return this.#packets.shift();
  }

  /** Lets the run loop take one step; false where the machine stands still or has ended. */
  step(limit = Infinity): boolean {
    const { machine, stub } = this;
    if (machine.end === undefined && stub.look()) return false;
    const step = machine.step(Math.min(limit, stub.limit));
    if (step.state !== "ended") return true;
    stub.ended(step.end);
    return false;
  }

  /** Sends what makes the machine go on and runs it to the next stop, which it gives. */
  go(content: string): string {
    this.send(content);
    for (let i = 0; i < MOST_STEPS; i++) if (!this.step()) return this.#packets.shift() ?? "";
    return assert.fail(`${content}: nothing stopped`);
  }

  /** Runs for so many steps of the run loop. */
  run(steps: number): void {
    for (let i = 0; i < steps; i++) if (!this.step()) return;
  }

  register(name: string): number {
    const number = registersOf(this.#architecture).findIndex((one) => one.name === name);
    const digits = this.ask(`p${number.toString(16)}`);
    assert.match(digits, /^([0-9a-f]{2})+$/, `${name}: ${digits}`);
    return Buffer.from(digits, "hex").readUIntLE(0, Math.min(6, digits.length / 2));
  }

  /** A little-endian word of guest memory. */
  word(address: number): number {
    return Buffer.from(this.ask(`m${address.toString(16)},4`), "hex").readUInt32LE(0);
  }

  #take(bytes: Uint8Array): void {
    this.raw += asText(bytes);
    for (const event of this.#reader.push(bytes)) {
      assert.notEqual(event.kind, "bad", this.raw.slice(-100));
      if (event.kind === "packet") this.#packets.push(asText(event.bytes));
    }
  }
}
