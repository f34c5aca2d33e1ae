/**
 * A guest with a driver of its own for the network card, 32-bit code entered by PVH: two of them throw a frame to each other. They look for
 * it at each tick of the local APIC's timer, and sleep in between.
 *
 * Specification: VIRTIO 1.2 §2.7, §4.2, §5.1.
 */
import {
  VIRTIO_FEATURE,
  VIRTIO_MMIO as REG,
  VIRTIO_STATUS as STATUS,
  VIRTQ_DESC_F,
} from "../../src/spec/virtio.js";
import { al, dword, dx, eax, edi, edx, esi } from "./asm/index.js";
import { guestOf } from "./two-cpu-guests.js";

const LAPIC = 0xfee00000;
const EOI = LAPIC + 0xb0;
const TIMER = LAPIC + 0x320;
const INITIAL_COUNT = LAPIC + 0x380;
const PERIODIC = 1 << 17;
const TICK = 0x40;
const PIC_MASKS = [0x21, 0xa1];
const QUEUE_SIZE = 4;
const RINGS = [
  { table: 0x210000, available: 0x211000, used: 0x212000 },
  { table: 0x213000, available: 0x214000, used: 0x215000 },
] as const;
const [RECEIVE, TRANSMIT] = RINGS;
const BUFFERS = 0x220000;
const BUFFER_BYTES = 0x800;
const SENT = 0x230000;
const HEAD = 12;
const FRAME_BYTES = 64;
const DESCRIPTOR = 16;

export interface ThrowingGuest {
  /** Registers of its card. */
  card: number;
  /** Last byte of its address. */
  station: number;
  /** It throws first. */
  begins: boolean;
  /** Frames that it throws. */
  rounds: number;
  /** Ticks of the bus between two looks. */
  ticks: number;
}

/** Ends with 0 once it has thrown so many and, if it began, caught as many. A frame says how many and when, by the time stamp counter. */
export function throwingGuest({ card, station, begins, rounds, ticks }: ThrowingGuest): Uint8Array {
  return guestOf({
    handlers: { [TICK]: "tick" },
    first: (a) => {
      const set = (register: number, value: number): void => void a.mov(dword(card + register), value);
      // No ticks but those of the local APIC.
      for (const mask of PIC_MASKS) a.mov(dx, mask).mov(al, 0xff).out(8, "dx");
      set(REG.STATUS, 0);
      set(REG.STATUS, STATUS.ACKNOWLEDGE | STATUS.DRIVER);
      set(REG.DRIVER_FEATURES_SEL, 1);
      set(REG.DRIVER_FEATURES, 1 << (VIRTIO_FEATURE.VERSION_1 - 32));
      set(REG.STATUS, STATUS.ACKNOWLEDGE | STATUS.DRIVER | STATUS.FEATURES_OK);
      for (const [index, { table, available, used }] of RINGS.entries()) {
        set(REG.QUEUE_SEL, index);
        set(REG.QUEUE_NUM, QUEUE_SIZE);
        set(REG.QUEUE_DESC_LOW, table);
        set(REG.QUEUE_DRIVER_LOW, available);
        set(REG.QUEUE_DEVICE_LOW, used);
        set(REG.QUEUE_READY, 1);
      }
      set(REG.STATUS, STATUS.ACKNOWLEDGE | STATUS.DRIVER | STATUS.FEATURES_OK | STATUS.DRIVER_OK);
      for (let i = 0; i < QUEUE_SIZE; i++) {
        const descriptor = RECEIVE.table + i * DESCRIPTOR;
        a.mov(dword(descriptor), BUFFERS + i * BUFFER_BYTES).mov(dword(descriptor + 8), BUFFER_BYTES);
        a.mov(dword(descriptor + 12), VIRTQ_DESC_F.WRITE);
      }
      // Descriptors 0 to 3, again and again, in this order.
      a.mov(dword(RECEIVE.available + 4), 0x0001_0000).mov(dword(RECEIVE.available + 8), 0x0003_0002);
      a.mov(dword(RECEIVE.available), QUEUE_SIZE << 16);
      set(REG.QUEUE_NOTIFY, 0);
      a.mov(dword(TRANSMIT.table), SENT).mov(dword(TRANSMIT.table + 8), HEAD + FRAME_BYTES);
      const frame = SENT + HEAD;
      a.mov(dword(frame), 0xffff_ffff).mov(dword(frame + 4), 0x0002_ffff);
      a.mov(dword(frame + 8), station << 24).mov(dword(frame + 12), 0xb588);
      a.mov(dword(TIMER), TICK | PERIODIC).mov(dword(INITIAL_COUNT), ticks);
      // ESI counts what was thrown, EDI what was caught.
      a.mov(esi, 0).mov(edi, 0);
      if (!begins) a.jmp("catch");
      a.label("throw")
        .inc(esi)
        .mov(dword(frame + 16), esi)
        .rdtsc();
      a.mov(dword(frame + 20), eax).mov(dword(frame + 24), edx);
      a.mov(eax, esi).shl(eax, 16).mov(dword(TRANSMIT.available), eax);
      set(REG.QUEUE_NOTIFY, 1);
      if (!begins) a.cmp(esi, rounds).jcc("e", "done");
      a.label("catch").mov(eax, dword(RECEIVE.used)).shr(eax, 16).cmp(eax, edi).jcc("ne", "caught");
      a.sti().hlt().jmp("catch");
      a.label("caught").inc(edi).mov(eax, edi).add(eax, QUEUE_SIZE).shl(eax, 16);
      a.mov(dword(RECEIVE.available), eax);
      set(REG.QUEUE_NOTIFY, 0);
      if (begins) a.cmp(edi, rounds).jcc("e", "done");
      a.jmp("throw");
      a.label("done").cli().mov(eax, 0);
    },
    routines: (a) => a.label("tick").mov(dword(EOI), 0).iret(),
  });
}
