/**
 * A plan as JSON: what was asked for (`request`), the parts (`devices`), everything that follows from the two, and of each thing a
 * digest by which an edit is known (`digests`). `plan-file.ts` reads it. Contents are told by digest, short ones in full.
 */
import { createHash } from "node:crypto";
import type { BootOptions, NamedBytes } from "../boot/options.js";
import type { Plan, PlanRegion } from "../boot/plan.js";
import type { BootRequest } from "./boot-request.js";
import { toJson } from "./json.js";
import { sha256 } from "./make-plan.js";
import { planMappings } from "./render/plan.js";

/** Contents up to this size are in the JSON; longer ones are files that the caller has. */
const LONGEST_CONTENT = 65536;
/** Digits of a digest by which an edit is known: nobody makes a collision by mistake. */
const EDIT_DIGITS = 16;
const MS_PER_SECOND = 1000;

type Json = Record<string, unknown>;

function regionFacts({ content, ...region }: PlanRegion): Json {
  if (content.kind === "zero") return { ...region, content };
  return { ...region, content: { kind: "bytes", ...contentFacts(content.bytes) } };
}

function contentFacts(bytes: Uint8Array): Json {
  const facts = { length: bytes.length, sha256: sha256(bytes) };
  return bytes.length <= LONGEST_CONTENT
    ? { ...facts, base64: Buffer.from(bytes).toString("base64") }
    : facts;
}

/** What a machine has that starts in its firmware. */
function firmwareFacts({ fwCfg, handOver }: Plan): Json {
  const facts: Json = {};
  if (fwCfg !== undefined)
    facts["fwCfg"] = fwCfg.map(({ bytes, ...item }) => ({ ...item, ...contentFacts(bytes) }));
  if (handOver !== undefined) facts["handOver"] = { ...handOver, regions: handOver.regions.map(regionFacts) };
  return facts;
}

/** A file of the request. */
function fileFacts({ name, bytes }: NamedBytes): Json {
  return { file: name, sha256: sha256(bytes) };
}

/** What was asked for, with the digests of its files. `plugged`: the files of devices and loaders. */
function requestFacts(request: BootRequest, boot: BootOptions, plugged: readonly NamedBytes[]): Json {
  const { kernel, initrd, modules, bios, vgaRom } = boot;
  const { commandLine, memory, cpus, features, testdev, screen, loader, clock, plugIns } = request;
  const { announce, acpi, virtio, diskFiles, sharedFolders, net, console, rng, balloon } = request;
  const digests = new Map(plugged.map(({ name, bytes }) => [name, sha256(bytes)]));
  const asked = {
    // What a disk boots by itself is found on it again.
    kernel: boot.disk?.own === undefined ? fileFacts(kernel) : { file: request.kernel },
    initrd: request.initrd === undefined ? undefined : initrd && fileFacts(initrd),
    modules: modules?.map((module) => ({ ...fileFacts(module), commandLine: module.commandLine })),
    bios: bios && fileFacts(bios),
    vgabios:
      vgaRom === undefined ? (request.vgaRom === "off" ? { file: "off" } : undefined) : fileFacts(vgaRom),
    commandLine,
    memory,
    cpus,
    features,
    testdev,
    screen,
    announce,
    acpi,
    virtio,
    console,
    rng,
    balloon,
    loader,
    disks: diskFiles,
    shares: sharedFolders,
    net,
    deterministic: clock.deterministic !== undefined,
    rtc: rtcOf(request),
    devices: plugIns?.devices.map(({ file, ...part }) => ({ file, sha256: digests.get(file), ...part })),
    loaders: plugIns?.loaders.map((file) => ({ file, sha256: digests.get(file) })),
  };
  return Object.fromEntries(Object.entries(asked).filter(([, value]) => value !== undefined));
}

function rtcOf({ rtcNow, clock: { rtcStart } }: BootRequest): string | undefined {
  if (rtcNow === true) return "now";
  return rtcStart === undefined ? undefined : new Date(rtcStart * MS_PER_SECOND).toISOString();
}

/** Text by which two values are equal if and only if they are the same JSON, whatever the order of their keys. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) =>
    typeof inner === "object" && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}

/** By which an edit of a value of the JSON is known. */
export function editDigest(value: unknown): string {
  return createHash("sha256").update(canonical(value)).digest("hex").slice(0, EDIT_DIGITS);
}

/** What may be edited as one pleases. */
export const INPUTS: readonly string[] = ["request", "digests"];

/** The values of a plan by path, as far apart as a person is told of an edit: `e820`, `bootCpu.rip`. */
export function planFields(json: Json): [path: string, value: unknown][] {
  return Object.entries(json)
    .filter(([key]) => !INPUTS.includes(key))
    .flatMap(([key, value]): [string, unknown][] =>
      typeof value === "object" && value !== null && !Array.isArray(value)
        ? Object.entries(value).map(([inner, one]) => [`${key}.${inner}`, one])
        : [[key, value]],
    );
}

/** The whole plan for programs, with what it was made from. */
export function planJson(
  plan: Plan,
  made: { request: BootRequest; boot: BootOptions; plugged: readonly NamedBytes[] },
): string {
  const { version, devices, regions, ...rest } = plan;
  const facts = {
    version,
    request: requestFacts(made.request, made.boot, made.plugged),
    devices,
    ...rest,
    ...firmwareFacts(plan),
    regions: regions.map(regionFacts),
    mappings: planMappings(plan),
  };
  const plain = JSON.parse(toJson(facts)) as Json;
  // Parts that were edited stay what is built: without a digest they are taken as they stand.
  const fields = planFields(plain).filter(
    ([path]) => path !== "devices" || made.request.devices === undefined,
  );
  const digests = Object.fromEntries(fields.map(([path, value]) => [path, editDigest(value)]));
  return toJson({ ...facts, digests }, 2);
}
