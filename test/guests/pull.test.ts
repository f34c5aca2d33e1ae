/** Fetching guests: by the real apt from an archive in a folder, then, where there is a network, from Debian. */
import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import test from "node:test";
import { listGuests, pullGuest } from "../../src/guests/index.js";
import type { PullProgress } from "../../src/guests/index.js";
import { aptBench as bench, isFault, setEnvironment } from "../support/apt-bench.js";
import type { RepositoryPackage } from "../support/apt-repository.js";
import { kernelPackages } from "../support/guest-packages.js";
import { requireGuest } from "../support/requires.js";

const META = "linux-image-cloud-amd64";

test("guests: a metapackage is resolved to the kernel it depends on, and the version recorded", async (t) => {
  const made = await bench(t);
  if (!made) return;
  await made.repository.publish([...kernelPackages("9"), ...kernelPackages("50")]);
  const steps: PullProgress["step"][] = [];
  const guest = await pullGuest("debian-cloud", {
    ...made.options,
    progress: ({ step }) => steps.push(step),
  });
  assert.equal(guest.package, "linux-image-6.1.0-50-cloud-amd64");
  assert.equal(guest.version, "6.1.50-1");
  assert.equal(guest.cached, false);
  assert.equal(await readFile(guest.files["kernel"], "utf8"), "kernel 50");
  assert.deepEqual([...new Set(steps)], ["lists", "download", "unpack"]);
  const listed = (await listGuests(made.options)).find(({ name }) => name === "debian-cloud");
  assert.equal(listed?.cachedVersion, "6.1.50-1");
});

test("guests: a kernel behind two packages that only depend, as unstable has it since Linux 7", async (t) => {
  const made = await bench(t);
  if (!made) return;
  const version = "7.2.13-1";
  const release = "7.2.13+deb14-cloud-amd64";
  const depending = (name: string, on: string): RepositoryPackage => ({
    name,
    version,
    depends: `linux-base-${release}, ${on} (= ${version})`,
    files: [],
  });
  const binary = `linux-binary-${release}`;
  const packages = [depending(META, `linux-image-${release}`), depending(`linux-image-${release}`, binary)];
  await made.repository.publish(packages);
  await assert.rejects(
    pullGuest("debian-sid-cloud", made.options),
    isFault("not-found", /no package linux-binary-7/),
  );
  const files = [{ name: `./usr/lib/modules/${release}/vmlinuz`, text: "kernel 7" }];
  await made.repository.publish([...packages, { name: binary, version, files }]);
  const guest = await pullGuest("debian-sid-cloud", { ...made.options, refresh: true });
  assert.equal(guest.package, binary);
  assert.equal(await readFile(guest.files["kernel"], "utf8"), "kernel 7");
});

test("guests: a warm cache needs neither apt nor the archive; --refresh fetches anew", async (t) => {
  const made = await bench(t);
  if (!made) return;
  await made.repository.publish(kernelPackages("50"));
  const first = await pullGuest("debian-cloud", made.options);
  await made.repository.publish(kernelPackages("56"));
  const searchPath = process.env["PATH"] ?? "";
  setEnvironment(t, { PATH: "/nonexistent" });
  const again = await pullGuest("debian-cloud", made.options);
  assert.deepEqual({ ...again, cached: false }, first);
  process.env["PATH"] = searchPath;
  const fresh = await pullGuest("debian-cloud", { ...made.options, refresh: true });
  assert.equal(fresh.version, "6.1.56-1");
  assert.equal(await readFile(fresh.files["kernel"], "utf8"), "kernel 56");
});

test("guests: a cached file that was changed is fetched again", async (t) => {
  const made = await bench(t);
  if (!made) return;
  await made.repository.publish(kernelPackages("50"));
  const { files } = await pullGuest("debian-cloud", made.options);
  await writeFile(files["kernel"], "tampered");
  const again = await pullGuest("debian-cloud", made.options);
  assert.equal(again.cached, false);
  assert.equal(await readFile(again.files["kernel"], "utf8"), "kernel 50");
});

test("guests: a version that was retired since the lists were fetched is looked up again", async (t) => {
  const made = await bench(t);
  if (!made) return;
  await made.repository.publish(kernelPackages("50"));
  await pullGuest("debian-cloud", made.options);
  await made.repository.publish(kernelPackages("56"));
  await rm(path.join(made.options.cacheFolder, "guests"), { recursive: true });
  assert.equal((await pullGuest("debian-cloud", made.options)).version, "6.1.56-1");
});

test("guests: a package whose bytes are not the signed index's is refused", async (t) => {
  const made = await bench(t);
  if (!made) return;
  await made.repository.publish(kernelPackages("50"));
  const file = made.repository.packageFile("linux-image-6.1.0-50-cloud-amd64", "6.1.50-1");
  const bytes = await readFile(file);
  bytes[bytes.length - 1500] ^= 1;
  await writeFile(file, bytes);
  await assert.rejects(pullGuest("debian-cloud", made.options), isFault("fetch", /Hash Sum mismatch/));
});

test("guests: an archive without the package says what to pass instead", async (t) => {
  const made = await bench(t);
  if (!made) return;
  await made.repository.publish(kernelPackages("50"));
  await assert.rejects(
    pullGuest("busybox", made.options),
    isFault("not-found", /busybox-static.* None of them is a Debian archive\..*KERNEL --initrd/s),
  );
});

test("guests: an archive that cannot be reached is reported in apt's words, with what to pass instead", async (t) => {
  const made = await bench(t);
  if (!made) return;
  await made.repository.publish(kernelPackages("50"));
  await made.repository.takeDown();
  await assert.rejects(pullGuest("busybox", made.options), isFault("fetch", /[WE]: .*KERNEL --initrd/s));
});

test("guests: a fetch that is called off leaves the cache usable", async (t) => {
  const made = await bench(t);
  if (!made) return;
  await made.repository.publish(kernelPackages("50"));
  const stop = new AbortController();
  const progress = (): void => stop.abort();
  await assert.rejects(pullGuest("debian-cloud", { ...made.options, signal: stop.signal, progress }), {
    name: "AbortError",
  });
  assert.equal((await pullGuest("debian-cloud", made.options)).version, "6.1.50-1");
});

test("guests: two fetches of one guest at once fetch it once", async (t) => {
  const made = await bench(t);
  if (!made) return;
  await made.repository.publish(kernelPackages("50"));
  const both = await Promise.all([1, 2].map(() => pullGuest("debian-cloud", made.options)));
  assert.deepEqual(both.map(({ cached }) => cached).sort(), [false, true]);
});

test("guests: a host without apt says what to pass instead", async (t) => {
  const folder = await mkdtemp(path.join(tmpdir(), "locore-apt-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  setEnvironment(t, { PATH: folder });
  await assert.rejects(
    pullGuest("busybox", { cacheFolder: folder }),
    isFault("no-apt", /no apt-config.*KERNEL --initrd/s),
  );
});

test("guests: an unknown name is answered with the names there are", async () => {
  await assert.rejects(
    pullGuest("windows"),
    isFault("unknown", /debian-cloud, debian-13-cloud, .*busybox, busybox-i386/),
  );
});

test("guests: every entry of the catalogue says what it is, its source, check, licence and use", async () => {
  const guests = await listGuests();
  const names = guests.map(({ name }) => name);
  assert.equal(new Set(names).size, names.length, "names are unique");
  assert.deepEqual(
    names.slice(0, 2),
    ["debian-cloud", "debian-13-cloud"],
    "what most people want comes first",
  );
  for (const name of ["busybox", "xen", "gnumach-amd64", "seabios"]) assert.ok(names.includes(name), name);
  for (const { what, source, verified, licence, shows } of guests) {
    for (const fact of [what, source, verified, licence, shows]) assert.ok(fact.length > 10, fact);
  }
});

test("guests: Debian's cloud kernel is a bzImage, busybox a static x86-64 program", async (t) => {
  const kernel = await requireGuest(t, "debian-cloud");
  const busybox = await requireGuest(t, "busybox");
  if (!kernel || !busybox) return;
  const image = await readFile(kernel.files["kernel"]);
  assert.equal(image.subarray(0x202, 0x206).toString("latin1"), "HdrS");
  assert.match(await readFile(kernel.files["config"], "utf8"), /^CONFIG_PVH=y$/m);
  const program = await readFile(busybox.files["busybox"]);
  assert.equal(program.subarray(0, 4).toString("latin1"), "\x7fELF");
  assert.ok((await stat(busybox.files["busybox"])).size > 1_000_000);
});
