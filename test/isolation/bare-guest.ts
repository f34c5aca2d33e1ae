/**
 * The smallest guest for a directed test of the engine: flat 32-bit code without paging, an IDT whose gates the test
 * chooses, and a host that answers ones.
 */
import type { Cpu, CpuHost, Engine, EngineEvents, Vm } from "../../src/engine/contract.js";
import { createWasmEngine } from "../../src/engine/wasm/engine.js";
import { DEFAULT_CPU_FEATURES } from "../../src/x86/cpu-features.js";
import { cpuidTable } from "../../src/x86/cpuid-table.js";
import { protectedMode32 } from "../../src/x86/entry-states.js";
import { bootGdt } from "../../src/x86/gdt.js";
import { Assembler, gate32, TYPE_INTERRUPT_GATE } from "../support/asm/index.js";

export const RAM_SIZE = 0x800000;
/** An address that is no RAM. */
export const HOLE = 0x900000;
export const CODE = 0x10000;
export const STACK = 0x600000;
const GDT = 0x1000;
const IDT = 0x2000;
const VECTORS = 256;

/** Where gates lead: one target for all, or some of their own; of another type than interrupt gate if said. */
export interface Gates {
  all: number;
  own?: Record<number, number>;
  type?: number;
}

export interface BareGuest {
  vm: Vm;
  cpu: Cpu;
}

/** A host with nothing on its buses. */
export function silentHost(): CpuHost {
  return {
    readPort: (_cpu, _port, size) => 2 ** (8 * size) - 1,
    writePort: () => undefined,
    readMmio: (_cpu, _address, size) => 2 ** (8 * size) - 1,
    writeMmio: () => undefined,
    acknowledgeInterrupt: () => -1,
    readApicMsr: () => undefined,
    writeApicMsr: () => false,
    readTaskPriority: () => 0,
    writeTaskPriority: () => undefined,
    readTsc: (_cpu, instructions) => instructions,
  };
}

/** A CPU about to execute what `write` assembles at `CODE`. The caller disposes `vm`. */
export function bareGuest(
  write: (a: Assembler) => void,
  gates: Gates,
  host: CpuHost = silentHost(),
  events?: EngineEvents,
  engine: Engine = createWasmEngine(),
): BareGuest {
  const vm = engine.createVm({ ranges: [{ start: 0, size: RAM_SIZE }] }, host, events);
  const cpu = vm.createCpu(
    0,
    cpuidTable({ features: DEFAULT_CPU_FEATURES, cpus: 1, tscHz: 1e9, apicHz: 1e9 }),
  );
  const a = new Assembler(CODE, 32);
  write(a);
  for (const { address, bytes } of a.link()) vm.memory.write(address, bytes);
  const gdt = bootGdt(32);
  vm.memory.write(GDT, gdt.bytes);
  const table = new DataView(new ArrayBuffer(VECTORS * 8));
  for (let vector = 0; vector < VECTORS; vector++) {
    const offset = gates.own?.[vector] ?? gates.all;
    const type = gates.type ?? TYPE_INTERRUPT_GATE;
    table.setBigUint64(vector * 8, gate32({ selector: gdt.code.selector, offset, type }), true);
  }
  vm.memory.write(IDT, new Uint8Array(table.buffer));
  const state = protectedMode32({ entry: BigInt(CODE), gdtBase: GDT, registers: { rsp: BigInt(STACK) } });
  cpu.writeState({ ...state, idtr: { base: BigInt(IDT), limit: VECTORS * 8 - 1 } });
  return { vm, cpu };
}
