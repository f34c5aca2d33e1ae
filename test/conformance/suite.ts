/**
 * The conformance suite of the engine contract: `defineConformance(factory)` declares every guest and every
 * host-driven test for one engine. An engine that lacks something says so by `skip`, and the reason is printed.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Engine } from "../../src/engine/contract.js";
import { defineDeviceTests } from "./contract-devices.js";
import { defineDebugTests } from "./contract-debug.js";
import { defineContractTests } from "./contract.js";
import { defineMemoryTests } from "./contract-memory.js";
import { allGuests } from "./guests.js";
import type { Guest } from "./support/guest.js";
import { finish, load } from "./support/on-engine.js";
import { differences } from "./support/outcome.js";

export interface ConformanceOptions {
  /** Why this engine does not run a guest, by "group: name"; undefined when it does. */
  skip?(guest: Guest, id: string): string | undefined;
}

/** Runs one guest to its end and returns what differs. `slice` is the budget of each `run`. */
export function differencesOnEngine(engine: Engine, guest: Guest, slice?: number): string[] {
  const session = load(engine, guest);
  try {
    const outcome = finish(session, slice);
    const found = differences(guest, outcome);
    if (found.length > 0) found.push(`RIP at the end 0x${session.cpu.readState().rip.toString(16)}`);
    return found;
  } finally {
    session.vm.dispose();
  }
}

/** Declares the suite for one engine. */
export function defineConformance(factory: () => Engine, options: ConformanceOptions = {}): void {
  const engine = factory();
  const verdict = engine.probe();
  const unusable = verdict.usable ? false : verdict.reason;
  const only = process.env.LOCORE_ONLY;
  for (const group of allGuests()) {
    describe(`R6.1 conformance of the ${engine.name} engine: ${group.name}`, { skip: unusable }, () => {
      for (const guest of group.guests) {
        const id = `${group.name}: ${guest.name}`;
        if (only !== undefined && !id.includes(only)) continue;
        const skip = options.skip?.(guest, id) ?? false;
        test(`${guest.name} (${guest.cites})`, { skip }, () => {
          assert.deepEqual(differencesOnEngine(engine, guest), []);
        });
      }
    });
  }
  if (only !== undefined) return;
  defineContractTests(engine, unusable);
  defineDeviceTests(engine, unusable);
  defineMemoryTests(engine, unusable);
  defineDebugTests(engine, unusable);
}
