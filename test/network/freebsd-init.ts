/**
 * FreeBSD's first process, as a test wants it: it gives vtnet0 the guest's address, fetches a page, writes it to the console and
 * switches off. It takes the place of the program in a file system that has one.
 *
 * Sources: FreeBSD's syscalls.master, sys/socket.h, netinet/in_var.h.
 */
import * as o from "../support/asm/index.js";
import { makeElf } from "../support/images.js";

const OPEN = 5;
const READ = 3;
const WRITE = 4;
const CLOSE = 6;
const IOCTL = 54;
const REBOOT = 55;
const SOCKET = 97;
const CONNECT = 98;
const NANOSLEEP = 240;

const OPEN_BOTH_WAYS = 2;
const AF_INET = 2;
const SOCK_STREAM = 1;
const SOCK_DGRAM = 2;
const SOCKADDR_BYTES = 16;
const NAME_BYTES = 16;
/** `_IOW('i', 43, struct in_aliasreq)`. */
const SIOCAIFADDR = 0x8044_692b;
const POWER_OFF = 0x4000;
const FREEBSD = 9;
const EXECUTABLE = 2;
/** Behind the heads of the file; program and data are one segment. */
const AT = 0x40_0080;
const BUFFER = 0x50_0000;
/** Of a file in the file system, which another of its blocks need not follow. */
const BLOCK = 4096;
const BUFFER_BYTES = 4096;
/** Readable, writable, executable. */
const FLAGS = 7;

/** What stands before the page on the console, and behind it. */
export const PAGE_BEGINS = "init: the page:";
export const PAGE_ENDS = "init: over";

function address(a: o.Assembler, label: string, bytes: readonly number[], port = 0): void {
  a.label(label).db(SOCKADDR_BYTES, AF_INET, port >>> 8, port & 0xff, ...bytes);
  for (let i = 0; i < 8; i++) a.db(0);
}

/** The program as an ELF file of less than 4 KiB. `port`: of the gateway, where the page is. */
export function freebsdInit(port: number, path: string): Uint8Array {
  const a = new o.Assembler(AT, 64);
  const call = (number: number, ...args: readonly (number | o.Gpr | o.LabelReference)[]): void => {
    const places = [o.rdi, o.rsi, o.rdx];
    args.forEach((value, i) => {
      if (typeof value === "number") a.movabs(places[i], value);
      else if (value.kind === "label") a.movabs(places[i], value);
      else a.mov(places[i], value);
    });
    a.mov(o.eax, number).syscall();
  };
  const texts = new Map<string, string>();
  const write = (to: o.Gpr, text: string): void => {
    const label = `text${texts.size}`;
    texts.set(label, text);
    call(WRITE, to, o.addressOf(label), text.length);
  };
  call(OPEN, o.addressOf("console"), OPEN_BOTH_WAYS);
  a.mov(o.rbx, o.rax);
  call(SOCKET, AF_INET, SOCK_DGRAM, 0);
  call(IOCTL, o.rax, SIOCAIFADDR, o.addressOf("alias"));
  a.jcc("ae", "again");
  write(o.rbx, "init: no address\n");
  a.label("again");
  call(SOCKET, AF_INET, SOCK_STREAM, 0);
  a.mov(o.r12, o.rax);
  call(CONNECT, o.r12, o.addressOf("gateway"), SOCKADDR_BYTES);
  a.jcc("ae", "connected");
  write(o.rbx, "init: no connection yet\n");
  call(CLOSE, o.r12);
  call(NANOSLEEP, o.addressOf("second"), 0);
  a.jmp("again").label("connected");
  write(o.r12, `GET ${path} HTTP/1.0\r\n\r\n`);
  write(o.rbx, `${PAGE_BEGINS}\n`);
  a.label("more");
  call(READ, o.r12, BUFFER, BUFFER_BYTES);
  a.jcc("b", "over").test(o.rax, o.rax).jcc("e", "over").mov(o.rdx, o.rax);
  a.mov(o.rdi, o.rbx).mov(o.rsi, BUFFER).mov(o.eax, WRITE).syscall();
  a.jmp("more").label("over");
  write(o.rbx, `${PAGE_ENDS}\n`);
  call(REBOOT, POWER_OFF);
  a.label("end").jmp("end");
  a.align(16).label("second").dq(1, 0);
  a.label("alias").bytes(Buffer.from("vtnet0".padEnd(NAME_BYTES, "\0")));
  address(a, "aliasAddress", [10, 0, 2, 15]);
  address(a, "aliasBroadcast", [10, 0, 2, 255]);
  address(a, "aliasMask", [255, 255, 255, 0]);
  a.dd(0);
  address(a, "gateway", [10, 0, 2, 2], port);
  a.label("console").bytes(Buffer.from("/dev/console\0"));
  for (const [label, text] of texts) a.label(label).bytes(Buffer.from(text));
  const [{ bytes }] = a.link();
  const segment = { bytes, vaddr: BigInt(AT), flags: FLAGS, memsz: BigInt(BUFFER + BUFFER_BYTES - AT) };
  return makeElf({
    type: EXECUTABLE,
    osabi: FREEBSD,
    entry: BigInt(AT),
    segments: [{ ...segment, align: 0x1000n }],
  });
}

/** A copy of a file system whose first process is this program, which lies where another one's first block was. */
export function withInit(image: Uint8Array, program: Uint8Array): Uint8Array {
  const at = Buffer.from(image).indexOf("\x7fELF", 0, "latin1");
  if (at < 0 || program.length > BLOCK) throw new Error("no program to replace, or one that is too long");
  const copy = image.slice();
  copy.set(program, at);
  return copy;
}
