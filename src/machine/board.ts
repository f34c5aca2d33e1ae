/**
 * The parts of a plan made live: each is made by its type and connected to buses, interrupt controllers and the world. A board
 * is saved as what its parts save, by name; made from that it goes on, made from nothing it is the machine after reset.
 */
import type { BlockBackend } from "../block/backend.js";
import type { FileBackend } from "../share/file-backend.js";
import type { NetBackend } from "../net/net-backend.js";
import { MmioBus } from "../devices/bus/mmio-bus.js";
import { PortBus } from "../devices/bus/port-bus.js";
import type { Clock, InterruptLine, PowerControl, Timers, BackEnds, Waking } from "../devices/device.js";
import type { ApicPort } from "../devices/interrupts/apic-port.js";
import { IrqFanout, SharedLine } from "../devices/interrupts/interrupt-lines.js";
import type { CpuSignals } from "../devices/interrupts/lapic-core.js";
import { CPU_APICS } from "../devices/interrupts/parts.js";
import type {
  Channel,
  ConsoleWire,
  MachineFacts,
  Part,
  PartMemory,
  PlanPart,
  Wires,
} from "../devices/part.js";
import type { PartRegistry } from "../devices/registry.js";
import { PartError } from "../devices/resources.js";
import type { Socket } from "../devices/socket.js";
import { thrownText } from "../devices/thrown.js";
import { Guard, type OnFailure } from "./guard.js";

/** What a board is made from, beside its plan. */
export interface BoardContext {
  /** The machine as the plan has it: its parts, and the facts that parts may ask for. */
  plan: MachineFacts & { readonly devices: readonly PlanPart[] };
  types: PartRegistry;
  clock: Clock;
  timers: Timers;
  power: PowerControl;
  wake: Waking;
  completions: BackEnds;
  console: ConsoleWire;
  /** By the names that ports have. */
  channels?: ReadonlyMap<string, Channel> | undefined;
  /** See `Wires`; absent: zeros. */
  random32?: () => number;
  /** By the names that parts have for them. */
  disks?: ReadonlyMap<string, BlockBackend> | undefined;
  /** By the names that parts have for them. */
  shares?: ReadonlyMap<string, FileBackend> | undefined;
  /** By the names that parts have for them. */
  nets?: ReadonlyMap<string, NetBackend> | undefined;
  /** 16 bytes that this run has and no other; undefined where runs repeat exactly. */
  generation: Uint8Array | undefined;
  /** Guest memory; there once the parts are made. */
  memory: () => PartMemory;
  /** By CPU number. */
  cpus: readonly CpuSignals[];
  /** Told when a part of somebody's own breaks while the guest runs; the machine has to end then. */
  failed: OnFailure;
}

/** What the machine sees of its parts: two buses, one local APIC a CPU. */
export interface Board {
  readonly ports: PortBus;
  readonly mmio: MmioBus;
  /** By CPU number. */
  readonly apics: readonly ApicPort[];
  /** What a part offers; undefined where none does. */
  find<T>(socket: Socket<T>): T | undefined;
  /** The state of all parts: plain data, a copy. */
  save(): BoardState;
}

/** What a reset of the machine leaves of its parts' state. */
export function afterReset({ plan, types }: BoardContext, states: BoardState): BoardState {
  const left: BoardState = {};
  for (const { name, type } of plan.devices) {
    const keeps = types.get(type)?.afterReset;
    if (keeps !== undefined && Object.hasOwn(states, name)) left[name] = keeps(states[name]);
  }
  return left;
}

/** What parts have saved, by their names. */
export type BoardState = Record<string, object>;

/** The buses of a board; tests hand in buses that count. */
export interface Buses {
  ports: PortBus;
  mmio: MmioBus;
}

/**
 * Makes every part of the plan, in the order of the registry. With `states` each part goes on where it was saved.
 * @throws PartError for a part that is of no type, decodes what it did not place, or lacks another part, and for a state that
 *   `create` of a type of somebody's own throws at; whatever it throws without one.
 */
export function buildBoard(
  context: BoardContext,
  states: BoardState = {},
  buses: Buses = { ports: new PortBus(), mmio: new MmioBus() },
): Board {
  const { plan, types } = context;
  for (const part of plan.devices) types.typeOf(part);
  const sockets = new Map<Socket<unknown>, unknown>();
  const controllers: ((irq: number) => InterruptLine | undefined)[] = [];
  const levels = new Map<number, SharedLine>();
  const made = new Map<string, Part<object>>();
  for (const type of types.types()) {
    for (const part of plan.devices.filter((one) => one.type === type.type)) {
      const wires = wiresOf(part, context, { buses, sockets, controllers, levels });
      // Every state is plain data; the part may keep and change what it gets.
      const state = Object.hasOwn(states, part.name) ? structuredClone(states[part.name]) : undefined;
      const ours = types.isBuiltIn(type.type) || state === undefined;
      const create = (): Part<object> => type.create(part, wires, state);
      made.set(part.name, checked(part.name, ours ? create() : restored(part.name, create)));
    }
  }
  const apics = sockets.get(CPU_APICS) as readonly ApicPort[] | undefined;
  if (apics === undefined) {
    throw new PartError(
      "lapic",
      "no part that has local APICs",
      "one",
      "No CPU can do without: put it back.",
    );
  }
  return {
    ...buses,
    apics,
    find: <T>(socket: Socket<T>) => sockets.get(socket) as T | undefined,
    save: () => Object.fromEntries([...made].map(([name, part]) => [name, saved(name, part)])),
  };
}

/** A part of somebody's own from a state, which may be of another version of it. */
function restored(name: string, create: () => Part<object>): Part<object> {
  try {
    return create();
  } catch (error) {
    if (error instanceof PartError) throw error;
    throw new PartError(
      name,
      `a saved state that create throws at: ${thrownText(error)}`,
      "a state that this version of the part saves",
      "Restore it with the part that saved it, or give the part type a state shape that refuses it.",
    );
  }
}

function checked(name: string, part: Part<object> | undefined): Part<object> {
  if (typeof part?.save === "function") return part;
  throw new PartError(name, "nothing to save from create", "{ save() }", "create must return the part.");
}

/** A copy of a part's state. */
function saved(name: string, part: Part<object>): object {
  try {
    return structuredClone(part.save());
  } catch (error) {
    throw new PartError(
      name,
      `a state that cannot be had: ${thrownText(error)}`,
      "plain data",
      "save must give an object without functions.",
    );
  }
}

/** What the parts of one board share. */
interface Shared {
  buses: Buses;
  sockets: Map<Socket<unknown>, unknown>;
  controllers: ((irq: number) => InterruptLine | undefined)[];
  /** Interrupts that several parts have, by number. */
  levels: Map<number, SharedLine>;
}

/** The disk or the share that a part asks for. */
function handedIn<T>(
  part: string,
  what: "disk" | "share",
  name: string,
  given: ReadonlyMap<string, T> = new Map<string, T>(),
): T {
  const found = given.get(name);
  if (found !== undefined) return found;
  const known = [...given.keys()].map((one) => `"${one}"`).join(", ");
  throw new PartError(
    part,
    `a ${what} "${name}" that nobody handed in`,
    known === "" ? `a machine with ${what}s` : `one of ${known}`,
    `The plan names it: give the machine a ${what} of this name, or take the part out.`,
  );
}

/** What of a part's line has this number. */
function rangeOf<T>(part: string, list: readonly T[] | undefined, index: number, what: string): T {
  const found = list?.[index];
  if (found !== undefined) return found;
  throw new PartError(
    part,
    `no ${what} number ${index} in the plan`,
    `${index + 1} of them at least`,
    "Give the part all that its type has.",
  );
}

/** The wires of one part. */
function wiresOf(
  part: PlanPart,
  context: BoardContext,
  { buses, sockets, controllers, levels }: Shared,
): Wires {
  const { clock, power, wake, memory, cpus, plan } = context;
  const guard = context.types.isBuiltIn(part.type) ? undefined : new Guard(part.name, context.failed);
  const timers = guard?.timers(context.timers) ?? context.timers;
  const console = guard?.console(context.console) ?? context.console;
  const completions = guard?.backEnds(context.completions) ?? context.completions;
  const range = <T>(list: readonly T[] | undefined, index: number, what: string): T =>
    rangeOf(part.name, list, index, what);
  const line = (irq: number): InterruptLine =>
    new IrqFanout(...controllers.map((input) => input(irq)).filter((input) => input !== undefined));
  const own = (irq: number): InterruptLine => {
    if (plan.devices.filter(({ irqs = [] }) => irqs.includes(irq)).length < 2) return line(irq);
    const shared = levels.get(irq) ?? new SharedLine(line(irq));
    levels.set(irq, shared);
    return shared.source();
  };
  return {
    machine: plan,
    clock,
    timers,
    power,
    wake,
    completions,
    console,
    disk: (name) => handedIn(part.name, "disk", name, context.disks),
    share: (name) => handedIn(part.name, "share", name, context.shares),
    net: (name) => context.nets?.get(name),
    channel: (name) => context.channels?.get(name),
    random32: () => context.random32?.() ?? 0,
    generation: context.generation?.slice(),
    memory,
    cpus,
    ports: (index, plain, width = "split") => {
      const device = guard?.ports(plain) ?? plain;
      buses.ports.add({ ...range(part.ports, index, "port range"), device, width });
    },
    mmio: (index, plain) => {
      const device = guard?.mmio(plain) ?? plain;
      buses.mmio.add({ ...range(part.mmio, index, "range of addresses"), device });
    },
    interrupt: (index = 0) => own(range(part.irqs, index, "interrupt")),
    line,
    drive: (input) => controllers.push(input),
    offer: (socket, value) => sockets.set(socket, value),
    take: <T>(socket: Socket<T>): T => {
      if (sockets.has(socket)) return sockets.get(socket) as T;
      throw new PartError(
        part.name,
        `no ${socket.name}`,
        "a part that offers it",
        "Put the part back that was taken out.",
      );
    },
  };
}
