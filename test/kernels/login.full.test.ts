/** A disk with Debian, which dpkg has configured in a guest of ours, to `login:` and back (R3.6), as a person types it. */
import { test } from "node:test";
import assert from "node:assert/strict";
import { debianImage } from "../support/debian-image.js";
import { scratch } from "../support/disk-tools.js";
import { loginSessions } from "../support/login-session.js";

const LIMIT_S = 900;
/** What only a whole system answers as it should. */
const MORE = [
  ["dpkg -l | grep -c '^ii'", /^\d{2,}$/m],
  ["dpkg --audit; echo audited $?", /^audited 0$/m],
  ["stat -c %a,%U,%G /usr/bin/su /usr/bin/chage", /^4755,root,root\n2755,root,shadow$/m],
  ["findmnt -no SOURCE,FSTYPE /", /^\/dev\/vda1 +ext4$/m],
] as const;

test("R3.6 locore boot debian.img: to login:, a second disk, reboot, a second login:, poweroff; raw, and qcow2 over it", async (t) => {
  const image = await debianImage(t);
  if (image === undefined) return;
  for (const console of await loginSessions(t, image, scratch(t), { limit: LIMIT_S, more: MORE, copy: true }))
    assert.match(console, /\/dev\/vda1: clean, /, "its own fsck looks at the root in both boots");
});
