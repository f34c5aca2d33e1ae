/** The reply to READDIR: as many entries as have room. */
import { LINUX_MODE } from "../../spec/fuse.js";
import { LINUX_ERRNO } from "../../spec/linux-errno.js";
import { NINEP_QID } from "../../spec/ninep.js";
import { FileError, type FileBackend, type FileHandle, type FolderEntry } from "../file-backend.js";
import type { Place } from "./fids.js";
import { qidType, type FieldWriter } from "./fields.js";

/** The folder itself and the one above, which a back end leaves out; a guest gets them from here. */
const DOTS: readonly Uint8Array[] = [Uint8Array.of(0x2e), Uint8Array.of(0x2e, 0x2e)];
const FOLDER_TYPE = LINUX_MODE.FOLDER >> LINUX_MODE.TYPE_SHIFT;
/** What an entry has before its name: qid, where to go on, type, the name's length. */
const ENTRY_BYTES = NINEP_QID.SIZE + 8 + 1 + 2;
/** Bytes of a name, as a rule: how many entries are asked for. */
const USUAL_NAME = 8;

/** Writes entries from number `from` on into `room` bytes behind `to`. Throws FileError where not even the first has room. */
export function writeFolder(
  backend: FileBackend,
  { place, handle }: { place: Place; handle: FileHandle },
  { from, room, to }: { from: number; room: number; to: FieldWriter },
): void {
  const end = to.at + room;
  const start = to.at;
  const add = ({ name, ino, type }: FolderEntry, next: number): boolean => {
    if (to.at + ENTRY_BYTES + name.length > end) {
      if (to.at === start) throw new FileError(LINUX_ERRNO.EINVAL, `an entry in ${room} bytes`);
      return false;
    }
    to.qid(qidType(type << LINUX_MODE.TYPE_SHIFT), 0, ino);
    to.u64(next).u8(type).text(name);
    return true;
  };
  for (let number = from; number < DOTS.length; number++) {
    const of = number === 0 ? place : (place.above?.place ?? place);
    const { ino } = backend.attributes(of.node);
    if (!add({ name: DOTS[number], ino, type: FOLDER_TYPE }, number + 1)) return;
  }
  const first = Math.max(from - DOTS.length, 0);
  const most = Math.ceil(room / (ENTRY_BYTES + USUAL_NAME));
  for (const [index, entry] of backend.readFolder(handle, first, most).entries())
    if (!add(entry, DOTS.length + first + index + 1)) return;
}
