/** The public library, used as a stranger would: nothing but `api/index.js` is imported from the project. */
import { test } from "node:test";
import assert from "node:assert/strict";
import {
  buildPlan,
  createWasmEngine,
  LoaderRegistry,
  recognise,
  runToEnd,
  type ConsoleEnd,
  type CpuState,
  type Loader,
  type Plan,
  type RunReport,
} from "../../src/api/index.js";
import { pvhElf } from "../support/qemu/pvh-elf.js";

const LOAD_ADDRESS = 0x100000;
/** mov dx, 0x3f8; mov al, '!'; out dx, al; cli; hlt */
const BANG = Uint8Array.of(0x66, 0xba, 0xf8, 0x03, 0xb0, 0x21, 0xee, 0xfa, 0xf4);
const CLOCK = { deterministic: { nsPerInstruction: 10 } };

function run(plan: Plan): { text: string; report: RunReport } {
  let text = "";
  const console: ConsoleEnd = {
    write: (bytes) => (text += Buffer.from(bytes).toString("latin1")),
    read: () => new Uint8Array(0),
    inputOpen: () => false,
  };
  const report = runToEnd({
    plan,
    engine: createWasmEngine(),
    console,
    hostNow: () => performance.now() * 1e6,
    wait: () => assert.fail("a deterministic machine does not wait"),
  });
  return { text, report };
}

test("the library: a caller hands over a buffer, gets a plan, runs it", () => {
  const bytes = pvhElf(LOAD_ADDRESS, BANG, LOAD_ADDRESS);
  assert.equal(recognise(bytes).format, "elf");
  const { text, report } = run(buildPlan({ kernel: { name: "bang", bytes }, clock: CLOCK }));
  assert.equal(text, "!");
  assert.deepEqual([report.end.kind, report.end.status, report.stats.instructions], ["halted", 0, 5]);
});

test("R1.1 a loader of somebody else, registered through the library, boots a guest", () => {
  const ENTRY = 0x200000;
  const kernel = { name: "bang", bytes: pvhElf(LOAD_ADDRESS, BANG, LOAD_ADDRESS) };
  const entryState: CpuState = buildPlan({ kernel, clock: CLOCK }).bootCpu;
  const flat: Loader = {
    name: "flat",
    summary: "the last bytes of any ELF file, as they are, at 2 MiB",
    options: {},
    recognise: (image) => ({
      fits: true,
      why: "it was asked for",
      protocol: {
        entry: "flat 32-bit entry",
        layOutMemory: ({ memory }) =>
          void memory.claimAt(ENTRY, {
            name: "flat code",
            owner: "flat",
            size: 0x1000,
            bytes: image.bytes.subarray(-BANG.length),
          }),
        describeBootCpu: () => ({ ...entryState, rip: BigInt(ENTRY) }),
      },
    }),
  };
  const registry = new LoaderRegistry();
  registry.register(flat);
  const plan = buildPlan({ kernel, clock: CLOCK, loader: { name: "flat" } }, { loaders: registry });
  assert.equal(plan.loader.name, "flat");
  assert.equal(run(plan).text, "!");
});
