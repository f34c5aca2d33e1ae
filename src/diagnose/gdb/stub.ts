/**
 * A stub of GDB's remote serial protocol (R3.11): bytes in, bytes out, and the machine between them. Threads are CPUs, numbered from
 * 1; all of them stop together. Whatever a peer sends costs at most an error of its packet. Knows no socket.
 *
 * Specification: "Debugging with GDB", appendix E; QEMU's own packets (`qqemu…`) as its documentation of the gdbstub has them.
 */
import { ShapeError } from "../../bytes/shape.js";
import { checkCpuState } from "../../engine/x86/checked-state.js";
import type { MachineDebugging } from "../../machine/debugging.js";
import { machineEnd, type EndKind, type MachineEnd } from "../../machine/end.js";
import type { CpuStatus } from "../../machine/cpu-slot.js";
import { CR0_PG, EFER_LMA } from "../../spec/x86-privileged.js";
import { Execution, STEP_BITS, type CpuAction, type Halt } from "./execution.js";
import { readMemory, writeMemory, type AddressKind } from "./memory.js";
import {
  acknowledgement,
  asBytes,
  asText,
  fromHex,
  hexAddress,
  hexNumber,
  packet,
  PACKET_SIZE,
  PacketReader,
  toHex,
  type PacketEvent,
} from "./packets.js";
import { threadName, vContActions } from "./packet-words.js";
import {
  bytesValue,
  registersOf,
  valueBytes,
  type DebuggedState,
  type GdbArchitecture,
  type Register,
} from "./registers.js";
import { STOP_KINDS, type StopKind } from "./stop-points.js";
import { memoryMapXml, targetXml, threadsXml } from "./target-xml.js";

/** Answers to packets that make no sense, reach no memory, or ask for what cannot be. */
const MALFORMED = "E01";
const NO_MEMORY = "E0e";
const INVALID = "E16";
const DONE = "OK";
/** What is not understood. */
const UNKNOWN = "";

const SIGINT = 2;
const SIGTRAP = 5;
const SIGABRT = 6;

/** Bytes of memory or of a document that one packet carries: two digits each, or each escaped. */
const MOST_BYTES = PACKET_SIZE / 2 - 8;
/** Text that one packet shows. */
const MOST_SHOWN = MOST_BYTES;
/** Lines of a command to the monitor. */
const LONGEST_COMMAND = 1024;

/** Ends that a debugger wants to look at before the machine is gone. */
const ENDS_TO_LOOK_AT: readonly EndKind[] = ["crashed", "stuck", "halted", "failed"];

const DOING: Record<CpuStatus, string> = {
  ready: "running",
  sleeping: "halted",
  halted: "halted, interrupts off",
  waiting: "waits to be started",
};

/** How a stop by a watchpoint is called. */
const WATCH_NAMES: Partial<Record<StopKind, string>> = { write: "watch", read: "rwatch", access: "awatch" };

const ALL_LINEAR = { start: 0, size: (1n << 64n) - 1n };

export interface StubOptions {
  machine: MachineDebugging;
  send: (bytes: Uint8Array) => void;
  /** What gdb is to take the machine for; absent: as the boot CPU is when gdb comes. */
  architecture?: GdbArchitecture;
  /** Carries out a command to the monitor, for a CPU; gives what to show. */
  monitor: (command: string, cpu: number) => string;
}

type Answer = string | Uint8Array | undefined;

export class GdbStub {
  readonly #options: StubOptions;
  readonly #machine: MachineDebugging;
  readonly #execution: Execution;
  #attached = false;
  #reader = new PacketReader();
  #acknowledges = true;
  #last: Uint8Array | undefined;
  #registers: readonly Register[] = [];
  #architecture: GdbArchitecture = "i386:x86-64";
  /** The CPU that packets are about. */
  #cpu = 0;
  /** The one that `s` and `c` are about; undefined: all. */
  #runCpu: number | undefined;
  #physical = false;
  /** Why the machine stands still, as gdb was told last. */
  #stopReply = "";
  #ended: MachineEnd | undefined;
  /** gdb has seen the end, or knows of it. */
  #over = false;

  constructor(options: StubOptions) {
    this.#options = options;
    this.#machine = options.machine;
    this.#execution = new Execution(options.machine);
  }

  /** Instructions that the next slice may have. */
  get limit(): number {
    return this.#execution.limit;
  }

  /** A gdb has come: the machine stands still. */
  attach(): void {
    this.#attached = true;
    this.#reader = new PacketReader();
    this.#acknowledges = true;
    this.#last = undefined;
    this.#physical = false;
    this.#cpu = this.#awake();
    this.#runCpu = undefined;
    this.#architecture = this.#options.architecture ?? this.#presentArchitecture();
    this.#registers = registersOf(this.#architecture);
    this.#execution.halt();
    this.#stopReply = this.#trap(SIGTRAP);
  }

  /** It is gone: the machine goes on. Harmless where there is none. */
  detach(): void {
    if (!this.#attached) return;
    this.#attached = false;
    this.#execution.letGo();
  }

  /** The machine stands still until a gdb comes, and lets it go on. */
  holdAtStart(): void {
    this.#execution.halt();
  }

  /** Bytes from gdb. */
  receive(bytes: Uint8Array): void {
    for (const event of this.#reader.push(bytes)) if (this.#attached) this.#hear(event);
  }

  /** Between slices: whether the machine stands still. */
  look(): boolean {
    if (!this.#execution.running) return true;
    const halt = this.#execution.look();
    if (halt !== undefined) this.#report(halt);
    return halt !== undefined;
  }

  /** The machine has ended; whether it is to be kept for a look. */
  ended(end: MachineEnd): boolean {
    if (!this.#attached || this.#over) return false;
    if (this.#ended === undefined) {
      this.#ended = end;
      this.#execution.halt();
      if (!ENDS_TO_LOOK_AT.includes(end.kind)) return this.#leave();
      this.#show(`locore: ${end.kind} (${end.route})${end.reason === undefined ? "" : `: ${end.reason}`}\n`);
      this.#tellStop(this.#trap(SIGABRT));
    }
    return true;
  }

  /** The run is to end: nothing is kept any more. */
  leave(): void {
    if (this.#ended !== undefined && !this.#over) this.#leave();
  }

  #leave(): false {
    this.#over = true;
    this.#tellStop(`W${(this.#ended?.status ?? 0).toString(16).padStart(2, "0")}`);
    return false;
  }

  /** A CPU that has something to do, the present one if it has. */
  #awake(): number {
    const ready = Array.from({ length: this.#machine.cpus }, (_, cpu) => cpu).filter(
      (cpu) => this.#machine.status(cpu) === "ready",
    );
    return ready.includes(this.#cpu) ? this.#cpu : (ready.at(0) ?? this.#cpu);
  }

  /** A kernel with paging and without long mode is one of 32 bits; nobody can tell before. */
  #presentArchitecture(): GdbArchitecture {
    const { cr0, efer } = this.#machine.state(0);
    const paging = (cr0 & BigInt(CR0_PG >>> 0)) !== 0n;
    return paging && (efer & BigInt(EFER_LMA)) === 0n ? "i386" : "i386:x86-64";
  }

  #hear(event: PacketEvent): void {
    if (event.kind === "break") this.#interrupt();
    else if (event.kind === "bad") this.#options.send(acknowledgement(false));
    else if (event.kind === "again") {
      if (this.#last !== undefined && this.#acknowledges) this.#options.send(this.#last);
    } else {
      if (this.#acknowledges) this.#options.send(acknowledgement(true));
      const answer = this.#answer(event.bytes);
      if (answer !== undefined) this.#sendPacket(answer);
    }
  }

  #sendPacket(content: string | Uint8Array): void {
    this.#last = packet(content);
    this.#options.send(this.#last);
  }

  /** Ctrl-C. */
  #interrupt(): void {
    if (!this.#execution.running) return;
    this.#execution.halt();
    this.#cpu = this.#awake();
    this.#tellStop(this.#trap(SIGINT));
  }

  #report(halt: Halt): void {
    this.#cpu = halt.cpu;
    if (halt.why === "step") {
      this.#tellStop(this.#trap(SIGTRAP));
      return;
    }
    const watch = WATCH_NAMES[halt.kind];
    const reason =
      watch === undefined
        ? `${halt.kind === "software" ? "swbreak" : "hwbreak"}:;`
        : `${watch}:${halt.linear.toString(16)};`;
    this.#tellStop(this.#trap(SIGTRAP, reason));
  }

  #trap(signal: number, reason = ""): string {
    return `T${signal.toString(16).padStart(2, "0")}thread:${(this.#cpu + 1).toString(16)};${reason}`;
  }

  #tellStop(reply: string): void {
    this.#stopReply = reply;
    if (this.#attached) this.#sendPacket(reply);
  }

  /** Text on gdb's console. */
  #show(text: string): void {
    const bytes = new TextEncoder().encode(text);
    for (let at = 0; at < bytes.length; at += MOST_SHOWN)
      this.#sendPacket(`O${toHex(bytes.subarray(at, at + MOST_SHOWN))}`);
  }

  #answer(bytes: Uint8Array): Answer {
    const text = asText(bytes);
    const rest = text.slice(1);
    switch (text[0]) {
      case "?":
        if (this.#execution.running) this.#execution.halt();
        return this.#stopReply;
      case "g":
        return this.#readAll();
      case "G":
        return this.#writeAll(rest);
      case "p":
        return this.#readOne(rest);
      case "P":
        return this.#writeOne(rest);
      case "m":
        return this.#readMemory(rest);
      case "M":
        return this.#writeMemory(rest);
      case "X":
        return this.#writeBinary(bytes);
      case "Z":
        return this.#stopPoint(rest, true);
      case "z":
        return this.#stopPoint(rest, false);
      case "H":
        return this.#select(rest);
      case "T":
        return this.#isThread(rest);
      case "c":
      case "C":
      case "s":
      case "S":
        return this.#runByLetter(text);
      case "D":
        this.#sendPacket(DONE);
        this.detach();
        return undefined;
      case "k":
        this.#kill();
        return undefined;
      case "q":
        return this.#query(text);
      case "Q":
        return this.#set(text);
      case "v":
        return this.#verbose(text);
      default:
        return UNKNOWN;
    }
  }

  #kill(): void {
    this.#over = true;
    this.#machine.finish(machineEnd("interrupted", "gdb kill"));
    this.#execution.letGo();
  }

  // Registers

  #state(): DebuggedState {
    return { ...this.#machine.state(this.#cpu), taskPriority: this.#machine.taskPriority(this.#cpu) };
  }

  #readAll(): string {
    const state = this.#state();
    return this.#registers.map(({ bits, read }) => toHex(valueBytes(read(state), bits))).join("");
  }

  #readOne(text: string): string {
    const register = this.#registers.at(hexNumber(text) ?? this.#registers.length);
    return register === undefined ? INVALID : toHex(valueBytes(register.read(this.#state()), register.bits));
  }

  #writeAll(text: string): string {
    const bytes = fromHex(text);
    if (bytes === undefined) return MALFORMED;
    const values: [Register, bigint][] = [];
    let at = 0;
    for (const register of this.#registers) {
      const end = at + register.bits / 8;
      if (end > bytes.length) break;
      values.push([register, bytesValue(bytes.subarray(at, end))]);
      at = end;
    }
    return this.#write(values);
  }

  #writeOne(text: string): string {
    const [number, value] = text.split("=", 2) as [string, string?];
    const register = this.#registers.at(hexNumber(number) ?? this.#registers.length);
    const bytes = value === undefined ? undefined : fromHex(value);
    if (register === undefined || bytes?.length !== register.bits / 8) return MALFORMED;
    return this.#write([[register, bytesValue(bytes)]]);
  }

  /** Registers that have the value already are left alone, so that a CPU keeps what it remembers beside its state. */
  #write(values: readonly (readonly [Register, bigint])[]): string {
    const { taskPriority, ...state } = this.#state();
    const changed = values.filter(([{ read }, value]) => read({ ...state, taskPriority }) !== value);
    if (changed.length === 0) return DONE;
    for (const [{ write }, value] of changed) if (write?.(state, value) !== true) return INVALID;
    try {
      this.#machine.writeState(this.#cpu, checkCpuState(state, this.#machine.plan.cpuid));
      return DONE;
    } catch (error) {
      if (error instanceof ShapeError) return INVALID;
      throw error;
    }
  }

  // Memory

  get #addresses(): AddressKind {
    return this.#physical ? "physical" : { linear: this.#cpu };
  }

  #readMemory(text: string): string {
    const place = placeOf(text);
    if (place === undefined) return MALFORMED;
    const bytes = readMemory(
      this.#machine,
      this.#addresses,
      place.address,
      Math.min(place.length, MOST_BYTES),
    );
    return bytes === undefined ? NO_MEMORY : toHex(bytes);
  }

  #writeMemory(text: string): string {
    const [head, data] = text.split(":", 2) as [string, string?];
    const bytes = data === undefined ? undefined : fromHex(data);
    return this.#put(placeOf(head), bytes);
  }

  #writeBinary(packetBytes: Uint8Array): string {
    const colon = packetBytes.indexOf(":".charCodeAt(0));
    if (colon < 0) return MALFORMED;
    return this.#put(placeOf(asText(packetBytes.subarray(1, colon))), packetBytes.subarray(colon + 1));
  }

  #put(place: ReturnType<typeof placeOf>, bytes: Uint8Array | undefined): string {
    if (place === undefined || bytes?.length !== place.length) return MALFORMED;
    return writeMemory(this.#machine, this.#addresses, place.address, bytes) ? DONE : NO_MEMORY;
  }

  #stopPoint(text: string, set: boolean): string {
    const [number, place = ""] = splitAt(text.split(";", 1)[0], ",");
    const kind = /^\d$/.test(number) ? STOP_KINDS.at(Number(number)) : undefined;
    if (kind === undefined) return UNKNOWN;
    const found = placeOf(place);
    if (found === undefined) return MALFORMED;
    const point = { kind, linear: found.address, length: found.length };
    if (!set) this.#execution.points.remove(point);
    return !set || this.#execution.points.add(point) ? DONE : INVALID;
  }

  // Threads

  /** The CPU of a thread's name; undefined for one that is not there. */
  #cpuOf(text: string): number | "all" | undefined {
    const name = threadName(text);
    if (name === "all" || name === undefined) return name;
    if (name === "any") return this.#cpu;
    return name <= this.#machine.cpus ? name - 1 : undefined;
  }

  #select(text: string): string {
    const cpu = this.#cpuOf(text.slice(1));
    if (cpu === undefined) return INVALID;
    if (text.startsWith("c")) this.#runCpu = cpu === "all" ? undefined : cpu;
    else if (!text.startsWith("g")) return UNKNOWN;
    else if (cpu !== "all") this.#cpu = cpu;
    return DONE;
  }

  #isThread(text: string): string {
    return typeof this.#cpuOf(text) === "number" ? DONE : INVALID;
  }

  #threads(): { id: number; name: string; doing: string }[] {
    return Array.from({ length: this.#machine.cpus }, (_, cpu) => ({
      id: cpu + 1,
      name: `CPU ${cpu}`,
      doing: DOING[this.#machine.status(cpu)],
    }));
  }

  // Running

  #runByLetter(text: string): Answer {
    const kind = text[0].toLowerCase() === "s" ? "step" : "continue";
    const address = text.replace(/^[CS][0-9a-f]{2};?|^[cs]/, "");
    if (address !== "") {
      const rip = this.#registers.find(({ name }) => name === "rip" || name === "eip");
      const value = hexAddress(address);
      if (value === undefined || rip === undefined) return MALFORMED;
      const written = this.#write([[rip, value]]);
      if (written !== DONE) return written;
    }
    const all = kind === "continue" && this.#runCpu === undefined;
    const chosen = this.#runCpu ?? this.#cpu;
    const actions = Array.from({ length: this.#machine.cpus }, (_, cpu): CpuAction | undefined =>
      all || cpu === chosen ? { kind } : undefined,
    );
    return this.#resume(actions);
  }

  #resume(actions: readonly (CpuAction | undefined)[]): Answer {
    if (this.#execution.running) return INVALID;
    if (this.#ended !== undefined) {
      this.#leave();
      return undefined;
    }
    this.#execution.resume(actions);
    return undefined;
  }

  #verbose(text: string): Answer {
    if (text === "vCont?") return "vCont;c;C;s;S;r";
    if (text.startsWith("vCont;")) {
      const actions = vContActions(text.slice("vCont;".length), this.#machine.cpus, this.#cpu);
      return actions === undefined ? MALFORMED : this.#resume(actions);
    }
    if (!/^vKill(;|$)/.test(text)) return UNKNOWN;
    this.#sendPacket(DONE);
    this.#kill();
    return undefined;
  }

  // Queries

  #query(text: string): Answer {
    const [name, rest] = splitAt(text, ":");
    switch (name) {
      case "qSupported":
        return [
          `PacketSize=${PACKET_SIZE.toString(16)}`,
          "QStartNoAckMode+",
          "qXfer:features:read+",
          "qXfer:memory-map:read+",
          "qXfer:threads:read+",
          "vContSupported+",
          "swbreak+",
          "hwbreak+",
        ].join(";");
      case "qXfer":
        return this.#transfer(rest);
      case "qfThreadInfo":
        return `m${this.#threads()
          .map(({ id }) => id.toString(16))
          .join(",")}`;
      case "qsThreadInfo":
        return "l";
      case "qC":
        return `QC${(this.#cpu + 1).toString(16)}`;
      case "qAttached":
        return "1";
      case "qSymbol":
        return DONE;
      case "qqemu.Supported":
        return "sstepbits;sstep;PhyMemMode";
      case "qqemu.PhyMemMode":
        return this.#physical ? "1" : "0";
      case "qqemu.sstepbits":
        return `ENABLE=${STEP_BITS.ENABLE},NOIRQ=${STEP_BITS.NOIRQ},NOTIMER=${STEP_BITS.NOTIMER}`;
      case "qqemu.sstep":
        return `0x${this.#execution.stepBits.toString(16)}`;
      default:
        return this.#queryByPrefix(text);
    }
  }

  #queryByPrefix(text: string): Answer {
    if (text.startsWith("qThreadExtraInfo,")) {
      const cpu = this.#cpuOf(text.slice("qThreadExtraInfo,".length));
      if (typeof cpu !== "number") return INVALID;
      const { name, doing } = this.#threads()[cpu];
      return toHex(asBytes(`${name} [${doing}]`));
    }
    if (!text.startsWith("qRcmd,")) return UNKNOWN;
    const command = fromHex(text.slice("qRcmd,".length));
    if (command === undefined || command.length > LONGEST_COMMAND) return MALFORMED;
    this.#show(this.#options.monitor(asText(command), this.#cpu));
    return this.#over ? undefined : DONE;
  }

  #transfer(text: string): Answer {
    const [object, verb, annex, window] = text.split(":") as (string | undefined)[];
    const place = window === undefined ? undefined : placeOf(window);
    if (verb !== "read" || place === undefined) return UNKNOWN;
    const document = this.#document(object, annex);
    if (document === undefined) return "E00";
    const from = Number(BigInt.asUintN(32, place.address));
    const piece = asBytes(document).subarray(from, from + Math.min(place.length, MOST_BYTES));
    const last = from + piece.length >= document.length;
    return Uint8Array.from([...asBytes(last ? "l" : "m"), ...piece]);
  }

  #document(object: string | undefined, annex: string | undefined): string | undefined {
    if (object === "features" && annex === "target.xml") return targetXml(this.#architecture);
    if (object === "threads") return threadsXml(this.#threads());
    // gdb may refuse what is outside: any linear address can be memory.
    if (object === "memory-map")
      return memoryMapXml(this.#physical ? this.#machine.memory.ranges : [ALL_LINEAR]);
    return undefined;
  }

  #set(text: string): Answer {
    const [name, rest] = splitAt(text, ":");
    if (name === "QStartNoAckMode") {
      this.#acknowledges = false;
      return DONE;
    }
    if (name === "Qqemu.PhyMemMode" && /^[01]$/.test(rest)) {
      this.#physical = rest === "1";
      return DONE;
    }
    const bits = /^Qqemu\.sstep[=:](?:0x)?([0-7])$/.exec(text);
    if (bits === null) return UNKNOWN;
    this.#execution.stepBits = Number(bits[1]);
    return DONE;
  }
}

/** "before" and "after" the first of `mark`; all of it and nothing without one. */
function splitAt(text: string, mark: string): [string, string] {
  const at = text.indexOf(mark);
  return at < 0 ? [text, ""] : [text.slice(0, at), text.slice(at + mark.length)];
}

/** "ADDRESS,LENGTH". */
function placeOf(text: string): { address: bigint; length: number } | undefined {
  const [first, second] = splitAt(text, ",");
  const [address, length] = [hexAddress(first), hexNumber(second)];
  return address === undefined || length === undefined ? undefined : { address, length };
}
