/** `locore plan KERNEL`: the machine that `boot` would run, as data; nothing runs. */
import { requireCapacity } from "../../host/node/engines.js";
import type { Writable } from "node:stream";
import { UsageError, type Arguments, type OptionSpec } from "../args.js";
import { makePlan } from "../../host/node/make-plan.js";
import { BOOT_OPERANDS, BOOT_OPTIONS } from "../boot-request.js";
import { JSON_OPTION, printLines, type Command } from "../command.js";
import { withGuestFiles } from "../guest-files.js";
import { machineSource, plugInFiles } from "../make-plan.js";
import { askedRequest } from "../asked-request.js";
import { readInput } from "../files.js";
import { toJson } from "../json.js";
import { differenceLines, planDifferences } from "../plan-diff.js";
import { planJson } from "../plan-json.js";
import { showingProgress } from "../progress.js";
import { QEMU_PARAGRAPH, qemuWords } from "../qemu/about.js";
import { planSections } from "../render/plan.js";

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

const SAME = 0;
const DIFFERENT = 1;

async function planFile(path: string): Promise<unknown> {
  const bytes = await readInput("plan", path);
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    throw new UsageError(
      `${path} is no JSON`,
      "locore plan KERNEL --json >FILE writes a plan that can be compared",
    );
  }
}

/** Two files that `--json` wrote; status 1 where they differ, as diff has it. */
async function compare(args: Arguments, stdout: Writable): Promise<number> {
  const [left, right, ...more] = args.operands as readonly (string | undefined)[];
  if (left === undefined || right === undefined || more.length > 0)
    throw new UsageError("--diff takes two files", "locore plan --diff A.json B.json");
  const differences = planDifferences(await planFile(left), await planFile(right));
  if (args.has("json")) stdout.write(`${toJson(differences, 2)}\n`);
  else printLines(stdout, differenceLines(differences));
  return differences.length === 0 ? SAME : DIFFERENT;
}

export const plan: Command = {
  description: [QEMU_PARAGRAPH],
  operands: BOOT_OPERANDS,
  options: [
    ...BOOT_OPTIONS,
    ...SECTION_OPTIONS,
    { name: "diff", help: "compare two files that --json wrote (the two operands); status 1 if they differ" },
    JSON_OPTION,
  ],
  foreign: qemuWords,
  examples: [
    ["locore plan vmlinuz --map --e820", "who claims which memory, and what the guest is told of it"],
    ["locore plan vmlinuz --json >p.json", "the whole machine as JSON, to be edited"],
    ["locore plan --diff a.json b.json", "what is different between two machines, a line a field"],
    ["locore plan --plan p.json --devices", "what an edited one comes to"],
  ],
  async run(args, { stdout, stderr }) {
    if (args.has("diff")) return compare(args, stdout);
    const said = await askedRequest(args);
    const request = await showingProgress(stderr, (pulling) => withGuestFiles(said, pulling));
    const source = await machineSource(request);
    const { plan: made } = await makePlan(source);
    // What boot would refuse is refused here, with the same words.
    await requireCapacity(made);
    if (args.has("json")) {
      const plugged = await plugInFiles(request);
      stdout.write(`${planJson(made, { request, boot: source.boot, plugged })}\n`);
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
