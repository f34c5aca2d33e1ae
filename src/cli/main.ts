#!/usr/bin/env node
/**
 * The file that is started. The build puts the program together into few files (tools/bundle.mjs), which load several times as
 * fast as hundreds; where only the compiler ran, those are loaded that it made.
 */
import { existsSync } from "node:fs";

const bundled = new URL("../../run/main/program.js", import.meta.url);
await import(existsSync(bundled) ? bundled.href : "./program.js");
