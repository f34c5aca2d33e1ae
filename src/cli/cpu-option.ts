/**
 * `--cpu`: features to switch on or off, and QEMU's form of it, `MODEL,+feature,feature=off`. There is one model of CPU;
 * what it has is `x86/cpu-features.ts`, what features are called `x86/cpu-feature-names.ts`.
 */
import type { FeatureName } from "../spec/cpuid.js";
import { FEATURE_NAMES, featureNamed } from "../x86/cpu-feature-names.js";
import { DEFAULT_CPU_FEATURES } from "../x86/cpu-features.js";
import { UsageError } from "./args.js";
import { closest } from "./closest.js";

export type FeatureSwitches = Partial<Record<FeatureName, boolean>>;

/** QEMU's words for "all there is" and "the usual one": both are this CPU. */
const TAKEN_MODELS = ["max", "host", "base", "qemu64", "kvm64"];

/** Properties of QEMU's CPUs whose value makes no difference here. */
const IDLE_PROPERTIES = ["check", "enforce", "migratable", "host-phys-bits"];
/** Properties of QEMU's CPUs that can be off: what they show to a guest is not here. */
const ABSENT_PROPERTIES = ["pmu", "kvm", "l3-cache", "host-cache-info"];

const ON = ["on", "yes", "true", "y"];
const OFF = ["off", "no", "false", "n"];

function unknownFeature(text: string, name: string): UsageError {
  const near = closest(name, FEATURE_NAMES);
  return new UsageError(
    `--cpu ${text}: unknown feature`,
    near && `did you mean ${text.replace(name, near)}?`,
  );
}

/** What one switch changes; a feature that the CPU has not can be off without more. */
function switched(text: string, name: string, on: boolean): FeatureSwitches {
  const named = featureNamed(name);
  if (named.kind === "unknown") throw unknownFeature(text, name);
  if (named.kind === "no feature") throw new UsageError(`--cpu ${text}: no feature of a CPU`, named.reason);
  const feature = named.kind === "ours" ? named.feature : undefined;
  if (on && (feature === undefined || !DEFAULT_CPU_FEATURES[feature]))
    throw new UsageError(
      `--cpu ${text}: the CPU does not have it`,
      "only what a guest is promised by default can be on",
    );
  return feature === undefined ? {} : { [feature]: on };
}

/** `feature=on`, or a property of QEMU's CPUs. */
function property(text: string): FeatureSwitches {
  const equals = text.indexOf("=");
  const [name, value] = [text.slice(0, equals), text.slice(equals + 1)];
  if (IDLE_PROPERTIES.includes(name)) return {};
  if (ABSENT_PROPERTIES.includes(name) && OFF.includes(value)) return {};
  if (ABSENT_PROPERTIES.includes(name))
    throw new UsageError(`--cpu ${text}: this CPU has none`, `leave ${name} out`);
  if (!ON.includes(value) && !OFF.includes(value))
    throw new UsageError(`--cpu ${text}: features can be set, to on or off; ${name} cannot`);
  return switched(text, name, ON.includes(value));
}

/** The word that a list begins with, if it names a model. */
function checkModel(text: string): void {
  if (TAKEN_MODELS.includes(text)) return;
  if (text === "help")
    throw new UsageError("--cpu help", "locore plan KERNEL --cpuid lists the CPU's features");
  if (featureNamed(text).kind !== "unknown")
    throw new UsageError(`--cpu ${text}: expected a sign before a feature`, `+${text}, or --cpu=-${text}`);
  throw new UsageError(
    `--cpu ${text}: there is one model of CPU here`,
    "write max, and -feature for what the guest must not have, as in max,-aes",
  );
}

function readItem(text: string, first: boolean): FeatureSwitches {
  if (/^[+-]/.test(text)) return switched(text, text.slice(1), text.startsWith("+"));
  if (text.includes("=")) return property(text);
  if (first) {
    checkModel(text);
    return {};
  }
  if (IDLE_PROPERTIES.includes(text)) return {};
  return switched(text, text, true);
}

/** Reads every value that was given; a later switch of the same feature wins. Throws UsageError. */
export function readCpuOption(lists: readonly string[]): FeatureSwitches {
  const items = lists.flatMap((list) => list.split(",").map((text, i) => readItem(text, i === 0)));
  return Object.assign({}, ...items) as FeatureSwitches;
}
