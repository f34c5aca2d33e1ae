/**
 * The plan: everything a guest will be told, as data, before anything runs. Printable, comparable, exportable.
 * Made by `boot/` loaders from an image and options; turned into a live machine by `machine/`.
 * Must not know any engine or device class. Survives `structuredClone` (it crosses into the worker).
 */
import type { PlanPart } from "../devices/part.js";
import type { FwCfgItem } from "../firmware/fw-cfg.js";
import type { Region } from "../memory/regions.js";
import type { E820Entry } from "../spec/e820.js";
import type { CpuState } from "../x86/cpu-state.js";
import type { CpuidLeaf } from "../x86/cpuid.js";

export type { E820Entry, E820Type } from "../spec/e820.js";
export type { PlanPart } from "../devices/part.js";
export type { RegionContent } from "../memory/regions.js";

/** A named claim on guest-physical memory, filled before the boot CPU starts. */
export type PlanRegion = Region;

/** A piece of what firmware reads from the configuration device (fw_cfg). */
export type PlanFwCfgItem = FwCfgItem;

/**
 * A machine that starts in its firmware: what the firmware's boot hands over to. Filled in and entered by an option ROM
 * after POST; absent when the firmware is all there is to boot.
 */
export interface PlanHandOver {
  regions: PlanRegion[];
  cpu: CpuState;
}

/** Frequencies the guest is told; see design: one clock is the source of all. */
export interface PlanClock {
  /** TSC rate, Hz. */
  tscHz: number;
  /** APIC timer input rate, Hz. */
  apicHz: number;
  /** Instruction count drives time: `nsPerInstruction` each; idle time is skipped. Absent: host time. */
  deterministic?: { nsPerInstruction: number };
  /** RTC at power-on, seconds since 1970-01-01 UTC. */
  rtcStart: number;
}

/** A boot module; its place is the region "module N", or "initrd". */
export interface PlanModule {
  name: string;
  /** Its own command line, without the file's name. */
  commandLine: string;
  /** Bytes. */
  size: number;
}

/** How memory gets what the regions hold. */
export interface PlanMemory {
  /** "copied" into memory that the engine allocates, or "adopted": the caller's buffers are guest memory. */
  contents: "copied" | "adopted";
}

/** Something that the plan has although nobody asked for it. */
export interface PlanAddition {
  /** `command line "console=ttyS0"`. */
  what: string;
  why: string;
  /** A person is told when it boots: it was read from a disk. */
  told?: true;
}

export interface Plan {
  /** Version of this data model. */
  version: 1;
  /** What boots it and why it was chosen. */
  loader: { name: string; entry: string; why: string };
  image: { name: string; format: string; summary: string };
  /** RAM as the guest-physical ranges that exist (around the hole below 4 GiB). */
  ram: { start: number; size: number }[];
  /** Memory above RAM that holds a firmware image and ends at 4 GiB. Writable: nothing here is flash. */
  rom?: { start: number; size: number };
  /** As the engine can do it; absent where nobody said which engine runs the machine. */
  memory?: PlanMemory;
  cpus: number;
  regions: PlanRegion[];
  e820: E820Entry[];
  /** State of the boot CPU at its first instruction. */
  bootCpu: CpuState;
  /** MSRs of the CPUs that wait to be started, as firmware leaves them; absent: their reset values. */
  waitingMsrs?: Record<number, bigint>;
  cpuid: CpuidLeaf[];
  commandLine: string;
  /** In the order the kernel is told; without the initrd. */
  modules: PlanModule[];
  /** The parts of the machine: exactly these are built, at these places. */
  devices: PlanPart[];
  /** What the device "fw_cfg" holds. */
  fwCfg?: PlanFwCfgItem[];
  handOver?: PlanHandOver;
  clock: PlanClock;
  /** Where tables were put, by name: "rsdp", "mp floating pointer", … → guest-physical address. */
  tables: Record<string, number>;
  /** What was added to what was asked for, and why. */
  added: PlanAddition[];
  /** Things a person should know that are not errors. */
  warnings: string[];
}
