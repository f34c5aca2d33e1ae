/**
 * What libkrun does with a kernel of the caller's (krun_set_kernel) on x86-64. Facts of src/vmm/src/builder.rs
 * load_external_kernel (6ed74fac) and of the linux-loader crate, read, as data.
 */
import { hex } from "../../bytes/hex.js";
import { identifyCodec } from "../../codecs/identify.js";
import { EI } from "../../spec/elf.js";
import { SETUP_OFFSET } from "../../spec/linux-boot.js";
import { RuleTable } from "../rules.js";
import type { LoaderFacts, Verdict } from "../verdict.js";
import { entryCheck, machineCheck, multibootEntryCheck, programCheck, VMLINUX_ADVICE } from "./checks.js";
import { startText, type X86File } from "./file.js";
import { elfRules, loadElf } from "./linux-loader.js";
import type { RawElf } from "./raw-elf.js";

const SOURCE = "libkrun src/vmm/src/builder.rs load_external_kernel (6ed74fac), linux-loader; read";
export const LIBKRUN: LoaderFacts = {
  name: "libkrun",
  what: "libkrun, krun_set_kernel on x86-64",
  source: SOURCE,
};

export const LIBKRUN_RULES = new RuleTable("libkrun", SOURCE, {
  ...elfRules(
    (reason) =>
      `Cannot load the kernel into the VM: Kernel Loader: failed to load ELF kernel image: ${reason}`,
  ),
  "elf-64": { what: "KRUN_KERNEL_FORMAT_ELF (1): entered at e_entry in 64-bit mode, rsi = zero page" },
  pvh: {
    what: "KRUN_KERNEL_FORMAT_ELF (1) with a PVH note: entered there in 32-bit mode",
    since: "2026-05 (dc2d320a); no release seen with it",
  },
  "elf-unchecked": { what: "e_entry is entered as a physical address in 64-bit mode, whatever it is" },
  "image-packed": {
    what: "IMAGE_BZ2 (3), IMAGE_GZ (4), IMAGE_ZSTD (5): the ELF file behind the first such magic number is unpacked and entered",
  },
  "no-payload": {
    what: "the payload must be packed with bzip2, gzip or zstd",
    prints: ["Cannot find compressed kernel in file."],
    advice: `${VMLINUX_ADVICE}, and format 1; or build it with CONFIG_KERNEL_GZIP or CONFIG_KERNEL_ZSTD`,
  },
  "no-format": {
    what: "there is no format for such a file but raw (0), whose bytes run where the caller says",
    prints: ["The supplied kernel format is not supported."],
    advice: "It takes ELF64 files, and bzImages whose payload it can unpack",
  },
});

const FORMATS: Readonly<Record<string, string>> = {
  bzip2: "IMAGE_BZ2 (3)",
  gzip: "IMAGE_GZ (4)",
  zstd: "IMAGE_ZSTD (5)",
};

/** What libkrun does. */
export function libkrun(file: X86File): Verdict {
  const judge = LIBKRUN_RULES.judge(LIBKRUN);
  const { setup, elf, packedBy } = file;
  if (packedBy !== undefined && elf !== undefined) return packed(file, elf, packedBy);
  if (setup !== undefined) return bzImage(file);
  if (elf === undefined) {
    return judge.refuses("no-format", {
      offset: 0,
      found: startText(file),
      expected: "an ELF64 file, or a bzImage",
    });
  }
  const answer = loadElf(file);
  if (answer.rule !== undefined && answer.rule !== "elf-entry")
    return judge.refuses(answer.rule, answer.check);
  const machine = machineCheck(elf);
  if (machine !== undefined) return judge.blind("elf-unchecked", machine);
  const check = entryCheck(elf) ?? multibootEntryCheck(file, elf) ?? programCheck(file, elf);
  const pvh = answer.rule === undefined ? answer.pvh : undefined;
  if (check !== undefined) {
    return judge.blind(
      "elf-unchecked",
      check,
      pvh === undefined ? {} : { advice: "A libkrun with dc2d320a (2026-05) enters it by PVH" },
    );
  }
  const later = pvh === undefined ? "" : `; since 2026-05 by PVH at ${hex(pvh)}`;
  return judge.takes(
    pvh === undefined ? "elf-64" : "pvh",
    `format 1: in 64-bit mode at e_entry ${hex(elf.entry)}, rsi = zero page${later}`,
    pvh === undefined ? {} : { since: "all (PVH: 2026-05)" },
  );
}

function packed(file: X86File, elf: RawElf, codec: string): Verdict {
  const judge = LIBKRUN_RULES.judge(LIBKRUN);
  const format = FORMATS[codec];
  if (format === undefined) {
    return judge.refuses("no-payload", {
      offset: 0,
      found: `a file packed with ${codec}`,
      expected: "bzip2, gzip or zstd",
    });
  }
  if (elf.bits !== 64) {
    return judge.refuses("elf-class", {
      offset: EI.CLASS,
      found: "an ELF32 file",
      expected: "an ELF64 file",
    });
  }
  const check =
    machineCheck(elf) ??
    entryCheck(elf) ??
    multibootEntryCheck({ ...file, packedBy: undefined }, elf) ??
    programCheck(file, elf);
  if (check !== undefined) return judge.blind("elf-unchecked", check);
  return judge.takes("image-packed", `format ${format}: unpacked, entered in 64-bit mode at e_entry`);
}

function bzImage({ view, setup }: X86File): Verdict {
  const judge = LIBKRUN_RULES.judge(LIBKRUN);
  const offset = (setup?.setupSize ?? 0) + (setup?.payloadOffset ?? 0);
  const found = setup?.payloadOffset === 0 ? undefined : identifyCodec(view.bytes.subarray(offset));
  const codec = typeof found === "string" ? found : found?.unsupported;
  const format = codec === undefined ? undefined : FORMATS[codec];
  if (format === undefined) {
    const shown = codec === undefined ? "no packed payload" : `a payload packed with ${codec}`;
    return judge.refuses("no-payload", {
      offset: codec === undefined ? SETUP_OFFSET.payload_offset : offset,
      found: shown,
      expected: "bzip2, gzip or zstd",
    });
  }
  return judge.takes(
    "image-packed",
    `format ${format}: the payload at ${hex(offset)} is unpacked and entered at e_entry, in 64-bit mode`,
  );
}
