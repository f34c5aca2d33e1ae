/**
 * What Cloud Hypervisor does with an image on x86-64. Facts of vmm/src/vm.rs load_kernel (ae44c297, v53) and of the
 * linux-loader crate, read, as data.
 */
import { hex } from "../../bytes/hex.js";
import { SETUP_OFFSET } from "../../spec/linux-boot.js";
import { RuleTable } from "../rules.js";
import type { LoaderFacts, Verdict } from "../verdict.js";
import { cutCodeCheck, isLoaded, machineCheck, PVH_ADVICE, realModeCheck } from "./checks.js";
import { seenBy, type X86File } from "./file.js";
import { bzRules, loadBzImage, loadElf } from "./linux-loader.js";
import type { BzRule } from "./linux-loader.js";

const SOURCE = "Cloud Hypervisor vmm/src/vm.rs load_kernel (v53), linux-loader 0.14; read";
export const CLOUD_HYPERVISOR: LoaderFacts = {
  name: "cloud-hypervisor",
  what: "cloud-hypervisor --kernel (or --firmware) on x86-64",
  source: SOURCE,
};

const CHAIN = "Error: Cloud Hypervisor exited with the following chain of errors:";
const LOADING = "Cannot load the kernel into memory";
const RULES = bzRules((reason) => reason.replace("Kernel Loader: ", ""));
const inChain = (text: string): string[] => [CHAIN, LOADING, text];

export const CLOUD_HYPERVISOR_RULES = new RuleTable("cloud-hypervisor", SOURCE, {
  "bz-short": { ...RULES["bz-short"], prints: inChain("Unable to read bzImage header") },
  "bz-magic": {
    what: "what the ELF loader refuses, for whatever reason, is tried as a bzImage, and refused as one",
    prints: inChain("Invalid bzImage"),
    advice:
      "The words are about bzImages even where an ELF file is broken; it takes ELF64 files with a PVH entry, and bzImages",
  },
  "bz-start": { ...RULES["bz-start"], prints: inChain("invalid kernel start address") },
  pvh: {
    what: "an ELF64 file with a PVH note in the last PT_NOTE is entered there in 32-bit mode, rbx = start_info",
    since: "v16",
  },
  "no-pvh": {
    what: "an ELF64 file needs a PVH entry (Xen note of type 18 in the last PT_NOTE)",
    prints: [CHAIN, "Kernel lacks PVH header"],
    since: "v16 (older ones entered e_entry in 64-bit mode)",
    advice: PVH_ADVICE,
  },
  bzimage: {
    what: "a bzImage is entered at code32_start in 32-bit mode, rsi = zero page",
    since: "v39 (#6200)",
  },
  "bz-unchecked": {
    what: "the code is loaded as far as the file has it",
    advice: "Fetch or build the file again",
  },
  "real-mode": {
    what: "nothing tells that the kernel works only through its real-mode setup code, which asks a BIOS",
    advice: "Boot it with a BIOS: QEMU, or locore boot KERNEL -o loader.bios=on",
  },
  "pvh-unchecked": { what: "neither e_machine nor the PVH entry is checked" },
});

/** What Cloud Hypervisor does. */
export function cloudHypervisor(given: X86File): Verdict {
  const judge = CLOUD_HYPERVISOR_RULES.judge(CLOUD_HYPERVISOR);
  const file = seenBy(given);
  const { elf } = file;
  const answer = loadElf(file);
  if (answer.rule !== undefined || elf === undefined) {
    const fault = loadBzImage(file);
    if (fault === undefined) return bzImage(file);
    const broken = elf !== undefined && answer.rule !== undefined && fault.rule === "bz-magic";
    const reason = broken
      ? `the ELF loader refuses it (${answer.rule}); it is tried as a bzImage, and refused as one`
      : undefined;
    const more = reason === undefined ? {} : { reason };
    return judge.refuses(fault.rule as BzRule, broken ? answer.check : fault.check, more);
  }
  if (answer.pvh === undefined) {
    const found =
      answer.note === undefined ? "no PVH note" : "a PVH note that is not in the last PT_NOTE, which decides";
    return judge.refuses("no-pvh", {
      offset: answer.note ?? elf.layout.ehdr.phoff,
      found,
      expected: "a Xen note of type 18",
    });
  }
  const machine = machineCheck(elf);
  if (machine !== undefined) return judge.blind("pvh-unchecked", machine);
  if (!isLoaded(elf, BigInt(answer.pvh))) {
    const found = `the PVH entry ${hex(answer.pvh)}`;
    return judge.blind("pvh-unchecked", {
      offset: answer.note ?? 0,
      found,
      expected: "an address in a loaded segment",
    });
  }
  return judge.takes("pvh", `by PVH, in 32-bit mode at ${hex(answer.pvh)}, rbx = start_info`);
}

function bzImage(file: X86File): Verdict {
  const judge = CLOUD_HYPERVISOR_RULES.judge(CLOUD_HYPERVISOR);
  const { setup } = file;
  if (setup === undefined) throw new RangeError("no setup header");
  const cut = cutCodeCheck(file, SETUP_OFFSET.syssize);
  if (cut !== undefined) return judge.blind("bz-unchecked", cut);
  const realMode = realModeCheck(file);
  if (realMode !== undefined) return judge.blind("real-mode", realMode);
  return judge.takes("bzimage", `by the 32-bit entry point at ${hex(setup.code32Start)}, rsi = zero page`);
}
