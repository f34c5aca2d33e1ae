/**
 * QEMU's side of the comparison: starts the machine, brings it to an address, hands over memory, registers and
 * MSRs, then lets it run with a log of every instruction.
 */
import { spawn, spawnSync } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { createReadStream, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import type { CpuState } from "../../src/x86/cpu-state.js";
import { GDB_REGISTER, GdbClient } from "./gdb-client.js";
import { parseState } from "./qemu-dump.js";
import { LogParser } from "./qemu-log.js";
import type { TraceEntry } from "./qemu-log.js";

export interface QemuOptions {
  qemu: string;
  kernel: string;
  initrd?: string;
  append?: string;
  memoryMib: number;
  cpu: string;
}

const MIB = 1024 * 1024;
/** 0F 32: RDMSR. */
const RDMSR = Uint8Array.of(0x0f, 0x32);
/** MSRs that a kernel sets and that no register dump shows. */
const TRANSFERRED_MSRS = [
  0x174, 0x175, 0x176, 0x277, 0xc0000081, 0xc0000082, 0xc0000083, 0xc0000084, 0xc0000102, 0xc0000103,
];
const MSR_FS_BASE = 0xc0000100;
const MSR_GS_BASE = 0xc0000101;
const CPL_MASK = 3;

const freePort = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      const port = typeof address === "object" && address ? address.port : 0;
      server.close(() => resolve(port));
    });
  });

export class QemuSide {
  private readonly child: ChildProcess;
  private readonly gdb: GdbClient;
  private readonly folder: string;
  private readonly memoryMib: number;
  stderr = "";

  private constructor(child: ChildProcess, gdb: GdbClient, folder: string, memoryMib: number) {
    this.child = child;
    this.gdb = gdb;
    this.folder = folder;
    this.memoryMib = memoryMib;
    child.stderr?.on("data", (bytes: Buffer) => (this.stderr += bytes.toString()));
  }

  /** Starts QEMU, stopped before its first instruction. */
  static async start(o: QemuOptions): Promise<QemuSide> {
    const folder = mkdtempSync(path.join(tmpdir(), "locore-trace-"));
    const port = await freePort();
    const args = [
      "-M",
      "microvm,acpi=off,pit=on,pic=on,rtc=on",
      "-accel",
      "tcg",
      "-cpu",
      o.cpu,
      "-m",
      `${o.memoryMib}M`,
    ];
    args.push("-nodefaults", "-display", "none", "-no-reboot", "-serial", "null", "-kernel", o.kernel);
    args.push("-device", "isa-debug-exit,iobase=0xf4,iosize=1", "-S", "-gdb", `tcp:127.0.0.1:${port}`);
    if (o.initrd !== undefined) args.push("-initrd", o.initrd);
    if (o.append !== undefined) args.push("-append", o.append);
    const child = spawn(o.qemu, args, { stdio: ["ignore", "ignore", "pipe"] });
    child.on("error", () => undefined);
    return new QemuSide(child, await GdbClient.open(port), folder, o.memoryMib);
  }

  async runTo(address: bigint): Promise<void> {
    await this.gdb.continueTo(address);
  }

  /** RAM as the CPU sees it, the firmware's ROM shadow included. */
  async readRam(): Promise<Uint8Array> {
    const file = path.join(this.folder, "ram");
    const said = await this.gdb.monitor(`pmemsave 0 ${this.memoryMib * MIB} "${file}"`);
    if (said.trim() !== "") throw new Error(`pmemsave: ${said}`);
    return readFileSync(file);
  }

  /** The whole register state. MSRs are read by the guest's own CPU, which needs CPL 0. */
  async readState(): Promise<CpuState> {
    const state = parseState((await this.gdb.monitor("info registers")).replaceAll("\r", ""));
    if ((state.cs.selector & CPL_MASK) !== 0)
      throw new Error("the comparison has to start in the kernel (CPL 0)");
    for (const msr of TRANSFERRED_MSRS) state.msrs[msr] = await this.readMsr(msr, state);
    state.msrs[MSR_FS_BASE] = state.fs.base;
    state.msrs[MSR_GS_BASE] = state.gs.base;
    return state;
  }

  /** Puts RDMSR at RIP for one step, and everything back. */
  private async readMsr(index: number, state: CpuState): Promise<bigint> {
    const { gdb } = this;
    const code = await gdb.readMemory(state.rip, RDMSR.length);
    await gdb.writeMemory(state.rip, RDMSR);
    await gdb.writeRegister(GDB_REGISTER.rcx, BigInt(index));
    await gdb.step();
    const low = await gdb.readRegister(GDB_REGISTER.rax);
    const high = await gdb.readRegister(GDB_REGISTER.rdx);
    await gdb.writeMemory(state.rip, code);
    await gdb.writeRegister(GDB_REGISTER.rip, state.rip);
    await gdb.writeRegister(GDB_REGISTER.rax, state.gpr[0]);
    await gdb.writeRegister(GDB_REGISTER.rcx, state.gpr[1]);
    await gdb.writeRegister(GDB_REGISTER.rdx, state.gpr[2]);
    return ((high & 0xffffffffn) << 32n) | (low & 0xffffffffn);
  }

  /** Lets QEMU run, one instruction a block, and yields its log as entries. */
  async *trace(): AsyncGenerator<TraceEntry[]> {
    const fifo = path.join(this.folder, "log");
    const made = spawnSync("mkfifo", [fifo]);
    if (made.status !== 0) throw new Error("mkfifo is needed for QEMU's log");
    const stream = createReadStream(fifo, { encoding: "latin1", highWaterMark: MIB });
    await this.gdb.monitor("singlestep on");
    await this.gdb.monitor(`logfile ${fifo}`);
    await this.gdb.monitor("log exec,cpu,int,nochain");
    this.gdb.resume();
    const parser = new LogParser();
    for await (const text of stream) yield parser.feed(text as string);
  }

  stop(): void {
    this.gdb.close();
    this.child.kill("SIGKILL");
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Why QEMU cannot be used, or undefined. */
export function qemuMissing(qemu: string): string | undefined {
  return spawnSync(qemu, ["--version"]).status === 0 ? undefined : `${qemu} is not installed`;
}
