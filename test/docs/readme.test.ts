/** The README's first commands, as a newcomer runs them; the others are in the full tier. */
import test from "node:test";
import { runReadme } from "./readme.js";

test("R3.1 the README's first commands run as they stand, from an empty folder and an empty cache", (t) =>
  runReadme(t, "first"));
