/**
 * Opens a folder of the host for a guest, by the best calls that there are: koffi's on Linux, which can do all; else Node's own, with
 * which nothing can be changed.
 */
import { readFileSync, statSync } from "node:fs";
import { FileError } from "../../../share/file-backend.js";
import { ERRNO_WORDS } from "../../../spec/errno.js";
import type { NativeCalls } from "../native-calls.js";
import type { HostCalls } from "./host-calls.js";
import { ShareError } from "./share-error.js";
import type { ShareOwner } from "../../../share/share-options.js";
import { HostFolder, type HostFolderOptions } from "./host-folder.js";
import { ERRNO } from "./linux-numbers.js";
import { NodeCalls } from "./node-calls.js";
import { PathCalls } from "./path-calls.js";

export interface ShareFolderOptions {
  /** Whether the guest may change nothing. */
  readonly readOnly: boolean;
  /** System calls that Node lacks; without, a folder can only be read. */
  readonly native?: NativeCalls | undefined;
  /** Who files belong to, as the guest sees it; absent: as on the host. */
  readonly owner?: ShareOwner | "host" | undefined;
  /** Absent: what the process's limit of descriptors allows for one folder of a few. */
  readonly limits?: Partial<HostFolderOptions["limits"]> | undefined;
}

/** A share has so many nodes, descriptors of nodes and open files at most. */
const MOST = { nodes: 2 ** 20, descriptors: 2 ** 15, handles: 2 ** 14 } as const;
/** The parts of the process's descriptors that one share takes for nodes and for open files. */
const PART = { descriptors: 1 / 4, handles: 1 / 8 } as const;
/** Where the host does not say its limit. */
const USUAL_DESCRIPTORS = 1024;

function descriptorLimit(): number {
  try {
    const found = /^Max open files\s+(\d+)/m.exec(readFileSync("/proc/self/limits", "latin1"));
    return found === null ? USUAL_DESCRIPTORS : Number(found[1]);
  } catch {
    return USUAL_DESCRIPTORS;
  }
}

function usualLimits(): HostFolderOptions["limits"] {
  const limit = descriptorLimit();
  return {
    nodes: MOST.nodes,
    descriptors: Math.min(MOST.descriptors, Math.floor(limit * PART.descriptors)),
    handles: Math.min(MOST.handles, Math.floor(limit * PART.handles)),
  };
}

/** The best calls that there are here, and why there are no better. */
async function callsHere(native: NativeCalls | undefined): Promise<{ calls: HostCalls; without: string }> {
  const plain = process.platform === "linux" ? new NodeCalls() : new PathCalls();
  if (native === undefined) return { calls: plain, without: "no system calls but Node's own" };
  try {
    return { calls: await native.folderCalls(), without: "" };
  } catch (error) {
    return { calls: plain, without: `a C library that lacks calls: ${(error as Error).message}` };
  }
}

/** Throws ShareError for what is no folder. */
export function checkFolder(folder: string): void {
  try {
    if (statSync(folder).isDirectory()) return;
  } catch (error) {
    const { code = "", message } = error as NodeJS.ErrnoException;
    throw new ShareError(folder, ERRNO_WORDS[code] ?? message, "a folder", "Correct its path.");
  }
  throw new ShareError(folder, "no folder", "one", "A single file can be a disk, or go into the initrd.");
}

/**
 * Opens a folder of the host. Rejects with ShareError for what cannot be shared so: no folder, one of the kernel's own, or one that is to be
 * changed where the host has no calls for it.
 */
export async function openHostFolder(
  folder: string,
  { readOnly, native, owner = "host", limits }: ShareFolderOptions,
): Promise<HostFolder> {
  checkFolder(folder);
  const { calls, without } = await callsHere(native);
  if (!readOnly && calls.changing === undefined)
    throw new ShareError(
      folder,
      without,
      "koffi, to let a guest change it safely",
      process.platform === "linux"
        ? "Install it (npm install koffi), or share the folder read-only."
        : "Share it read-only: a folder can be changed on Linux only.",
    );
  return open(folder, calls, { readOnly, owner, limits: { ...usualLimits(), ...limits } });
}

/** What the host said, in plain words where there are some. */
function reasonOf({ errno, message }: FileError): string {
  const [name = ""] = Object.entries(ERRNO).find(([, number]) => number === errno) ?? [];
  return ERRNO_WORDS[name] ?? message;
}

function open(folder: string, calls: HostCalls, options: HostFolderOptions): HostFolder {
  let descriptor: number | undefined;
  try {
    descriptor = calls.openRoot(folder);
    return new HostFolder(calls, descriptor, options);
  } catch (error) {
    if (descriptor !== undefined) calls.close(descriptor);
    if (!(error instanceof FileError)) throw error;
    throw new ShareError(
      folder,
      reasonOf(error),
      "a folder that can be read",
      "Look at its path and its rights.",
    );
  }
}
