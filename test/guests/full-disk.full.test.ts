/**
 * A full disk while Debian's own lists are fetched, by the host's sources: apt 2.6 puts a retry off, forgets it and waits
 * for ever, which takes lists that are signed and a server that is far away.
 */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import test from "node:test";
import { fileURLToPath } from "node:url";
import { missing, requireTool } from "../support/requires.js";
import { NO_DISK, onDisk } from "../support/small-disk.js";

const PROGRAM = fileURLToPath(new URL("../../src/cli/main.js", import.meta.url));
/** Below the time after which a transfer without progress is given up. */
const PROMPT_MS = 25_000;

for (const size of ["64k", "512k", "2m", "8m"]) {
  const limits = { timeout: 120_000, skip: NO_DISK };
  test(
    `guests: Debian's lists on a disk of ${size} are told to have no room, and soon`,
    limits,
    async (t) => {
      if (!requireTool(t, "apt-get")) return;
      const folder = await mkdtemp(path.join(tmpdir(), "locore-disk-"));
      t.after(() => rm(folder, { recursive: true, force: true }));
      const program = `XDG_CACHE_HOME=$0 exec ${process.execPath} ${PROGRAM} guests pull debian-cloud`;
      const start = performance.now();
      const { err } = await onDisk(folder, size, ["sh", "-c", program, folder]).ended;
      if (/^locore: cannot reach/m.test(err)) return missing(t, err);
      assert.match(
        err,
        /^locore: cannot write the package lists .* to .*: no space left for it \(.* free\)/m,
      );
      assert.ok(performance.now() - start < PROMPT_MS);
    },
  );
}
