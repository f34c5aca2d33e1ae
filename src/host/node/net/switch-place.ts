/** Where a user's switches are: sockets in a folder that is the user's alone; on Windows named pipes. */
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { hostReason } from "../disk-error.js";
import { NetError } from "./net-error.js";

const OWN_MODE = 0o700;
const OTHERS = 0o077;
const OTHERS_WRITE = 0o022;

/** Whether a folder is this user's, and nobody else writes to it: `sudo -E` hands on that of another. */
function isOwn(folder: string): boolean {
  try {
    const stat = fs.statSync(folder);
    return stat.isDirectory() && stat.uid === process.getuid?.() && (stat.mode & OTHERS_WRITE) === 0;
  } catch {
    return false;
  }
}

/** The folder: of the session where there is one, otherwise below the host's temporary files. */
function folderOf(): string {
  const runtime = process.env["XDG_RUNTIME_DIR"];
  if (runtime !== undefined && path.isAbsolute(runtime) && isOwn(runtime))
    return path.join(runtime, "locore");
  return path.join(os.tmpdir(), `locore-${process.getuid?.() ?? "user"}`);
}

/** Makes the folder unless it is there, and believes none that others could have made or can change. Throws NetError. */
function ownFolder(folder: string): void {
  const refused = (found: string): NetError =>
    new NetError(
      folder,
      found,
      "a folder of this user's alone (mode 0700)",
      "Remove it, or set XDG_RUNTIME_DIR to a folder of your own.",
    );
  let stat: fs.Stats;
  try {
    fs.mkdirSync(folder, { recursive: true, mode: OWN_MODE });
    stat = fs.lstatSync(folder);
  } catch (error) {
    throw refused(hostReason(error));
  }
  if (!stat.isDirectory()) throw refused("no folder");
  if (stat.uid !== process.getuid?.()) throw refused(`a folder of user ${stat.uid}`);
  if ((stat.mode & OTHERS) !== 0) throw refused(`mode ${(stat.mode & 0o777).toString(8)}`);
}

/** Whether a switch's path is still this one, in a folder of this user's alone, which is made anew where it is gone. */
export function isOwnSwitch(name: string, at: string): boolean {
  try {
    return switchPath(name) === at;
  } catch {
    return false;
  }
}

/** Says to whoever removes old files that a switch's socket and its folder are used. */
export function touchSwitch(at: string): void {
  if (process.platform === "win32") return;
  const now = new Date();
  try {
    for (const one of [at, path.dirname(at)]) fs.lutimesSync(one, now, now);
  } catch {
    // Where they are gone, who has the switch finds it out by looking.
  }
}

/** The path of a switch's socket, in a folder that was just looked at. Its end is what nothing else in there has. Throws NetError. */
export function switchPath(name: string): string {
  if (process.platform === "win32") return `\\\\.\\pipe\\locore-switch-${os.userInfo().username}-${name}`;
  const folder = folderOf();
  ownFolder(folder);
  return path.join(folder, `switch-${name}.sock`);
}
