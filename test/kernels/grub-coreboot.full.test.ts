// R1.3 R1.1 GRUB's coreboot image, which has a Multiboot header: by Multiboot it starts and finds no memory, because it
// looks for coreboot's table; a loader of somebody else, built on Multiboot's, adds that, and there is the prompt.
//
// Specification: coreboot src/commonlib/include/commonlib/coreboot_tables.h (header, memory record).
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  buildPlan,
  LoaderRegistry,
  type BootProtocol,
  type LoadContext,
  type Loader,
} from "../../src/api/index.js";
import { multiboot1Loader } from "../../src/boot/multiboot1/multiboot1.js";
import { ByteWriter } from "../../src/bytes/byte-writer.js";
import { grubImage } from "../support/grub.js";
import { bootUntil } from "../support/marked-boot.js";

/** Where coreboot payloads look first. */
const TABLE_AT = 0x500;
const HEADER_SIZE = 24;
const MEMORY_TAG = 1;
const RAM = 1;

/** "LBIO", sizes and sums (which GRUB does not look at), one record: the memory above 1 MiB and the lowest. */
function corebootTable(ram: readonly { start: number; size: number }[]): Uint8Array {
  const record = new ByteWriter().u32(MEMORY_TAG).u32(8 + ram.length * 20);
  for (const { start, size } of ram) record.u64(start).u64(size).u32(RAM);
  const bytes = record.finish();
  return new ByteWriter()
    .text("LBIO")
    .u32(HEADER_SIZE)
    .u32(0)
    .u32(bytes.length)
    .u32(0)
    .u32(1)
    .bytes(bytes)
    .finish();
}

const corebootLoader: Loader = {
  name: "coreboot",
  summary: "an ELF payload with coreboot's table at 0x500",
  options: {},
  recognise(image, context) {
    const recognition = multiboot1Loader.recognise(image, context);
    if (!recognition.fits) return recognition;
    const { protocol } = recognition;
    const payload: BootProtocol = {
      entry: "coreboot payload entry",
      layOutMemory(load: LoadContext) {
        protocol.layOutMemory(load);
        const low = { start: 0x1000, size: 0x9_e000 };
        const high = { start: 0x10_0000, size: load.memory.ram[0].size - 0x10_0000 };
        const bytes = corebootTable([low, high]);
        load.memory.claimAt(TABLE_AT, {
          name: "coreboot table",
          owner: "coreboot",
          size: bytes.length,
          bytes,
        });
      },
      describeBootCpu: () => protocol.describeBootCpu(),
    };
    return { ...recognition, protocol: payload };
  },
};

const CONFIG = `serial --unit=0 --speed=115200
terminal_input serial
terminal_output serial
echo hello from GRUB
`;

test("R1.3 GRUB's coreboot image: started by Multiboot, to its prompt with coreboot's table", async (t) => {
  const bytes = await grubImage(t, {
    format: "i386-coreboot",
    modules: ["serial", "terminal", "echo", "minicmd", "normal"],
    config: CONFIG,
  });
  if (bytes === undefined) return;
  const kernel = { name: "grub", bytes };
  const plan = buildPlan({ kernel });
  assert.equal(plan.loader.name, "multiboot1");
  assert.equal(plan.bootCpu.rip, 0x9000n);
  const registry = new LoaderRegistry();
  registry.register(corebootLoader);
  const { console } = await bootUntil(t, "grub>", { kernel, loader: { name: "coreboot" } }, registry);
  assert.match(console, /hello from GRUB/);
  assert.match(console, /GNU GRUB +version 2\./);
});
