/** `locore plan KERNEL`: the machine that `boot` would run, as data; nothing runs. */
import { createHash } from "node:crypto";
import type { Plan, PlanRegion } from "../../boot/plan.js";
import { requireCapacity } from "../../host/node/engines.js";
import type { OptionSpec } from "../args.js";
import { BOOT_OPERANDS, BOOT_OPTIONS, readBootRequest } from "../boot-request.js";
import { JSON_OPTION, printLines, type Command } from "../command.js";
import { withGuestFiles } from "../guest-files.js";
import { toJson } from "../json.js";
import { makePlan } from "../make-plan.js";
import { showingProgress } from "../progress.js";
import { QEMU_PARAGRAPH, QEMU_WORDS } from "../qemu/words.js";
import { planMappings, planSections } from "../render/plan.js";

/** Contents up to this size are in the JSON; longer ones are files that the caller has. */
const LONGEST_CONTENT = 65536;
const SECTIONS: readonly (readonly [name: string, help: string])[] = [
  ["summary", "image, loader, CPUs, memory, clock, command line"],
  ["map", "who claims which memory"],
  ["e820", "the memory map as the guest is told"],
  ["registers", "the boot CPU at its first instruction"],
  ["paging", "what its page tables map"],
  ["tables", "where firmware tables lie"],
  ["devices", "ports, memory and interrupts of the devices"],
  ["hand-over", "what firmware hands over to: memory filled, registers"],
  ["fw_cfg", "what firmware is told of the machine"],
  ["cpuid", "the CPUID table and the features it shows"],
];
const SECTION_OPTIONS: readonly OptionSpec[] = SECTIONS.map(([name, help]) => ({
  name,
  help: `only this: ${help}`,
}));

function regionFacts({ content, ...region }: PlanRegion): Record<string, unknown> {
  if (content.kind === "zero") return { ...region, content };
  return { ...region, content: { kind: "bytes", ...contentFacts(content.bytes) } };
}

function contentFacts(bytes: Uint8Array): Record<string, unknown> {
  const facts = { length: bytes.length, sha256: createHash("sha256").update(bytes).digest("hex") };
  return bytes.length <= LONGEST_CONTENT
    ? { ...facts, base64: Buffer.from(bytes).toString("base64") }
    : facts;
}

/** What a machine has that starts in its firmware. */
function firmwareFacts({ fwCfg, handOver }: Plan): Record<string, unknown> {
  const facts: Record<string, unknown> = {};
  if (fwCfg !== undefined)
    facts["fwCfg"] = fwCfg.map(({ bytes, ...item }) => ({ ...item, ...contentFacts(bytes) }));
  if (handOver !== undefined) facts["handOver"] = { ...handOver, regions: handOver.regions.map(regionFacts) };
  return facts;
}

/** The whole plan for programs: contents by digest, short ones in full. */
function planFacts(plan: Plan): Record<string, unknown> {
  const regions = plan.regions.map(regionFacts);
  return { ...plan, ...firmwareFacts(plan), regions, mappings: planMappings(plan) };
}

export const plan: Command = {
  summary: "show the machine that boot would run: memory map, registers, page tables, CPUID, devices, tables",
  description: [QEMU_PARAGRAPH],
  operands: BOOT_OPERANDS,
  options: [...BOOT_OPTIONS, ...SECTION_OPTIONS, JSON_OPTION],
  foreign: QEMU_WORDS,
  examples: [
    ["locore plan vmlinuz --map --e820", "who claims which memory, and what the guest is told of it"],
    ["locore plan vmlinuz --json", "the whole machine as JSON"],
  ],
  async run(args, { stdout, stderr }) {
    const request = readBootRequest(args);
    const files = await showingProgress(stderr, (pulling) => withGuestFiles(request, pulling));
    const made = await makePlan(files);
    // What boot would refuse is refused here, with the same words.
    await requireCapacity(made);
    if (args.has("json")) {
      stdout.write(`${toJson(planFacts(made), 2)}\n`);
      return 0;
    }
    const all = planSections(made);
    const asked = all.filter(({ name }) => args.has(name));
    const shown = asked.length > 0 ? asked : all;
    const lines = shown.flatMap(({ name, lines: own }) => [
      `${name}:`,
      ...own.map((line) => `  ${line}`.trimEnd()),
      "",
    ]);
    printLines(stdout, lines.slice(0, -1));
    return 0;
  },
};
