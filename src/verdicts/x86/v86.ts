/** What v86 does with an image given as bzimage or multiboot. Facts of src/kernel.js, cpu.js and elf.js (71a97849), read, as data. */
import { hex } from "../../bytes/hex.js";
import { EI } from "../../spec/elf.js";
import { PROTOCOL, SETUP_OFFSET } from "../../spec/linux-boot.js";
import { MULTIBOOT1_HEADER } from "../../spec/multiboot1.js";
import { RuleTable } from "../rules.js";
import type { LoaderFacts, Verdict } from "../verdict.js";
import { cutCodeCheck } from "./checks.js";
import {
  GOOD_BOOT_FLAG,
  promisesAddresses,
  protocolText,
  seenBy,
  setupMagicCheck,
  type RawMultiboot,
  type X86File,
} from "./file.js";

const SOURCE = "v86 src/kernel.js load_kernel, src/cpu.js load_multiboot, src/elf.js (71a97849); read";
export const V86: LoaderFacts = { name: "v86", what: "v86, as bzimage or multiboot", source: SOURCE };

const QUIET = "a release build prints nothing and goes on with its BIOS";
export const V86_RULES = new RuleTable("v86", SOURCE, {
  "boot-flag": { what: `bytes 0x1fe must be 55 aa; ${QUIET}`, prints: ["Bad checksum1: {value}"] },
  signature: { what: `"HdrS" must stand at 0x202; ${QUIET}`, prints: ["Bad checksum2: {value}"] },
  protocol: {
    what: `the protocol must be 2.02 or later and LOADED_HIGH set (an assertion of debug builds); ${QUIET}`,
  },
  bzimage: { what: "option bzimage: the setup code is entered in real mode at 0x80200, with a BIOS" },
  "bzimage-unchecked": {
    what: "the code is loaded as far as the file has it",
    advice: "Fetch or build the file again",
  },
  "entry-64": {
    what: "its CPU has no 64-bit mode: an x86-64 kernel says so and stops",
    advice: "Give a 32-bit kernel",
  },
  "multiboot-flags": { what: `flags other than 0, 1 and 16 end in an assertion of debug builds; ${QUIET}` },
  "multiboot-elf64": {
    what: "without load addresses the file must be ELF32",
    prints: ["Unimplemented: 64 bit elf"],
  },
  "multiboot-not-elf": {
    what: "without load addresses the file must be ELF32",
    prints: ["Not a bootable multiboot format"],
  },
  multiboot: { what: "option multiboot: entered in 32-bit mode" },
  "no-header": {
    what: "an image given as multiboot needs a header in its first 8 KiB",
    prints: ["Multiboot header not found"],
    advice: "It takes bzImages of 32-bit kernels and Multiboot kernels",
  },
});

const KNOWN_FLAGS = 0x1_0003;

/** What v86 does. */
export function v86(given: X86File): Verdict {
  const judge = V86_RULES.judge(V86);
  const file = seenBy(given);
  if (file.setup !== undefined) return bzImage(file);
  if (file.multiboot !== undefined) return multiboot(file, file.multiboot);
  const { offset, found } = setupMagicCheck(file);
  return judge.refuses("no-header", {
    offset,
    found,
    expected: '"HdrS", or a Multiboot header in the first 8 KiB',
  });
}

function bzImage(file: X86File): Verdict {
  const judge = V86_RULES.judge(V86);
  const { setup } = file;
  if (setup === undefined) throw new RangeError("no setup header");
  if (setup.bootFlag !== GOOD_BOOT_FLAG) {
    const check = { offset: 0x1fe, found: `boot_flag ${hex(setup.bootFlag)}`, expected: hex(GOOD_BOOT_FLAG) };
    return judge.refuses("boot-flag", check, { values: { value: hex(setup.bootFlag) } });
  }
  if (setup.version < PROTOCOL.V2_02) {
    return judge.refuses("protocol", {
      offset: SETUP_OFFSET.version,
      found: protocolText(setup.version),
      expected: "2.02 or later",
    });
  }
  if (!setup.loadedHigh) {
    return judge.refuses("protocol", {
      offset: SETUP_OFFSET.loadflags,
      found: "LOADED_HIGH clear",
      expected: "LOADED_HIGH",
    });
  }
  const cut = cutCodeCheck(file, SETUP_OFFSET.syssize);
  if (cut !== undefined) return judge.blind("bzimage-unchecked", cut);
  if (setup.entry64) {
    const check = {
      offset: SETUP_OFFSET.xloadflags,
      found: "XLF_KERNEL_64: an x86-64 kernel",
      expected: "a 32-bit kernel (not checked)",
    };
    return judge.blind("entry-64", check);
  }
  return judge.takes("bzimage", "as bzimage: by its 16-bit setup code at 0x80200, in real mode");
}

function multiboot({ elf }: X86File, header: RawMultiboot): Verdict {
  const judge = V86_RULES.judge(V86);
  const { offset, flags } = header;
  if ((flags & ~KNOWN_FLAGS) !== 0) {
    const check = {
      offset: offset + MULTIBOOT1_HEADER.OFFSET.FLAGS,
      found: `flags ${hex(flags)}`,
      expected: `only bits of ${hex(KNOWN_FLAGS)}`,
    };
    return judge.refuses("multiboot-flags", check);
  }
  if (promisesAddresses(header))
    return judge.takes("multiboot", "as multiboot: by the header's addresses, in 32-bit mode");
  if (elf === undefined)
    return judge.refuses("multiboot-not-elf", { offset, found: "no ELF file", expected: "an ELF32 file" });
  if (elf.bits !== 32)
    return judge.refuses("multiboot-elf64", {
      offset: EI.CLASS,
      found: "an ELF64 file",
      expected: "an ELF32 file",
    });
  return judge.takes("multiboot", `as multiboot: in 32-bit mode at e_entry ${hex(elf.entry)}`);
}
