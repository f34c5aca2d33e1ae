/** Folders for runs of `locore run`: empty ones, and one as a build of Linux leaves it. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import type { TestContext } from "node:test";
import { gzipSync } from "node:zlib";
import { moduleSet, pullModules, type PulledGuest } from "../../src/guests/index.js";

/** A test, or a file of them: what ends. */
export interface Ending {
  after: (end: () => void) => void;
}

/** An empty folder, which goes with the test. */
export function scratch(t: Ending): string {
  const folder = mkdtempSync(path.join(tmpdir(), "locore-run-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** A folder as a build of Linux leaves it, of Debian's kernel and modules. */
export async function builtTree(
  t: TestContext,
  guest: PulledGuest,
  folderModules: readonly string[] = ["fuse", "virtiofs"],
): Promise<string> {
  const folder = scratch(t);
  const put = (name: string, bytes: string | Uint8Array): void => {
    mkdirSync(path.dirname(path.join(folder, name)), { recursive: true });
    writeFileSync(path.join(folder, name), bytes);
  };
  const source = await pullModules(guest);
  const { modules } = await moduleSet(source, ["virtio_mmio", "virtio_console", ...folderModules, "overlay"]);
  put("arch/x86/boot/bzImage", readFileSync(guest.files["kernel"]));
  put("modules.builtin", [...(source.builtIn ?? [])].map((name) => `drivers/${name}.ko\n`).join(""));
  // A list of before the modules were packed: they are found all the same.
  put("modules.order", modules.map(({ name }) => `drivers/${name}.o\n`).join(""));
  for (const { name, bytes } of modules) put(`drivers/${name}.ko.gz`, gzipSync(bytes));
  return folder;
}
