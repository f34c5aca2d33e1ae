/** Machines that go on from the bytes of a snapshot's file, and what two machines are compared by. */
import { createWasmEngine } from "../../src/engine/wasm/engine.js";
import type { Engine } from "../../src/engine/contract.js";
import { FAST_READING } from "../../src/host/node/snapshot-file.js";
import type { ConsoleEnd } from "../../src/machine/console.js";
import { Machine, type MachineOptions } from "../../src/machine/machine.js";
import { bytesSource } from "../../src/snapshot/file.js";
import { openSnapshot, restoreSnapshot } from "../../src/snapshot/read.js";
import { snapshotPieces } from "../../src/snapshot/write.js";

/** Always the same, so that files of equal machines are equal. */
const SAVED = { locore: "0.0.0", savedAt: 0 } as const;
const { checksum } = FAST_READING;

/** What a machine of these tests may be given besides. */
export type MoveOptions = Partial<Pick<MachineOptions, "engine" | "maxResets" | "tripleFault" | "disks">> & {
  console: ConsoleEnd;
};

function machineOptions({
  engine = createWasmEngine({ jit: "off" }),
  ...options
}: MoveOptions): MoveOptions & Pick<MachineOptions, "engine" | "hostNow"> {
  return {
    ...options,
    engine,
    hostNow: () => {
      throw new Error("deterministic time does not look at the host's");
    },
  };
}

/** A machine of a plan in deterministic time, interpreted unless an engine is given. */
export function newMachine(plan: MachineOptions["plan"], options: MoveOptions): Machine {
  return new Machine({ ...machineOptions(options), plan });
}

/** The file of a machine, a copy. */
export function fileOf(machine: Machine): Uint8Array {
  return Buffer.concat(snapshotPieces(machine, { ...SAVED, checksum }));
}

/** The machine of a file, whose RAM is fetched when it is needed. */
export function fromFile(file: Uint8Array, options: MoveOptions): Machine {
  const snapshot = openSnapshot(bytesSource(file), FAST_READING);
  return restoreSnapshot(snapshot, { ...machineOptions(options), later: true });
}

/** What differs between a machine and what another one was saved as: the place in the state or RAM, for a person. */
export function differenceOf(machine: Machine, file: Uint8Array): string | undefined {
  const mine = fileOf(machine);
  if (Buffer.compare(mine, file) === 0) return undefined;
  const [found, expected] = [mine, file].map((bytes) => openSnapshot(bytesSource(bytes), FAST_READING));
  const inState =
    differingPath(found.state, expected.state, "state") ??
    differingPath(found.about, expected.about, "about");
  return inState ?? `RAM, or the order of fields: ${mine.length} and ${file.length} bytes of files`;
}

function differingPath(found: unknown, expected: unknown, path: string): string | undefined {
  if (Object.is(found, expected)) return undefined;
  if (typeof found !== "object" || typeof expected !== "object" || found === null || expected === null)
    return `${path}: ${String(found)}, not ${String(expected)}`;
  const keys = new Set([...Object.keys(found), ...Object.keys(expected)]);
  for (const key of keys) {
    const [one, other] = [found, expected].map((value) => (value as Record<string, unknown>)[key]);
    const difference = differingPath(one, other, `${path}.${key}`);
    if (difference !== undefined) return difference;
  }
  return undefined;
}

/** What a machine is, state and RAM, as a text to compare: the lengths and sums of all sections of its file. */
export function digestOf(machine: Machine): string {
  const [header, table] = snapshotPieces(machine, { ...SAVED, checksum });
  return Buffer.concat([header, table]).toString("hex");
}

/** An engine that compiles everything at once, or nothing. */
export function engineThat(compiles: boolean): Engine {
  return createWasmEngine({ jit: compiles ? "eager" : "off" });
}
