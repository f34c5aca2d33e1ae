/**
 * What a part of the machine is (R1.1). A part type does three things: it places itself (`place`), which gives a line of the
 * plan; it tells firmware and kernel of itself (`announce`); and it is made from that line and nothing else (`create`). A
 * part's whole state is what `save` gives: making the part again from it is restoring it, making it from nothing is a reset.
 * So nothing can be forgotten, and no callback is ever saved: a part arms its timers and drives its lines when it is made.
 */
import type { BlockBackend } from "../block/backend.js";
import type { Shape } from "../bytes/shape.js";
import type { FileBackend } from "../share/file-backend.js";
import type { NetBackend } from "../net/net-backend.js";
import type { KernelSystem } from "../formats/elf/system.js";
import type { Aml } from "../firmware/acpi/aml.js";
import type { FixedHardware, GeneralEvent } from "../firmware/hardware.js";
import type { FwCfgItem } from "../firmware/fw-cfg.js";
import type { CheckedMemory } from "../memory/checked-memory.js";
import type { Span } from "../memory/layout.js";
import type { CpuidLeaf } from "../x86/cpuid.js";
import type { PortWidth } from "./bus/port-bus.js";
import type {
  Clock,
  InterruptLine,
  MmioDevice,
  PortDevice,
  PowerControl,
  Timers,
  BackEnds,
  Waking,
} from "./device.js";
import type { CpuSignals } from "./interrupts/lapic-core.js";
import type { Claim } from "./resources.js";
import type { Socket } from "./socket.js";

/** A value that a plan can hold and JSON can carry. */
export type PartValue =
  string | number | boolean | null | readonly PartValue[] | { readonly [key: string]: PartValue };

/** A part as the plan lists it: what it decodes, and what else it is made from. Plain data. */
export interface PlanPart {
  /** Unique in a machine; the type's name where there is one of it. */
  name: string;
  /** Name of the part type. */
  type: string;
  /** Port ranges, in the order that the type defines. */
  ports?: Span[];
  /** Ranges of guest-physical addresses, likewise. */
  mmio?: Span[];
  /** Interrupts, likewise: those of an ISA bus, and inputs 16 to 23 of the I/O APIC. */
  irqs?: number[];
  config?: { readonly [key: string]: PartValue };
}

/** A range as it is asked for: without a size, the type's own. */
export interface AskedSpan {
  readonly start: number;
  readonly size?: number;
}

/** A part as it is asked for: what is absent is as the type has it. A line of a plan is one. */
export interface PartRequest extends Omit<Partial<PlanPart>, "type" | "ports" | "mmio" | "irqs"> {
  type: string;
  ports?: readonly AskedSpan[];
  mmio?: readonly AskedSpan[];
  irqs?: readonly number[];
}

/** Registers of a virtio device, and its interrupt: an input of the I/O APIC. */
export interface VirtioMmioPlace extends Span {
  readonly irq: number;
}

/** What a part tells the world before it runs. Whatever is absent is not told. */
export interface Announcement {
  /** Objects of the ACPI namespace, inside \_SB. */
  acpi?: readonly Aml[];
  /** General-purpose events of ACPI that it raises, each number of one part only. */
  events?: readonly GeneralEvent[];
  /** What ACPI and MP tables have fields of their own for. */
  fixed?: Partial<FixedHardware>;
  /** Those of its interrupts that are levels. */
  levelIrqs?: readonly number[];
  /** Words that a kernel of a system must read on its command line to find the part. */
  words?: { readonly [system in KernelSystem]?: string };
  /** It is a virtio device: its kernel finds it by ACPI, or by words. */
  virtioMmio?: VirtioMmioPlace;
  /** Files for firmware (fw_cfg), by name. */
  files?: ReadonlyMap<string, Uint8Array>;
}

/** What the plan says of the machine as a whole. A `Plan` is one. */
export interface MachineFacts {
  readonly cpus: number;
  readonly ram: readonly Span[];
  readonly clock: {
    readonly tscHz: number;
    readonly apicHz: number;
    readonly rtcStart: number;
    /** Runs repeat exactly: nothing that a guest sees may depend on the host. */
    readonly deterministic?: object;
  };
  readonly cpuid: readonly CpuidLeaf[];
  readonly fwCfg?: readonly FwCfgItem[];
}

/** Guest memory as parts reach it. */
export type PartMemory = CheckedMemory;

/** Where a serial port's bytes go, and come from. */
export interface ConsoleWire {
  /** One byte sent by the guest. */
  transmit(byte: number): void;
  /** The port would take input now. */
  receiveReady(): void;
  /** The port that input goes to; `receive` says how many bytes it took, from the front. */
  connect(port: { receive(bytes: Uint8Array): number }): void;
}

/** The other end of a named port: bytes both ways. A host implements it; calls come back at once. */
export interface Channel {
  /** Takes what the guest wrote. The array is guest memory: copy what is kept. */
  write(bytes: Uint8Array): void;
  /** Bytes that `write` takes without waiting for whoever is at the other end. Absent: any number. */
  room?(): number;
  /**
   * Told that output waits in the guest until there is room, and that it does no more. Present: a part writes no more than there is
   * room for, and the machine goes on. Absent: `write` waits, and the machine with it.
   */
  readonly keep?: ((waits: boolean) => void) | undefined;
  /** At most `limit` bytes for the guest; an empty array when there is none now. */
  read(limit: number): Uint8Array;
  /** Whether a machine that is saved takes what there is to read with it. Absent: it is of this run alone. */
  readonly inputSaved?: boolean;
  /** Whether more may come; the guest is told of the end. While more may come, that keeps a sleeping machine alive. Absent: it never ends, and nobody waits. */
  inputOpen?(): boolean;
}

/** What a part is connected to. */
export interface Wires {
  readonly machine: MachineFacts;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly power: PowerControl;
  readonly wake: Waking;
  readonly completions: BackEnds;
  readonly console: ConsoleWire;
  /** The disk of this name that the machine was given. Throws PartError where there is none. */
  disk(name: string): BlockBackend;
  /** The shared folder of this name that the machine was given. Throws PartError where there is none. */
  share(name: string): FileBackend;
  /** The network of this name; undefined where the machine was given none: its cable is out. */
  net(name: string): NetBackend | undefined;
  /** What the world has at the other end of a named port; undefined where nothing is. */
  channel(name: string): Channel | undefined;
  /** 32 random bits: the host's entropy, or what is the same in every run where runs repeat exactly. */
  random32(): number;
  /** 16 bytes that this run of the machine has and no other; absent where runs repeat exactly. */
  readonly generation: Uint8Array | undefined;
  /** Guest memory; there once the machine runs. */
  memory(): PartMemory;
  /** The pins of each CPU. */
  readonly cpus: readonly CpuSignals[];
  /** Decodes the part's port range number `range` with `device`. */
  ports(range: number, device: PortDevice, width?: PortWidth): void;
  /** Decodes its range of addresses number `range`. */
  mmio(range: number, device: MmioDevice): void;
  /** The wire of its interrupt number `index`, down at first. */
  interrupt(index?: number): InterruptLine;
  /** The wire of any interrupt, 0–23, whoever else drives it: for what tests interrupts. Nothing beyond. */
  line(irq: number): InterruptLine;
  /** Has every interrupt drive an input of this controller, too; undefined where it has none for it. */
  drive(input: (irq: number) => InterruptLine | undefined): void;
  /** Gives other parts something to plug into. */
  offer<T>(socket: Socket<T>, value: T): void;
  /** What another part offers. Throws PartError where none does; parts made later have not offered yet. */
  take<T>(socket: Socket<T>): T;
}

/** A part that runs. */
export interface Part<State> {
  /** Its whole state: plain data, a copy or not. */
  save(): State;
}

export interface PartType<State extends object = object> {
  readonly type: string;
  /** One line for people. */
  readonly summary: string;
  /** Claims what the part needs. Throws PartError for a request that makes no sense. */
  place(request: PartRequest, claim: Claim): PlanPart;
  announce?(part: PlanPart): Announcement;
  /** What of its state a reset of the machine leaves. Absent: nothing, the part is as at power-on. */
  afterReset?(state: State): State;
  /**
   * What a state that comes from a file must be: whatever passes makes a part that throws nothing, hangs nowhere and saves a state
   * that passes again. Absent: such a state is handed to `create` as it is.
   */
  state?(part: PlanPart, machine: MachineFacts): Shape<State>;
  /**
   * What of this part keeps its machine from being saved; undefined: nothing. `again`: who restores it hands it again what parts
   * name. Absent: nothing.
   */
  unsaved?(part: PlanPart, state: State, again: boolean): string | undefined;
  /** Makes the part: as at power-on, or with a state that `save` gave, which it may keep and change. */
  create(part: PlanPart, wires: Wires, state?: State): Part<State>;
}
