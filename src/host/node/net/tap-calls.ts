/**
 * System calls of a tap, on Linux, made through koffi.
 *
 * Sources: Linux's Documentation/networking/tuntap.rst, <linux/if_tun.h>, <linux/if.h>, poll(2), pipe(2); layouts are those of 64-bit Linux.
 */
import { NativeCallError, type Koffi } from "../native-calls.js";

/** _IOW('T', 202, int); PowerPC has the direction in other bits. */
const TUNSETIFF = process.arch === "ppc64" ? 0x800454ca : 0x400454ca;
/** struct ifreq: a name, and flags of 16 bits among other things. */
const IFREQ = { flags: 16, size: 40 } as const;
const IFF_TAP = 0x0002;
/** Frames have nothing before them: no packet information, and, since IFF_VNET_HDR is left out, no head that speaks of offloads. */
const IFF_NO_PI = 0x1000;
/** struct pollfd: a descriptor of 32 bits, what is waited for and what there is, 16 bits each. */
const POLLFD = { events: 4, size: 8 } as const;
const POLLIN = 0x0001;
const O_CLOEXEC = 0o2000000;
const INT = 4;

export interface TapCalls {
  /** Makes an open /dev/net/tun the tap of this name, which goes with it unless it was there before. Throws NativeCallError. */
  attach(descriptor: number, name: string): void;
  /** Both ends of a pipe. Throws NativeCallError. */
  pipe(): { read: number; write: number };
  /** Calls back once, when one of these can be read, or is broken. */
  whenReadable(descriptors: readonly number[], callback: () => void): void;
}

/** Binds them. Throws where the C library lacks one. */
export function tapCalls(koffi: Koffi): TapCalls {
  const libc = koffi.load(null);
  const ioctl = libc.func("int ioctl(int, unsigned long, ...)");
  const pipe2 = libc.func("int pipe2(void *, int)");
  const poll = libc.func("int poll(void *, unsigned long, int)");
  /** What the host writes into while nobody else knows of it: nothing may collect it. */
  const polled = new Set<Buffer>();
  const checked = (call: string, result: number): void => {
    if (result < 0) throw new NativeCallError(call, koffi.errno());
  };
  return {
    attach(descriptor, name) {
      const request = Buffer.alloc(IFREQ.size);
      request.write(name, 0, IFREQ.flags - 1, "utf8");
      request.writeUInt16LE(IFF_TAP | IFF_NO_PI, IFREQ.flags);
      checked("ioctl", ioctl(descriptor, TUNSETIFF, "void *", request));
    },
    pipe() {
      const ends = Buffer.alloc(2 * INT);
      checked("pipe2", pipe2(ends, O_CLOEXEC));
      return { read: ends.readInt32LE(0), write: ends.readInt32LE(INT) };
    },
    whenReadable(descriptors, callback) {
      const list = Buffer.alloc(descriptors.length * POLLFD.size);
      for (const [index, descriptor] of descriptors.entries()) {
        list.writeInt32LE(descriptor, index * POLLFD.size);
        list.writeInt16LE(POLLIN, index * POLLFD.size + POLLFD.events);
      }
      // In a thread of libuv's. Whatever it gives, a read says what there is.
      polled.add(list);
      poll.async(list, descriptors.length, -1, () => {
        polled.delete(list);
        callback();
      });
    },
  };
}
