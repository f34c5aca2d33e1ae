/**
 * Runs one shell script twice: in a guest, and on this host's own processor, in a root that holds the very same files.
 * What it prints must be equal. The script and its programs come from Debian packages; it must print nothing that
 * depends on the time, the machine or chance.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import type { TestContext } from "node:test";
import { EXIT_LINE, INIT_LINE } from "../../src/guests/index.js";
import type { CpioEntry } from "../../src/guests/archives/cpio.js";
import type { AddedFile, PackageRequest } from "../../src/guests/index.js";
import { COMMAND_PATH } from "../../src/guests/initramfs/init-script.js";
import { initramfsEntries } from "../../src/guests/initramfs/initramfs.js";
import { assertEnd, bootKernel, lastWords, WITHOUT_CRYPTO_TESTS } from "./kernel-boot.js";
import { missing, requireGuest, requirePackages, requireTool } from "./requires.js";

/** What runs, and on what. */
export interface Software {
  /** Without the shell, which comes by itself, so that programs of packages count before busybox's. */
  packages: readonly string[];
  /** Default "amd64". */
  architecture?: "amd64" | "i386";
  assume?: PackageRequest["assume"];
  files?: readonly AddedFile[];
  /** For sh; ends with status 0. */
  script: string;
}

/** The machine that it runs on. */
export interface SoftwareGuest {
  /** Name in the catalogue. Default "debian-cloud". */
  kernel?: string;
  /** Bytes. Default 512 MiB. */
  memory?: number;
  /** Default: what any boot here may take, 8 · 10⁹. */
  maxInstructions?: number;
  /** Lines that are not compared, because this kernel answers otherwise than the host's. */
  except?: RegExp;
}

const MEBIBYTE = 2 ** 20;
const DEFAULT_MEMORY = 512 * MEBIBYTE;
const HOST_LIMIT_MS = 15 * 60_000;
const LARGEST_OUTPUT = 64 * MEBIBYTE;
const SHELL = "dash";
/** The guest's environment, see src/guests/initramfs/init-script.ts. */
const ENVIRONMENT = { PATH: "/sbin:/usr/sbin:/bin:/usr/bin", HOME: "/root", TERM: "linux" };

/** Every file of the root in which a script runs, or undefined after the test was skipped. */
export async function softwareRoot(
  t: TestContext,
  software: Software,
): Promise<readonly CpioEntry[] | undefined> {
  const { architecture = "amd64", assume, files, script: command } = software;
  const wanted = { packages: [SHELL, ...software.packages], architecture, assume };
  const packages = await requirePackages(t, wanted);
  const busybox = packages && (await requireGuest(t, architecture === "i386" ? "busybox-i386" : "busybox"));
  if (!busybox) return undefined;
  return initramfsEntries({ busybox: busybox.files["busybox"], packages, files, command });
}

/** Writes a root into a folder of the test's own. No path in it leads through a link. */
async function hostRoot(t: TestContext, entries: readonly CpioEntry[]): Promise<string> {
  const root = await mkdtemp(path.join(tmpdir(), "locore-root-"));
  t.after(() => rm(root, { recursive: true, force: true }));
  for (const entry of entries) {
    const to = path.join(root, entry.path);
    if (entry.kind === "directory") await mkdir(to, { recursive: true });
    else if (entry.kind === "symlink") await symlink(entry.target, to);
    else if (entry.kind === "file") {
      const chunks: Uint8Array[] = [];
      for await (const chunk of entry.content()) chunks.push(chunk);
      await writeFile(to, chunks);
      await chmod(to, entry.mode);
    }
  }
  // /dev/null as a plain file: making a device takes root's rights.
  await writeFile(path.join(root, "dev/null"), "");
  return root;
}

/** What a script prints on the host's processor, or undefined after the test was skipped. */
export async function outputOnHost(
  t: TestContext,
  entries: readonly CpioEntry[],
): Promise<string | undefined> {
  const chroot = requireTool(t, "chroot");
  if (chroot === undefined) return undefined;
  const root = await hostRoot(t, entries);
  const asRoot = process.getuid?.() === 0 ? [] : ["unshare", "--map-root-user"];
  // As /init does: links for busybox's programs, where no package brought its own.
  const inside = `/bin/busybox --install -s; cd /root; exec /bin/sh /${COMMAND_PATH}`;
  const [program, ...words] = [...asRoot, chroot, root, "/bin/busybox", "sh", "-c", inside];
  const run = spawnSync(program, words, {
    env: ENVIRONMENT,
    encoding: "latin1",
    timeout: HOST_LIMIT_MS,
    maxBuffer: LARGEST_OUTPUT,
  });
  const cannot = run.error ?? /chroot: (failed to run|cannot change).*|unshare: .*/.exec(run.stderr)?.[0];
  if (cannot !== undefined) {
    missing(t, `this host cannot run these programs in a root of their own: ${String(cannot)}`);
    return undefined;
  }
  assert.equal(run.status, 0, `on the host, after ${run.stdout.slice(-1500)}\n${run.stderr.slice(-1500)}`);
  return run.stdout;
}

/** What a script prints in a guest, or undefined after the test was skipped. The kernel must complain of nothing. */
export async function outputInGuest(
  t: TestContext,
  entries: readonly CpioEntry[],
  guest: SoftwareGuest = {},
): Promise<string | undefined> {
  const boot = await bootKernel(t, {
    guest: guest.kernel ?? "debian-cloud",
    loader: { name: "pvh" },
    commandLine: `console=ttyS0 quiet ${WITHOUT_CRYPTO_TESTS}`,
    memory: guest.memory ?? DEFAULT_MEMORY,
    ...(guest.maxInstructions === undefined ? {} : { maxInstructions: guest.maxInstructions }),
    initramfs: entries,
  });
  if (boot === undefined) return undefined;
  const { console } = boot;
  const from = console.indexOf(`${INIT_LINE}\n`);
  const to = console.lastIndexOf(EXIT_LINE);
  assert.ok(from >= 0 && to > from, lastWords(console));
  const said = console.slice(from + INIT_LINE.length + 1, to).split("\n");
  const fromKernel = /^\[ *\d+\.\d+\] /;
  assert.deepEqual(
    said.filter((line) => fromKernel.test(line)),
    [],
    "the kernel has nothing to say about a program",
  );
  assert.match(console.slice(to), /^locore: exit 0$/m, lastWords(console));
  assertEnd(boot, "off", "acpi-s5", 0);
  return said.join("\n");
}

/** Compares line by line, so that a failure shows the first lines that differ and not megabytes. */
export function assertSameOutput(found: string, expected: string): void {
  const [a, b] = [found.split("\n"), expected.split("\n")];
  const at = b.findIndex((line, i) => line !== a[i]);
  if (at < 0 && a.length === b.length) return;
  const first = Math.max(0, (at < 0 ? b.length : at) - 2);
  assert.deepEqual(a.slice(first, first + 12), b.slice(first, first + 12), `from line ${first + 1} on`);
}

/** Runs a script on the host and in a guest; both print the same, and something. */
export async function testSoftware(
  t: TestContext,
  software: Software,
  guest: SoftwareGuest = {},
): Promise<string | undefined> {
  const entries = await softwareRoot(t, software);
  if (entries === undefined) return undefined;
  const expected = await outputOnHost(t, entries);
  if (expected === undefined) return undefined;
  const found = await outputInGuest(t, entries, guest);
  if (found === undefined) return undefined;
  assert.ok(expected.length > 0, "the script prints something");
  const { except } = guest;
  const compared = (text: string): string =>
    except === undefined
      ? text
      : text
          .split("\n")
          .filter((line) => !except.test(line))
          .join("\n");
  assertSameOutput(compared(found), compared(expected));
  return found;
}
