/**
 * `--plan FILE`: a machine from what `plan --json` wrote. The plan is made anew from its request, so that everything follows an
 * edit of the request or of the parts; an edit of what only follows would be lost and is refused by name.
 */
import type { AskedSpan, PartRequest } from "../devices/part.js";
import type { DeviceFile, PlugInFiles } from "../host/node/plug-ins.js";
import { Arguments, spelled, UsageError } from "./args.js";
import { BOOT_OPTIONS, readBootRequest, type BootRequest } from "./boot-request.js";
import { readInput } from "./files.js";
import { editDigest, planFields } from "./plan-json.js";

/** A plan's file that cannot be taken; `field` is a path in it: "bootCpu.rip". */
export class PlanFileError extends Error {
  override readonly name = "PlanFileError";
  constructor(
    readonly file: string,
    readonly field: string,
    readonly found: string,
    readonly expected: string,
    /** What to do. */
    readonly meaning: string,
  ) {
    super(
      `plan ${file}: ${field === "" ? "" : `${field}: `}found ${found}; expected ${expected}. ${meaning}`,
    );
  }
}

const VERSION = 1;
const MIB = 2 ** 20;
const REWRITE = "locore plan KERNEL --json writes such a file.";

/** What to change instead of what follows from it, by the first word of a path. */
const INSTEAD: Readonly<Record<string, string>> = {
  loader: "request.loader (name, entry, …)",
  image: "request.kernel",
  ram: "request.memory",
  e820: "request.memory",
  rom: "request.bios",
  cpus: "request.cpus",
  regions: "request.kernel, request.initrd, request.modules or request.memory",
  bootCpu: "request.kernel or request.loader",
  waitingMsrs: "request.features",
  cpuid: "request.features or request.cpus",
  commandLine: "request.commandLine",
  modules: "request.modules",
  fwCfg: "devices or request.bios",
  handOver: "request.kernel or request.loader",
  clock: "request.rtc or request.deterministic",
  tables: "devices",
  mappings: "request.kernel or request.loader",
};

/** The request that a file holds, which says all that is planned. Throws UsageError for options beside it, PlanFileError. */
export async function plannedRequest(file: string, args: Arguments): Promise<BootRequest> {
  const other = BOOT_OPTIONS.find(({ name }) => name !== "plan" && args.has(name));
  const said = args.operands[0] ?? (other && spelled(other.name));
  if (said !== undefined)
    throw new UsageError(
      `--plan ${file} says all that is planned; found ${said} beside`,
      "edit request in the file instead",
    );
  return readPlanFile(file, new TextDecoder().decode(await readInput("plan", file)));
}

/** The request that a file holds. Throws PlanFileError, and UsageError for a value that is none. */
export function readPlanFile(file: string, text: string): BootRequest {
  return new PlanFile(file).read(text);
}

type Fields = Record<string, unknown>;

class PlanFile {
  readonly #digests = new Map<string, string>();

  constructor(readonly file: string) {}

  read(text: string): BootRequest {
    const json = this.#object(this.#parsed(text), "");
    if (depth(text) > DEEPEST)
      this.#refuse("", "values inside values inside values", `${DEEPEST} levels at most`, REWRITE);
    if (json["version"] !== VERSION) this.#refuse("version", shown(json["version"]), `${VERSION}`, REWRITE);
    const edits = this.#edits(json);
    const request = this.#request(this.#object(json["request"], "request"));
    if (edits.has("devices"))
      request.devices = this.#each(json["devices"], "devices", (one, path) => this.#device(one, path));
    return { ...request, digests: this.#digests };
  }

  #parsed(text: string): unknown {
    try {
      return JSON.parse(text) as unknown;
    } catch (error) {
      return this.#refuse("", `no JSON: ${(error as Error).message}`, "JSON", REWRITE);
    }
  }

  /** Which parts of the plan were edited; only `devices` may be. */
  #edits(json: Fields): Set<string> {
    const digests = this.#object(json["digests"] ?? {}, "digests");
    const edits = new Set<string>();
    for (const [path, value] of planFields(json)) {
      if (digests[path] === editDigest(value)) continue;
      const [key] = path.split(".");
      if (key === "devices") edits.add(key);
      else if (path !== "version") this.#refuseEdit(key, path, path in digests);
    }
    return edits;
  }

  #refuseEdit(key: string, path: string, known: boolean): never {
    const instead = INSTEAD[key];
    const advice =
      instead === undefined
        ? "Put it back, or delete it."
        : `It follows from the rest: change ${instead}, and delete it or leave it as it was.`;
    return this.#refuse(
      path,
      known ? "an edit" : "a field without its digest",
      "it as it was written",
      advice,
    );
  }

  /** In the words of the command line, which judges them. */
  #request({ devices = [], loaders = [], ...asked }: Fields): BootRequest {
    const values = new Map<string, string[]>();
    for (const [key, value] of Object.entries(asked)) {
      for (const [option, text] of this.#words(key, value, `request.${key}`))
        values.set(option, [...(values.get(option) ?? []), text]);
    }
    const request = readBootRequest(new Arguments([], values));
    const plugIns: PlugInFiles = {
      devices: this.#each(devices, "request.devices", (one, path) => this.#plugged(one, path)),
      loaders: this.#each(loaders, "request.loaders", (one, path) => this.#file(one, path)),
    };
    return plugIns.devices.length + plugIns.loaders.length === 0 ? request : { ...request, plugIns };
  }

  /** The options and values that a field of the request stands for. */
  #words(key: string, value: unknown, path: string): [option: string, text: string][] {
    const pair = (name: string, text: string): [string, string] => [
      "o",
      `${name}=${text.replaceAll(",", ",,")}`,
    ];
    switch (key) {
      case "kernel":
      case "initrd":
        return [[key, this.#file(value, path)]];
      case "bios":
      case "vgabios":
        return [pair(`loader.${key}`, this.#file(value, path))];
      case "disks":
        return this.#each(value, path, (one, at) => ["disk", this.#disk(one, at)]);
      case "shares":
        return this.#each(value, path, (one, at) => ["share", this.#share(one, at)]);
      case "modules":
        return this.#each(value, path, (one, at) => ["module", this.#module(one, at)]);
      case "commandLine":
        return [["append", this.#text(value, path)]];
      case "memory":
        return [["m", typeof value === "number" ? `${value / MIB}M` : this.#text(value, path)]];
      case "cpus":
        return [["smp", String(this.#number(value, path))]];
      case "features":
        return Object.entries(this.#object(value, path)).map(([name, on]) => [
          "cpu",
          `${this.#flag(on, `${path}.${name}`) ? "+" : "-"}${name}`,
        ]);
      case "testdev":
        return this.#flag(value, path) ? [pair("testdev", "on")] : [];
      case "screen":
      case "rng":
      case "deterministic":
        return this.#flag(value, path) ? [[key, ""]] : [];
      case "balloon":
        return [[key, typeof value === "number" ? `${value / MIB}M` : this.#text(value, path)]];
      case "announce":
      case "console":
      case "net":
      case "rtc":
        return [[key, this.#text(value, path)]];
      case "acpi":
        return [[key, this.#flag(value, path) ? "on" : "off"]];
      case "virtio":
        return Object.entries(this.#object(value, path)).map(([name, one]) =>
          pair(`virtio.${name}`, String(this.#number(one, `${path}.${name}`))),
        );
      case "loader":
        return Object.entries(this.#object(value, path)).map(([name, one]) =>
          pair(`loader.${name}`, this.#text(one, `${path}.${name}`)),
        );
    }
    return this.#refuse(
      path,
      "a field that no request has",
      REQUEST_FIELDS,
      "Correct its name, or delete it.",
    );
  }

  /** The path of a file; its digest, if there is one, is noted. */
  #file(value: unknown, path: string, more: readonly string[] = []): string {
    const facts = this.#object(value, path);
    this.#only(facts, path, ["file", "sha256", ...more]);
    const file = this.#text(facts["file"], `${path}.file`);
    if (facts["sha256"] !== undefined) this.#digests.set(file, this.#text(facts["sha256"], `${path}.sha256`));
    return file;
  }

  #module(value: unknown, path: string): string {
    const file = this.#file(value, path, ["commandLine"]).replaceAll(" ", "\\ ");
    const { commandLine = "" } = value as { commandLine?: unknown };
    return `${file} ${this.#text(commandLine, `${path}.commandLine`)}`.trimEnd();
  }

  /** In the words of --disk, which are judged there. */
  #disk(value: unknown, path: string): string {
    const facts = this.#object(value, path);
    this.#only(facts, path, DISK_FIELDS);
    const text = (key: string): string => this.#text(facts[key], `${path}.${key}`).replaceAll(",", ",,");
    const access = facts["access"] === undefined ? "memory" : text("access");
    const words: Readonly<Record<string, string>> = { memory: "", write: ",rw", read: ",ro" };
    if (!Object.hasOwn(words, access))
      this.#refuse(`${path}.access`, shown(access), Object.keys(words).join(", "), "Correct it.");
    const overlaid = facts["overlay"] !== undefined;
    const more = ["overlay", "format", "serial"].filter((key) => facts[key] !== undefined);
    const root = facts["root"] !== undefined && this.#flag(facts["root"], `${path}.root`) ? ",root" : "";
    return `file=${text("file")}${root}${overlaid ? "" : words[access]}${more.map((key) => `,${key}=${text(key)}`).join("")}`;
  }

  /** In the words of --share, likewise. */
  #share(value: unknown, path: string): string {
    const facts = this.#object(value, path);
    this.#only(facts, path, SHARE_FIELDS);
    const text = (key: string): string => this.#text(facts[key], `${path}.${key}`).replaceAll(",", ",,");
    const access = facts["access"] === undefined ? "read" : text("access");
    const words: Readonly<Record<string, string>> = { read: "", write: ",rw" };
    if (!Object.hasOwn(words, access))
      this.#refuse(`${path}.access`, shown(access), Object.keys(words).join(", "), "Correct it.");
    const cache = facts["cache"] === undefined ? "" : `,cache=${text("cache")}`;
    const protocol = facts["protocol"] === undefined ? "" : `,protocol=${text("protocol")}`;
    return `folder=${text("folder")}:${text("tag")}${words[access]}${cache}${this.#owner(facts["owner"], `${path}.owner`)}${protocol}`;
  }

  /** Likewise: a user and a group. */
  #owner(value: unknown, path: string): string {
    if (value === undefined) return "";
    const facts = this.#object(value, path);
    this.#only(facts, path, ["uid", "gid"]);
    const [uid, gid] = ["uid", "gid"].map((key) => this.#number(facts[key], `${path}.${key}`));
    return `,owner=${uid}:${gid}`;
  }

  #plugged(value: unknown, path: string): DeviceFile {
    const file = this.#file(value, path, PART_FIELDS);
    const { type, ...part } = this.#part(value as Fields, path);
    return type === undefined ? { file, ...part } : { file, type, ...part };
  }

  #device(value: unknown, path: string): PartRequest {
    const facts = this.#object(value, path);
    this.#only(facts, path, PART_FIELDS);
    return { ...this.#part(facts, path), type: this.#text(facts["type"], `${path}.type`) };
  }

  #part(facts: Fields, path: string): Partial<PartRequest> {
    const part: Partial<PartRequest> = {};
    for (const key of ["name", "type"] as const)
      if (facts[key] !== undefined) part[key] = this.#text(facts[key], `${path}.${key}`);
    for (const key of ["ports", "mmio"] as const)
      if (facts[key] !== undefined)
        part[key] = this.#each(facts[key], `${path}.${key}`, (one, at) => this.#span(one, at));
    if (facts["irqs"] !== undefined)
      part.irqs = this.#each(facts["irqs"], `${path}.irqs`, (one, at) => this.#number(one, at));
    // Whatever JSON holds, a plan can.
    if (facts["config"] !== undefined)
      part.config = this.#object(facts["config"], `${path}.config`) as NonNullable<PartRequest["config"]>;
    return part;
  }

  #span(value: unknown, path: string): AskedSpan {
    const facts = this.#object(value, path);
    this.#only(facts, path, ["start", "size"]);
    const start = this.#number(facts["start"], `${path}.start`);
    if (facts["size"] === undefined) return { start };
    return { start, size: this.#number(facts["size"], `${path}.size`) };
  }

  #only(facts: Fields, path: string, known: readonly string[]): void {
    const other = Object.keys(facts).find((key) => !known.includes(key));
    if (other === undefined) return;
    this.#refuse(
      `${path}.${other}`,
      "a field that is not known",
      known.join(", "),
      "Correct its name, or delete it.",
    );
  }

  #object(value: unknown, path: string): Fields {
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Fields;
    return this.#refuse(path, shown(value), "an object", REWRITE);
  }

  #each<T>(value: unknown, path: string, read: (one: unknown, path: string) => T): T[] {
    if (!Array.isArray(value)) return this.#refuse(path, shown(value), "an array", REWRITE);
    return value.map((one: unknown, index) => read(one, `${path}[${index}]`));
  }

  #text(value: unknown, path: string): string {
    return typeof value === "string" ? value : this.#refuse(path, shown(value), "a text", REWRITE);
  }

  #flag(value: unknown, path: string): boolean {
    return typeof value === "boolean" ? value : this.#refuse(path, shown(value), "true or false", REWRITE);
  }

  /** A whole number, as such or as hexadecimal text. */
  #number(value: unknown, path: string): number {
    const number = typeof value === "string" && HEX.test(value) ? Number(value) : value;
    if (typeof number === "number" && Number.isSafeInteger(number) && number >= 0) return number;
    return this.#refuse(path, shown(value), 'a whole number, or a text such as "0x2f8"', REWRITE);
  }

  #refuse(field: string, found: string, expected: string, meaning: string): never {
    throw new PlanFileError(this.file, field, found, expected, meaning);
  }
}

/** More brackets open at once than any plan has. */
const DEEPEST = 64;

/** How many brackets are open at once, those in texts left out. */
function depth(text: string): number {
  let open = 0;
  let most = 0;
  for (const [token] of text.matchAll(/"(?:[^"\\]|\\.)*"|[[\]{}]/gs)) {
    if (token === "{" || token === "[") most = Math.max(most, ++open);
    else if (token === "}" || token === "]") open--;
  }
  return most;
}

const HEX = /^0x[0-9a-f]{1,13}$/i;
const DISK_FIELDS: readonly string[] = ["file", "access", "overlay", "format", "serial", "root"];
const SHARE_FIELDS: readonly string[] = ["folder", "tag", "access", "cache", "owner", "protocol"];
const PART_FIELDS: readonly string[] = ["name", "type", "ports", "mmio", "irqs", "config"];
const REQUEST_FIELDS =
  "kernel, initrd, modules, bios, vgabios, commandLine, memory, cpus, features, testdev, screen, announce, acpi, virtio, console, rng, balloon, loader, disks, shares, net, deterministic, rtc, " +
  "devices, loaders";

/** A value of JSON for people. */
function shown(value: unknown): string {
  if (value === undefined) return "nothing";
  if (typeof value === "object" && value !== null) return Array.isArray(value) ? "an array" : "an object";
  return JSON.stringify(value);
}
