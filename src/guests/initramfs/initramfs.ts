/**
 * Makes an initramfs of busybox, an /init, Debian packages and the caller's files, as a stream. Knows the host's files and the
 * archive format's writer; not where busybox and packages come from, nor who boots the result.
 */
import { ERRNO_WORDS } from "../../spec/errno.js";
import { createReadStream } from "node:fs";
import { lstat, readdir, readlink } from "node:fs/promises";
import path from "node:path";
import { writeCpio } from "../archives/cpio.js";
import type { CpioEntry } from "../archives/cpio.js";
import { GuestError } from "../errors.js";
import { COMMAND_PATH, initScript } from "./init-script.js";
import type { GuestEnd } from "./init-script.js";
import { FileTree } from "./file-tree.js";
import { addPackages } from "./package-files.js";
import type { PackageFilesOptions } from "./package-files.js";
import type { PackageSet } from "./package-set.js";

/** Something to add: a file or a whole folder of the host, or bytes; `to` is the absolute path in the guest. */
export type AddedFile = { to: string; from: string } | { to: string; bytes: Uint8Array; mode?: number };

export interface InitramfsOptions {
  /** A static busybox: its path on the host, or its bytes. */
  busybox: string | Uint8Array;
  /** Debian packages that were fetched, and which of their files stay away. Their files replace busybox's own. */
  packages?: (PackageSet & PackageFilesOptions) | undefined;
  /** Later ones replace earlier ones, packages' and busybox's own files. */
  files?: readonly AddedFile[] | undefined;
  /** A command line (or script) for the guest's sh. */
  command?: string | undefined;
  /** Whether an interactive shell follows. Default: only when there is no command. */
  shell?: boolean | undefined;
  /** What happens afterwards. Default "poweroff". */
  end?: GuestEnd | undefined;
  /** TERM in the guest. Default "linux". */
  terminal?: string | undefined;
}

const DIRECTORY_MODE = 0o755;
const PROGRAM_MODE = 0o755;
const FILE_MODE = 0o644;
const PERMISSIONS = 0o7777;
const FOLDERS = [
  "bin",
  "dev",
  "etc",
  "locore",
  "proc",
  "root",
  "run",
  "sbin",
  "sys",
  "tmp",
  "usr",
  "usr/bin",
  "usr/sbin",
];
const TMP_MODE = 0o1777;
/** Linux, Documentation/admin-guide/devices.txt: what /init needs before devtmpfs is mounted. */
const DEVICES = [
  { path: "dev/console", major: 5, minor: 1, mode: 0o600 },
  { path: "dev/null", major: 1, minor: 3, mode: 0o666 },
] as const;
const ACCOUNTS = [
  { path: "etc/passwd", text: "root:x:0:0:root:/root:/bin/sh\n" },
  { path: "etc/group", text: "root:x:0:\n" },
];
/** Errors that say that a file of the host cannot be read. */
const UNREADABLE = ["ENOENT", "ENOTDIR", "EACCES"];
/** What is busybox's or ours only where no package brings its own. */
const PACKAGES_WIN = ["bin/sh", ...ACCOUNTS.map(({ path }) => path)];

const utf8 = new TextEncoder();

function bytesEntry(inside: string, bytes: Uint8Array, mode: number): CpioEntry {
  return { kind: "file", path: inside, mode, size: bytes.length, content: () => [bytes] };
}

/** A guest path as the archive stores it. Throws GuestError for one that leaves the root or names it. */
function insideRoot(guestPath: string): string {
  const inside = path.posix.normalize(guestPath).replace(/^\/+|\/+$/g, "");
  if (!guestPath.startsWith("/") || inside === "" || inside === "." || guestPath.split("/").includes("..")) {
    throw new GuestError("usage", `initramfs: "${guestPath}" is no absolute path of a file in the guest`);
  }
  return inside;
}

/** Why a file of the host cannot be added; errors of other kinds come back as they are. */
function unreadable(from: string, error: unknown): unknown {
  const code = (error as NodeJS.ErrnoException).code ?? "";
  if (!UNREADABLE.includes(code)) return error;
  return new GuestError("usage", `initramfs: ${from}: ${ERRNO_WORDS[code]}`, { cause: error });
}

async function* contentOf(from: string): AsyncGenerator<Uint8Array> {
  try {
    for await (const chunk of createReadStream(from)) yield chunk as Uint8Array;
  } catch (error) {
    throw unreadable(from, error);
  }
}

/**
 * A file, link or folder of the host with all it holds. Throws GuestError for what cannot be read, and for sockets,
 * pipes and devices.
 */
async function* hostEntries(from: string, inside: string): AsyncGenerator<CpioEntry> {
  const found = await lstat(from).catch((error: unknown) => {
    throw unreadable(from, error);
  });
  const mode = found.mode & PERMISSIONS;
  if (found.isSymbolicLink())
    yield { kind: "symlink", path: inside, mode: 0o777, target: await readlink(from) };
  else if (found.isFile()) {
    yield { kind: "file", path: inside, mode, size: found.size, content: () => contentOf(from) };
  } else if (found.isDirectory()) {
    yield { kind: "directory", path: inside, mode };
    const names = await readdir(from).catch((error: unknown) => {
      throw unreadable(from, error);
    });
    for (const name of names.sort()) yield* hostEntries(path.join(from, name), `${inside}/${name}`);
  } else throw new GuestError("usage", `initramfs: ${from} is neither a file, a link nor a folder`);
}

/** busybox, /init and what they need. */
async function* baseEntries(options: InitramfsOptions): AsyncGenerator<CpioEntry> {
  const { busybox, command, end = "poweroff", terminal = "linux" } = options;
  const shell = options.shell ?? command === undefined;
  for (const folder of FOLDERS) {
    yield { kind: "directory", path: folder, mode: folder === "tmp" ? TMP_MODE : DIRECTORY_MODE };
  }
  for (const device of DEVICES) yield { kind: "character", ...device };
  for (const { path: inside, text } of ACCOUNTS) yield bytesEntry(inside, utf8.encode(text), FILE_MODE);
  if (typeof busybox === "string") {
    for await (const entry of hostEntries(busybox, "bin/busybox")) yield { ...entry, mode: PROGRAM_MODE };
  } else yield bytesEntry("bin/busybox", busybox, PROGRAM_MODE);
  yield { kind: "symlink", path: "bin/sh", mode: 0o777, target: "busybox" };
  const init = initScript({ command: command !== undefined, shell, end, terminal });
  yield bytesEntry("init", utf8.encode(init), PROGRAM_MODE);
  if (command !== undefined) yield bytesEntry(COMMAND_PATH, utf8.encode(`${command}\n`), FILE_MODE);
}

async function* addedEntries(files: readonly AddedFile[]): AsyncGenerator<CpioEntry> {
  for (const file of files) {
    const inside = insideRoot(file.to);
    if ("from" in file) yield* hostEntries(file.from, inside);
    else yield bytesEntry(inside, file.bytes, file.mode ?? FILE_MODE);
  }
}

/**
 * All entries, one a path, each folder before what it holds, missing folders added. No path leads through a link,
 * so that whoever writes them anywhere stays inside that place.
 */
export async function initramfsEntries(options: InitramfsOptions): Promise<CpioEntry[]> {
  const tree = new FileTree();
  if (options.packages !== undefined) await addPackages(tree, options.packages, options.packages);
  for await (const entry of baseEntries(options)) {
    tree.add(entry, PACKAGES_WIN.includes(entry.path) ? "keep" : "replace");
  }
  for await (const entry of addedEntries(options.files ?? [])) tree.add(entry);
  return tree.sorted();
}

/**
 * The initramfs as an uncompressed cpio archive, in chunks. The same options and files give the same bytes. Throws
 * GuestError for a path that cannot be stored, a damaged package, or a file that changes while it is read.
 */
export async function* buildInitramfs(options: InitramfsOptions): AsyncGenerator<Uint8Array> {
  yield* writeCpio(await initramfsEntries(options));
}

/** Entries as a whole archive in memory, as a plan wants it. */
export async function archiveBytes(entries: Iterable<CpioEntry>): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of writeCpio(entries)) chunks.push(chunk);
  const bytes = new Uint8Array(chunks.reduce((total, chunk) => total + chunk.length, 0));
  let offset = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, offset);
    offset += chunk.length;
  }
  return bytes;
}

/** The whole initramfs in memory. */
export async function initramfsBytes(options: InitramfsOptions): Promise<Uint8Array> {
  return archiveBytes(await initramfsEntries(options));
}
