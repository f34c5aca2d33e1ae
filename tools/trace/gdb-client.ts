/**
 * A small client of the GDB remote serial protocol, as far as QEMU's stub is needed: breakpoints, continue, single
 * step, registers, memory, and QEMU's monitor. One request at a time.
 *
 * Specification: GDB manual, appendix E "Remote Serial Protocol" (packets, `vCont`, `qRcmd`).
 */
import { connect } from "node:net";
import type { Socket } from "node:net";

const CONNECT_ATTEMPTS = 100;
const CONNECT_PAUSE_MS = 50;
/** Numbers of registers in QEMU's 64-bit description: rax, rbx, rcx, rdx, rsi, rdi, rbp, rsp, r8–r15, rip. */
export const GDB_REGISTER = { rax: 0, rcx: 2, rdx: 3, rip: 16 } as const;

const toHex = (text: string): string => Buffer.from(text, "latin1").toString("hex");
const fromHex = (hex: string): string => Buffer.from(hex, "hex").toString("latin1");
const checksum = (body: string): string =>
  ([...body].reduce((sum, c) => sum + c.charCodeAt(0), 0) & 0xff).toString(16).padStart(2, "0");

const connectOnce = (port: number): Promise<Socket> =>
  new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => resolve(socket));
    socket.once("error", reject);
  });

export class GdbClient {
  private readonly socket: Socket;
  private buffer = "";
  private waiting: ((packet: string) => void) | undefined;
  private failed: ((error: Error) => void) | undefined;

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.setNoDelay(true);
    socket.on("data", (bytes: Buffer) => this.receive(bytes.toString("latin1")));
    socket.on("close", () => this.failed?.(new Error("QEMU closed the connection of its gdb stub")));
    socket.on("error", () => undefined);
  }

  /** Connects, and keeps trying while the stub is not there yet. */
  static async open(port: number): Promise<GdbClient> {
    for (let attempt = 0; ; attempt++) {
      try {
        const client = new GdbClient(await connectOnce(port));
        // QEMU offers single registers only to clients that have asked for the description of all.
        await client.request("qXfer:features:read:target.xml:0,400");
        return client;
      } catch (error) {
        if (attempt >= CONNECT_ATTEMPTS) throw error;
        await new Promise((resolve) => setTimeout(resolve, CONNECT_PAUSE_MS));
      }
    }
  }

  close(): void {
    this.failed = undefined;
    this.socket.destroy();
  }

  /** Sends a packet and returns the reply's body. */
  async request(body: string): Promise<string> {
    const reply = this.next();
    this.socket.write(`$${body}#${checksum(body)}`);
    return reply;
  }

  /** Sends a packet that resumes the machine; nothing is waited for. */
  resume(): void {
    this.socket.write(`$c#${checksum("c")}`);
  }

  /** Runs a command of QEMU's monitor and returns what it prints. */
  async monitor(command: string): Promise<string> {
    let text = "";
    let reply = await this.request(`qRcmd,${toHex(command)}`);
    while (reply !== "OK" && reply !== "") {
      if (!reply.startsWith("O")) throw new Error(`monitor ${command}: ${reply}`);
      text += fromHex(reply.slice(1));
      reply = await this.next();
    }
    return text;
  }

  /** Runs until `address` is about to be executed (a hardware breakpoint: the memory stays as it is). */
  async continueTo(address: bigint): Promise<void> {
    const place = `1,${address.toString(16)},1`;
    this.must(await this.request(`Z${place}`), "breakpoint");
    const stopped = await this.request("c");
    if (!/^[TS]05/.test(stopped)) throw new Error(`QEMU did not reach 0x${address.toString(16)}: ${stopped}`);
    this.must(await this.request(`z${place}`), "breakpoint");
  }

  async step(): Promise<void> {
    const stopped = await this.request("s");
    if (!/^[TS]05/.test(stopped)) throw new Error(`single step: ${stopped}`);
  }

  async readRegister(number: number): Promise<bigint> {
    const bytes = Buffer.from(await this.request(`p${number.toString(16)}`), "hex");
    return bytes.length >= 8 ? bytes.readBigUInt64LE() : BigInt(bytes.readUInt32LE());
  }

  async writeRegister(number: number, value: bigint): Promise<void> {
    const bytes = Buffer.alloc(8);
    bytes.writeBigUInt64LE(BigInt.asUintN(64, value));
    this.must(await this.request(`P${number.toString(16)}=${bytes.toString("hex")}`), "register");
  }

  /** Memory by virtual address of the stopped CPU. */
  async readMemory(address: bigint, length: number): Promise<Uint8Array> {
    return Buffer.from(await this.request(`m${address.toString(16)},${length.toString(16)}`), "hex");
  }

  async writeMemory(address: bigint, bytes: Uint8Array): Promise<void> {
    const body = `M${address.toString(16)},${bytes.length.toString(16)}:${Buffer.from(bytes).toString("hex")}`;
    this.must(await this.request(body), "memory");
  }

  private must(reply: string, what: string): void {
    if (reply !== "OK") throw new Error(`gdb stub, ${what}: ${reply === "" ? "not supported" : reply}`);
  }

  private next(): Promise<string> {
    return new Promise((resolve, reject) => {
      this.waiting = resolve;
      this.failed = reject;
      this.deliver();
    });
  }

  private receive(text: string): void {
    this.buffer += text;
    this.deliver();
  }

  /** Hands the first whole packet to whoever waits. */
  private deliver(): void {
    if (!this.waiting) return;
    const found = /\$([^#]*)#[0-9a-f]{2}/i.exec(this.buffer);
    if (!found) return;
    this.buffer = this.buffer.slice(found.index + found[0].length);
    this.socket.write("+");
    const resolve = this.waiting;
    this.waiting = undefined;
    resolve(found[1]);
  }
}
