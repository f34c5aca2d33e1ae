/**
 * Every example of the documents is run: a page's block that is code has a test here, by its page and its place, and every command of ours, in
 * whatever block, is one that the command line takes.
 */
import assert from "node:assert/strict";
import test from "node:test";
import { checkOperands, parseArguments } from "../../src/cli/args.js";
import { readBootRequest } from "../../src/cli/boot-request.js";
import { findCommand } from "../../src/cli/commands/help.js";
import { readRunRequest } from "../../src/cli/run/request.js";
import { repositoryFiles, repositoryText } from "../support/repository.js";

/** A test that takes the block from its page, or one that does the same with words of its own. */
type RunBy = string | { like: string };

/** For each page and language: what runs each block, in their order. Blocks without a language are output, drawings and lists of commands. */
const EXAMPLES: Readonly<Record<string, Readonly<Record<string, readonly RunBy[]>>>> = {
  "README.md": {
    sh: Array<RunBy>(6).fill("test/docs/readme.ts"),
    ts: ["test/docs/readme-example.test.ts"],
  },
  "docs/browser.md": { html: ["test/browser/bundle.test.ts"] },
  "docs/ci.md": {
    sh: Array<RunBy>(3).fill("test/docs/ci.test.ts"),
    yaml: Array<RunBy>(3).fill("test/docs/ci.test.ts"),
  },
  "docs/convert.md": { sh: ["test/docs/pages.full.test.ts"] },
  "docs/devices.md": {
    js: ["test/kernels/own-device.test.ts"],
    sh: ["test/kernels/own-device.test.ts"],
    ts: ["test/docs/fragments.test.ts"],
  },
  "docs/engine.md": { ts: ["test/docs/fragments.test.ts"] },
  "docs/freebsd-arm-xen.md": { sh: Array<RunBy>(7).fill("test/docs/freebsd-arm-xen.test.ts") },
  "docs/gdb.md": {
    sh: ["test/docs/gdb.test.ts", { like: "test/kernels/lldb.test.ts" }],
    gdb: ["test/docs/gdb.test.ts"],
  },
  "docs/inspect-json.md": { sh: ["test/docs/pages.full.test.ts"] },
  "docs/install.md": { ts: ["test/docs/fragments.test.ts"] },
  "docs/library.md": { ts: Array<RunBy>(10).fill("test/vm/library.full.test.ts") },
  "docs/loaders.md": { ts: Array<RunBy>(2).fill("test/api/loader-example.test.ts") },
  "docs/net.md": { ts: ["test/api/net-example.test.ts", { like: "test/machine/lockstep.test.ts" }] },
  "docs/plans.md": {
    sh: ["test/docs/pages.full.test.ts"],
    json: [{ like: "test/cli/plan-file.test.ts" }],
  },
};

const FENCE = /^ *```(\S*)[^\n]*\n(.*?)^ *```$/gms;
/** Output, drawings, lists of commands. */
const SHOWN = ["", "text"];
const COMMAND = /^(?:npx )?locore ([a-z].*)$/;
const PAGES = ["README.md", ...repositoryFiles("docs").filter((file) => file.endsWith(".md"))];

interface Block {
  language: string;
  text: string;
}

function blocksOf(page: string): Block[] {
  return [...page.matchAll(FENCE)].map(([, language, text]) => ({ language, text }));
}

/** The words of a command as a shell parts them; what stands behind two blanks or a # describes it. */
function wordsOf(command: string): string[] {
  const words = [...command.matchAll(/(?:"((?:[^"\\]|\\.)*)"|'([^']*)'|[^\s"']+)+|\s+/g)].map(
    ([word]) => word,
  );
  const end = words.findIndex((word) => word.startsWith("#") || /^(\||>|[0-9]?>.*|\s{2,})$/.test(word));
  return (end < 0 ? words : words.slice(0, end))
    .filter((word) => word.trim() !== "")
    .map((word) =>
      word.replace(/^--(\S+?)="(.*)"$|^"(.*)"$|^'(.*)'$/s, (...found: string[]) =>
        found[1] === undefined ? (found[3] ?? found[4]) : `--${found[1]}=${found[2]}`,
      ),
    );
}

/** Commands of ours in a page's blocks, as they are written. */
function commandsOf(page: string): string[] {
  return blocksOf(page)
    .filter(({ language }) => language === "sh" || SHOWN.includes(language))
    .flatMap(({ text }) => text.replace(/\\\n */g, "").split("\n"))
    .map((line) => COMMAND.exec(line)?.[1])
    .filter((command) => command !== undefined);
}

/** What the command line says to a command; undefined where it takes it. Nothing runs. */
async function refusalOf(command: string): Promise<string | undefined> {
  const [name, ...words] = wordsOf(command);
  try {
    const { options, operands, foreign } = await findCommand(name).load();
    const parsed = parseArguments(words, options, await foreign?.());
    checkOperands(parsed.operands, operands);
    if ((name === "boot" || name === "plan") && !parsed.has("plan")) readBootRequest(parsed);
    if (name === "run" && !parsed.has("matrix")) readRunRequest(parsed);
    return undefined;
  } catch (error) {
    return `${command}: ${(error as Error).message}`;
  }
}

for (const page of PAGES) {
  test(`documents: every example of ${page} is run by a test, and every command in it is taken`, async () => {
    const text = repositoryText(page);
    const languages = blocksOf(text)
      .map(({ language }) => language)
      .filter((language) => !SHOWN.includes(language));
    const rows = EXAMPLES[page] ?? {};
    const counted = Object.entries(rows).flatMap(([language, tests]) => tests.map(() => language));
    assert.deepEqual(languages.sort(), counted.sort(), "each block of code has a row, and each row a block");
    for (const by of Object.values(rows).flat()) {
      const file = typeof by === "string" ? by : by.like;
      assert.ok(typeof by !== "string" || repositoryText(file).includes(page), `${file} reads ${page}`);
      assert.ok(repositoryFiles("test").includes(file), file);
    }
    const refused = (await Promise.all(commandsOf(text).map(refusalOf))).filter((one) => one !== undefined);
    assert.deepEqual(refused, []);
  });
}

test("documents: a command with a word that is not there, and one of two kernels, are found", async () => {
  const block = "```sh\nnpx locore boot k --net user,mtu=9000   # fine\nlocore boot k --nett user\n```";
  const [fine, ...wrong] = commandsOf(block);
  assert.equal(await refusalOf(fine), undefined);
  assert.match((await refusalOf(wrong[0])) ?? "", /unknown option --nett/);
  assert.match((await refusalOf('run a b -- true "c d"')) ?? "", /unexpected operand b/);
  assert.deepEqual(wordsOf('boot "a b" --append="c d" -- \'e\' # f'), [
    "boot",
    "a b",
    "--append=c d",
    "--",
    "e",
  ]);
  assert.deepEqual(wordsOf("boot k --share .:w   what it does"), ["boot", "k", "--share", ".:w"]);
});
