/** From a user's options to what a machine is made of: its files are read, guests of the catalogue fetched. */
import { fileURLToPath } from "node:url";
import { bootOptions } from "../cli/boot-options.js";
import type { BootRequest } from "../cli/boot-request.js";
import { withDisk } from "../cli/disk-boot.js";
import { readInput } from "../cli/files.js";
import { guestFile, INITRD, KERNEL, type Wanted } from "../cli/guest-files.js";
import { parseRoot, type RunRequest } from "../cli/run/request.js";
import type { NamedBytes } from "../boot/options.js";
import type { PlannedSource } from "../host/node/messages.js";
import { checkEnvironment } from "./guest/job.js";
import type { NetWish } from "./network.js";
import { cpusOf, disksOf, inWords, memoryOf, runSharesOf, sharesOf } from "./option-words.js";
import type { FileInput, VmOptions } from "./options.js";
import { VmError } from "./vm-error.js";

const MS_PER_SECOND = 1000;

/** A path, or a file that is there already: bytes that are moved to the machine's thread are not the user's own. */
function given(what: string, file: FileInput): string | NamedBytes {
  if (typeof file === "string") return file;
  if (file instanceof URL) return fileURLToPath(file);
  if (file instanceof Uint8Array) return { name: what, bytes: new Uint8Array(file) };
  return { name: file.name, bytes: new Uint8Array(file.bytes) };
}

async function modulesOf(
  { modules = [] }: VmOptions,
  signal: AbortSignal,
): Promise<{ name: string; bytes: Uint8Array; commandLine: string }[]> {
  return Promise.all(
    modules.map(async ({ file, commandLine = "" }, index) => {
      const module = given(`module ${index}`, file);
      if (typeof module !== "string") return { ...module, commandLine };
      return { name: module, bytes: await readInput("module", module, signal), commandLine };
    }),
  );
}

/** A kernel of the user's own. Throws what reading throws, and VmError "option". */
export async function bootSource(
  options: VmOptions,
  net: NetWish | undefined,
  signal: AbortSignal,
): Promise<PlannedSource> {
  const kernel = given("kernel", options.kernel!);
  const initrd = options.initrd === undefined ? undefined : given("initrd", options.initrd);
  const known = new Map<string, Uint8Array>();
  for (const file of [kernel, initrd]) if (typeof file === "object") known.set(file.name, file.bytes);
  const asked: BootRequest = {
    kernel: await pathOf(KERNEL, kernel, signal),
    ...(initrd !== undefined && { initrd: await pathOf(INITRD, initrd, signal) }),
    ...(options.append !== undefined && { commandLine: options.append }),
    ...(options.memory !== undefined && { memory: memoryOf(options.memory) }),
    ...(options.cpus !== undefined && { cpus: cpusOf(options.cpus) }),
    ...(options.console !== undefined && { console: options.console }),
    ...(options.rng === true && { rng: true }),
    ...(net && { nets: [net.asked.card] }),
    loader: {},
    clock: { rtcStart: Math.floor(Date.now() / MS_PER_SECOND) },
    diskFiles: disksOf(options.disks ?? []),
  };
  const {
    request,
    files = new Map<string, Uint8Array>(),
    hints,
  } = typeof kernel === "string" ? await withDisk(asked) : { request: asked };
  const boot = await bootOptions(request, signal, new Map([...known, ...files]));
  const modules = await modulesOf(options, signal);
  if (modules.length > 0) boot.modules = modules;
  if (hints !== undefined) boot.disk = hints;
  const disks = request.diskFiles ?? [];
  const shares = sharesOf(options.shares ?? []);
  return {
    boot,
    ...(disks.length > 0 && { disks }),
    ...(shares.length > 0 && { shares }),
  };
}

/** The path of a file or of a guest's, or the name of one that is there already. */
async function pathOf(wanted: Wanted, file: string | NamedBytes, signal: AbortSignal): Promise<string> {
  return typeof file === "string" ? guestFile(wanted, file, { signal }) : file.name;
}

/** What `locore run` would be asked for. Throws VmError "option". */
export function runRequest(options: VmOptions, net: NetWish | undefined): RunRequest {
  const {
    kernel,
    append,
    memory,
    cpus,
    root,
    env = {},
    shares = [],
    disks = [],
    jit,
    cold = false,
  } = options;
  checkEnvironment(env);
  if (kernel !== undefined && typeof kernel !== "string" && !(kernel instanceof URL))
    throw new VmError("option", "kernel", {
      found: "bytes, with run",
      expected: "a path, a folder in which Linux was built, or a guest of the catalogue",
      meaning: "The kernel's modules are found beside its file.",
    });
  return {
    kernel: kernel instanceof URL ? fileURLToPath(kernel) : kernel,
    command: [],
    serving: true,
    root: inWords("root", root ?? "", () => parseRoot(root)),
    writable: false,
    shares: runSharesOf(shares),
    disks: disksOf(disks),
    net: net && { ...net.asked, request: net.request },
    cpus: cpus === undefined ? undefined : cpusOf(cpus),
    memory: memory === undefined ? undefined : memoryOf(memory),
    append,
    environment: Object.entries(env),
    folder: undefined,
    user: undefined,
    timeoutMs: undefined,
    log: undefined,
    json: false,
    dryRun: false,
    cold,
    timing: false,
    engine: "auto",
    jit,
    gdb: undefined,
  };
}
