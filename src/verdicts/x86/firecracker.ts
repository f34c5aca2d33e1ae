/**
 * What Firecracker does with an image on x86-64. Facts of src/vmm/src/arch/x86_64/mod.rs load_kernel (81b38b9d, 2026-08) and
 * of the linux-loader crate, read, as data.
 */
import { hex } from "../../bytes/hex.js";
import { PROTOCOL, SETUP_OFFSET } from "../../spec/linux-boot.js";
import { RuleTable } from "../rules.js";
import type { LoaderFacts, Verdict } from "../verdict.js";
import {
  cutCodeCheck,
  entryCheck,
  machineCheck,
  multibootEntryCheck,
  programCheck,
  PVH_ADVICE,
  VMLINUX_ADVICE,
} from "./checks.js";
import { protocolText, seenBy, type X86File } from "./file.js";
import { bzRules, elfRules, loadBzImage, loadElf } from "./linux-loader.js";

const SOURCE =
  "Firecracker src/vmm/src/arch/x86_64/mod.rs load_kernel, linux-loader 0.14 src/loader/elf; read";
export const FIRECRACKER: LoaderFacts = {
  name: "firecracker",
  what: "Firecracker on x86-64",
  source: SOURCE,
};

const OUTER = "Cannot load kernel due to invalid memory configuration or invalid kernel image: ";
export const FIRECRACKER_RULES = new RuleTable("firecracker", SOURCE, {
  ...elfRules((reason) => `${OUTER}Kernel Loader: failed to load ELF kernel image: ${reason}`),
  ...bzRules((reason) => `${OUTER}Kernel Loader: failed to load bzImage kernel image: ${reason}`),
  pvh: {
    what: "a Xen note of type 18 in the last PT_NOTE: entered there in 32-bit mode, rbx = start_info",
    since: "1.12.0 (older ones enter e_entry in 64-bit mode)",
  },
  "linux-64": {
    what: "any other ELF64 file is entered at e_entry in 64-bit mode, rsi = zero page, as Linux expects",
  },
  "entry-unchecked": {
    what: "e_entry is entered as a physical address in 64-bit mode, whatever it is: the vCPU faults without a word",
    advice: PVH_ADVICE,
  },
  "bz-64": {
    what: "a bzImage is entered at its 64-bit entry point (protocol 2.12, XLF_KERNEL_64)",
    prints: ["bzImage does not provide a 64-bit entry point"],
    advice: "It is a 32-bit kernel: get the 64-bit build, or boot it with QEMU or locore",
  },
  bzimage: {
    what: "a bzImage with a 64-bit entry is entered there",
    since: "the release after 1.16.1 (#6037)",
  },
  "bz-unchecked": {
    what: "the code is loaded as far as the file has it",
    advice: "Fetch or build the file again",
  },
});

/** What Firecracker does. */
export function firecracker(given: X86File): Verdict {
  const judge = FIRECRACKER_RULES.judge(FIRECRACKER);
  const file = seenBy(given);
  const answer = loadElf(file);
  if (answer.rule === "elf-magic" && file.setup !== undefined) return bzImage(file);
  if (answer.rule !== undefined) return judge.refuses(answer.rule, answer.check);
  const { elf } = file;
  if (elf === undefined) throw new RangeError("no ELF file");
  const machine = machineCheck(elf);
  if (machine !== undefined) {
    return judge.blind("entry-unchecked", machine, {
      reason: "e_machine is not looked at: code of another CPU runs as x86-64",
      advice: undefined,
    });
  }
  if (answer.pvh !== undefined)
    return judge.takes("pvh", `by PVH, in 32-bit mode at ${hex(answer.pvh)}, rbx = start_info`);
  const check = entryCheck(elf) ?? multibootEntryCheck(file, elf) ?? programCheck(file, elf);
  if (check !== undefined) return judge.blind("entry-unchecked", check);
  return judge.takes("linux-64", `in 64-bit mode at e_entry ${hex(elf.entry)}, rsi = zero page`);
}

function bzImage(file: X86File): Verdict {
  const judge = FIRECRACKER_RULES.judge(FIRECRACKER);
  const fault = loadBzImage(file);
  if (fault !== undefined) return judge.refuses(fault.rule, fault.check);
  const { setup } = file;
  if (setup === undefined) throw new RangeError("no setup header");
  if (setup.version < PROTOCOL.V2_12 || !setup.entry64) {
    const old = setup.version < PROTOCOL.V2_12;
    const check = old
      ? { offset: SETUP_OFFSET.version, found: protocolText(setup.version), expected: "2.12 or later" }
      : {
          offset: SETUP_OFFSET.xloadflags,
          found: `xloadflags ${hex(setup.xloadflags)}`,
          expected: "XLF_KERNEL_64 (0x1)",
        };
    return judge.refuses("bz-64", check);
  }
  const cut = cutCodeCheck(file, SETUP_OFFSET.syssize);
  if (cut !== undefined) return judge.blind("bz-unchecked", cut);
  const reason = `by the 64-bit entry point at ${hex(setup.code32Start + ENTRY_64)}, rsi = zero page`;
  return judge.takes("bzimage", reason, {
    advice: `1.16.1 and older print "Invalid Elf magic number". ${VMLINUX_ADVICE}`,
  });
}

const ENTRY_64 = 0x200;
