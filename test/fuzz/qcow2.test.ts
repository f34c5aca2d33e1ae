/** R3.6, the short run: damaged qcow2 images cost a BlockError. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { fuzzQcow2 } from "./qcow2.js";

const IMAGES = 20_000;
/** Generous: it takes a tenth; what is quadratic in an image's numbers would take hours. */
const LIMIT_MS = 120_000;

test(
  `R3.6 ${IMAGES} damaged qcow2 images are refused, or are disks whose every use comes back`,
  { timeout: LIMIT_MS },
  () => {
    const { opened } = fuzzQcow2(IMAGES, 1);
    assert.ok(opened > IMAGES / 10 && opened < IMAGES, `${opened} could be opened`);
  },
);
