/**
 * Transfers that go wrong: archives that answer slowly, in part or not at all, and ones that cannot be reached. The real
 * apt, a server of ours.
 */
import assert from "node:assert/strict";
import { readFile, readdir } from "node:fs/promises";
import test from "node:test";
import { fetchPackages, GuestError, pullGuest } from "../../src/guests/index.js";
import { isFault, processesWith, servedBench } from "../support/apt-bench.js";
import { kernelPackages } from "../support/guest-packages.js";

/** Long enough for a pause of a busy machine, short enough for a test. */
const STALL_MS = 1_500;
const LIMIT = { timeout: 60_000 };

/** The error of a promise that must be rejected with a GuestError. */
async function guestError(promise: Promise<unknown>): Promise<GuestError> {
  const error = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof GuestError, String(error));
  return error;
}

const firstLine = ({ message }: Error): string => message.split("\n")[0];

test("guests: a server that takes a request and never answers ends the pull, by name", LIMIT, async (t) => {
  const made = await servedBench(t);
  if (!made) return;
  const { repository, server, options } = made;
  await repository.publish(kernelPackages("50"));
  server.manner = "mute";
  const error = await guestError(pullGuest("debian-cloud", { ...options, stallMs: STALL_MS }));
  assert.equal(error.fault, "network");
  assert.equal(
    firstLine(error),
    `${server.host} sent nothing for 1.5 s: the package lists of bookworm amd64 could not be fetched`,
  );
  assert.match(error.message, /What is cached still works.*http_proxy.*\n.*KERNEL --initrd/s);
  assert.deepEqual(await processesWith(options.cacheFolder), [], "apt and its methods are gone");
  assert.ok(!(await readdir(options.cacheFolder)).includes("lock"), "the lock is released");
  server.manner = "ordinary";
  assert.equal((await pullGuest("debian-cloud", options)).version, "6.1.50-1");
});

test(
  "guests: a mirror that stops in the middle of a package ends the pull; nothing of it is believed",
  LIMIT,
  async (t) => {
    const made = await servedBench(t);
    if (!made) return;
    const { repository, server, options } = made;
    await repository.publish(kernelPackages("50", "k".repeat(300_000)));
    server.manner = "half";
    server.badly = /\.deb$/;
    const error = await guestError(pullGuest("debian-cloud", { ...options, stallMs: STALL_MS }));
    assert.equal(error.fault, "network");
    assert.match(
      firstLine(error),
      /^127\.0\.0\.1:\d+ sent nothing for 1\.5 s: linux-image-6\.1\.0-50-cloud-amd64 6/,
    );
    assert.equal(server.requests.filter((request) => request.endsWith(".deb")).length, 1, "asked for once");
    server.manner = "ordinary";
    const pulled = await pullGuest("debian-cloud", options);
    assert.equal((await readFile(pulled.files["kernel"])).length, 300_000);
  },
);

test("packages: a set of packages is given up likewise", LIMIT, async (t) => {
  const made = await servedBench(t);
  if (!made) return;
  const { repository, server, options } = made;
  await repository.publish(kernelPackages("50"));
  server.manner = "mute";
  server.badly = /\.deb$/;
  const request = { packages: ["linux-image-6.1.0-50-cloud-amd64"] };
  await assert.rejects(
    fetchPackages(request, { ...options, stallMs: STALL_MS }),
    isFault("network", /^127\.0\.0\.1:\d+ sent nothing for 1\.5 s: linux-image-6\.1/),
  );
});

test("guests: a slow transfer is never cut, however long it takes as a whole", LIMIT, async (t) => {
  const made = await servedBench(t);
  if (!made) return;
  const { repository, server, options } = made;
  await repository.publish(kernelPackages("50", "k".repeat(20_000)));
  // Many times the limit as a whole; a piece is far less than the percent by which apt counts.
  server.manner = { pieces: 8, pauseMs: STALL_MS / 3 };
  server.badly = /vmlinuz|cloud.*6\.1\.50-1.*\.deb$/;
  const start = performance.now();
  const pulled = await pullGuest("debian-cloud", { ...options, stallMs: STALL_MS });
  assert.equal((await readFile(pulled.files["kernel"])).length, 20_000);
  assert.ok(performance.now() - start > 2 * STALL_MS);
});

test(
  "guests: where nobody listens, the first line says so in plain words, apt's words come last",
  LIMIT,
  async (t) => {
    const made = await servedBench(t);
    if (!made) return;
    const { repository, server, options } = made;
    await repository.publish(kernelPackages("50"));
    const { host } = server;
    server.stop();
    const error = await guestError(pullGuest("debian-cloud", options));
    assert.equal(error.fault, "network");
    assert.equal(firstLine(error), `cannot reach ${host}: connection refused`);
    assert.match(
      error.message,
      /What is cached still works.*KERNEL --initrd.*\napt's words: W: Failed to fetch/s,
    );
  },
);

test("guests: a name that nobody knows is told as such", LIMIT, async (t) => {
  const made = await servedBench(t);
  if (!made) return;
  const { repository, options } = made;
  repository.uri = "http://archive.invalid/debian";
  await repository.publish(kernelPackages("50"));
  const error = await guestError(pullGuest("debian-cloud", options));
  assert.equal(error.fault, "network");
  assert.equal(firstLine(error), "cannot reach archive.invalid: its name cannot be resolved");
});

test("guests: a proxy that cannot be reached is told with what lies behind it", LIMIT, async (t) => {
  const made = await servedBench(t);
  if (!made) return;
  const { repository, server, options } = made;
  const { host } = server;
  repository.uri = "http://archive.invalid/debian";
  repository.settings = [`Acquire::http::Proxy "http://${host}";`];
  await repository.publish(kernelPackages("50"));
  server.stop();
  assert.equal(
    firstLine(await guestError(pullGuest("debian-cloud", options))),
    `cannot reach ${host}: connection refused, which is on the way to archive.invalid`,
  );
});

test(
  "guests: with lists of before, an archive that is gone is told at the package, once",
  LIMIT,
  async (t) => {
    const made = await servedBench(t);
    if (!made) return;
    const { repository, server, options } = made;
    await repository.publish([...kernelPackages("50"), { name: "busybox-static", version: "1", files: [] }]);
    await pullGuest("debian-cloud", options);
    const { host } = server;
    server.stop();
    for (const refresh of [false, true]) {
      const error = await guestError(pullGuest("busybox", { ...options, refresh }));
      assert.equal(error.fault, "network");
      assert.equal(firstLine(error), `cannot reach ${host}: connection refused`);
    }
    assert.equal((await pullGuest("debian-cloud", options)).cached, true, "what is cached needs no network");
  },
);
