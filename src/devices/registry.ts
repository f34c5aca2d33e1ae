/** The part types there are, one line each, in the order in which parts are made: who is plugged into comes first. */
import { fwCfgPart } from "./configuration/parts.js";
import { vmgenidPart } from "./configuration/vmgenid.js";
import { vgaPart } from "./display/parts.js";
import { i8259Part, ioapicPart, lapicPart } from "./interrupts/parts.js";
import { i8042Part } from "./keyboard/parts.js";
import type { PartType } from "./part.js";
import { PartError } from "./resources.js";
import { acpiPmPart, debugExitPart, resetControlPart, systemControlAPart } from "./power/parts.js";
import { debugConsolePart, uart16550Part } from "./serial/parts.js";
import { testdevPart } from "./testing/testdev.js";
import { virtioBalloonPart } from "./virtio/balloon.js";
import { virtioBlkPart } from "./virtio/blk.js";
import { virtioConsolePart } from "./virtio/console.js";
import { virtioFsPart } from "./virtio/fs.js";
import { virtioNetPart } from "./virtio/net.js";
import { virtioNinePPart } from "./virtio/ninep.js";
import { virtioRngPart } from "./virtio/rng.js";
import { i8254Part, mc146818Part } from "./time/parts.js";

const BUILT_IN = [
  lapicPart,
  i8259Part,
  ioapicPart,
  i8254Part,
  mc146818Part,
  i8042Part,
  systemControlAPart,
  acpiPmPart,
  vmgenidPart,
  resetControlPart,
  debugExitPart,
  uart16550Part,
  debugConsolePart,
  fwCfgPart,
  vgaPart,
  virtioBlkPart,
  virtioConsolePart,
  virtioRngPart,
  virtioBalloonPart,
  virtioFsPart,
  virtioNinePPart,
  virtioNetPart,
  testdevPart,
] as const;

/** Part types by name; those added come after those built in. */
export class PartRegistry {
  // A state belongs to the type that saved it: `create` gets back what `save` of the same type gave.
  readonly #types = new Map<string, PartType>(
    BUILT_IN.map((type) => [type.type, type as unknown as PartType]),
  );

  /** Adds a type. Throws RangeError for a name that is taken. */
  add<State extends object>(type: PartType<State>): this {
    if (this.#types.has(type.type)) throw new RangeError(`there is a part type "${type.type}" already`);
    this.#types.set(type.type, type as unknown as PartType);
    return this;
  }

  /** Whether the type came with the program. */
  isBuiltIn(type: string): boolean {
    return BUILT_IN.some((one) => one.type === type);
  }

  get(type: string): PartType | undefined {
    return this.#types.get(type);
  }

  /** The type of a part. Throws PartError, in the part's name, where there is none. */
  typeOf({ name, type }: { name: string; type: string }): PartType {
    const found = this.#types.get(type);
    if (found !== undefined) return found;
    const known = this.types().map((one) => one.type);
    throw new PartError(name, `type "${type}"`, known.join(", "), "There is no such part type.");
  }

  /** Every type, in the order in which parts are made. */
  types(): PartType[] {
    return [...this.#types.values()];
  }
}
