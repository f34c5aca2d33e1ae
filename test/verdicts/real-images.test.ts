/** R2.3 R4.3 what `locore inspect` says of the images that guests of the catalogue have, against a golden text. */
import test from "node:test";
import { assertGuestGolden, CATALOGUE_IMAGES } from "./real-images.js";

for (const name of CATALOGUE_IMAGES) {
  test(`R2.3 R4.3 ${name}: what it is, where it boots, and by which rule not elsewhere`, (t) =>
    assertGuestGolden(t, "usual", name));
}
