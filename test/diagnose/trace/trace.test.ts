/** R3.9: what a machine does, in a file for Perfetto: the words that ask for it, the events, and a machine that is traced. */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import { ChromeTrace } from "../../../src/diagnose/trace/chrome-trace.js";
import { parseTrace, type TraceWords } from "../../../src/diagnose/trace/trace-words.js";
import { TraceFile } from "../../../src/host/node/trace-file.js";
import { clockGuest } from "../../../src/diagnose/clocks/clock-guest.js";
import { buildPlan } from "../../../src/boot/build-plan.js";
import { loadEngine } from "../../../src/host/node/engines.js";
import { Machine } from "../../../src/machine/machine.js";
import { TestConsole } from "../../support/fake-machine.js";

interface TraceEvent {
  name: string;
  cat?: string;
  ph: string;
  ts?: number;
  tid?: number;
  args: Record<string, unknown>;
}

const PARTS = [
  { name: "uart16550", type: "uart16550", ports: [{ start: 0x3f8, size: 8 }] },
  { name: "disk0", type: "virtio-blk", mmio: [{ start: 0xd000_0000, size: 0x200 }] },
];

function words(text: string): TraceWords {
  const parsed = parseTrace(text);
  assert.ok(typeof parsed !== "string", String(parsed));
  return parsed;
}

/** The events that `emit` leaves, without the first one, which names the process. */
function traced(text: string, emit: (trace: ChromeTrace) => void): TraceEvent[] {
  let json = "";
  const trace = new ChromeTrace(words(text), PARTS, (more) => (json += more));
  emit(trace);
  // A reader of a file that still grows adds the end itself.
  assert.doesNotThrow(() => void JSON.parse(`${json}]`));
  trace.close();
  const [first, ...events] = JSON.parse(json) as TraceEvent[];
  assert.equal(first.ph, "M");
  return events;
}

const PORT = { cpu: 1, space: "port", address: 0x3f8, size: 1, write: true, value: 65 } as const;
const NOTIFY = { cpu: 0, space: "memory", address: 0xd000_0050, size: 4, write: true, value: 1 } as const;
const APIC = { cpu: 0, space: "memory", address: 0xfee0_00b0, size: 4, write: true, value: 0 } as const;
const MSR = { cpu: 0, space: "msr", address: 0x6e0, size: 8, write: true, value: 77 } as const;

function everything(trace: ChromeTrace): void {
  for (const [i, access] of [PORT, NOTIFY, APIC, MSR].entries()) trace.access(1000 * i, access);
  trace.interrupt(5000, 1, 0x24);
  trace.ran(0, 6000, { cpu: 1, reason: "halt", instructions: 12 });
}

test("R3.9 --trace: each kind has its events, with the device's name, register, CPU and machine's time", () => {
  const names = (text: string): string[] => traced(text, everything).map(({ name }) => name);
  assert.deepEqual(names("port"), ["write uart16550+0x0"]);
  assert.deepEqual(names("mmio"), ["write disk0+0x50", "write lapic+0xb0"]);
  assert.deepEqual(names("virtio"), ["write disk0 queue-notify"]);
  assert.deepEqual(names("mmio,virtio"), ["write disk0 queue-notify", "write lapic+0xb0"]);
  assert.deepEqual(names("msr"), ["write MSR 0x6e0"]);
  assert.deepEqual(names("irq,exit"), ["interrupt 0x24", "halt"]);
  const [event] = traced("port", everything);
  assert.deepEqual(event, {
    ...{ name: "write uart16550+0x0", cat: "port", ph: "i", s: "t", ts: 0, pid: 1, tid: 1 },
    args: { address: "0x3f8", size: 1, value: "0x41" },
  });
  const [halt] = traced("exit", everything);
  assert.deepEqual([halt.ph, halt.ts, halt.tid, halt.args], ["X", 0, 1, { instructions: 12 }]);
});

test("R3.9 --trace: a filter leaves the named devices, addresses and vectors", () => {
  const names = (text: string): string[] => traced(text, everything).map(({ name }) => name);
  assert.deepEqual(names("port,mmio:uart16550"), ["write uart16550+0x0"]);
  assert.deepEqual(names("port,mmio:disk*"), ["write disk0+0x50"]);
  assert.deepEqual(names("port,irq:0x3f0-0x3ff,0x24"), ["write uart16550+0x0", "interrupt 0x24"]);
  assert.deepEqual(names("port,irq:36"), ["interrupt 0x24"]);
});

test("R3.9 --trace: what makes no sense is said", () => {
  for (const [text, complaint] of [
    ["ports", /nothing called ports; there are port, mmio/],
    ["", /nothing called ;/],
    ["port:", / is neither a device/],
    ["port:0x20-0x10", /0x20-0x10 is neither/],
    ["port:a b", /a b is neither/],
  ] as const)
    assert.match(parseTrace(text) as string, complaint);
});

test("R3.9 a machine that is traced does what one does that is not, and its file has what it did", async (t) => {
  const folder = mkdtempSync(path.join(tmpdir(), "locore-trace-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const run = async (file?: string): Promise<[number, TraceEvent[]]> => {
    const kernel = { name: "clock guest", bytes: clockGuest(0x608) };
    const plan = buildPlan({ kernel, memory: 2 ** 24, clock: { deterministic: { nsPerInstruction: 1 } } });
    const options = { plan, engine: await loadEngine("wasm"), hostNow: () => 0, console: new TestConsole() };
    options.console.queue.push(1, 2);
    options.console.open = true;
    const told: string[] = [];
    const traced =
      file === undefined
        ? undefined
        : new TraceFile({ words: words("port,irq,exit"), file }, plan.devices, (line) => told.push(line));
    const machine = new Machine({ ...options, ...(traced && { trace: traced.trace }) });
    machine.run(200_000);
    traced?.close();
    const { instructions } = machine;
    machine.dispose();
    assert.deepEqual(told, []);
    return [instructions, file === undefined ? [] : (JSON.parse(readFileSync(file, "utf8")) as TraceEvent[])];
  };
  const [untraced] = await run();
  const [instructions, events] = await run(path.join(folder, "trace.json"));
  assert.equal(instructions, untraced);
  const [, again] = await run(path.join(folder, "again.json"));
  assert.deepEqual(again, events);
  const ours = events.filter(({ cat }) => cat !== undefined);
  assert.equal(
    ours.filter(({ name }) => name === "read i8254+0x0").length,
    4,
    "two bytes for each of two answers",
  );
  assert.ok(ours.some(({ cat, ph }) => cat === "exit" && ph === "X"));
  const times = ours.filter(({ ph }) => ph === "i").map(({ ts }) => ts!);
  assert.ok(times.every((time, i) => i === 0 || time >= times[i - 1]));
});
