/**
 * What FreeBSD's bhyve does with a kernel file: nothing by itself. Facts of usr.sbin/bhyve/amd64/bhyverun_machdep.c and of
 * bhyve(8), bhyveload(8), read, as data.
 */
import { EI, ELFOSABI } from "../../spec/elf.js";
import { RuleTable } from "../rules.js";
import type { LoaderFacts, Verdict } from "../verdict.js";
import { startText, type X86File } from "./file.js";
import type { RawElf } from "./raw-elf.js";

const SOURCE = "freebsd-src usr.sbin/bhyve, bhyve(8), bhyveload(8); read";
export const BHYVE: LoaderFacts = { name: "bhyve", what: "bhyve on amd64", source: SOURCE };

export const BHYVE_RULES = new RuleTable("bhyve", SOURCE, {
  "no-loader": {
    what: "it loads no kernels: memory is filled by bhyveload, grub-bhyve or a boot ROM before",
    prints: ["virtual machine cannot be booted"],
    advice:
      "Put the kernel on a disk and start that by UEFI (-l bootrom,BHYVE_UEFI.fd), or by grub-bhyve (linux, multiboot)",
  },
  bhyveload: {
    what: "FreeBSD's own kernels are loaded by bhyveload from a disk (-d) or a folder (-h) with /boot/loader and kernel",
  },
});

const FREEBSD = "FreeBSD";

function isFreeBsd({ notes, view, bits }: RawElf): boolean {
  return (
    bits === 64 && (view.u8(EI.OSABI) === ELFOSABI.FREEBSD || notes.some(({ name }) => name === FREEBSD))
  );
}

/** What bhyve does. */
export function bhyve({ elf, ...file }: X86File): Verdict {
  const judge = BHYVE_RULES.judge(BHYVE);
  if (elf !== undefined && isFreeBsd(elf)) {
    return judge.takes(
      "bhyveload",
      "by FreeBSD's loader in bhyveload: bhyveload -h DIR, the kernel being DIR/boot/kernel/kernel",
    );
  }
  return judge.refuses("no-loader", {
    offset: 0,
    found: startText({ ...file, elf }),
    expected: "a boot ROM (-l bootrom), or memory that a loader filled",
  });
}
