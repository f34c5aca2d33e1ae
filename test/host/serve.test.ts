/** The machine's thread without the thread: what becomes of its machine when something fails around it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { MessageChannel } from "node:worker_threads";
import type { Engine } from "../../src/engine/contract.js";
import { serveMachine } from "../../src/host/node/serve.js";
import type { StartMessage, WorkerMessage, WorkerSetup } from "../../src/host/node/messages.js";
import { allocateShared } from "../../src/host/shared.js";
import { createFakeEngine } from "../support/fake-engine.js";
import { emptyPlan, toyBoard } from "../support/fake-machine.js";

const CLOCK = { tscHz: 1e9, apicHz: 1e9, rtcStart: 0 };

/** An engine that counts its machines. */
function counted(): { engine: Engine; alive: () => number } {
  let alive = 0;
  const fake = createFakeEngine({
    *main() {
      for (;;) yield;
    },
  });
  const engine: Engine = {
    ...fake,
    createVm: (...args) => {
      alive++;
      return { ...fake.createVm(...args), dispose: () => void alive-- };
    },
  };
  return { engine, alive: () => alive };
}

test("R6.2 a compiler that cannot be loaded in the middle of a run ends it with its error, and frees the machine", async () => {
  const { port1, port2 } = new MessageChannel();
  const { engine, alive } = counted();
  const heard: WorkerMessage[] = [];
  port1.on("message", (message: WorkerMessage) => heard.push(message));
  const setup: WorkerSetup = { engine: "fake", options: {}, shared: allocateShared() };
  port1.postMessage(setup);
  port1.postMessage({ source: { plan: emptyPlan({ clock: CLOCK }) } } satisfies StartMessage);
  let made = 0;
  await serveMachine(port2, {
    board: toyBoard,
    makePlan: () => Promise.reject(new Error("there is a plan")),
    startEngine: () =>
      Promise.resolve({
        engine,
        canWait: false,
        wantsMore: () => alive() > 0,
        complete: () => {
          made = Math.max(made, alive());
          // A kernel's engine is made whole before there is a machine.
          return alive() > 0 ? Promise.reject(new Error("no such file")) : Promise.resolve();
        },
      }),
  });
  await new Promise((resolve) => port1.once("close", resolve));
  const last = heard.at(-1);
  assert.equal(last?.kind === "failed" && last.failure.message, "no such file");
  assert.deepEqual([made, alive()], [1, 0], "machines");
});
