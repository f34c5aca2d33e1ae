/** The steps of `action.yml` and the blocks of docs/ci.md, as data and as scripts that are run. */
import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import type { TestContext } from "node:test";
import { repositoryRoot, repositoryText } from "../support/repository.js";
import { parseYaml, type Yaml } from "../support/strict-yaml.js";

export interface ActionStep {
  name: string;
  id?: string;
  if?: string;
  shell?: string;
  uses?: string;
  run?: string;
  env?: Record<string, string>;
  with?: Record<string, string>;
}

export interface Action {
  inputs: Record<string, { description: string; default?: string; required?: string }>;
  outputs: Record<string, { description: string; value: string }>;
  runs: { using: string; steps: ActionStep[] };
}

/** `action.yml`. */
export function readAction(): Action {
  return parseYaml(repositoryText("action.yml")) as unknown as Action;
}

/** The `yaml` blocks of a page, in order. */
export function yamlBlocks(page: string): Yaml[] {
  return [...page.matchAll(/^```yaml\n(.*?)^```$/gms)].map(([, text]) => parseYaml(text));
}

/** What a `${{ … }}` may be here. */
type Values = Readonly<Record<string, string>>;

/** A text with its `${{ … }}` filled in. Throws for one that is not known. */
export function filledIn(text: string, values: Values): string {
  return text.replace(/\$\{\{ (.*?) \}\}/g, (_, name: string) => {
    if (!Object.hasOwn(values, name)) throw new Error(`unknown: ${name}`);
    return values[name];
  });
}

/** A runner: the steps of the action that are scripts, one after the other, as GitHub runs them. */
export class Runner {
  readonly folder: string;
  readonly #values: Record<string, string> = { "runner.os": "Linux" };

  constructor(
    t: TestContext,
    readonly searchPath = process.env["PATH"] ?? "",
  ) {
    this.folder = mkdtempSync(path.join(os.tmpdir(), "locore-ci-"));
    t.after(() => rmSync(this.folder, { recursive: true, force: true }));
    mkdirSync(path.join(this.folder, "bin"));
  }

  /** A program that comes before others of its name. */
  program(name: string, script: string): string {
    const file = path.join(this.folder, "bin", name);
    writeFileSync(file, `#!/bin/sh\n${script}\n`);
    chmodSync(file, 0o755);
    return file;
  }

  /** Where a step may write. */
  file(name: string): string {
    return path.join(this.folder, name);
  }

  /** Gives the action its inputs, those that have a default too. */
  inputs({ inputs }: Action, given: Values): void {
    for (const [name, { default: usual }] of Object.entries(inputs))
      this.#values[`inputs.${name}`] = given[name] ?? usual ?? "";
  }

  /** Says what an earlier step has put out. */
  output(name: string): string | undefined {
    return this.#values[`steps.${name}`];
  }

  setOutput(name: string, value: string): void {
    this.#values[`steps.${name}`] = value;
  }

  /** Runs a step that is a script. */
  step(
    { run = "", env = {}, id }: ActionStep,
    action = repositoryRoot,
  ): { status: number | null; output: string } {
    const outputs = this.file("github-output");
    writeFileSync(outputs, "");
    const filled = Object.entries(env).map(([name, value]) => [name, filledIn(value, this.#values)] as const);
    // GitHub's `shell: bash`.
    const { status, stdout, stderr } = spawnSync(
      "/bin/bash",
      ["--noprofile", "--norc", "-eo", "pipefail", "-c", run],
      {
        cwd: this.folder,
        env: {
          ...process.env,
          ...Object.fromEntries(filled),
          PATH: `${this.folder}/bin:${this.searchPath}`,
          GITHUB_OUTPUT: outputs,
          GITHUB_STEP_SUMMARY: this.file("github-summary"),
          GITHUB_ACTION_PATH: action,
          RUNNER_TEMP: this.folder,
        },
      },
    );
    for (const line of readFileSync(outputs, "utf8").split("\n").filter(Boolean)) {
      const equals = line.indexOf("=");
      this.setOutput(`${id}.outputs.${line.slice(0, equals)}`, line.slice(equals + 1));
    }
    return { status, output: stdout.toString() + stderr.toString() };
  }
}
