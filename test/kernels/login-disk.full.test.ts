/** A small disk to `login:` and back (R3.6), as a person types it. `login.full.test.ts` has Debian. */
import { test } from "node:test";
import path from "node:path";
import { smallLoginImage } from "../support/login-image.js";
import { loginSessions } from "../support/login-session.js";

const LIMIT_S = 120;

test("R3.6 locore boot DISK: to login:, a second disk is read as it is, reboot, a second login:, poweroff; on a qcow2 over it", async (t) => {
  const image = await smallLoginImage(t);
  if (image !== undefined)
    await loginSessions(t, image, path.dirname(image), { limit: LIMIT_S, copy: false });
});
