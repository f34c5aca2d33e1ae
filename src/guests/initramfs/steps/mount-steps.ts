/** Steps that put the command's root together. */
import {
  ROOT_FOLDER,
  RUN_FOLDER,
  rootPrefix,
  type RunCommandOptions,
  type RunMount,
} from "../run-options.js";
import { runProgram } from "./child.js";
import type { GivingUp } from "./give-up.js";
import { Label, type StepList } from "./step-list.js";
import { MS_RDONLY } from "./system-calls.js";

const FOLDER_MODE = 0o755;

/** How folders of the host are mounted; 512,000 bytes is as much as a message of Linux's has. */
const SHARED = {
  virtiofs: { type: "virtiofs", data: "" },
  "9p": { type: "9p", data: "trans=virtio,version=9p2000.L,msize=512000" },
} as const;

/** What every program expects, in a root that is not the initramfs: type, place, options. */
const SYSTEM: readonly (readonly [type: string, at: string, data: string])[] = [
  ["proc", "proc", ""],
  ["sysfs", "sys", ""],
  ["devtmpfs", "dev", ""],
  ["devpts", "dev/pts", "gid=5,mode=620,ptmxmode=666"],
  ["tmpfs", "dev/shm", "mode=1777"],
  ["tmpfs", "run", "mode=755"],
  ["tmpfs", "tmp", "mode=1777"],
];

/** A folder and those above it; one that is there stays. */
function folders(list: StepList, path: string): void {
  for (let at = path.indexOf("/", 1); at !== -1; at = path.indexOf("/", at + 1))
    list.call("mkdir", [list.text(path.slice(0, at)), FOLDER_MODE]);
  list.call("mkdir", [list.text(path), FOLDER_MODE]);
}

interface Mount {
  device: string;
  at: string;
  type: string;
  data: string;
  flags?: number;
}

function mount(list: StepList, { device, at, type, data, flags = 0 }: Mount, failed?: Label): void {
  const [from, to, kind, words] = [device, at, type, data].map((text) => list.text(text));
  list.call("mount", [from, to, kind, flags, data === "" ? 0 : words], failed && { failed });
}

/** Where a folder of the host is mounted that the guest must not write to, and what it writes instead. */
export function folderPlaces(tag: string): { lower: string; upper: string; work: string } {
  const over = `${RUN_FOLDER}/upper/${tag}`;
  return { lower: `${RUN_FOLDER}/lower/${tag}`, upper: `${over}/new`, work: `${over}/work` };
}

interface Share extends Omit<RunMount, "optional"> {
  over: RunCommandOptions["sharedOver"];
  noShare: Label;
  noOverlay: Label;
}

/** A folder of the host; what is written stays in memory unless it is writable. */
function share(list: StepList, { tag, at, writable, over, noShare, noOverlay }: Share): void {
  folders(list, at);
  const shared = { device: tag, ...SHARED[over ?? "virtiofs"] };
  if (writable) return mount(list, { ...shared, at }, noShare);
  const { lower, upper, work } = folderPlaces(tag);
  mount(list, { ...shared, at: lower, flags: MS_RDONLY }, noShare);
  const data = `lowerdir=${lower},upperdir=${upper},workdir=${work}`;
  mount(list, { device: "overlay", at, type: "overlay", data }, noOverlay);
}

/** Whether what the guest writes may have to reach the host before it ends. */
export function writes({ root, mounts }: RunCommandOptions): boolean {
  const isWritable = root.kind === "disk" || (root.kind === "share" && root.writable);
  return isWritable || mounts.some(({ writable }) => writable);
}

/** The root and the folders, as they are mounted one over the other. */
export function mountSteps(list: StepList, options: RunCommandOptions, givingUp: GivingUp): void {
  const { root, mounts, sharedOver: over } = options;
  const noShare = (at: string): Label => givingUp.for(`share: the host's folder for ${at} cannot be mounted`);
  const noOverlay = (at: string): Label => givingUp.for(`share: no overlay over ${at}`);
  if (root.kind === "share") {
    const { tag, writable } = root;
    share(list, { tag, at: ROOT_FOLDER, writable, over, noShare: noShare("/"), noOverlay: noOverlay("/") });
  }
  if (root.kind === "disk") {
    const { device, type } = root;
    folders(list, ROOT_FOLDER);
    runProgram(
      list,
      ["mount", ...(type === undefined ? [] : ["-t", type]), device, ROOT_FOLDER],
      givingUp.for(`root: no file system that this kernel reads on ${device}`),
    );
  }
  const top = rootPrefix(root);
  if (top !== "") {
    for (const [type, at, data] of SYSTEM) {
      folders(list, `${top}/${at}`);
      mount(list, { device: type, at: `${top}/${at}`, type, data });
    }
  }
  for (const { tag, at, writable, optional } of mounts) {
    const behind = new Label();
    share(list, {
      tag,
      at: top + at,
      writable,
      over,
      noShare: optional ? behind : noShare(at),
      noOverlay: optional ? behind : noOverlay(at),
    });
    list.place(behind);
  }
}
