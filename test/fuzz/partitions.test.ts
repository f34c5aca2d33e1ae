/** Damaged disks. A million more: `partitions.full.test.ts`. */
import assert from "node:assert/strict";
import test from "node:test";
import { fuzzDisks } from "./partitions.js";

test("R3.6 4,000 damaged disks: tables, file systems and configurations are read to an end or refused", () => {
  const booted = fuzzDisks(0x5eed, 4_000);
  assert.ok(booted > 400 && booted < 3_800, `${booted} still boot`);
});
