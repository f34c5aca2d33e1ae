/** Options that are written as on the command line, read by what reads them there. */
import { UsageError } from "../cli/args.js";
import { parseDisk } from "../cli/disk-option.js";
import { readCpuCount, readMemory } from "../cli/machine-options.js";
import { parseShares } from "../cli/share-option.js";
import { shareName } from "../boot/options.js";
import { MAXIMUM_RAM, MINIMUM_RAM } from "../memory/ram.js";
import { SIZE_4K } from "../spec/x86-system.js";
import { parseShare as parseRunShare, type SharedFolder } from "../cli/run/request.js";
import type { DiskRequest } from "../host/node/disk-request.js";
import type { ShareRequest } from "../host/node/share-request.js";
import type { ShareInput, VmOptions } from "./options.js";
import { VmError } from "./vm-error.js";

const RW = /,rw$/;

/** What the command line refuses, without the words that this has there: what was found, and what it expected. */
function refusal({ message }: UsageError, given: string): { found: string; expected: string } {
  const said = message.replace(/^--?\w+ /, "");
  const [, found = said, expected = "what the command line takes"] =
    /^(.*?): expected (.*)$/s.exec(said) ?? [];
  return { found: found === "" ? given : found, expected };
}

/** Reads an option by `read`, and says of what is wrong with it which one that is. Throws VmError "option". */
export function inWords<T>(option: string, given: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    const meaning = error.hint?.replace(/--?[a-z]+ /g, "");
    throw new VmError(
      "option",
      option,
      { ...refusal(error, given), ...(meaning !== undefined && { meaning }) },
      { cause: error },
    );
  }
}

/** Bytes. Throws VmError "option". */
export function memoryOf(memory: string | number): number {
  if (typeof memory === "string") return inWords("memory", memory, () => readMemory(memory));
  if (memory >= MINIMUM_RAM && memory <= MAXIMUM_RAM && memory % SIZE_4K === 0) return memory;
  throw new VmError("option", "memory", {
    found: `${memory} bytes`,
    expected: "2 MiB to 512 GiB, in pages of 4 KiB",
    meaning: 'A text has a unit, "512M", or counts MiB.',
  });
}

/** Throws VmError "option" for a number that no machine has. */
export function cpusOf(cpus: number): number {
  return inWords("cpus", `${cpus}`, () => readCpuCount(`${cpus}`));
}

/** Throws VmError "option" for words that `--disk` does not know. */
export function disksOf(disks: readonly (string | DiskRequest)[]): DiskRequest[] {
  return disks.map((disk, index) =>
    typeof disk === "string" ? inWords(`disks[${index}]`, disk, () => parseDisk(disk)) : { ...disk },
  );
}

function asObject(share: ShareInput): Exclude<ShareInput, string> {
  if (typeof share !== "string") return share;
  return { folder: share.replace(RW, ""), writable: RW.test(share) };
}

function isList(shares: NonNullable<VmOptions["shares"]>): shares is readonly string[] {
  return Array.isArray(shares);
}

/** Folders of a machine whose guest mounts them itself. */
export function sharesOf(shares: NonNullable<VmOptions["shares"]>): ShareRequest[] {
  if (isList(shares)) return inWords("shares", shares.join(" "), () => parseShares(shares));
  return Object.entries(shares).map(([tag, share], index) => {
    const { folder, writable = false, cache = "auto", ...rest } = asObject(share);
    return {
      ...rest,
      folder,
      tag: tag === "" ? shareName(index) : tag,
      access: writable ? "write" : "read",
      cache,
    };
  });
}

/** Folders that locore's init mounts. */
export function runSharesOf(shares: NonNullable<VmOptions["shares"]>): SharedFolder[] {
  if (isList(shares))
    return shares.map((text) => inWords("shares", text, () => parseRunShare("--share", text)));
  return Object.entries(shares).map(([at, share]) => {
    const { folder, writable = false, ...rest } = asObject(share);
    const [alien] = Object.keys(rest);
    if (!at.startsWith("/") || alien !== undefined)
      throw new VmError("option", `shares[${JSON.stringify(at)}]`, {
        found: alien ?? `the place ${JSON.stringify(at)}`,
        expected: "an absolute path in the guest, and folder and writable alone",
        meaning: "With run the folder is mounted there.",
      });
    return { from: folder, at, writable };
  });
}
