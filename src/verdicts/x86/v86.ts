/** What v86 does with an image given as bzimage or multiboot. Facts of src/kernel.js, cpu.js and elf.js (71a97849), read, as data; 0.5.462 is asked by tests. */
import { hex } from "../../bytes/hex.js";
import { EI } from "../../spec/elf.js";
import { PROTOCOL, SETUP_OFFSET } from "../../spec/linux-boot.js";
import { MULTIBOOT1_HEADER } from "../../spec/multiboot1.js";
import { RuleTable } from "../rules.js";
import type { FailedCheck, LoaderFacts, Verdict } from "../verdict.js";
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

const SOURCE =
  "v86 src/kernel.js load_kernel, src/cpu.js load_multiboot_option_rom, src/elf.js read_elf (71a97849, read); 0.5.462 run";
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
  "multiboot-addresses": {
    what: `load addresses must lead into the file, in order: an assertion of debug builds, or the JavaScript engine's RangeError`,
  },
  "multiboot-unchecked": { what: "the entry is not looked at" },
  "multiboot-elf64": {
    what: "without load addresses the file must be ELF32; another is read as one, and does not run",
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

/** As v86 writes numbers. */
function spelt(value: number): string {
  return `0x${value.toString(16).toUpperCase()}`;
}

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
    return judge.refuses("boot-flag", check, { values: { value: spelt(setup.bootFlag) } });
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

/** What is wrong with a header's addresses, by what is done with them: a part of the file, from a place in it. */
function addressFault({ view }: X86File, { offset, addresses }: RawMultiboot): FailedCheck | undefined {
  if (addresses === undefined) return { offset, found: "the end of the file", expected: "addresses" };
  const { header, load, loadEnd } = addresses;
  const at = MULTIBOOT1_HEADER.OFFSET;
  if (load > header) {
    const found = `load_addr ${hex(load)} behind header_addr ${hex(header)}`;
    return { offset: offset + at.HEADER_ADDR, found, expected: "load_addr first" };
  }
  const start = offset - (header - load);
  if (start < 0) {
    const found = `a kernel that begins ${-start} bytes before the file`;
    return { offset: offset + at.HEADER_ADDR, found, expected: "one in the file" };
  }
  if (loadEnd === 0 || (loadEnd >= load && start + loadEnd - load <= view.length)) return undefined;
  const found = `load_end_addr ${hex(loadEnd)}`;
  return {
    offset: offset + at.LOAD_END_ADDR,
    found,
    expected: `${hex(load)} to ${hex(load + view.length - start)}`,
  };
}

/** An entry in nothing that is loaded by addresses. */
function entryFault({ view }: X86File, { offset, addresses }: RawMultiboot): FailedCheck | undefined {
  if (addresses === undefined) return undefined;
  const { header, load, loadEnd, bssEnd, entry } = addresses;
  const end = Math.max(loadEnd === 0 ? load + view.length - offset + (header - load) : loadEnd, bssEnd);
  if (entry >= load && entry < end) return undefined;
  const expected = `${hex(load)} to ${hex(end)} (not checked)`;
  return {
    offset: offset + MULTIBOOT1_HEADER.OFFSET.ENTRY_ADDR,
    found: `entry_addr ${hex(entry)}`,
    expected,
  };
}

function multiboot(file: X86File, header: RawMultiboot): Verdict {
  const { elf } = file;
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
  if (promisesAddresses(header)) {
    const fault = addressFault(file, header);
    if (fault !== undefined) return judge.refuses("multiboot-addresses", fault);
    const entry = entryFault(file, header);
    if (entry !== undefined) return judge.blind("multiboot-unchecked", entry);
    return judge.takes("multiboot", "as multiboot: by the header's addresses, in 32-bit mode");
  }
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
