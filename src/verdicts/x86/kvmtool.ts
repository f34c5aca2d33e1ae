/** What kvmtool (lkvm run --kernel) does with an image on x86. Facts of x86/kvm.c and kvm.c (b48735e5, 2024-08), read, as data. */
import { PROTOCOL, SETUP_OFFSET } from "../../spec/linux-boot.js";
import { RuleTable } from "../rules.js";
import type { LoaderFacts, Verdict } from "../verdict.js";
import { BZIMAGE_ADVICE, cutCodeCheck, realModeCheck, UNPACK_ADVICE } from "./checks.js";
import { protocolText, seenBy, setupMagicCheck, type X86File } from "./file.js";

const SOURCE =
  "kvmtool x86/kvm.c load_bzimage, load_flat_binary, kvm__arch_load_kernel_image; kvm.c kvm__load_kernel; util/util.c report (b48735e5); read";
export const KVMTOOL: LoaderFacts = { name: "kvmtool", what: "lkvm run --kernel on x86", source: SOURCE };

const FLAT = ["Kernel image is not a bzImage.", "Trying to load it as a flat binary (no cmdline support)"];
export const KVMTOOL_RULES = new RuleTable("kvmtool", SOURCE, {
  bzimage: {
    what: '"HdrS" at 0x202 makes it a bzImage; its setup code is entered in real mode, with a small BIOS',
  },
  "too-old": {
    what: "the boot protocol must be 2.06 or later",
    prints: ["  Fatal: Too old kernel"],
    advice: "Boot it with QEMU, or with locore and a BIOS",
  },
  "setup-cut": {
    what: "the setup code must be in the file",
    prints: ["kernel setup read: Success"],
    advice: "Fetch or build the file again",
  },
  "bz-unchecked": {
    what: "the code is loaded as far as the file has it",
    advice: "Fetch or build the file again",
  },
  "small-bios": {
    what: "its BIOS answers INT 10h and 15h only: a boot program that asks for disks or a network gets nothing",
    advice: "Boot it with a whole BIOS: QEMU, or locore boot KERNEL -o loader.bios=on",
  },
  flat: {
    what: "anything else, an ELF file too, runs as real-mode code at 0x1000:0",
    prints: FLAT.map((line) => `  Warning: ${line}`),
    advice: BZIMAGE_ADVICE,
  },
});

const SHORTEST = 4096;

/** What kvmtool does. */
export function kvmtool(given: X86File): Verdict {
  const judge = KVMTOOL_RULES.judge(KVMTOOL);
  const file = seenBy(given);
  const { setup, view, packedBy } = file;
  if (setup === undefined || view.length < SHORTEST) {
    const short = setup !== undefined;
    const check = short
      ? { offset: view.length, found: "the end of the file", expected: `${SHORTEST} bytes` }
      : setupMagicCheck(file);
    return judge.blind("flat", check, packedBy === undefined ? {} : { advice: UNPACK_ADVICE });
  }
  if (setup.version < PROTOCOL.V2_06) {
    return judge.refuses("too-old", {
      offset: SETUP_OFFSET.version,
      found: protocolText(setup.version),
      expected: "2.06 or later",
    });
  }
  if (setup.setupSize > view.length) {
    return judge.refuses("setup-cut", {
      offset: SETUP_OFFSET.setup_sects,
      found: `setup code of ${setup.setupSize} bytes (setup_sects ${setup.setupSects})`,
      expected: `at most the file's ${view.length}`,
    });
  }
  const cut = cutCodeCheck(file, SETUP_OFFSET.syssize);
  if (cut !== undefined) return judge.blind("bz-unchecked", cut);
  const realMode = realModeCheck(file);
  if (realMode !== undefined) return judge.blind("small-bios", realMode);
  return judge.takes("bzimage", "by its 16-bit setup code at 0x10200, in real mode");
}
