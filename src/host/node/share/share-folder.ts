/**
 * Opens a folder of the host for a guest, by the best calls that there are: koffi's on Linux, which can do all; else Node's own, with
 * which nothing can be changed.
 */
import { readFileSync } from "node:fs";
import { FileError } from "../../../share/file-backend.js";
import type { NativeCalls } from "../native-calls.js";
import type { HostCalls } from "./host-calls.js";
import { ShareError } from "./share-error.js";
import { HostFolder, type HostFolderOptions, type ShareOwner } from "./host-folder.js";

export interface ShareFolderOptions {
  /** Whether the guest may change nothing. */
  readonly readOnly: boolean;
  /** System calls that Node lacks; without, a folder can only be read. */
  readonly native?: NativeCalls | undefined;
  /** Who files belong to, as the guest sees it; absent: as on the host. */
  readonly owner?: ShareOwner | undefined;
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

/** Opens a folder of the host. Rejects with ShareError for what cannot be shared so. */
export async function openHostFolder(
  folder: string,
  { readOnly, native, owner = "host", limits }: ShareFolderOptions,
): Promise<HostFolder> {
  const calls = await native?.folderCalls();
  if (calls === undefined) throw new ShareError(folder, "no koffi", "it", "Install it: npm install koffi.");
  return open(folder, calls, { readOnly, owner, limits: { ...usualLimits(), ...limits } });
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
      error.message,
      "a folder that can be read",
      "Look at its path and its rights.",
    );
  }
}
