/**
 * Sockets that have a path: connecting to one, and being the one who listens at it. A process that is killed leaves the path behind; the
 * next takes it over. Who wants to listen holds a lock for a moment, so that of several who find the path left one takes it.
 *
 * On Windows they are named pipes, which go with their process.
 */
import { once } from "node:events";
import fs from "node:fs";
import net from "node:net";
import path from "node:path";
import { lockPath } from "./path-lock.js";
import { codeOf, takeSeen } from "./path-seen.js";

/** Beside a path, while somebody takes it: a folder that is that process's alone, and in it what listens before it has its path. */
const FOLDER = ".locore-";
const FOLDER_RANDOM = "XXXXXX";
const UNFINISHED = "socket";
/** Bytes that a path may have: what is longer some versions of Node would cut. */
const MOST_PATH = process.platform === "linux" ? 107 : 103;
/** Nobody but its owner connects to what is made here. */
const OWNER_ONLY = 0o600;

/** Whether a path is short enough for a socket. */
export function fitsSocket(at: string): boolean {
  const beside = path.join(path.dirname(at), FOLDER + FOLDER_RANDOM, UNFINISHED);
  return isPipe() || Math.max(Buffer.byteLength(at), Buffer.byteLength(beside)) <= MOST_PATH;
}

/** A connection. Rejects as the host does. */
export async function connectPath(at: string): Promise<net.Socket> {
  const socket = net.connect({ path: at });
  try {
    await once(socket, "connect");
    return socket;
  } catch (error) {
    socket.destroy();
    throw error;
  }
}

/** Whether nobody is at a path. */
export function isNobody(error: unknown): boolean {
  return codeOf(error) === "ENOENT" || codeOf(error) === "ECONNREFUSED";
}

function isPipe(): boolean {
  return process.platform === "win32";
}

/** What is at a path, as long as it is that; undefined for nothing. Its number is given to nobody else while a socket has it. */
function identity(at: string): string | undefined {
  const stat = fs.lstatSync(at, { throwIfNoEntry: false, bigint: true });
  return stat && `${stat.dev} ${stat.ino}`;
}

/** Somebody is there already. */
export class PathTaken extends Error {
  override readonly name = "PathTaken";
  /** `isListener`: who is there listens; otherwise it is a file that is no socket. */
  constructor(readonly isListener: boolean) {
    super(isListener ? "somebody who listens there already" : "a file that is no socket");
  }
}

/** A path at which this process listens. */
export class PathListener {
  private constructor(
    readonly path: string,
    readonly server: net.Server,
    private readonly own: string | undefined,
  ) {}

  /** Listens at a path. Rejects with PathTaken where somebody does, and as the host does. */
  static async open(at: string, visited: (socket: net.Socket) => void): Promise<PathListener> {
    const server = net.createServer(visited);
    if (isPipe()) {
      await listening(server, at);
      return new PathListener(at, server, undefined);
    }
    const folder = fs.mkdtempSync(path.join(path.dirname(at), FOLDER));
    try {
      const unlock = await lockPath(at, folder);
      try {
        return new PathListener(at, server, await takePath(at, server, folder));
      } finally {
        unlock();
      }
    } catch (error) {
      server.close();
      throw error;
    } finally {
      removeQuietly(folder);
    }
  }

  /** Whether who connects to the path comes here; false also where the host does not say. */
  get isThere(): boolean {
    if (isPipe()) return true;
    try {
      return identity(this.path) === this.own;
    } catch {
      return false;
    }
  }

  /** Takes no more visitors, and the path away. */
  close(): void {
    if (!isPipe() && this.isThere) removeQuietly(this.path);
    this.server.close();
  }
}

/** What cannot be removed is left, as by a process that is killed. */
function removeQuietly(at: string): void {
  try {
    fs.rmSync(at, { force: true, recursive: true });
  } catch {
    // The next takes it over.
  }
}

async function listening(server: net.Server, at: string): Promise<void> {
  const done = once(server, "listening");
  try {
    server.listen(at);
    await done;
  } catch (error) {
    done.catch(() => undefined);
    throw codeOf(error) === "EADDRINUSE" ? new PathTaken(true) : error;
  }
}

/** Has `server` listen at a path, and gives its identity. It listens before it is there: nobody ever finds one that does not, and closing it removes nobody else's. */
async function takePath(at: string, server: net.Server, folder: string): Promise<string | undefined> {
  const unfinished = path.join(folder, UNFINISHED);
  await removeLeft(at, folder);
  await listening(server, unfinished);
  fs.chmodSync(unfinished, OWNER_ONLY);
  const own = identity(unfinished);
  while (!placed(unfinished, at)) await removeLeft(at, folder);
  return own;
}

/** Gives what is at `from` the path `to`; false where something is there. */
function placed(from: string, to: string): boolean {
  try {
    fs.linkSync(from, to);
    return true;
  } catch (error) {
    if (codeOf(error) === "EEXIST") return false;
  }
  // Of file systems that have no second name for a socket. The lock keeps others away.
  fs.renameSync(from, to);
  return true;
}

/** Finds nobody at a path: nothing, or a socket that was left, which it removes. */
async function removeLeft(at: string, folder: string): Promise<void> {
  const stat = fs.lstatSync(at, { throwIfNoEntry: false });
  if (stat === undefined) return;
  if (!stat.isSocket()) throw new PathTaken(false);
  const seen = identity(at);
  try {
    (await connectPath(at)).destroy();
  } catch (error) {
    if (!isNobody(error)) throw error;
    const away = path.join(folder, "left");
    takeSeen(at, away, { isSeen: () => identity(away) === seen, putBack: () => void placed(away, at) });
    return;
  }
  throw new PathTaken(true);
}
