/** The 16550A, as its data sheet describes it and as the drivers of Linux and FreeBSD probe it. */
import assert from "node:assert/strict";
import test from "node:test";
import { Uart16550, type Uart16550State } from "../../src/devices/serial/uart16550.js";
import { UART_IER, UART_MCR } from "../../src/spec/uart16550.js";
import { RecordingLine } from "../support/recording-line.js";

const [DATA, IER, IIR, LCR, MCR, LSR, MSR, SCR] = [0, 1, 2, 3, 4, 5, 6, 7];
const FCR = IIR;

class Bench {
  readonly irq = new RecordingLine();
  readonly sent: number[] = [];
  ready = 0;
  readonly uart = new Uart16550("uart", this.irq, {
    transmit: (byte) => this.sent.push(byte),
    receiveReady: () => this.ready++,
  });

  in(offset: number): number {
    return this.uart.readPort(offset, 1);
  }

  out(offset: number, value: number): void {
    this.uart.writePort(offset, 1, value);
  }

  /** Enables FIFOs with the trigger level of `code` (0–3) and the receive interrupt. */
  listen(code = 0): void {
    this.out(FCR, 0x07 | (code << 6));
    this.out(IER, 0x01);
  }
}

test("16550: reset values", () => {
  const bench = new Bench();
  assert.deepEqual(
    [IER, IIR, LCR, MCR, LSR, MSR].map((offset) => bench.in(offset)),
    [0, 0x01, 0, 0, 0x60, 0xb0],
  );
  assert.equal(bench.irq.level, false);
});

test("16550: FreeBSD's probe finds IIR & 0x30, MCR & 0xe0 and IER & 0xf0 zero, whatever was written", () => {
  const bench = new Bench();
  bench.out(IER, 0xff);
  bench.out(MCR, 0xff);
  bench.out(FCR, 0xff);
  assert.equal(bench.in(IIR) & 0x30, 0);
  assert.equal(bench.in(MCR) & 0xe0, 0);
  assert.equal(bench.in(IER) & 0xf0, 0);
});

test("16550: FreeBSD's loopback test counts 16 bytes until LSR shows an overrun", () => {
  const bench = new Bench();
  bench.out(MCR, UART_MCR.loopback | UART_MCR.out2 | UART_MCR.dtr | UART_MCR.rts);
  bench.out(FCR, 0x01);
  assert.equal(bench.in(IIR) & 0xc0, 0xc0);
  bench.out(FCR, 0x07);
  assert.equal(bench.in(LSR) & 0x01, 0);
  let count = 0;
  do {
    bench.out(DATA, count);
    count++;
  } while (!(bench.in(LSR) & 0x02) && count < 130);
  assert.equal(count, 17);
  assert.deepEqual(bench.sent, []);
  for (let byte = 0; byte < 16; byte++) assert.equal(bench.in(DATA), byte);
  assert.equal(bench.in(LSR) & 0x01, 0, "the byte that overran is lost");
  bench.out(DATA, 1);
  bench.out(FCR, 0x03);
  assert.equal(bench.in(LSR) & 0x01, 0, "an FCR reset empties the FIFO");
});

test("16550: Linux's test for a working transmit interrupt sees it each time it is enabled", () => {
  const bench = new Bench();
  for (let pass = 0; pass < 2; pass++) {
    bench.out(IER, 0x02);
    assert.equal(bench.irq.level, true);
    assert.equal(bench.in(IIR), 0x02);
    assert.equal(bench.irq.level, false, "reading IIR withdraws it");
    assert.equal(bench.in(IIR), 0x01);
    bench.out(IER, 0);
  }
});

test("16550: every byte sent raises the transmit interrupt again", () => {
  const bench = new Bench();
  bench.out(IER, 0x02);
  bench.in(IIR);
  bench.out(DATA, 0x41);
  assert.equal(bench.irq.level, true);
  assert.deepEqual(bench.sent, [0x41]);
  assert.equal(bench.in(LSR) & 0x60, 0x60);
  assert.equal(bench.irq.level, true, "LSR does not withdraw it");
});

test("16550: Linux's and NetBSD's loopback tests see the modem outputs as modem inputs", () => {
  const bench = new Bench();
  bench.out(MCR, 0x1a);
  assert.equal(bench.in(MSR) & 0xf0, 0x90);
  bench.out(MCR, 0x15);
  assert.equal(bench.in(MSR) & 0xf0, 0x60);
  bench.out(MCR, 0x10);
  assert.equal(bench.in(MSR), 0x06, "DSR changed, RI fell");
  assert.equal(bench.in(MSR), 0x00, "deltas are cleared by the read");
  bench.out(MCR, 0x00);
  assert.equal(bench.in(MSR) & 0xf0, 0xb0);
});

test("16550: a modem change interrupts with the lowest priority until MSR is read", () => {
  const bench = new Bench();
  bench.out(IER, 0x08);
  bench.out(MCR, 0x10);
  assert.equal(bench.in(IIR), 0x00);
  bench.in(MSR);
  assert.equal(bench.in(IIR), 0x01);
});

test("16550: DLAB gives the divisor in place of data and IER", () => {
  const bench = new Bench();
  bench.out(LCR, 0x83);
  bench.out(DATA, 0x34);
  bench.out(IER, 0x12);
  assert.deepEqual([bench.in(DATA), bench.in(IER)], [0x34, 0x12]);
  bench.out(LCR, 0x03);
  assert.equal(bench.in(IER), 0);
  assert.deepEqual(bench.sent, []);
  bench.out(LCR, 0xbf);
  assert.equal(bench.in(IIR), 0x01, "no enhanced registers behind 0xbf, for which NetBSD looks");
});

test("16550: the scratch register keeps a byte", () => {
  const bench = new Bench();
  bench.out(SCR, 0xa5);
  assert.equal(bench.in(SCR), 0xa5);
});

test("16550: receive data at the trigger level, a timeout below it", () => {
  for (const [code, level] of [1, 4, 8, 14].entries()) {
    const bench = new Bench();
    bench.listen(code);
    assert.equal(bench.uart.receive(new Uint8Array(level)), level);
    assert.equal(bench.in(IIR), 0xc4);
    bench.in(DATA);
    assert.equal(bench.in(IIR), level > 1 ? 0xcc : 0xc1);
    assert.equal(bench.irq.level, level > 1);
  }
});

test("16550: an overrun is a line status interrupt, cleared by reading LSR", () => {
  const bench = new Bench();
  bench.out(IER, 0x05);
  bench.out(MCR, 0x10);
  bench.out(DATA, 1);
  bench.out(DATA, 2);
  assert.equal(bench.in(IIR), 0x06);
  assert.equal(bench.in(LSR), 0x63);
  assert.equal(bench.in(IIR), 0x04);
  assert.equal(bench.in(DATA), 2, "without FIFO the newer byte stays");
});

test("16550: a break comes as a zero byte with BI, when it is at the top of the FIFO", () => {
  const bench = new Bench();
  bench.listen();
  bench.uart.receive([0x61]);
  assert.equal(bench.uart.receiveBreak(), true);
  assert.equal(bench.in(LSR), 0xe1, "an error somewhere in the FIFO");
  assert.equal(bench.in(DATA), 0x61);
  assert.equal(bench.in(LSR), 0xf1);
  assert.equal(bench.in(DATA), 0);
  assert.equal(bench.in(LSR), 0x60);
});

test("16550: input is taken only while the guest listens, and as much as there is room", () => {
  const bench = new Bench();
  assert.equal(bench.uart.receive([1, 2, 3]), 0, "nobody has touched the UART");
  bench.listen();
  assert.equal(bench.ready, 1);
  assert.equal(bench.uart.receive(new Uint8Array(100)), 16);
  assert.equal(bench.uart.receive([1]), 0);
  for (let i = 0; i < 16; i++) bench.in(DATA);
  assert.equal(bench.ready, 2);
  bench.out(MCR, UART_MCR.rts);
  assert.equal(bench.uart.receive([1]), 1);
  bench.out(MCR, 0);
  assert.equal(bench.uart.receive([1]), 0, "RTS was lowered");
  bench.out(MCR, UART_MCR.rts | UART_MCR.loopback);
  assert.equal(bench.uart.receive([1]), 0, "the line is cut in loopback");
});

test("16550: a guest that polls LSR without interrupts gets its input", () => {
  const bench = new Bench();
  for (let i = 0; i < 3; i++) {
    bench.in(LSR);
    bench.out(DATA, 0x2e);
  }
  assert.equal(bench.uart.receive([0x61]), 0, "reads of LSR between bytes sent are no waiting for input");
  while (bench.ready === 0) bench.in(LSR);
  assert.equal(bench.uart.receive([0x61]), 1);
  assert.equal(bench.in(LSR) & 0x01, 1);
  assert.equal(bench.in(DATA), 0x61);
});

test("16550: input waits while a driver has raised DTR only: it is still probing the port", () => {
  const bench = new Bench();
  bench.out(MCR, UART_MCR.dtr);
  bench.out(IER, UART_IER.receive);
  assert.equal(bench.uart.receive([0x61]), 0, "Linux's probe turns all interrupts on for a moment");
  bench.out(MCR, UART_MCR.dtr | UART_MCR.rts);
  assert.equal(bench.ready, 1);
  assert.equal(bench.uart.receive([0x61]), 1);
});

test("16550: a pasted megabyte arrives whole and in order", () => {
  const bench = new Bench();
  bench.listen(3);
  const paste = Uint8Array.from({ length: 1 << 20 }, (_, i) => (i * 7 + (i >> 8)) & 0xff);
  let offered = 0;
  let got = 0;
  while (got < paste.length) {
    offered += bench.uart.receive(paste.subarray(offered, offered + 64));
    while (bench.in(LSR) & 0x01) assert.equal(bench.in(DATA), paste[got++]);
  }
  assert.equal(offered, paste.length);
});

test("16550: a UART with the same state behaves the same", () => {
  const bench = new Bench();
  bench.listen(3);
  bench.uart.receive([1, 2, 3]);
  const irq = new RecordingLine();
  const state = JSON.parse(JSON.stringify(bench.uart.state)) as Uart16550State;
  const copy = new Uart16550("copy", irq, { transmit: () => undefined }, state);
  assert.equal(irq.level, true);
  assert.equal(copy.readPort(IIR, 1), 0xcc);
  assert.equal(copy.readPort(DATA, 1), 1);
});
