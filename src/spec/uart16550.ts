/** Numbers of the 16550A UART: National Semiconductor PC16550D data sheet, §8 "Registers". */

/** Register offsets. Two share an offset with another by direction, two by LCR bit 7 (DLAB). */
export const UART = {
  /** Receive buffer (read), transmit holding (write), divisor low (DLAB). */
  data: 0,
  /** Interrupt enable; divisor high (DLAB). */
  interruptEnable: 1,
  /** Interrupt identification (read), FIFO control (write). */
  identification: 2,
  lineControl: 3,
  modemControl: 4,
  lineStatus: 5,
  modemStatus: 6,
  scratch: 7,
} as const;

/** Bytes of each FIFO. */
export const UART_FIFO_SIZE = 16;

export const UART_IER = {
  receive: 0x01,
  transmit: 0x02,
  lineStatus: 0x04,
  modemStatus: 0x08,
  all: 0x0f,
} as const;
export const UART_IIR = {
  none: 0x01,
  modemStatus: 0x00,
  transmit: 0x02,
  receive: 0x04,
  lineStatus: 0x06,
  timeout: 0x0c,
  fifosEnabled: 0xc0,
} as const;
export const UART_FCR = { enable: 0x01, resetReceive: 0x02, resetTransmit: 0x04, triggerShift: 6 } as const;
/** Bytes at which the receive interrupt fires, by FCR bits 7–6. */
export const UART_TRIGGER_LEVELS = [1, 4, 8, 14] as const;
export const UART_LCR = { divisorAccess: 0x80 } as const;
export const UART_MCR = { dtr: 0x01, rts: 0x02, out1: 0x04, out2: 0x08, loopback: 0x10, all: 0x1f } as const;
export const UART_LSR = {
  dataReady: 0x01,
  overrun: 0x02,
  parity: 0x04,
  framing: 0x08,
  break: 0x10,
  /** Overrun, parity, framing and break: what the line status interrupt reports. */
  errors: 0x1e,
  transmitHoldingEmpty: 0x20,
  transmitterEmpty: 0x40,
  fifoError: 0x80,
} as const;
export const UART_MSR = {
  deltaCts: 0x01,
  deltaDsr: 0x02,
  trailingRing: 0x04,
  deltaDcd: 0x08,
  deltas: 0x0f,
  cts: 0x10,
  dsr: 0x20,
  ring: 0x40,
  dcd: 0x80,
} as const;
/** Divisor after reset is undefined on the chip; this one is 9600 baud, what firmware leaves. */
export const UART_RESET_DIVISOR = 12;
