/** What of a file's rights is taken away when somebody else than root changes it. */
import { LINUX_MODE } from "../spec/fuse.js";

/** The permissions of a file of that mode without set-user-ID, and set-group-ID of a program; undefined where nothing is taken. */
export function withoutPrivileges(mode: number): number | undefined {
  const { SET_UID, SET_GID, GROUP_EXECUTES, PERMISSIONS } = LINUX_MODE;
  const taken = SET_UID | ((mode & GROUP_EXECUTES) !== 0 ? SET_GID : 0);
  return (mode & taken) === 0 ? undefined : mode & PERMISSIONS & ~taken;
}
