/** What a program waits for that has a command run in a guest: prints the ms from `Vm.start` to the command's end, and whether it booted. */
import type * as Library from "../src/vm/index.js";

/** The library as a package has it: few files. */
const BUILT = new URL("../run/main/node.mjs", import.meta.url);
/** A boot executes some hundred million instructions, and what goes on from a machine that was kept some ten. */
const BOOTED = 100_000_000;

const { Vm } = (await import(BUILT.href)) as typeof Library;
const cold = process.argv.includes("--cold");
const begun = performance.now();
const vm = await Vm.start({ cold });
await vm.exec(["true"]).check();
const ms = performance.now() - begun;
const { executed } = await vm.stop();
process.stdout.write(`${ms} ${executed > BOOTED ? "cold" : "warm"}\n`);
