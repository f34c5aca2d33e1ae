/** The machine's end of gdb's channel: hands what comes to the stub, and tells the run loop whether the machine stands still. */
import type { Channel } from "../devices/part.js";
import { runMonitorCommand, type MonitorServices } from "../diagnose/gdb/monitor.js";
import type { GdbArchitecture } from "../diagnose/gdb/registers.js";
import { GdbStub } from "../diagnose/gdb/stub.js";
import type { MachineDebugging } from "../machine/debugging.js";
import type { MachineEnd } from "../machine/end.js";
import { encodeGdbFrame, GdbFrameReader, type GdbFrame } from "./gdb-frames.js";
import type { RunDebugger } from "./run.js";

/** Bytes taken from the channel at a time. */
const BLOCK = 16_384;

/** What is asked of a machine's debugger. */
export interface GdbOptions {
  /** The machine begins to run once a gdb has come and let it. */
  wait: boolean;
  /** What gdb takes the machine for; absent: as the machine is when it comes. */
  architecture?: GdbArchitecture;
}

export class GdbDebugger implements RunDebugger {
  readonly #channel: Channel;
  readonly #stub: GdbStub;
  readonly #reader = new GdbFrameReader();
  #connection: number | undefined;

  constructor(
    machine: MachineDebugging,
    channel: Channel,
    { wait, architecture, ...services }: GdbOptions & MonitorServices,
  ) {
    this.#channel = channel;
    this.#stub = new GdbStub({
      machine,
      ...(architecture && { architecture }),
      send: (bytes) => this.#send(bytes),
      monitor: (command, cpu) => runMonitorCommand(command, machine, cpu, services),
    });
    if (wait) this.#stub.holdAtStart();
  }

  get limit(): number {
    return this.#stub.limit;
  }

  look(): boolean {
    this.#pump();
    return this.#stub.look();
  }

  ended(end: MachineEnd): boolean {
    this.#pump();
    return this.#stub.ended(end);
  }

  leave(): void {
    this.#stub.leave();
  }

  #pump(): void {
    for (;;) {
      const bytes = this.#channel.read(BLOCK);
      if (bytes.length === 0) return;
      for (const frame of this.#reader.push(bytes)) this.#take(frame);
    }
  }

  #take({ connection, kind, bytes }: GdbFrame): void {
    if (kind === "opened") {
      this.#stub.detach();
      this.#connection = connection;
      this.#stub.attach();
    } else if (connection !== this.#connection) return;
    else if (kind === "data") this.#stub.receive(bytes);
    else {
      this.#connection = undefined;
      this.#stub.detach();
    }
  }

  #send(bytes: Uint8Array): void {
    if (this.#connection === undefined) return;
    this.#channel.write(encodeGdbFrame({ connection: this.#connection, kind: "data", bytes }));
  }
}
