/** Names of files as a guest gives them: one step in a folder, in bytes. */
import { FileError } from "../../../share/file-backend.js";
import { ERRNO, NAME_MAX } from "./linux-numbers.js";

const SLASH = 0x2f;
const DOT = 0x2e;

/** Whether it is "." or "..". */
export function isDots(name: Uint8Array): boolean {
  return name[0] === DOT && (name.length === 1 || (name.length === 2 && name[1] === DOT));
}

/** A name, copied before it is looked at, as a guest may change its bytes meanwhile. Throws FileError for what is no single step. */
export function checkedName(name: Uint8Array): Uint8Array {
  if (name.length > NAME_MAX) throw new FileError(ERRNO.ENAMETOOLONG, "name");
  const own = new Uint8Array(name);
  if (own.length === 0 || isDots(own) || own.includes(SLASH) || own.includes(0))
    throw new FileError(ERRNO.EINVAL, "name");
  return own;
}
