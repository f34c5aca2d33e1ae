/** Every compute benchmark, in the order of the report. */
import { bigIntegers } from "./big-integers.js";
import { bytecode } from "./bytecode.js";
import { calls } from "./calls.js";
import { contextSwitches } from "./context-switches.js";
import { copies } from "./copies.js";
import { hashTable } from "./hash-table.js";
import { list } from "./list.js";
import { matrix } from "./matrix.js";
import { mixing } from "./mixing.js";
import { nBody } from "./n-body.js";
import { pageFaults } from "./page-faults.js";
import type { ComputeProgram } from "./program.js";
import { quicksort } from "./quicksort.js";
import { sha256 } from "./sha256.js";
import { sieve } from "./sieve.js";
import { strings } from "./strings.js";
import { systemCalls } from "./system-calls.js";

export const COMPUTE_PROGRAMS: readonly ComputeProgram[] = [
  sieve,
  mixing,
  sha256,
  quicksort,
  strings,
  list,
  hashTable,
  calls,
  bytecode,
  bigIntegers,
  copies,
  matrix,
  nBody,
  pageFaults,
  systemCalls,
  contextSwitches,
];
