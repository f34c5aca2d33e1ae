/**
 * A guest configuration for Xen's toolstack, xl. Text only; nothing is read or written here.
 *
 * Specification: xl.cfg(5) of Xen 4.17.
 */
import { isForArm } from "../formats/image.js";
import { FormatError } from "../formats/format-error.js";
import { checkTaken, commentText, quoted, shellWord } from "./check.js";
import { commonLosses, memoryMib, type Export, type ExportRequest, type Loss } from "./request.js";

const DISK_LETTERS = "abcdefghijklmnopqrstuvwxyz";

/** The configuration. Throws FormatError for a kernel that xl does not boot, RangeError for text that it cannot hold. */
export function exportXl(request: ExportRequest): Export {
  const arm = isForArm(request.kernel.image);
  if (arm) checkTaken(request, "xl");
  else checkPvh(request);
  const name = request.name ?? "guest";
  const cpus = request.cpus ?? 1;
  const lost = [...commonLosses(request), ...deviceLosses(request)];
  const notes = notesFor(request, arm, cpus);
  const file = request.fileName ?? `${name}.cfg`;
  const commands = [`xl create -c ${shellWord(file)}`];
  const comments = [
    request.kernel.image.summary,
    ...commands.map((command) => `Start it: ${command}`),
    ...lost.map(({ what, why }) => `Lost: ${what} (${why})`),
    ...notes.map((note) => `Note: ${note}`),
  ];
  const lines = [
    ...comments.map((comment) => `# ${commentText(comment)}`),
    `name = ${quoted(name)}`,
    ...(arm ? [] : ['type = "pvh"']),
    `kernel = ${quoted(request.kernel.name)}`,
    ...(request.initrd === undefined ? [] : [`ramdisk = ${quoted(request.initrd.name)}`]),
    `memory = ${memoryMib(request)}`,
    `vcpus = ${cpus}`,
    ...(request.commandLine === undefined ? [] : [`extra = ${quoted(request.commandLine)}`]),
    ...diskLines(request.disks ?? []),
    'on_poweroff = "destroy"',
    'on_reboot = "restart"',
    'on_crash = "destroy"',
  ];
  return { target: "xl", file: { name: file, text: `${lines.join("\n")}\n` }, commands, lost, notes };
}

function diskLines(disks: readonly string[]): string[] {
  if (disks.length === 0) return [];
  if (disks.length > DISK_LETTERS.length)
    throw new RangeError(`${disks.length} disks: at most ${DISK_LETTERS.length}`);
  // target= takes the rest of the text, whatever is in it.
  const items = disks.map((disk, i) =>
    quoted(`format=raw, vdev=xvd${DISK_LETTERS[i]}, access=rw, target=${disk}`),
  );
  return [`disk = [ ${items.join(", ")} ]`];
}

/** An x86 guest without firmware is entered by PVH. */
function checkPvh({ kernel }: ExportRequest): void {
  const { image } = kernel;
  if (image.format === "bzimage" || (image.format === "elf" && image.pvh !== undefined)) return;
  throw new FormatError("xl", {
    offset: 0,
    found: image.summary,
    expected: "a bzImage, or an ELF kernel with a PVH entry (Xen note PHYS32_ENTRY)",
    meaning:
      "xl prints: xc_dom_find_loader: no loader found. Only such kernels are started without firmware.",
  });
}

/** Devices of the machine here that a PVH guest has not. */
function deviceLosses({ plan }: ExportRequest): Loss[] {
  if (plan === undefined) return [];
  const kept = new Set(["lapic", "ioapic"]);
  return plan.devices
    .filter(({ name }) => !kept.has(name))
    .map(({ name }) => ({ what: `device ${name}`, why: "a PVH guest of Xen has no PC devices" }));
}

function notesFor(request: ExportRequest, arm: boolean, cpus: number): string[] {
  const notes: string[] = [];
  if (arm && cpus > 1) notes.push("FreeBSD's port to Xen on ARM starts one vCPU only: give it vcpus = 1");
  if (arm)
    notes.push(
      "the kernel's console is Xen's (xl console), or that of vuart = \"sbsa_uart\" if it has a driver for a PL011",
    );
  if (!arm && /\bconsole=ttyS/.test(request.commandLine ?? "")) {
    notes.push("a guest of Xen has no ttyS0: a Linux kernel's console is hvc0");
  }
  return notes;
}
