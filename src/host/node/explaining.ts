/**
 * Explains a machine in its thread: when main asks, and at ends that are no success. What looks at a machine is loaded only then.
 */
import * as fs from "node:fs";
import type { diagnose } from "../../diagnose/diagnose.js";
import type { SymbolTable } from "../../diagnose/symbols/symbol-table.js";
import type { EndKind } from "../../machine/end.js";
import type { ExplainOptions } from "../run.js";
import type { WorkerSide } from "../shared.js";
import type { WorkerMessage } from "./messages.js";

/** Ends by which a guest shows that something is wrong. */
const EXPLAINED: readonly EndKind[] = ["crashed", "stuck", "timeout"];

/** A guest that asks for one more reset than so many were allowed goes round in a circle. */
const RESETS_OF_A_LOOP = 2;

/** Loads what looks at machines, once it is needed. */
export class Explaining {
  readonly options: ExplainOptions;
  #look: typeof diagnose | undefined;
  #symbols: SymbolTable | undefined;
  #wanted = false;
  readonly #file: string | undefined;

  /** `file`: what has the kernel's symbols; one that has none, or is not there any more, is left alone. */
  constructor(side: WorkerSide, tell: (message: WorkerMessage) => void, file: string | undefined) {
    this.#file = file;
    this.options = {
      look: () => {
        this.#wanted = true;
        return this.#look;
      },
      symbols: () => this.#symbols,
      asked: () => side.takeDiagnosisRequest(),
      found: (diagnosis) => tell({ kind: "diagnosis", diagnosis }),
      // An end of the host's is explained where main asks together with it.
      atEnd: ({ kind }, resets) =>
        EXPLAINED.includes(kind) ||
        (kind === "reset" && resets >= RESETS_OF_A_LOOP) ||
        (kind === "interrupted" && side.takeDiagnosisRequest()),
    };
  }

  /** Loads what the run waits for; nothing if it waits for something else. */
  async load(): Promise<void> {
    if (!this.#wanted || this.#look !== undefined) return;
    const [{ diagnose: look }, { symbolsOfFile }] = await Promise.all([
      import("../../diagnose/diagnose.js"),
      import("../../diagnose/symbols/symbol-files.js"),
    ]);
    try {
      // Node makes `promises` when it is first asked for.
      if (this.#file !== undefined) this.#symbols = symbolsOfFile(await fs.promises.readFile(this.#file));
    } catch {
      this.#symbols = undefined;
    }
    this.#look = look;
  }
}
