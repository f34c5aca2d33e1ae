/** `locore inspect FILE…`: what a file is, every fact with its offset. */
import { recognise } from "../../formats/index.js";
import type { Fact } from "../../formats/image.js";
import { readInput } from "../files.js";
import { JSON_OPTION, printLines, type Command } from "../command.js";
import { toJson } from "../json.js";

const OFFSET_DIGITS = 8;
const WITHOUT_OFFSET = " ".repeat(OFFSET_DIGITS);

function valueText(value: Fact["value"]): string {
  return Array.isArray(value) ? value.join(" ") : String(value);
}

function factLine({ name, value, offset, meaning }: Fact, nameWidth: number): string {
  const at = offset === undefined ? WITHOUT_OFFSET : offset.toString(16).padStart(OFFSET_DIGITS, "0");
  const text = `  ${at}  ${name.padEnd(nameWidth)}  ${valueText(value)}`;
  return meaning === undefined ? text : `${text}  (${meaning})`;
}

export const inspect: Command = {
  summary: "say what a file is: format, entry points, segments, notes, payload, each with its file offset",
  operands: [{ name: "FILE", required: true, help: "a kernel image" }],
  options: [JSON_OPTION],
  examples: [["locore inspect /boot/vmlinuz", "the setup header of a Linux kernel, field by field"]],
  async run(args, { stdout }) {
    const [path] = args.operands;
    const image = recognise(await readInput("file", path));
    const { format, arch, summary, facts, packedBy } = image;
    if (args.has("json")) {
      stdout.write(
        `${toJson({ file: path, size: image.bytes.length, format, arch, packedBy, summary, facts }, 2)}\n`,
      );
      return 0;
    }
    const width = Math.max(...facts.map(({ name }) => name.length));
    printLines(stdout, [
      `${path}: ${summary}`,
      "",
      packedBy === undefined ? "  offset    field" : "  offset    field, in the unpacked file",
      ...facts.map((f) => factLine(f, width)),
    ]);
    return 0;
  },
};
