/**
 * Why an image is not booted: which rule failed where, wrapped with what was being done. The facts of readers and
 * of the memory map are passed on as they are.
 */
import { hex } from "../bytes/hex.js";
import { PartError } from "../devices/resources.js";
import { MissingHardware } from "../firmware/hardware.js";
import { FormatError } from "../formats/format-error.js";
import { MemoryMapError } from "../memory/memory-error.js";

/** Where a rule failed. */
export type FaultPlace =
  | { kind: "file"; offset: number }
  | { kind: "memory"; address: number }
  | { kind: "option"; name: string }
  | { kind: "part"; name: string };

/** The facts of a refusal. */
export interface BootFault {
  place: FaultPlace;
  found: string;
  expected: string;
  /** What it usually means, and what a person can do about it. */
  meaning: string;
}

/** `file offset 0x206: found …; expected …. …` */
export function faultText({ place, found, expected, meaning }: BootFault): string {
  return `${placeText(place)}: found ${found}; expected ${expected}. ${meaning}`;
}

function placeText(place: FaultPlace): string {
  switch (place.kind) {
    case "file":
      return `file offset ${hex(place.offset)}`;
    case "memory":
      return `guest-physical ${hex(place.address)}`;
    case "option":
      return `option ${place.name}`;
    case "part":
      return `part ${place.name}`;
  }
}

/** An image that cannot be booted as asked. */
export class BootError extends Error {
  override readonly name: string = "BootError";

  constructor(
    /** What was being done: `load "vmlinuz" with the linux loader`. */
    readonly doing: string,
    readonly fault: BootFault,
    options?: { cause?: unknown },
  ) {
    super(`${doing}: ${faultText(fault)}`, options);
  }
}

/** An option whose value nobody takes: the caller's mistake, not the image's. */
export class OptionError extends BootError {
  override readonly name = "OptionError";

  constructor(option: string, found: string, expected: string, meaning: string) {
    super("read the options", { place: { kind: "option", name: option }, found, expected, meaning });
  }
}

/** Why each loader declined, when none took the image. */
export class NoLoaderError extends BootError {
  override readonly name = "NoLoaderError";

  constructor(
    doing: string,
    /** In the order they were asked; never empty. */
    readonly refusals: readonly { loader: string; fault: BootFault }[],
    /** What it all comes to, where one sentence says it. */
    answer = "no loader takes it",
  ) {
    super(doing, refusals[0].fault);
    this.message = [`${doing}: ${answer}`, ...refusalLines(refusals)].join("\n");
  }
}

/** A line a reason, with the loaders that have it. */
function refusalLines(refusals: NoLoaderError["refusals"]): string[] {
  const loaders = new Map<string, string[]>();
  for (const { loader, fault } of refusals) {
    const text = faultText(fault);
    loaders.set(text, [...(loaders.get(text) ?? []), loader]);
  }
  return [...loaders].map(([text, names]) => `  ${names.join(", ")}: ${text}`);
}

/** The facts of an error of the layers below; `undefined` for any other. */
export function faultOf(error: unknown): BootFault | undefined {
  if (error instanceof BootError) return error.fault;
  if (error instanceof FormatError) {
    const { offset, found, expected, meaning } = error;
    return { place: { kind: "file", offset }, found, expected, meaning };
  }
  if (error instanceof MemoryMapError) {
    const { address, found, expected, meaning } = error;
    return { place: { kind: "memory", address }, found, expected, meaning };
  }
  if (error instanceof PartError) {
    const { part, found, expected, advice } = error;
    return { place: { kind: "part", name: part }, found, expected, meaning: advice };
  }
  if (error instanceof MissingHardware) {
    const { part, expected } = error;
    const meaning = "Firmware's tables tell where it is, and systems insist on it: put it back.";
    return { place: { kind: "part", name: part }, found: "no such part", expected, meaning };
  }
  return undefined;
}

/** Runs a step; refusals of the layers below come out as a BootError that says what the step was. */
export function whileDoing<T>(doing: string, step: () => T): T {
  try {
    return step();
  } catch (error) {
    const fault = error instanceof BootError ? undefined : faultOf(error);
    if (fault === undefined) throw error;
    throw new BootError(doing, fault, { cause: error });
  }
}
