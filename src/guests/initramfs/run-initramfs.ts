/**
 * The initramfs of `locore run`: busybox with a link for each of its programs, our /init, the kernel's modules, and packages where
 * they are to be the root. Knows neither where these come from nor who boots the result.
 */
import type { CpioEntry } from "../archives/cpio.js";
import type { KernelModule } from "../kernel-modules/module-set.js";
import { BUSYBOX_PROGRAMS } from "./busybox-programs.js";
import { archiveBytes, initramfsEntries } from "./initramfs.js";
import { FileTree } from "./file-tree.js";
import type { PackageSet } from "./package-set.js";
import { runInitScript } from "./run-init.js";
import { MODULES_FOLDER, STEPS_FILE, type RunCommandOptions, type RunStartOptions } from "./run-options.js";
import { runProgramFile } from "./run-steps.js";

export interface RunInitramfsOptions {
  /** A static busybox: its path on the host. */
  busybox: string;
  /** In the order in which they are loaded. */
  modules: readonly KernelModule[];
  /** Their files come before busybox's. */
  packages?: PackageSet | undefined;
  start: RunStartOptions;
  /** The command, where nobody hands it over. */
  command?: RunCommandOptions | undefined;
}

const PROGRAM_MODE = 0o755;
const FILE_MODE = 0o644;
const LINK_MODE = 0o777;

const utf8 = new TextEncoder();

function file(path: string, bytes: Uint8Array, mode: number): CpioEntry {
  return { kind: "file", path, mode, size: bytes.length, content: () => [bytes] };
}

/** The archive, uncompressed. Throws GuestError as `initramfsBytes` does. */
export async function runInitramfs(options: RunInitramfsOptions): Promise<Uint8Array> {
  const { busybox, modules, packages, start, command } = options;
  const tree = new FileTree();
  for (const entry of await initramfsEntries({ busybox, packages, command: "" })) tree.add(entry);
  for (const name of BUSYBOX_PROGRAMS)
    tree.add({ kind: "symlink", path: `bin/${name}`, mode: LINK_MODE, target: "busybox" }, "keep");
  tree.add(file("init", utf8.encode(runInitScript(start)), PROGRAM_MODE));
  tree.add(file(STEPS_FILE.slice(1), runProgramFile(start, command), PROGRAM_MODE));
  const folder = MODULES_FOLDER.slice(1);
  tree.add({ kind: "directory", path: folder, mode: PROGRAM_MODE });
  const digits = String(modules.length).length;
  modules.forEach(({ name, bytes }, index) => {
    const order = String(index).padStart(digits, "0");
    tree.add(file(`${folder}/${order}-${name}.ko`, bytes, FILE_MODE));
  });
  return archiveBytes(tree.sorted());
}
