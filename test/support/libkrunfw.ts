/**
 * The Linux kernel of libkrunfw, which other monitors' guests are booted with: it has virtio on MMIO, told of by words of its
 * command line, the MP table and hvc0, and neither ACPI nor a serial port. npm fetches it, once, into the cache of guests; what
 * is fetched is one package whose digest stands here.
 */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import path from "node:path";
import type { TestContext } from "node:test";
import { promisify } from "node:util";
import { execFile } from "node:child_process";
import { gunzipSync } from "node:zlib";
import { readTar } from "../../src/guests/archives/tar.js";
import { GuestCache } from "../../src/guests/cache/cache.js";
import { makeElf } from "./images.js";
import { missing } from "./requires.js";

const PACKAGE = "@superradcompany/microsandbox-linux-x64-gnu";
const VERSION = "0.6.18";
const SHA512 =
  "6fd32efadbb556ae34edcf2cafbb1c34ec41806a495ff667778346150fc3c78e124ba6c7537a6350401db28dc8a440760b1f67ac6201b4175a46b570d6ba3eeb";
const LIBRARY = "package/lib/libkrunfw.so.5.6.1";
/** The library's symbol KERNEL_BUNDLE, in the file; and what its krunfw_get_kernel answers. */
const BUNDLE = { offset: 0x1_0000, size: 0x149_0000, load: 0x100_0000, entry: 0x100_0123 };
/** Where Linux is linked to. */
const KERNEL_BASE = 0xffff_ffff_8000_0000n;

const NAME = "libkrunfw";
const PATIENCE_MS = 300_000;

function digest(algorithm: string, bytes: Uint8Array): string {
  return createHash(algorithm).update(bytes).digest("hex");
}

/** The bare kernel, as an ELF file says where it goes. */
function vmlinux(library: Uint8Array): Uint8Array {
  const bytes = library.subarray(BUNDLE.offset, BUNDLE.offset + BUNDLE.size);
  const segment = { vaddr: KERNEL_BASE + BigInt(BUNDLE.load), paddr: BUNDLE.load, bytes };
  return makeElf({ entry: BUNDLE.entry, segments: [segment] });
}

/** npm's copy of the package. Throws what is wrong with it, or npm. */
async function fetchPackage(folder: string): Promise<Uint8Array> {
  const words = ["pack", `${PACKAGE}@${VERSION}`, "--json", "--ignore-scripts", "--pack-destination", folder];
  const { stdout } = await promisify(execFile)("npm", words, { timeout: PATIENCE_MS, cwd: folder });
  const [{ filename }] = JSON.parse(stdout) as { filename: string }[];
  const bytes = await readFile(path.join(folder, path.basename(filename)));
  if (digest("sha512", bytes) !== SHA512) throw new Error(`${PACKAGE} ${VERSION} is not what it was`);
  return bytes;
}

async function fetchKernel(cache: GuestCache): Promise<void> {
  await cache.exclusively(async (folder) => {
    if ((await cache.verified(NAME)) !== undefined) return;
    const packed = await fetchPackage(folder);
    const library = [...readTar(gunzipSync(packed))].find((entry) => entry.path === LIBRARY);
    if (library === undefined) throw new Error(`${PACKAGE} ${VERSION} has no ${LIBRARY}`);
    const about = { name: NAME, package: PACKAGE, version: VERSION, packageSha256: digest("sha256", packed) };
    const kernel = { fileName: "vmlinux", bytes: vmlinux(library.bytes) };
    await cache.store({ ...about, release: "npm", architecture: "amd64" }, { kernel });
  });
}

/** The path of the kernel as an ELF file, or undefined after the test was skipped. */
export async function requireLibkrunfw(t: TestContext): Promise<string | undefined> {
  const cache = new GuestCache();
  try {
    if ((await cache.verified(NAME)) === undefined) await fetchKernel(cache);
  } catch (error) {
    missing(t, `libkrunfw's kernel cannot be had: ${(error as Error).message}`);
    return undefined;
  }
  const record = await cache.record(NAME);
  return record && path.join(cache.guestFolder(NAME), record.files["kernel"].path);
}
