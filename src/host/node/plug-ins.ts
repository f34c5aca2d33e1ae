/**
 * Devices and loaders of somebody's own, from their files into registries. They are loaded where the machine is planned and
 * runs: code crosses no thread, paths do. Every call into them is watched: what they throw is told with file and function.
 */
import path from "node:path";
import { faultOf } from "../../boot/boot-error.js";
import type { Accepted, Loader, Recognition, Refused } from "../../boot/loader.js";
import type { BootOptions } from "../../boot/options.js";
import type { PlugIns } from "../../boot/build-plan.js";
import { LoaderRegistry } from "../../boot/registry.js";
import type { PartRequest, PartType } from "../../devices/part.js";
import { PartRegistry } from "../../devices/registry.js";
import { thrownText } from "../../devices/thrown.js";
import { PlugInError } from "./plug-in-error.js";
import { loadModule, type Exports } from "./plug-in-module.js";

/** A file with a device, and how the part that is added is asked for. */
export interface DeviceFile extends Omit<PartRequest, "type"> {
  file: string;
  /** Which part type of the file; may be absent where it exports one only. */
  type?: string;
}

/** Files to plug in, and what is asked for of each. */
export interface PlugInFiles {
  devices: readonly DeviceFile[];
  /** Loaders, in the order in which they are asked: after those built in. */
  loaders: readonly string[];
}

/** Registries with everything plugged in, and the parts that are asked for. */
export interface LoadedPlugIns extends Required<PlugIns> {
  devices: PartRequest[];
}

/** Loads every file, each once. Throws PlugInError for what is wrong with any. */
export async function loadPlugIns({ devices, loaders }: PlugInFiles): Promise<LoadedPlugIns> {
  const parts = new PartRegistry();
  const typesOf = new Map<string, PartType[]>();
  for (const { file } of devices) {
    const place = path.resolve(file);
    if (typesOf.has(place)) continue;
    const types = pick(file, await loadModule(file), PART_TYPE);
    for (const type of types) addType(file, parts, type);
    typesOf.set(place, types);
  }
  const requests = devices.flatMap((asked) => requestsOf(asked, typesOf.get(path.resolve(asked.file)) ?? []));
  return { parts, devices: requests, loaders: await registryOf(loaders) };
}

/** What a machine is planned from, with the parts that the files add. */
export function withDevices(options: BootOptions, { devices }: LoadedPlugIns): BootOptions {
  if (devices.length === 0 || options.devices !== undefined) return options;
  return { ...options, moreDevices: [...(options.moreDevices ?? []), ...devices] };
}

async function registryOf(files: readonly string[]): Promise<LoaderRegistry> {
  const registry = new LoaderRegistry();
  const loaded = new Set<string>();
  for (const file of files) {
    if (loaded.has(path.resolve(file))) continue;
    loaded.add(path.resolve(file));
    for (const loader of pick(file, await loadModule(file), LOADER)) {
      if (registry.get(loader.name) !== undefined) throw nameTaken(file, "loader", loader.name);
      registry.register(watched(file, loader));
    }
  }
  return registry;
}

function addType(file: string, parts: PartRegistry, type: PartType): void {
  if (parts.get(type.type) !== undefined) throw nameTaken(file, "part type", type.type);
  parts.add(watched(file, type));
}

function nameTaken(file: string, what: string, name: string): PlugInError {
  return new PlugInError(
    file,
    `the ${what} "${name}"`,
    "a name that is not taken",
    `Give your ${what} another name.`,
  );
}

/** A part of each type of the file; what is said of its place is about one. */
function requestsOf({ file, type, ...asked }: DeviceFile, types: readonly PartType[]): PartRequest[] {
  const names = types.map((one) => one.type);
  if (type !== undefined) {
    if (names.includes(type)) return [{ ...asked, type }];
    throw new PlugInError(file, `no part type "${type}"`, names.join(", "), "Give type= one of these.");
  }
  if (types.length > 1 && Object.keys(asked).length > 0)
    throw new PlugInError(file, `part types ${names.join(", ")}`, "one", "Say with type= which is meant.");
  return names.map((name) => ({ ...asked, type: name }));
}

/** What a file may export: how it is known, and what it must have. */
interface Kind<T> {
  what: string;
  /** The text by which it is known, and the functions that it must have. */
  name: keyof T & string;
  functions: readonly (keyof T & string)[];
  /** Objects that it must have. */
  objects: readonly (keyof T & string)[];
  page: string;
}

const PART_TYPE: Kind<PartType> = {
  what: "part type",
  name: "type",
  functions: ["place", "create"],
  objects: [],
  page: "docs/devices.md",
};

const LOADER: Kind<Loader> = {
  what: "loader",
  name: "name",
  functions: ["recognise"],
  objects: ["options"],
  page: "docs/loaders.md",
};

/** The default export, or everything that is exported and of the kind. */
function pick<T>(file: string, exports: Exports, kind: Kind<T>): T[] {
  const all = Object.entries(exports).filter(([name]) => name !== "module.exports");
  const meant = all.filter(([, value]) => looksLike(value, kind));
  const main = meant.find(([name]) => name === "default");
  const chosen = main === undefined ? meant : [main];
  for (const [name, value] of chosen) check(file, name, value as Record<string, unknown>, kind);
  if (chosen.length > 0) return chosen.map(([, value]) => value as T);
  const found = all.map(([name, value]) => `${name} (${value === null ? "null" : typeof value})`).join(", ");
  throw new PlugInError(
    file,
    found === "" ? "no export" : `the exports ${found}`,
    `a ${kind.what}: export default { ${[kind.name, ...kind.objects, ...kind.functions].join(", ")} }`,
    `${kind.page} shows one.`,
  );
}

/** Whether somebody meant it to be one: it has the name or a function of one. */
function looksLike<T>(value: unknown, { name, functions }: Kind<T>): boolean {
  if (typeof value !== "object" || value === null) return false;
  const fields = value as Record<string, unknown>;
  return typeof fields[name] === "string" || functions.some((one) => typeof fields[one] === "function");
}

function check<T>(file: string, name: string, value: Record<string, unknown>, kind: Kind<T>): void {
  const refuse = (found: string, expected: string): never => {
    throw new PlugInError(file, `in the export ${name} ${found}`, expected, `${kind.page} shows one.`);
  };
  if (typeof value[kind.name] !== "string" || value[kind.name] === "")
    refuse(`no ${kind.name}`, `a text by which the ${kind.what} is known`);
  for (const one of kind.functions)
    if (typeof value[one] !== "function")
      refuse(
        `a ${kind.what} "${String(value[kind.name])}" without ${one}`,
        `the functions ${kind.functions.join(", ")}`,
      );
  for (const one of kind.objects)
    if (typeof value[one] !== "object" || value[one] === null)
      refuse(
        `a ${kind.what} "${String(value[kind.name])}" without ${one}`,
        `the object ${one}, which may be empty`,
      );
}

/** The same object; what its functions throw comes out with the file and the function, but for refusals, which are meant. */
function watched<T extends object>(file: string, object: T): T {
  return new Proxy(object, {
    get(target, key) {
      const value: unknown = Reflect.get(target, key, target);
      if (typeof value !== "function" || typeof key === "symbol") return value;
      return (...args: unknown[]) => {
        try {
          const given: unknown = Reflect.apply(value, target, args);
          // What a loader takes an image with is its own code, too.
          return key === "recognise" ? watchedRecognition(file, given) : given;
        } catch (error) {
          if (error instanceof PlugInError || faultOf(error) !== undefined) throw error;
          const found = `that ${key} threw ${thrownText(error)}`;
          const expected = "a result, or a refusal: PartError, or fits: false";
          throw new PlugInError(file, found, expected, "Correct it.", { cause: error });
        }
      };
    },
  });
}

function watchedRecognition(file: string, given: unknown): unknown {
  const recognition = given as Partial<Recognition> | null | undefined;
  const taken = recognition?.fits === true ? (recognition as Partial<Accepted>).protocol : undefined;
  const described = typeof taken?.layOutMemory === "function" && typeof taken.describeBootCpu === "function";
  const refused = recognition?.fits === false && typeof (recognition as Partial<Refused>).fault === "object";
  if (!described && !refused) {
    const expected =
      "{ fits: true, why, protocol: { layOutMemory, describeBootCpu } } or { fits: false, fault }";
    throw new PlugInError(file, "something else from recognise", expected, LOADER.page + " shows one.");
  }
  return taken === undefined ? given : { ...recognition, protocol: watched(file, taken) };
}
