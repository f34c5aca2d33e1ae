/** Node's modules that few starts need: each takes up to some milliseconds to load. */
import { createRequire } from "node:module";
import type ChildProcess from "node:child_process";
import type Crypto from "node:crypto";
import type Os from "node:os";
import type V8 from "node:v8";
import type Zlib from "node:zlib";

interface Late {
  "node:child_process": typeof ChildProcess;
  "node:crypto": typeof Crypto;
  "node:os": typeof Os;
  "node:v8": typeof V8;
  /** Since 20.15 with a CRC-32, which the types do not have yet. */
  "node:zlib": typeof Zlib & { crc32?: (bytes: Uint8Array, previous?: number) => number };
}

/** One of them, loaded when it is first asked for. */
export function lateBuiltin<Name extends keyof Late>(name: Name): Late[Name] {
  return createRequire(process.execPath)(name) as Late[Name];
}
