/**
 * A process that saves one machine to one file: `loop FILE` again and again, each time another machine, saying so; `once FILE`
 * reports what came of it and whether the machine goes on, as JSON.
 */
import { saveToFile } from "../../src/host/node/snapshot-file.js";
import { TestConsole } from "./fake-machine.js";
import { barePlan } from "./snapshot-cuts.js";
import { newMachine } from "./snapshot-moves.js";
import { ipiGuest } from "./two-cpu-guests.js";

const [, , how, file] = process.argv;
const OPTIONS = { locore: "0.0.0", compress: false };
const machine = newMachine(barePlan(ipiGuest(1_000_000, { begin: "b", end: "e", wrong: 1 }), 2), {
  console: new TestConsole(),
});

if (how === "loop")
  for (let i = 0; ; i++) {
    machine.run(1000);
    // So that files differ in length as well.
    machine.memory.fill(0x200000 + 0x1000 * (i % 500), 0x1000, 1);
    saveToFile(file, machine, { ...OPTIONS, savedAt: i });
    process.stdout.write(`${i}\n`);
  }
else {
  machine.run(1000);
  let code: string | undefined;
  try {
    saveToFile(file, machine, { ...OPTIONS, savedAt: 0 });
  } catch (error) {
    code = (error as NodeJS.ErrnoException).code;
  }
  const step = machine.run(1000);
  process.stdout.write(JSON.stringify({ code, step, end: machine.end }));
}
