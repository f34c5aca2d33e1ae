/**
 * Sockets that have a path: connecting to one, and being the one who listens at it. A process that is killed leaves the path behind; the
 * next takes it over. Who wants to listen holds a lock for a moment, so that of several who find the path left one takes it.
 *
 * On Windows they are named pipes, which go with their process.
 */
import { once } from "node:events";
import fs from "node:fs";
import net from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

/** The lock is held for some milliseconds; one that is older was left. */
const LOCK_LEFT_MS = 2000;
const LOCK_LOOK_MS = 20;
/** Behind a path, until somebody listens there. */
const UNFINISHED = "~";
/** Bytes that a path may have: what is longer some versions of Node would cut. */
const MOST_PATH = (process.platform === "linux" ? 107 : 103) - UNFINISHED.length;
/** Nobody but its owner connects to what is made here. */
const OWNER_ONLY = 0o077;

function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException).code;
}

/** Whether a path is short enough for a socket. */
export function fitsSocket(path: string): boolean {
  return isPipe() || Buffer.byteLength(path) <= MOST_PATH;
}

/** A connection. Rejects as the host does. */
export async function connectPath(path: string): Promise<net.Socket> {
  const socket = net.connect({ path });
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
function identity(path: string): string | undefined {
  const stat = fs.lstatSync(path, { throwIfNoEntry: false, bigint: true });
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
  static async open(path: string, visited: (socket: net.Socket) => void): Promise<PathListener> {
    const server = net.createServer(visited);
    if (isPipe()) {
      await listening(server, () => server.listen(path));
      return new PathListener(path, server, undefined);
    }
    const unlock = await locked(`${path}.lock`);
    try {
      await refuseTaken(path);
      // Under another name until it listens: nobody ever finds one that does not, and closing it removes nobody else's.
      const own = path + UNFINISHED;
      fs.rmSync(own, { force: true });
      await listening(server, () => {
        const mask = process.umask(OWNER_ONLY);
        try {
          server.listen(own);
        } finally {
          process.umask(mask);
        }
      });
      fs.renameSync(own, path);
      return new PathListener(path, server, identity(path));
    } catch (error) {
      server.close();
      throw error;
    } finally {
      unlock();
    }
  }

  /** Whether who connects to the path comes here. */
  get isThere(): boolean {
    return isPipe() || identity(this.path) === this.own;
  }

  /** Takes no more visitors, and the path away. */
  close(): void {
    if (!isPipe() && this.isThere) fs.rmSync(this.path, { force: true });
    this.server.close();
  }
}

async function listening(server: net.Server, listen: () => void): Promise<void> {
  const done = once(server, "listening");
  try {
    listen();
    await done;
  } catch (error) {
    done.catch(() => undefined);
    throw codeOf(error) === "EADDRINUSE" ? new PathTaken(true) : error;
  }
}

/** Finds nobody at a path: nothing, or a socket that was left. */
async function refuseTaken(path: string): Promise<void> {
  const stat = fs.lstatSync(path, { throwIfNoEntry: false });
  if (stat === undefined) return;
  if (!stat.isSocket()) throw new PathTaken(false);
  try {
    (await connectPath(path)).destroy();
  } catch (error) {
    if (isNobody(error)) return;
    throw error;
  }
  throw new PathTaken(true);
}

/** Holds a lock; gives what gives it back. */
async function locked(path: string): Promise<() => void> {
  for (const begun = Date.now(); ;) {
    try {
      fs.closeSync(fs.openSync(path, "wx"));
      return () => fs.rmSync(path, { force: true });
    } catch (error) {
      if (codeOf(error) !== "EEXIST") throw error;
    }
    const stat = fs.lstatSync(path, { throwIfNoEntry: false });
    // The second is for a clock that was set back meanwhile.
    const isLeft = (since: number): boolean => Date.now() - since > LOCK_LEFT_MS;
    if (stat !== undefined && (isLeft(stat.mtimeMs) || isLeft(begun + LOCK_LEFT_MS)))
      fs.rmSync(path, { force: true });
    else await sleep(LOCK_LOOK_MS);
  }
}
