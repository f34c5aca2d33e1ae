/** Names as the host knows them, and questions to whom it asks. */
import dgram from "node:dgram";
import dns from "node:dns";
import net from "node:net";
import type { HostNames } from "../../../net/host-sockets.js";

/** What the host's own resolver says nothing about: how long an address is good, s. */
const SECONDS = 60;
const PATIENCE_MS = 3000;
const PORT = 53;
const LENGTH_BYTES = 2;
/** Where a message says that it is cut short. */
const TRUNCATED = { AT: 2, BIT: 2 } as const;

/** As every program of the host's finds them, its own table of hosts included. */
export function lookup(name: string, family: 4 | 6, done: (names: HostNames) => void): void {
  dns.lookup(name, { all: true }, (error, found) => {
    if (error === null) {
      // A name without an address of this kind is a name all the same.
      const addresses = found.filter((one) => one.family === family).map(({ address }) => address);
      done({ addresses, seconds: SECONDS });
    } else done({ failed: error.code === "ENOTFOUND" ? "no-name" : "no-answer" });
  });
}

/** An address as `dns.getServers` writes it: with a port, or without. */
function serverOf(text: string): { host: string; port: number } {
  const [, bracketed, bracketedPort] = /^\[(.*)\]:(\d+)$/.exec(text) ?? [];
  if (bracketed !== undefined) return { host: bracketed, port: Number(bracketedPort) };
  const [, four, fourPort] = /^([\d.]+):(\d+)$/.exec(text) ?? [];
  return four === undefined ? { host: text, port: PORT } : { host: four, port: Number(fourPort) };
}

type Server = ReturnType<typeof serverOf>;

function askByDatagram({ host, port }: Server, question: Uint8Array): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const socket = dgram.createSocket(net.isIPv6(host) ? "udp6" : "udp4");
    const timer = setTimeout(() => over(new Error("no answer")), PATIENCE_MS);
    const over = (result: Buffer | Error): void => {
      clearTimeout(timer);
      socket.removeAllListeners();
      socket.on("error", () => undefined);
      socket.close();
      if (result instanceof Error) reject(result);
      else resolve(result);
    };
    socket.on("error", over);
    socket.on("message", over);
    // Only whom was asked is heard. Where there is no way there, the socket stays without one, and must not send.
    const sent = (error?: Error | null): void => {
      if (error) over(error);
    };
    socket.connect(port, host, (error?: Error) => {
      if (error) over(error);
      else socket.send(question, sent);
    });
  });
}

function askByConnection({ host, port }: Server, question: Uint8Array): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const socket = net.connect({ host, port });
    let held = Buffer.alloc(0);
    socket.setTimeout(PATIENCE_MS, () => socket.destroy(new Error("no answer")));
    socket.on("error", reject);
    socket.on("close", () => reject(new Error("no answer")));
    socket.on("data", (bytes) => {
      held = Buffer.concat([held, bytes]);
      const length = held.length < LENGTH_BYTES ? Infinity : LENGTH_BYTES + held.readUInt16BE();
      if (held.length < length) return;
      resolve(held.subarray(LENGTH_BYTES, length));
      socket.destroy();
    });
    const head = Buffer.alloc(LENGTH_BYTES);
    head.writeUInt16BE(question.length);
    socket.write(Buffer.concat([head, question]));
  });
}

/** Asks the host's nameservers, one after the other, for the whole of an answer. */
export async function ask(
  question: Uint8Array,
  servers: readonly string[] = dns.getServers(),
): Promise<Uint8Array | undefined> {
  for (const server of servers.map(serverOf)) {
    try {
      const answer = await askByDatagram(server, question);
      const cut = (answer[TRUNCATED.AT] & TRUNCATED.BIT) !== 0;
      return cut ? await askByConnection(server, question) : answer;
    } catch {
      // The next one may know.
    }
  }
  return undefined;
}
