/**
 * The machine's board without engine and machine: what fuzzing and snapshot tests drive. It is the board that ships, saved
 * and made again as a machine does it.
 */
import { Completions } from "../../src/machine/completions.js";
import { WakeSources } from "../../src/machine/wake.js";
import type { Clock, PowerEvent, Timers } from "../../src/devices/device.js";
import type { ApicPort } from "../../src/devices/interrupts/apic-port.js";
import { POWER_BUTTON } from "../../src/devices/power/parts.js";
import { PartRegistry } from "../../src/devices/registry.js";
import type { MmioBus } from "../../src/devices/bus/mmio-bus.js";
import type { PortBus } from "../../src/devices/bus/port-bus.js";
import { buildBoard, type Board, type BoardContext, type BoardState } from "../../src/machine/board.js";
import { withFeatures } from "../../src/x86/cpu-features.js";
import { cpuidTable } from "../../src/x86/cpuid-table.js";
import type { PartMemory, PlanPart } from "../../src/devices/part.js";
import { everyDisk, usualPlanParts } from "./usual-machine.js";

export const BOARD_CPUS = 2;
/** The local APIC's page at its reset address, I/O APIC's page. */
export const LAPIC_PAGE = 0xfee00000;
export const IOAPIC_PAGE = 0xfec00000;
const PAGE = 0x1000;
export const BOARD_RATES = { apicHz: 1_000_000_000, tscHz: 2_100_000_000 } as const;
const RTC_START = 1_700_000_000;

/** What a board is made from besides. */
export interface DeviceBoardOptions {
  /** Absent: the parts of a usual machine. */
  devices?: readonly PlanPart[];
  /** Absent: no part may reach any. */
  memory?: PartMemory;
  /** Absent: those built in. */
  types?: PartRegistry;
  /** Absent: the run repeats. */
  generation?: Uint8Array;
}

/** What the board's parts are told of the machine. */
export function boardPlan(devices: readonly PlanPart[] = usualPlanParts()): BoardContext["plan"] {
  return {
    cpus: BOARD_CPUS,
    ram: [],
    clock: { ...BOARD_RATES, rtcStart: RTC_START },
    cpuid: cpuidTable({ features: withFeatures({}), cpus: BOARD_CPUS, ...BOARD_RATES }),
    devices,
  };
}

export class DeviceBoard {
  readonly ports: PortBus;
  readonly mmio: MmioBus;
  readonly apics: readonly ApicPort[];
  /** Everything that left the devices, in order. */
  readonly log: string[] = [];
  /** Level of each CPU's interrupt line. */
  readonly interrupt: boolean[] = [];
  /** Offers bytes to the serial port; returns how many it took. */
  receive: (bytes: Uint8Array) => number = () => 0;
  private readonly board: Board;

  constructor(
    readonly clock: Clock & Timers,
    state?: BoardState,
    { devices, memory, types, generation }: DeviceBoardOptions = {},
  ) {
    const wake = new WakeSources();
    this.board = buildBoard(
      {
        plan: boardPlan(devices),
        types: types ?? new PartRegistry(),
        clock,
        timers: clock,
        power: { request: (event: PowerEvent) => this.log.push(`${event.kind} ${event.route}`) },
        wake,
        completions: new Completions(wake),
        console: {
          transmit: (byte) => this.log.push(`sent ${byte}`),
          receiveReady: () => undefined,
          connect: (port) => (this.receive = (bytes) => port.receive(bytes)),
        },
        generation,
        disks: everyDisk(),
        failed: (what) => this.log.push(`failed ${what}`),
        memory: () => {
          if (memory !== undefined) return memory;
          throw new Error("no part of this board reaches memory");
        },
        cpus: Array.from({ length: BOARD_CPUS }, (_, cpu) => ({
          interrupt: { set: (raised: boolean) => (this.interrupt[cpu] = raised) },
          nmi: () => this.log.push(`nmi ${cpu}`),
          init: () => this.log.push(`init ${cpu}`),
          startup: (vector: number) => this.log.push(`startup ${cpu} ${vector}`),
        })),
      },
      state,
    );
    ({ ports: this.ports, mmio: this.mmio, apics: this.apics } = this.board);
    // The boot CPU's page; a machine decodes it per CPU.
    const [apic] = this.apics;
    this.mmio.add({ start: LAPIC_PAGE, size: PAGE, device: { name: "local APIC", ...apicPage(apic) } });
  }

  get state(): BoardState {
    return this.board.save();
  }

  pressPowerButton(): void {
    this.board.find(POWER_BUTTON)?.();
  }
}

function apicPage(apic: ApicPort): Pick<ApicPort, "readMmio" | "writeMmio"> {
  return {
    readMmio: (offset, size) => apic.readMmio(offset, size),
    writeMmio: (offset, size, value) => apic.writeMmio(offset, size, value),
  };
}
