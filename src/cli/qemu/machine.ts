/**
 * QEMU's -machine and -accel: what of them is this machine or makes no difference to it. There is one machine here, and it
 * is like microvm: no PCI, the old PC devices always there.
 */
import { parseSuboptions } from "../values.js";
import { same, type Rule, type Ruling } from "./rules.js";

const TAKEN: Ruling = { taken: true };

/** The engines of QEMU that use the host's virtualisation. */
const HOST_ENGINES = ["kvm", "hvf", "whpx", "nvmm", "hax", "xen", "mshv"];
export const LEAVE_OUT_ENGINE = "leave it out: the built-in engine needs no virtualisation";

/** "kvm:tcg": one after the other, until one works. */
function judgeEngine(names: string): Ruling {
  const wanted = names.split(":");
  if (wanted.includes("tcg")) return TAKEN;
  const [name] = wanted;
  const why = HOST_ENGINES.includes(name) ? `there is no ${name} engine yet` : `there is no engine ${name}`;
  return { taken: false, why, instead: LEAVE_OUT_ENGINE };
}

/** -accel: tcg is what the built-in engine is; its own suboptions (thread, tb-size) tune QEMU. */
export const accelerator: Rule = {
  about: `tcg is taken: the built-in engine is of that kind; kvm and others are not here yet; ${LEAVE_OUT_ENGINE}`,
  judge(value) {
    const [[, names]] = parseSuboptions(value, "accel");
    return judgeEngine(names);
  },
};

/** Types that have what this machine has. */
const LIKE_THIS = /^microvm$/;
/** PCs: the same and PCI. With their versions, as -machine help lists them. */
const PC = /^(pc|q35|pc-(i440fx|q35)-\d+\.\d+)$/;

function judgeType(type: string): Ruling {
  if (LIKE_THIS.test(type)) return TAKEN;
  if (PC.test(type)) return { taken: true, note: "this machine is like microvm: it has no PCI" };
  const why = type === "help" ? "there is one machine" : "there is one machine here, and it is like microvm";
  const instead = "leave it out, or write -M microvm; locore plan KERNEL shows what the machine has";
  return { taken: false, why, instead };
}

/** Properties that tune QEMU itself, or describe what the other options describe. */
const IDLE_PROPERTIES = [
  "aes-key-wrap",
  "auto-kernel-cmdline",
  "dea-key-wrap",
  "dump-guest-core",
  "kernel-irqchip",
  "max-fw-size",
  "mem-merge",
  "memory-backend",
  "option-roms",
  "suppress-vmdesc",
  "x-option-roms",
];
/** Devices that the machine always has. */
const ALWAYS_THERE = ["acpi", "i8042", "isa-serial", "pic", "pit", "rtc"];
/** Devices that it never has. */
const NEVER_THERE = [
  "default-bus-bypass-iommu",
  "fd-bootchk",
  "graphics",
  "hmat",
  "hpet",
  "ioapic2",
  "nvdimm",
  "pcie",
  "sata",
  "smbus",
  "smm",
  "usb",
  "vmport",
];

/** What becomes of -no-acpi and -M …,acpi=off. */
export const WITHOUT_ACPI = same("--acpi off", () => ["--acpi", "off"]);

function judgeProperty(given: string, value: string): Ruling {
  const name = given.replaceAll("_", "-");
  const off = value === "off" || value === "false" || value === "no";
  const automatic = value === "auto";
  if (name === "accel") return judgeEngine(value);
  if (IDLE_PROPERTIES.includes(name)) return TAKEN;
  if (name === "acpi" && off) return WITHOUT_ACPI.judge(value, 0);
  if (ALWAYS_THERE.includes(name)) {
    return off
      ? { taken: false, why: `${name} is always there`, instead: `leave ${name}=${value} out` }
      : TAKEN;
  }
  if (NEVER_THERE.includes(name)) {
    return off || automatic
      ? TAKEN
      : { taken: false, why: `this machine has no ${name}`, instead: `leave ${name}=${value} out` };
  }
  return { taken: false, why: `${name} cannot be set here`, instead: `leave ${name}=${value} out` };
}

/** -machine: a type, and properties behind it. */
export const machine: Rule = {
  about:
    "microvm, q35 and pc are taken, with properties that are so here anyway (accel=tcg, acpi=on, usb=off); this machine is like microvm and has no PCI",
  judge(value) {
    const rulings = parseSuboptions(value, "type").map(([name, text]) =>
      name === "type" ? judgeType(text) : judgeProperty(name, text),
    );
    const refused = rulings.find((ruling) => !ruling.taken);
    if (refused !== undefined) return refused;
    const args = rulings.flatMap((ruling) => (ruling.taken ? (ruling.args ?? []) : []));
    const noted = rulings.find((ruling) => ruling.taken && ruling.note !== undefined) ?? TAKEN;
    return args.length === 0 ? noted : { ...noted, taken: true, args };
  },
};
