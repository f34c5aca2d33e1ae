/** QEMU's -device: which of its devices this machine has, and what can be done without the others. */
import { hex } from "../../bytes/hex.js";
import { PC_PORTS } from "../../spec/pc-ports.js";
import { parseSuboptions } from "../values.js";
import { refuse, take, type Rule, type Ruling } from "./rules.js";

const INTO_INITRD = "files can go into the initrd: locore initramfs --add HOST:GUEST -o initrd.img";

/** What is put behind a disk that another bus would have. */
export const NO_OTHER_DISKS = refuse(
  "disks are virtio disks on MMIO",
  "locore boot … --disk FILE, or -drive file=FILE,if=virtio",
);
export const NO_SHARING = refuse(
  "folders are shared by virtio-fs, in words of our own, or by -virtfs alone",
  "locore boot … --share DIR:TAG[,rw], and in the guest: mount -t virtiofs TAG /mnt",
);
const OTHER_CARD = refuse(
  "network cards are virtio cards",
  "-device virtio-net-device,netdev=ID, or --net user",
);

const EXIT_PORTS: readonly number[] = [PC_PORTS.debugExit.start, PC_PORTS.debugExitAlias.start];
/** Where QEMU has its exit device when nothing is said. */
const QEMU_EXIT_PORT = 0x501;

/** isa-debug-exit[,iobase=0xf4,iosize=0x04]: the machine has it, at both usual ports. */
function debugExit(properties: ReadonlyMap<string, string>): Ruling {
  const port = Number(properties.get("iobase") ?? QEMU_EXIT_PORT);
  if (EXIT_PORTS.includes(port)) return { taken: true };
  const [usual] = EXIT_PORTS;
  const why = `the debug-exit device is at ${EXIT_PORTS.map((at) => hex(at)).join(" and ")} only`;
  return { taken: false, why, instead: `build the guest for one of them: iobase=${hex(usual)}` };
}

/** vmgenid[,guid=auto]: the machine has it; its id is the run's. */
function generationId(properties: ReadonlyMap<string, string>): Ruling {
  if ((properties.get("guid") ?? "auto") === "auto") return { taken: true };
  return {
    taken: false,
    why: "the generation id is another one in each run",
    instead: "leave it out, or say guid=auto",
  };
}

const TESTDEV_ARGS = ["-o", "testdev=on"];
/** The port of Bochs' debug console, which comes with the test device; firmware's own is another. */
const BOCHS_CONSOLE_PORT = 0xe9;

/** virtio-blk-device,drive=ID: every -drive is such a disk already. */
const DISK_DEVICE: Rule = {
  about: "taken: a -drive is such a disk",
  judge(value) {
    const [, ...properties] = parseSuboptions(value, "driver");
    const named = new Map(properties);
    const why = "a disk is made by its -drive";
    if (named.has("serial"))
      return { taken: false, why, instead: "say serial= there: -drive file=FILE,serial=S" };
    if (!named.has("drive")) return { taken: false, why, instead: "-drive file=FILE,if=virtio" };
    return { taken: true };
  },
};

/** A device of ours under QEMU's name; what its properties say is about QEMU's side of it, or so here anyway. */
function virtioDevice(about: string, args: readonly string[], idle: readonly string[] = []): Rule {
  return {
    about: `the same as ${about}`,
    judge(value) {
      const [, ...properties] = parseSuboptions(value, "driver");
      const known = [...IDLE_PROPERTIES, ...idle];
      const other = properties.find(([name]) => !known.includes(name));
      if (other === undefined) return { taken: true, args };
      return { taken: false, why: `${other[0]} cannot be set here`, instead: `leave ${other[0]}= out` };
    },
  };
}

/** Where a device of QEMU's is plugged in, and what is behind it there. */
const IDLE_PROPERTIES = ["id", "bus", "addr", "rng", "chardev", "name"];

export const BALLOON = virtioDevice("--balloon 0", ["--balloon", "0"], ["free-page-reporting"]);
export const CONSOLE = virtioDevice("--console hvc0", ["--console", "hvc0"], ["nr"]);

/** Other devices by what their names tell: kinds of which there is something to say. */
const KINDS: readonly (readonly [names: RegExp, rule: Rule])[] = [
  [/^virtio-blk-(device|pci)/, DISK_DEVICE],
  [
    /^(virtio-(blk|scsi|pmem)|vhost-user-blk|ide-|scsi-|nvme|ahci|floppy|isa-fdc|sd-card|usb-storage|nvdimm)/,
    NO_OTHER_DISKS,
  ],
  [/^(virtio-(9p|fs)|vhost-user-fs)/, NO_SHARING],
  [/^(vhost-user-net|vhost-vdpa|e1000|rtl8139|ne2k|pcnet|vmxnet|usb-net|igb|i8255)/, OTHER_CARD],
  [/^virtio-rng(-device|-pci)?$/, virtioDevice("--rng", ["--rng"])],
  [/^virtio-balloon(-device|-pci)?$/, BALLOON],
  [/^virtio-serial(-device|-pci)?$/, take("virtconsole is what brings the console")],
  [/^virtconsole$/, CONSOLE],
  [
    /^virtserialport$/,
    refuse(
      "no named port can be connected on the command line",
      "leave it out; a program of your own can (docs/virtio.md)",
    ),
  ],
  [
    /^(isa-serial|pci-serial|sclp)/,
    refuse("there is one serial port, and it is there anyway", "leave it out; the guest's console is ttyS0"),
  ],
  [
    /^(VGA|virtio-(gpu|vga)|cirrus-vga|bochs-display|qxl|ramfb|isa-vga|vmware-svga|secondary-vga)/i,
    refuse("there are no graphics", "--screen gives the machine a VGA in text mode"),
  ],
  [
    /^isa-debugcon/,
    refuse(
      "the debug console comes with firmware",
      "leave it out; --firmware-log prints what firmware wrote to it",
    ),
  ],
  [
    /^loader$/,
    refuse("no files are laid into memory by address", "give the kernel's own: --initrd FILE, --module FILE"),
  ],
  [
    /^virtio-/,
    refuse(
      "there is no such virtio device",
      "leave it out; there are --disk FILE, --share DIR, --console hvc0, --rng and --balloon SIZE",
    ),
  ],
];

const OTHERS = refuse(
  "the machine has no such device",
  "leave it out; locore plan KERNEL --devices shows what it has, and --device ./mine.js adds one of your own (docs/devices.md)",
);

/** -device: one driver, with its properties. */
export const device: Rule = {
  about: `isa-debug-exit is taken: the machine has it at ${EXIT_PORTS.map((at) => hex(at)).join(" and ")}; so is vmgenid; virtio-net-device is the card of its -netdev; virtio-rng-device, virtio-balloon-device and virtconsole are --rng, --balloon 0 and --console hvc0; pc-testdev, and isa-debugcon at 0xe9, are -o testdev=on; no other of QEMU's: ${INTO_INITRD}; a file is a device of your own`,
  judge(value, index) {
    const [[, driver], ...properties] = parseSuboptions(value, "driver");
    const named = new Map(properties);
    if (driver === "isa-debug-exit") return debugExit(named);
    if (driver === "vmgenid") return generationId(named);
    if (driver === "pc-testdev") return { taken: true, args: TESTDEV_ARGS };
    if (driver === "isa-debugcon" && Number(named.get("iobase") ?? BOCHS_CONSOLE_PORT) === BOCHS_CONSOLE_PORT)
      return { taken: true, args: TESTDEV_ARGS };
    const [, rule] = KINDS.find(([names]) => names.test(driver)) ?? [undefined, OTHERS];
    return rule.judge(value, index);
  },
};
