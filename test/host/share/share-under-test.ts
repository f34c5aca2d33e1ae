/** A temporary folder that is shared, and short ways to say what a guest asks of it. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { after } from "node:test";
import type { TestContext } from "node:test";
import type { HostFolder } from "../../../src/host/node/share/host-folder.js";
import { ERRNO } from "../../../src/host/node/share/linux-numbers.js";
import { openHostFolder, type ShareFolderOptions } from "../../../src/host/node/share/share-folder.js";
import { nativeCalls } from "../../../src/host/node/native-calls.js";
import { FileError, type FileNode, type FolderEntry, type NewFile } from "../../../src/share/file-backend.js";
import { missing } from "../../support/requires.js";

const folders: string[] = [];
after(() => {
  for (const folder of folders) {
    // A guest may have taken rights from folders that their owner needs to remove them.
    spawnSync("chmod", ["-R", "u+rwX", folder]);
    rmSync(folder, { recursive: true, force: true });
  }
});

/** A new folder that goes when the tests are done. */
export function temporaryFolder(inFolder = tmpdir()): string {
  const folder = mkdtempSync(path.join(inFolder, "locore-share-"));
  folders.push(folder);
  chmodSync(folder, 0o755);
  return folder;
}

/** Who runs the tests makes files as itself. */
export const SELF = { uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0 };
export const isRoot = SELF.uid === 0;

export function made(mode: number): NewFile {
  return { mode, ...SELF };
}

export function bytes(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text));
}

export function text(raw: Uint8Array): string {
  return Buffer.from(raw).toString();
}

/** A folder shared by koffi's calls; undefined after the test was skipped. */
export async function shared(
  t: TestContext,
  folder: string,
  options: Partial<ShareFolderOptions> = {},
): Promise<HostFolder | undefined> {
  const native = nativeCalls();
  if (native === undefined) {
    missing(t, "koffi is not installed, or not for this platform");
    return undefined;
  }
  const share = await openHostFolder(folder, { readOnly: false, native, ...options });
  t.after(() => share.close());
  return share;
}

/** Looks a path up, a name at a time. */
export function at(share: HostFolder, names: string): FileNode {
  let node = share.root;
  for (const name of names.split("/").filter((part) => part !== ""))
    node = share.lookup(node, bytes(name)).node;
  return node;
}

/** All entries of a folder, asked for in pieces of `most`. */
export function entries(share: HostFolder, node: FileNode, most = 100): FolderEntry[] {
  const handle = share.openFolder(node);
  const all: FolderEntry[] = [];
  for (;;) {
    const some = share.readFolder(handle, all.length, most);
    if (some.length === 0) break;
    all.push(...some);
  }
  share.releaseFolder(handle);
  return all;
}

/** What a file has, read through the share. */
export function content(share: HostFolder, node: FileNode): string {
  const handle = share.open(node, 0);
  const into = new Uint8Array(share.attributes(node).size + 1);
  const length = share.read(handle, 0, into);
  share.release(handle);
  return text(into.subarray(0, length));
}

/** The call is refused with that error. */
export function refused(name: keyof typeof ERRNO, call: () => unknown): void {
  assert.throws(
    call,
    (error) => {
      assert.ok(error instanceof FileError, String(error));
      assert.equal(error.errno, ERRNO[name], `${error.message}, not ${name}`);
      return true;
    },
    `${name} was expected`,
  );
}

/** How many descriptors this process has open. */
export function openDescriptors(): number {
  return readdirSync("/proc/self/fd").length;
}
