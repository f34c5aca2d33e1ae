/** Programs on a disk of some size: a tmpfs in a mount name space of their own, so that nobody else sees it. */
import { spawnSync } from "node:child_process";
import { tmpdir } from "node:os";
import { Running } from "./pseudo-terminal.js";

/** Whether this process is root, who may mount and may write everywhere. */
export const IS_ROOT = process.getuid?.() === 0;
const NAMESPACE = ["--mount", ...(IS_ROOT ? [] : ["--user", "--map-root-user"])];
/** Why there can be no such disk; `false` when there can. */
export const NO_DISK =
  spawnSync("unshare", [...NAMESPACE, "mount", "-t", "tmpfs", "tmpfs", tmpdir()]).status === 0
    ? false
    : "needs a mount name space (unshare --mount, as root or with --user)";

/** Starts a program with a tmpfs of `size`, as mount(8) takes it, at the folder `mount`. */
export function onDisk(mount: string, size: string, command: readonly string[]): Running {
  const script = 'mount -t tmpfs -o "size=$1" tmpfs "$2"; shift 2; exec "$@"';
  return new Running("unshare", [...NAMESPACE, "sh", "-ec", script, "sh", size, mount, ...command]);
}
