/**
 * A guest that tells what its clocks show: for each byte that it gets on the serial port it answers with the byte and with what it reads
 * at once of the real-time clock, the PIT, the ACPI PM timer, the local APIC's timer and the TSC. It knows no rate.
 *
 * Specification: Intel 8254 data sheet (counter latch, mode 2); MC146818A data sheet (update in progress); ACPI 6.4 §4.8.3.3; SDM
 * vol. 3A §11.5.4 (APIC timer: divide configuration 0xA is 128).
 */
import { ByteView } from "../../bytes/byte-view.js";
import { MULTIBOOT1_FLAG, MULTIBOOT1_HEADER } from "../../spec/multiboot1.js";
import { codeBytes, codeSize, listing } from "../../x86/code-listing.js";

/**
 * 32-bit code: the serial port interrupts when a byte comes; the APIC's timer and counter 0 of the PIT run down from their most, the latter
 * again and again.
 */
export const SET_UP = listing(`
  fa                            cli
  bc <stack:4>                  mov esp, <stack>
  8c 0d <selector:4>            mov word ptr ds:[<selector>], cs
  0f 01 1d <idt:4>              lidt ds:[<idt>]
  b0 11                         mov al, 0x11
  e6 20                         out 0x20, al
  b0 20                         mov al, 0x20
  e6 21                         out 0x21, al
  b0 04                         mov al, 4
  e6 21                         out 0x21, al
  b0 01                         mov al, 1
  e6 21                         out 0x21, al
  b0 ef                         mov al, 0xef
  e6 21                         out 0x21, al
  66 ba fc 03                   mov dx, 0x3fc
  b0 08                         mov al, 8
  ee                            out dx, al
  66 ba f9 03                   mov dx, 0x3f9
  b0 01                         mov al, 1
  ee                            out dx, al
  c7 05 f0 00 e0 fe ff 01 00 00 mov dword ptr ds:[0xfee000f0], 0x1ff
  c7 05 50 03 e0 fe 00 07 00 00 mov dword ptr ds:[0xfee00350], 0x700
  c7 05 e0 03 e0 fe 0a 00 00 00 mov dword ptr ds:[0xfee003e0], 0xa
  c7 05 20 03 e0 fe 00 00 01 00 mov dword ptr ds:[0xfee00320], 0x10000
  c7 05 80 03 e0 fe ff ff ff ff mov dword ptr ds:[0xfee00380], 0xffffffff
  b0 34                         mov al, 0x34
  e6 43                         out 0x43, al
  31 c0                         xor eax, eax
  e6 40                         out 0x40, al
  e6 40                         out 0x40, al
`);

/** Sleeps until there is a byte, as kernels do; reads, answers, and begins again. */
export const ANSWER = listing(`
  fa                            cli
  66 ba fd 03                   mov dx, 0x3fd
  ec                            in al, dx
  a8 01                         test al, 1
  75 04                         jnz .+6
  fb                            sti
  f4                            hlt
  eb f2                         jmp .-12
  66 ba f8 03                   mov dx, 0x3f8
  ec                            in al, dx
  0f b6 e8                      movzx ebp, al
  b0 0a                         mov al, 0xa
  e6 70                         out 0x70, al
  e4 71                         in al, 0x71
  84 c0                         test al, al
  78 f6                         js .-8
  31 c0                         xor eax, eax
  e6 70                         out 0x70, al
  e4 71                         in al, 0x71
  0f b6 c8                      movzx ecx, al
  b0 02                         mov al, 2
  e6 70                         out 0x70, al
  e4 71                         in al, 0x71
  88 c5                         mov ch, al
  b0 04                         mov al, 4
  e6 70                         out 0x70, al
  e4 71                         in al, 0x71
  c1 e0 10                      shl eax, 16
  09 c1                         or ecx, eax
  31 c0                         xor eax, eax
  e6 43                         out 0x43, al
  e4 40                         in al, 0x40
  0f b6 d8                      movzx ebx, al
  e4 40                         in al, 0x40
  88 c7                         mov bh, al
  ba <pmTimer:4>                mov edx, <pmTimer>
  ed                            in eax, dx
  89 c6                         mov esi, eax
  8b 3d 90 03 e0 fe             mov edi, ds:[0xfee00390]
  0f 31                         rdtsc
  57                            push edi
  56                            push esi
  53                            push ebx
  51                            push ecx
  52                            push edx
  50                            push eax
  55                            push ebp
  89 e6                         mov esi, esp
  b9 1c 00 00 00                mov ecx, 28
  66 ba fd 03                   mov dx, 0x3fd
  ec                            in al, dx
  a8 20                         test al, 0x20
  74 fb                         jz .-3
  66 ba f8 03                   mov dx, 0x3f8
  ac                            lodsb
  ee                            out dx, al
  e2 ef                         loop .-15
  89 f4                         mov esp, esi
  eb 84                         jmp .-122
`);

/** The interrupt has done what it is for when it comes. */
export const HANDLER = listing(`
  50                            push eax
  b0 20                         mov al, 0x20
  e6 20                         out 0x20, al
  58                            pop eax
  cf                            iretd
`);

const LOAD_AT = 0x10_0000;
/** Behind the code: its stack grows down from here. */
const STACK_AT = LOAD_AT + 0x1000;
/** The vector of the serial port's interrupt, and a gate for 32-bit interrupts (SDM vol. 3A §6.11). */
const SERIAL_VECTOR = 0x24;
const GATE = { SIZE: 8, SELECTOR: 2, FLAGS: 4, PRESENT_INTERRUPT_32: 0x8e00, OFFSET_HIGH: 6 } as const;
const PSEUDO_DESCRIPTOR = 6;

/** What the guest answers, from the least address on. */
const ANSWER_AT = { TAG: 0, TSC: 4, RTC: 12, PIT: 16, PM_TIMER: 20, APIC: 24 } as const;
/** Bytes of an answer. */
export const ANSWER_BYTES = 28;
/** By how much the guest divides the APIC timer's clock. */
export const APIC_DIVISOR = 128;

/** What the clocks showed at one moment, as they count. */
export interface ClockReadings {
  /** The byte that was answered. */
  readonly tag: number;
  readonly tsc: bigint;
  /** Seconds of the day. */
  readonly rtc: number;
  /** Counts down: 16 bits. */
  readonly pit: number;
  /** 24 bits, whatever the timer has. */
  readonly pmTimer: number;
  /** Counts down: 32 bits. */
  readonly apic: number;
}

/** The guest as a Multiboot kernel. `pmTimer`: the port of the ACPI PM timer. */
export function clockGuest(pmTimer: number): Uint8Array {
  const { OFFSET: AT, MAGIC, SIZE_WITH_ADDRESSES: header } = MULTIBOOT1_HEADER;
  const lines = [...SET_UP, ...ANSWER];
  const handler = LOAD_AT + header + codeSize(lines);
  const pseudo = handler + codeSize(HANDLER);
  const idt = pseudo + PSEUDO_DESCRIPTOR;
  const gate = idt + SERIAL_VECTOR * GATE.SIZE;
  const values = {
    stack: BigInt(STACK_AT),
    pmTimer: BigInt(pmTimer),
    idt: BigInt(pseudo),
    selector: BigInt(gate + GATE.SELECTOR),
  };
  const view = new ByteView(new Uint8Array(gate + GATE.SIZE - LOAD_AT));
  view.setU32(AT.MAGIC, MAGIC);
  view.setU32(AT.FLAGS, MULTIBOOT1_FLAG.ADDRESSES);
  view.setU32(AT.CHECKSUM, -(MAGIC + MULTIBOOT1_FLAG.ADDRESSES) >>> 0);
  view.setU32(AT.HEADER_ADDR, LOAD_AT);
  view.setU32(AT.LOAD_ADDR, LOAD_AT);
  view.setU32(AT.ENTRY_ADDR, LOAD_AT + header);
  view.bytes.set(codeBytes([...lines, ...HANDLER], values), header);
  view.setU16(pseudo - LOAD_AT, (SERIAL_VECTOR + 1) * GATE.SIZE - 1);
  view.setU32(pseudo - LOAD_AT + 2, idt);
  view.setU16(gate - LOAD_AT, handler & U16);
  view.setU16(gate - LOAD_AT + GATE.FLAGS, GATE.PRESENT_INTERRUPT_32);
  view.setU16(gate - LOAD_AT + GATE.OFFSET_HIGH, handler >>> 16);
  return view.bytes;
}

const U16 = 0xffff;
const BCD_TENS = 16;
const TEN = 10;
const BYTE = 0xff;
const PM_TIMER_MASK = 0xff_ffff;
const SECONDS = { minute: 60, hour: 3600 } as const;

function fromBcd(value: number): number {
  return Math.trunc(value / BCD_TENS) * TEN + (value % BCD_TENS);
}

/** Reads an answer of `ANSWER_BYTES`. */
export function readAnswer(bytes: Uint8Array): ClockReadings {
  const view = new ByteView(bytes);
  const rtc = view.u32(ANSWER_AT.RTC);
  const [seconds, minutes, hours] = [0, 8, 16].map((shift) => fromBcd((rtc >>> shift) & BYTE));
  return {
    tag: view.u8(ANSWER_AT.TAG),
    tsc: view.u64(ANSWER_AT.TSC),
    rtc: hours * SECONDS.hour + minutes * SECONDS.minute + seconds,
    pit: view.u32(ANSWER_AT.PIT),
    pmTimer: view.u32(ANSWER_AT.PM_TIMER) & PM_TIMER_MASK,
    apic: view.u32(ANSWER_AT.APIC),
  };
}
