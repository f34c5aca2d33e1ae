/** R1.10 Commands in a guest that goes on from a machine that was kept, as it does in every start but the first. */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { Vm } from "../../src/vm/index.js";
import { hasRunGuests } from "../support/run-command.js";
import { bootOf, keptNames, useOwnCache } from "../support/warm-vm.js";
import { CASE_OPTIONS, execCases } from "./exec-cases.js";

const TIME = { timeout: 280_000 };
/** Seconds that a guest's clock may be off, and a slow host may take. */
const CLOCK_SLACK = 20;

const cache = useOwnCache({ after });

/** The lines of its console, once it has ended. */
async function ended(vm: Vm): Promise<string[]> {
  await vm.stop();
  const lines: string[] = [];
  for await (const line of vm.console.lines()) lines.push(line);
  return lines;
}

test(
  "R1.10 R3.10 Vm.start: later machines go on from where the first waited, several at once: with other random numbers, the right time, their own environment, and the same console",
  TIME,
  async (t) => {
    if (!(await hasRunGuests(t))) return;
    const random = new Set<string>();
    const look = async (vm: Vm, name: string): Promise<string> => {
      const { stdout } = await vm
        .exec("head -c 16 /dev/urandom | od -An -tx1; date +%s; echo $NAME; ls /tmp; : >/tmp/left")
        .check();
      const [bytes, seconds, ...rest] = stdout.split("\n");
      random.add(bytes);
      assert.ok(Math.abs(Number(seconds) - Date.now() / 1000) < CLOCK_SLACK, seconds);
      assert.deepEqual(rest, [name, ""]);
      return bootOf(vm);
    };
    const first = await Vm.start({ env: { NAME: "first" } });
    assert.equal(first.coldReason, "no machine like this was kept");
    t.after(() => first.stop());
    const boot = await look(first, "first");
    const said = await ended(first);
    // Whoever has waited for its end finds all of it.
    assert.deepEqual(keptNames(cache), [".json", ".snap"]);

    const names = ["second", "third"];
    const later = await Promise.all(names.map((NAME) => Vm.start({ env: { NAME } })));
    assert.deepEqual(
      later.map(({ coldReason }) => coldReason),
      names.map(() => undefined),
    );
    for (const [at, vm] of later.entries()) {
      t.after(() => vm.stop());
      assert.equal(await look(vm, names[at]), boot);
    }
    assert.equal(random.size, 3);
    for (const vm of later) assert.deepEqual(await ended(vm), said);
    assert.deepEqual(keptNames(cache), [".json", ".snap"]);
  },
);

test(
  "R1.10 R6.2 vm.fork: copies that are made at once have other random numbers than each other and than the first",
  TIME,
  async (t) => {
    if (!(await hasRunGuests(t))) return;
    const vm = await Vm.start();
    t.after(() => vm.stop());
    const said: string[] = [];
    const onMessage = (line: string): void => void said.push(line);
    const copies = await Promise.all([vm.fork({ onMessage }), vm.fork({ onMessage })]);
    for (const copy of copies) t.after(() => copy.stop());
    const random = await Promise.all(
      [vm, ...copies].map((one) => one.exec("cat /proc/sys/kernel/random/uuid; ls /locore").check()),
    );
    const numbers = random.map(({ stdout }) => stdout.split("\n")[0]);
    assert.equal(new Set(numbers).size, copies.length + 1, numbers.join(" "));
    assert.deepEqual(said, []);
    // Nothing of it is left.
    assert.ok(random.every(({ stdout }) => !stdout.includes("reseed")));
  },
);

execCases(() => Vm.start(CASE_OPTIONS));
