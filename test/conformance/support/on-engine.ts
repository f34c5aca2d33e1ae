/**
 * Runs a conformance guest on an engine through the contract, with the test host around it.
 */
import type { Cpu, Engine, Exit, GuestMemory, MemorySpec, Vm } from "../../../src/engine/contract.js";
import { conformanceCpuid } from "./cpuid.js";
import type { Guest } from "./guest.js";
import { TestHost } from "./host.js";
import * as layout from "./layout.js";
import type { Outcome } from "./outcome.js";

/** A guest that is still running after this many instructions hangs. */
const INSTRUCTION_LIMIT = 20_000_000;
const SLICE = 100_000;

export interface Session {
  vm: Vm;
  cpu: Cpu;
  memory: GuestMemory;
  host: TestHost;
  /** Runs and keeps the host's clock in step. */
  run(budget: number): Exit;
}

/** Makes a VM with RAM at `ranges`, runs `drive`, releases the VM. */
export function withVm(engine: Engine, ranges: MemorySpec["ranges"], drive: (vm: Vm) => void): void {
  const vm = engine.createVm({ ranges }, new TestHost());
  try {
    drive(vm);
  } finally {
    vm.dispose();
  }
}

/** A VM with the guest loaded, before its first instruction. The caller disposes `vm`. */
export function load(engine: Engine, guest: Guest): Session {
  const host = new TestHost();
  const vm = engine.createVm({ ranges: [{ start: 0, size: layout.RAM_SIZE }], cpus: 2 }, host);
  const cpu = vm.createCpu(0, conformanceCpuid(guest.features));
  host.cpu = cpu;
  for (const chunk of guest.chunks) vm.memory.write(chunk.address, chunk.bytes);
  cpu.writeState(guest.start);
  const run = (budget: number): Exit => {
    host.instructionsBefore = cpu.instructions;
    return cpu.run(budget);
  };
  return { vm, cpu, memory: vm.memory, host, run };
}

/** Runs until the guest ends, in slices of `slice` instructions. */
export function finish(session: Session, slice = SLICE): Outcome {
  const { cpu, host, memory } = session;
  const read = (address: number, length: number): Uint8Array => memory.read(address, length);
  while (cpu.instructions < INSTRUCTION_LIMIT) {
    const exit = session.run(slice);
    if (host.exitCode !== undefined) return { ending: { kind: "exit", code: host.exitCode }, read };
    if (exit.reason === "shutdown") return { ending: { kind: "shutdown" }, read };
    if (exit.reason === "halt") return { ending: { kind: "halt", interruptible: exit.interruptible }, read };
    if (exit.reason === "error")
      return { ending: { kind: "other", detail: `engine error: ${exit.detail}` }, read };
    if (exit.reason === "stop") return { ending: { kind: "other", detail: "a stop nobody asked for" }, read };
  }
  const rip = cpu.readState().rip.toString(16);
  return {
    ending: { kind: "other", detail: `still running after ${cpu.instructions} instructions, RIP 0x${rip}` },
    read,
  };
}
