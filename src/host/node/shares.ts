/** The folders that a machine shares, as the host has them: opened as they were asked for, each under the name that its part has for it. */
import { shareName, type BootShare } from "../../boot/options.js";
import type { FileBackend } from "../../share/file-backend.js";
import type { NativeCalls } from "./native-calls.js";
import type { ShareRequest } from "./share-request.js";
import type { HostFolder } from "./share/host-folder.js";
import { checkFolder, openHostFolder } from "./share/share-folder.js";

/** What there is to plan of shares. They are looked at only. Throws ShareError. */
export function shareFacts(requests: readonly ShareRequest[]): BootShare[] {
  return requests.map(({ folder, tag, access, cache, protocol }) => {
    checkFolder(folder);
    return { tag, readOnly: access === "read", cache, ...(protocol && { protocol }) };
  });
}

/** The shares of a machine that runs. */
export class Shares {
  readonly backends: ReadonlyMap<string, FileBackend>;

  private constructor(private readonly open: readonly HostFolder[]) {
    this.backends = new Map(open.map((folder, index) => [shareName(index), folder]));
  }

  /** Opens all of them. Rejects with ShareError; none is open then. */
  static async open(
    requests: readonly ShareRequest[],
    { native }: { native: NativeCalls | undefined },
  ): Promise<Shares> {
    const open: HostFolder[] = [];
    try {
      for (const { folder, access, owner } of requests)
        open.push(await openHostFolder(folder, { readOnly: access === "read", owner, native }));
      return new Shares(open);
    } catch (error) {
      for (const one of open) one.close();
      throw error;
    }
  }

  close(): void {
    for (const folder of this.open) folder.close();
  }
}
