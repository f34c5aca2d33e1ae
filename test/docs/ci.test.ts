/**
 * R1.10 R6.6 `action.yml` and docs/ci.md without a guest: what they are made of, and that the commands which they come to are right: they are
 * asked for their cells, or for their words.
 */
import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import test from "node:test";
import { repositoryText } from "../support/repository.js";
import { Runner, readAction, yamlBlocks, type ActionStep } from "./ci.js";
import { putProgram, runShell, shellBlocks } from "./pages.js";

const ACTION = readAction();
const PAGE = repositoryText("docs/ci.md");
const LIMIT_MS = 30_000;
const SUMMARY = "--report=markdown=FILE";
/** In `locore run …`, the words behind `run` are preceded by one that lists the cells and runs nothing. */
const ONLY_LISTED = 'shift; set -- run --dry-run "$@"\n';

function stepNamed(name: string): ActionStep {
  const step = ACTION.runs.steps.find((one) => one.name === name);
  assert.ok(step, name);
  return step;
}

test("R1.10 action.yml: composite; every step says what runs it, and no input is pasted into a script", () => {
  assert.equal(ACTION.runs.using, "composite");
  for (const step of ACTION.runs.steps) {
    assert.ok((step.run === undefined) !== (step.uses === undefined), step.name);
    if (step.run !== undefined) assert.equal(step.shell, "bash", step.name);
    assert.ok(!step.run?.includes("${{"), `${step.name}: an input could be a command`);
    if (step.uses !== undefined) assert.match(step.uses, /^actions\/[a-z-]+@v\d+$/);
  }
  for (const [name, { description, default: usual, required }] of Object.entries(ACTION.inputs)) {
    assert.match(description, /\.$/, name);
    assert.ok((usual === undefined) === (required === "true"), name);
  }
  const text = repositoryText("action.yml");
  const used = [...text.matchAll(/inputs\.([a-z-]+)/g)].map(([, name]) => name);
  assert.deepEqual(
    [...new Set(used)].sort(),
    Object.keys(ACTION.inputs).sort(),
    "every input is used, and is there",
  );
  assert.deepEqual(Object.keys(ACTION.outputs), ["report", "out"]);
});

test("R1.10 action.yml: Node is asked for its version, and installed where it is older than 20.11 or not there", (t) => {
  for (const [version, missing] of [
    ["18.19.0", "true"],
    ["20.10.0", "true"],
    ["20.11.0", "false"],
    ["26.1.0", "false"],
  ]) {
    const runner = new Runner(t);
    runner.inputs(ACTION, { matrix: `smp=${version}` });
    const asked = `Object.defineProperty(process.versions, "node", { value: "${version}" })`;
    runner.program("node", `script=$2; exec ${process.execPath} -e '${asked};'"$script"`);
    const { status, output } = runner.step(stepNamed("Look for Node"));
    assert.equal(status, 0, output);
    assert.equal(runner.output("node.outputs.missing"), missing, version);
    assert.match(runner.output("node.outputs.cache") ?? "", /^\/.*\/locore$/);
    assert.match(runner.output("node.outputs.month") ?? "", /^\d{4}-\d\d$/);
  }
  const without = new Runner(t, "/nowhere");
  without.inputs(ACTION, {});
  for (const name of ["date", "sha256sum", "cut"])
    without.program(name, `PATH=/usr/bin:/bin exec ${name} "$@"`);
  without.step(stepNamed("Look for Node"));
  assert.equal(without.output("node.outputs.missing"), "true");
});

test("R1.10 action.yml: other kernels are other guests to keep: they are part of the cache's key", (t) => {
  const wanted = [{}, { kernel: "sid" }, { matrix: "kernel=sid" }, { root: "debian:gcc" }, {}].map(
    (given) => {
      const runner = new Runner(t);
      runner.inputs(ACTION, given);
      runner.step(stepNamed("Look for Node"));
      return runner.output("node.outputs.wanted") ?? "";
    },
  );
  assert.equal(wanted[0], wanted[4]);
  assert.match(wanted[0], /^[0-9a-f]{12}$/);
  assert.equal(new Set(wanted).size, 4);
});

test("R1.10 action.yml: locore is this checkout, built if it is not yet, or what npm installs from a package", (t) => {
  const install = stepNamed("Install locore");
  const built = new Runner(t);
  built.inputs(ACTION, {});
  assert.equal(built.step(install).status, 0);
  assert.match(built.output("install.outputs.program") ?? "", /\/dist\/run\/locore\.cjs$/);

  const fresh = new Runner(t);
  fresh.inputs(ACTION, {});
  const checkout = fresh.file("checkout");
  fresh.program("node", 'echo "node $*"');
  mkdirSync(checkout);
  assert.match(fresh.step(install, checkout).output, /^node .*\/checkout\/tools\/setup\.mjs$/m);

  const packed = new Runner(t);
  packed.inputs(ACTION, { package: "locore 1.tgz" });
  packed.program("npm", 'printf "[%s]" "$@"');
  const { output } = packed.step(install);
  assert.match(output, /^\[install\]\[--global\].*\[--prefix\]\[.*\/locore\]\[locore 1\.tgz\]$/);
  assert.equal(packed.output("install.outputs.program"), path.join(packed.folder, "locore/bin/locore"));
});

/** The words that the action's last script gives to locore, and the status it ends with. */
function wordsOf(
  t: test.TestContext,
  given: Record<string, string>,
): { words: string[]; status: number | null } {
  const runner = new Runner(t);
  runner.inputs(ACTION, given);
  const program = runner.program("fake", `printf '%s\\0' "$@" >"${runner.file("words")}"; exit 9`);
  runner.setOutput("install.outputs.program", program);
  const { status } = runner.step(stepNamed("Run"));
  return { words: readFileSync(runner.file("words"), "utf8").split("\0").slice(0, -1), status };
}

test("R1.10 action.yml: inputs become words of locore run, whatever stands in them; its status is the step's", (t) => {
  const usual = ["run", "--timeout=10m", "--report=junit=locore-junit.xml", SUMMARY, "--out=locore-out"];
  const made = wordsOf(t, { command: "make test" });
  assert.deepEqual(
    { ...made, words: made.words.map((word) => word.replace(/=\/.*$/, "=FILE")) },
    {
      words: [...usual, "--matrix=kernel=debian-12", "--exec=make test"],
      status: 9,
    },
  );
  const hostile = `echo "$(id)"; 'x' \${y}\nsecond`;
  const { words } = wordsOf(t, {
    command: hostile,
    kernel: "a,b",
    root: "host",
    share: "a b:/c,rw\n\nd",
    options: "--rw\n-m=1G",
  });
  assert.deepEqual(words.slice(usual.length), [
    ...["--root=host", "--share=a b:/c,rw", "--share=d", "--rw", "-m=1G"],
    ...["--matrix=kernel=a,,b", `--exec=${hostile}`],
  ]);
  const axes = wordsOf(t, { command: "true", matrix: "kernel=debian-12,sid\nappend=a b,c\n" }).words;
  assert.deepEqual(axes.slice(usual.length, -1), ["--matrix=kernel=debian-12,sid", "--matrix=append=a b,c"]);
});

test("R1.10 docs/ci.md: the commands of its shell blocks are right: they plan the cells that they say", async (t) => {
  const { folder } = new Runner(t);
  await putProgram(folder, "locore", ONLY_LISTED);
  const [first, tap, data] = shellBlocks(PAGE);
  const four = await runShell(first, { folder, limitMs: LIMIT_MS });
  assert.equal(four.status, 0, four.output);
  assert.equal(four.output.trim().split("\n").length, 4);
  const three = await runShell(tap, { folder, limitMs: LIMIT_MS });
  assert.equal(three.output.trim(), "env=MODE=fast smp=1\nenv=MODE=fast smp=2\nenv=MODE=safe smp=1");
  const cells = [{ name: "smp=1", state: "ok" }];
  writeFileSync(path.join(folder, "json"), JSON.stringify({ cells }));
  await putProgram(folder, "locore", "cat json; exit 0\n");
  const shown = await runShell(data, { folder, limitMs: LIMIT_MS });
  assert.equal(shown.output.trim(), "smp=1: ok", "its program reads what --json prints");
});

test("R1.10 docs/ci.md: the workflow's inputs are the action's; its steps and GitLab's script plan the cells that they say", async (t) => {
  const [workflow, plain, gitlab, ...none] = yamlBlocks(PAGE) as [
    { jobs: { guests: { steps: ActionStep[] } } },
    { steps: ActionStep[] },
    { guests: Record<"script" | "before_script", string[]> },
  ];
  assert.deepEqual(none, []);
  const ours = workflow.jobs.guests.steps.find(({ uses }) => uses === "./locore")?.with ?? {};
  assert.ok(Object.keys(ours).length > 0);
  assert.deepEqual(
    Object.keys(ours).filter((name) => !Object.hasOwn(ACTION.inputs, name)),
    [],
  );
  const runner = new Runner(t);
  runner.inputs(ACTION, ours);
  await putProgram(runner.folder, "locore", ONLY_LISTED);
  runner.setOutput("install.outputs.program", runner.file("bin/locore"));
  const { status, output } = runner.step(stepNamed("Run"));
  assert.equal(status, 0, output);
  assert.equal(output.trim().split("\n").length, 4);
  for (const name of ["apt-get", "npm"]) runner.program(name, `printf '[%s]' ${name} "$@"; echo`);
  const [installs, alone] = plain.steps.map((step) => runner.step(step).output);
  assert.equal(installs, "[npm][install][--global][./locore-0.1.0.tgz]\n");
  assert.equal(alone, "smp=1\nsmp=2\n");
  const { before_script: before, script } = gitlab.guests;
  const lab = await runShell([...before, ...script].join("\n"), { folder: runner.folder, limitMs: LIMIT_MS });
  assert.equal(lab.status, 0, lab.output);
  assert.match(lab.output, /^\[npm\]\[install\]\[--global\]\[\.\/locore-0\.1\.0\.tgz\]$/m);
  assert.match(lab.output, /^kernel=debian-13 smp=4$/m);
});
