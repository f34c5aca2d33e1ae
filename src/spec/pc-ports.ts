/**
 * I/O ports of an IBM PC compatible and the ISA interrupts that belong to them. Intel 82371 and ICH data sheets,
 * "I/O map". Addresses only: what the registers mean is in the file of each chip.
 */
export const PC_PORTS = {
  picMaster: { start: 0x20, size: 2 },
  pit: { start: 0x40, size: 4 },
  keyboardData: { start: 0x60, size: 1 },
  systemControlB: { start: 0x61, size: 1 },
  keyboardCommand: { start: 0x64, size: 1 },
  rtc: { start: 0x70, size: 2 },
  systemControlA: { start: 0x92, size: 1 },
  picSlave: { start: 0xa0, size: 2 },
  debugExit: { start: 0xf4, size: 4 },
  bochsDisplay: { start: 0x1ce, size: 3 },
  vga: { start: 0x3c0, size: 16 },
  vgaCrtc: { start: 0x3d4, size: 2 },
  vgaStatus: { start: 0x3da, size: 1 },
  com1: { start: 0x3f8, size: 8 },
  debugConsole: { start: 0x402, size: 1 },
  elcr: { start: 0x4d0, size: 2 },
  debugExitAlias: { start: 0x501, size: 2 },
  fwCfg: { start: 0x510, size: 2 },
  fwCfgDma: { start: 0x514, size: 8 },
  resetControl: { start: 0xcf9, size: 1 },
} as const;

/** Where a PC has its serial ports, by number less one: COM1 is what Linux calls ttyS0. */
const COM_PORTS: readonly number[] = [0x3f8, 0x2f8, 0x3e8, 0x2e8];

/** Number of the serial port at `port`: 1 for COM1; undefined where a PC has none. */
export function comNumber(port: number): number | undefined {
  const index = COM_PORTS.indexOf(port);
  return index < 0 ? undefined : index + 1;
}

/** How many ISA interrupts there are. */
export const ISA_IRQS = 16;

/** ISA interrupt numbers. */
export const ISA_IRQ = {
  pit: 0,
  keyboard: 1,
  cascade: 2,
  com2: 3,
  com1: 4,
  rtc: 8,
  sci: 9,
  mouse: 12,
} as const;
