#!/usr/bin/env node
/**
 * The file that is started. The build puts the program together into few files (tools/bundle.mjs), which load several times as
 * fast as hundreds; where only the compiler ran, those are loaded that it made.
 */
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";

const bundled = fileURLToPath(new URL("../../run/main/program.cjs", import.meta.url));
if (existsSync(bundled)) createRequire(import.meta.url)(bundled);
else await import("./program.js");
