/**
 * The modules of a kernel of the catalogue that a machine of ours may need, out of the very package that the kernel came from.
 * Kept in the cache: taking them out of a package of 30 MiB takes seconds.
 */
import { readFile } from "node:fs/promises";
import path from "node:path";
import { GuestCache, type GuestRecord } from "../cache/cache.js";
import { defaultCacheFolder } from "../cache/folder.js";
import { inputAt } from "../cache/input.js";
import { GuestError } from "../errors.js";
import { fetchPackages, type FetchedPackage } from "../initramfs/package-set.js";
import { offThread } from "../off-thread.js";
import { targetOf, type PulledGuest, type PullOptions } from "../pull.js";
import type { ModuleSource } from "./module-set.js";

/** Drivers of the machine's devices, and file systems that a share or a disk may hold; with what they need. */
export const MACHINE_MODULES: readonly string[] = [
  ...[
    "virtio_mmio",
    "virtio_console",
    "virtio_blk",
    "virtio_rng",
    "virtio_balloon",
    "virtio_net",
    "af_packet",
  ],
  ...["fuse", "virtiofs", "9p", "9pnet_virtio", "overlay"],
  ...["ext4", "crc32c_generic", "xfs", "btrfs", "squashfs", "isofs", "vfat", "nls_ascii", "nls_cp437"],
];

/** What only serves to install a kernel. */
const INSTALLATION = ["kmod", "linux-base", "initramfs-tools"];

/** The roles under which the cache has the names of what is built in, and of what was looked for; every other one is a module's name. */
const BUILT_IN = "modules.builtin";
const LOOKED_FOR = "modules.looked-for";
const ALL_LOOKED_FOR = MACHINE_MODULES.join("\n");

function sourceOf(
  { folder, recordFile }: { folder: string; recordFile: string },
  record: GuestRecord,
  where: string,
  builtIn: string,
): ModuleSource {
  const stored = Object.values(record.files).map((file) => path.join(folder, file.path));
  const seen = [recordFile, ...stored].map((file) => inputAt(file));
  return {
    where,
    seen,
    builtIn: new Set(builtIn.split("\n").filter((name) => name !== "")),
    async read(name) {
      if (name === BUILT_IN || name === LOOKED_FOR || !Object.hasOwn(record.files, name)) return undefined;
      return readFile(path.join(folder, record.files[name].path));
    },
  };
}

/** Whether all that is looked for now was looked for when the record was made. */
async function hasAll(folder: string, { files }: GuestRecord): Promise<boolean> {
  if (!Object.hasOwn(files, LOOKED_FOR)) return false;
  return (await readFile(path.join(folder, files[LOOKED_FOR].path), "utf8")) === ALL_LOOKED_FOR;
}

/** The package that holds the modules: the kernel's own, or since Linux 7 the one beside it. */
async function kernelPackages(kernel: PulledGuest, options: PullOptions): Promise<readonly FetchedPackage[]> {
  const { release, architecture } = targetOf(kernel.name);
  const packages = [`${kernel.package.replace(/^linux-binary-/, "linux-modules-")}=${kernel.version}`];
  const set = await fetchPackages({ packages, release, architecture, assume: INSTALLATION }, options);
  return set.packages.filter(({ name }) => name.startsWith("linux-"));
}

/**
 * The modules of a kernel that was pulled. Throws GuestError: the package cannot be had, or is damaged; and the reason of
 * `options.signal`.
 */
export async function pullModules(kernel: PulledGuest, options: PullOptions = {}): Promise<ModuleSource> {
  const cache = new GuestCache(options.cacheFolder ?? defaultCacheFolder());
  const name = `${kernel.name}-modules`;
  const where = `the package ${kernel.package} ${kernel.version}`;
  const source = async (record: GuestRecord): Promise<ModuleSource> => {
    const folder = cache.guestFolder(name);
    return sourceOf(
      { folder, recordFile: cache.recordFile(name) },
      record,
      where,
      await readFile(path.join(folder, record.files[BUILT_IN].path), "utf8"),
    );
  };
  const ready = await cache.verified(name);
  const isSame = ready?.package === kernel.package && ready.version === kernel.version;
  if (isSame && (await hasAll(cache.guestFolder(name), ready))) return source(ready);
  const packages = await kernelPackages(kernel, options);
  options.progress?.({ guest: kernel.name, step: "unpack", detail: `modules of ${kernel.package}` });
  const files = packages.map(({ file }) => file);
  const { modules, builtIn } = await offThread("modulesFromDebs", [files, MACHINE_MODULES], options.signal);
  if (builtIn.length === 0) throw new GuestError("damaged", `${where} holds no ${BUILT_IN}`);
  const { release, architecture } = targetOf(kernel.name);
  const stored = Object.fromEntries(
    modules.map((module) => [module.name, { fileName: `${module.name}.ko`, bytes: module.bytes }]),
  );
  const about = {
    name,
    package: kernel.package,
    version: kernel.version,
    packageSha256: packages[0]?.sha256 ?? "",
    release,
    architecture,
  };
  stored[LOOKED_FOR] = { fileName: LOOKED_FOR, bytes: new TextEncoder().encode(ALL_LOOKED_FOR) };
  stored[BUILT_IN] = { fileName: BUILT_IN, bytes: new TextEncoder().encode(builtIn.join("\n")) };
  return source(
    await cache.exclusively(() => cache.store(about, stored), {
      signal: options.signal,
      onWait: () =>
        options.progress?.({
          guest: kernel.name,
          step: "waiting",
          detail: "another process that is fetching guests",
        }),
    }),
  );
}
