/** The README's commands: every entry, machine and file that it names. */
import test from "node:test";
import { runReadme } from "./readme.js";

test("R3.1 all of the README's commands run as they stand, in their order", (t) => runReadme(t, "full"));
