/** Servers of this host that a guest is to reach, and what came of it. */
import { createHash } from "node:crypto";
import http from "node:http";
import net from "node:net";
import type { TestContext } from "node:test";

/** MD5 in hexadecimal, as md5sum prints it. */
export function md5(bytes: Uint8Array): string {
  return createHash("md5").update(bytes).digest("hex");
}

/** The port that a server got; it is closed when the test is over. */
export async function listening(t: TestContext, server: net.Server, host = "127.0.0.1"): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, host, resolve);
  });
  t.after(() => server.close());
  return (server.address() as net.AddressInfo).port;
}

/** A port that nobody has, for now. */
export async function freePort(): Promise<number> {
  const server = net.createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as net.AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** A page of this host's 127.0.0.1. */
export function get(port: number, name: string): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const request = http.get({ host: "127.0.0.1", port, path: name, agent: false }, (answer) => {
      const pieces: Buffer[] = [];
      answer.on("data", (piece: Buffer) => pieces.push(piece));
      answer.on("end", () => resolve(Buffer.concat(pieces)));
      answer.on("error", reject);
    });
    request.on("error", reject);
  });
}
