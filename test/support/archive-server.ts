/** Serves a folder by HTTP, well or badly: answers late, in pieces, in part or not at all, as a test says. */
import { createServer } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import path from "node:path";
import type { TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

/** How files are sent: at once; never; their first half; or in as many pieces with a pause before each. */
export type Manner = "ordinary" | "mute" | "half" | { pieces: number; pauseMs: number };

/** A server on a port of its own, until the test ends. */
export class ArchiveServer {
  /** How files whose path matches are sent; the others are sent at once. */
  manner: Manner = "ordinary";
  badly = /./;
  /** What was asked for. */
  readonly requests: string[] = [];
  readonly #server: Server;

  private constructor(private readonly folder: string) {
    this.#server = createServer((request, response) => {
      this.#answer(request, response).catch(() => response.destroy());
    });
  }

  static async start(t: TestContext, folder: string): Promise<ArchiveServer> {
    const made = new ArchiveServer(folder);
    made.#server.listen(0, "127.0.0.1");
    await once(made.#server, "listening");
    t.after(() => made.stop());
    return made;
  }

  /** Host and port. */
  get host(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Closes the port and every connection. */
  stop(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  /** Waits until something was asked for that matches. */
  async asked(pattern: RegExp): Promise<void> {
    while (!this.requests.some((request) => pattern.test(request))) await sleep(10);
  }

  async #answer({ url = "" }: IncomingMessage, response: ServerResponse): Promise<void> {
    this.requests.push(url);
    const manner = this.badly.test(url) ? this.manner : "ordinary";
    if (manner === "mute") return;
    const bytes = await readFile(path.join(this.folder, decodeURIComponent(url))).catch(() => undefined);
    if (bytes === undefined) {
      response.writeHead(404).end();
      return;
    }
    response.writeHead(200, { "Content-Length": bytes.length });
    if (manner === "ordinary") response.end(bytes);
    else if (manner === "half") response.write(bytes.subarray(0, bytes.length / 2));
    else {
      const size = Math.ceil(bytes.length / manner.pieces);
      for (let offset = 0; offset < bytes.length; offset += size) {
        await sleep(manner.pauseMs);
        response.write(bytes.subarray(offset, offset + size));
      }
      response.end();
    }
  }
}
