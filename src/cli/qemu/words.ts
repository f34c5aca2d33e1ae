/**
 * QEMU's words, one row each: whether it takes a value, and what becomes of it. A word is taken where it means what this
 * program does anyway or nothing here, put into our words where there is one for it, and otherwise refused by saying why
 * and what to write. Words that both have (-kernel, -initrd, -append, -m, -smp, -cpu, -rtc) are in `boot-request.ts`.
 *
 * Specification: QEMU's "Invocation" (qemu-options.hx), 7.2 to 10, and words that were dropped since 2.0.
 */
import { DRIVE_OF_FILE, drive } from "./drives.js";
import { BALLOON, CONSOLE as VIRTIO_CONSOLE, device, NO_OTHER_DISKS, NO_SHARING } from "./devices.js";
import { LOG_FILE, LOGGED, NO_LISTING } from "./trace.js";
import { GDB_DEVICE, USUAL_PORT, WAITS } from "./gdb.js";
import { accelerator, LEAVE_OUT_ENGINE, machine, WITHOUT_ACPI } from "./machine.js";
import { among, oneOf, firstWord, refuse, same, take, word, type QemuWord, type Rule } from "./rules.js";
import { NET, NETDEV, NIC, withCards } from "./net.js";
import { VIRTFS } from "./shares.js";

const LEAVE_OUT = "leave it out";
const NONE = take("there is none here either");

const NO_MONITOR = refuse(
  "there is no monitor and no control socket",
  "leave it out: Ctrl-A x quits, --timeout T or a signal ends it",
);
const NO_GRAPHICS = refuse(
  "there are no graphics",
  "leave it out for a serial console; --screen shows a VGA's text screen",
);
const NO_USB = refuse("there is no USB", LEAVE_OUT);
const NO_SOUND = refuse("there is no sound", LEAVE_OUT);
const NO_XEN = refuse(
  "guests of Xen are not started here",
  "locore export KERNEL --to xl writes a configuration for Xen",
);
const NO_FLASH = refuse("there is no flash memory", "firmware is read from one file: -bios FILE");
const ONE_PORT = refuse(
  "there is one serial port, and it is your terminal or pipe",
  "write -serial stdio or leave it out; --log FILE keeps a copy",
);

const SAME_SCREEN = same("the same as --screen", () => ["--screen"]);
const TEXT_SCREEN = same("the same as --screen", () => ["--screen"], "a VGA in text mode, without graphics");

/** Where QEMU's own clock rate or a recording is meant, ours would be another time: it is named, not taken. */
const ICOUNT = refuse(
  "an instruction's time cannot be chosen, and nothing is recorded",
  "--deterministic counts time in instructions, 10 ns each: every run is the same, and none takes input",
);

/** A comma in a file's name is written twice in -o. */
const BIOS = same("the same as -o loader.bios=FILE; without a kernel the firmware is what boots", (file) => [
  "-o",
  `loader.bios=${file.replaceAll(",", ",,")}`,
]);

/** The first serial port is the console; QEMU has more, and only "nothing there" is true of those. */
const SERIAL: Rule = {
  about: `stdio and mon:stdio are taken: that is what the console is; else ${ONE_PORT.about}`,
  judge(value, index) {
    const dev = firstWord(value);
    // The one backend that -chardev takes is the terminal.
    if (index === 0 && (/^(mon:)?stdio$/.test(dev) || dev.startsWith("chardev:"))) return { taken: true };
    if (index > 0 && (dev === "none" || dev === "null")) return { taken: true };
    if (index > 0) return { taken: false, why: "there is one serial port", instead: "leave the others out" };
    const file = /^file:(.+)$/s.exec(value);
    if (file === null) return ONE_PORT.judge(value, index);
    return { taken: false, why: "the console goes to standard output", instead: `write --log ${file[1]}` };
  },
};

const MON: Rule = {
  about: "taken where it shares the terminal, whose Ctrl-A keys are here; a control socket is not here",
  judge: (value, index) =>
    value.includes("mode=control") ? NO_MONITOR.judge(value, index) : { taken: true },
};

const DRIVE: Rule = {
  about: drive.about,
  judge: (value, index) => (/(^|,)if=pflash(,|$)/.test(value) ? NO_FLASH : drive).judge(value, index),
};

/** What happens here anyway. */
const ACTIONS_HERE = ["reboot=reset", "shutdown=poweroff", "panic=exit-failure"];
const ACTION: Rule = {
  about: `${ACTIONS_HERE.join(", ")} are taken: a panic and switching off end the program, each with its status`,
  judge(value) {
    const other = value
      .split(",")
      .find((part) => !ACTIONS_HERE.includes(part) && !part.startsWith("watchdog="));
    if (other === undefined) return { taken: true };
    if (other === "reboot=shutdown")
      return { taken: false, why: "it is one word here", instead: "write -no-reboot" };
    const why = "a panic and switching off end the program, each with its status";
    return { taken: false, why, instead: `leave ${other} out` };
  },
};

const MACHINE: readonly QemuWord[] = [
  word("machine M", "TYPE", machine),
  oneOf(word("accel", "NAME", accelerator)),
  word("enable-kvm", undefined, refuse("there is no kvm engine yet", LEAVE_OUT_ENGINE)),
  word("no-kvm", undefined, take("there is no kvm engine")),
  word("no-acpi", undefined, WITHOUT_ACPI),
  word("no-hpet", undefined, take("there is no HPET")),
  word("icount", "shift=N", ICOUNT),
  word(
    "seed",
    "N",
    refuse("the CPU's random numbers have no seed", "--deterministic makes every run the same"),
  ),
  word("numa", "NODE", refuse("memory is one node", LEAVE_OUT)),
  word("mem-path", "PATH", take("guest memory is the program's own")),
  word("mem-prealloc", undefined, take("guest memory is the program's own")),
  word("overcommit tb-size", "WHAT", take("it is about the host's memory")),
  word("boot", "ORDER", take("there is nothing to boot from but the kernel or the firmware")),
  word("uuid", "UUID", take("nothing shows it", "the guest does not see it: there are no SMBIOS tables")),
  word("smbios", "TABLE", refuse("there are no SMBIOS tables", LEAVE_OUT)),
  word(
    "acpitable",
    "TABLE",
    refuse("ACPI tables cannot be added", "leave it out; locore plan KERNEL --tables lists them"),
  ),
  word("fw_cfg", "ITEM", refuse("nothing can be added to fw_cfg", "--append and an initrd reach the guest")),
  word(
    "object",
    "TYPE",
    among(
      {
        "memory-backend-ram memory-backend-memfd": take("guest memory is what -m says"),
        "rng-random rng-builtin": take(
          "entropy is the host's, or with --deterministic the same in every run",
        ),
      },
      refuse("there are no objects to make", LEAVE_OUT),
    ),
  ),
  word(
    "global set",
    "PROPERTY",
    refuse("devices have no properties to set", "leave it out; locore plan KERNEL --devices shows them"),
  ),
];

const FIRMWARE: readonly QemuWord[] = [
  word("bios", "FILE", BIOS),
  word("pflash", "FILE", NO_FLASH),
  word("option-rom", "FILE", refuse("option ROMs cannot be added", "a VGA BIOS can: -o loader.vgabios=FILE")),
  word("L", "FOLDER", take("none of QEMU's own files is needed")),
  word("dtb", "FILE", refuse("x86 kernels get no device tree", LEAVE_OUT)),
  word("shim", "FILE", refuse("kernels are entered by their boot protocol, without EFI", LEAVE_OUT)),
];

const CONSOLE: readonly QemuWord[] = [
  word("nographic", undefined, take("there is no other display than the console")),
  word("serial", "DEV", SERIAL),
  word("parallel", "DEV", among({ "none null": NONE }, refuse("there is no parallel port", LEAVE_OUT))),
  word("monitor", "DEV", among({ "none null": NONE }, NO_MONITOR)),
  word("mon", "CHARDEV", MON),
  word("qmp qmp-pretty", "DEV", among({ none: NONE }, NO_MONITOR)),
  word("chardev", "BACKEND", among({ stdio: take("it is what the console is") }, ONE_PORT)),
  word("virtioconsole", "DEV", among({ stdio: VIRTIO_CONSOLE }, ONE_PORT)),
  word(
    "debugcon",
    "DEV",
    refuse("what firmware writes to its debug console is kept", "--firmware-log prints it in the end"),
  ),
  word("echr", "CHAR", refuse("the terminal's own key is Ctrl-A", LEAVE_OUT)),
  word("k", "LANGUAGE", take("the console takes bytes, not keys")),
];

const SCREEN: readonly QemuWord[] = [
  word("display", "KIND", among({ none: NONE, curses: SAME_SCREEN }, NO_GRAPHICS)),
  word("vga", "KIND", among({ none: take("there is none without --screen"), std: TEXT_SCREEN }, NO_GRAPHICS)),
  word("curses", undefined, SAME_SCREEN),
  word("vnc", "ADDRESS", among({ none: NONE }, NO_GRAPHICS)),
  word("spice rotate", "WHAT", NO_GRAPHICS),
  word("sdl full-screen show-cursor portrait", undefined, NO_GRAPHICS),
];

const DEVICES: readonly QemuWord[] = [
  withCards(word("device", "DRIVER", device)),
  word("drive", "DRIVE", DRIVE),
  word("hda hdb hdc hdd", "FILE", DRIVE_OF_FILE),
  word("cdrom fda fdb sd mtdblock blockdev iscsi", "FILE", NO_OTHER_DISKS),
  word("no-fd-bootchk win2k-hack", undefined, take("there is no such disk")),
  word("virtfs", "FOLDER", VIRTFS),
  word("fsdev", "FOLDER", NO_SHARING),
  NETDEV,
  NIC,
  NET,
  word("usb", undefined, NO_USB),
  word("usbdevice", "NAME", NO_USB),
  word("audio audiodev soundhw", "KIND", among({ none: NONE }, NO_SOUND)),
  word("audio-help", undefined, NO_SOUND),
  word("tpmdev", "KIND", refuse("there is no TPM", LEAVE_OUT)),
  word(
    "balloon",
    "KIND",
    among({ none: NONE, virtio: BALLOON }, refuse("there is no other balloon", "write --balloon SIZE")),
  ),
  word("watchdog", "MODEL", refuse("there is no watchdog", "--timeout T ends a machine that hangs")),
  word("watchdog-action", "ACTION", take("there is no watchdog")),
  word("nodefaults", undefined, take("there are no devices beyond the machine's own")),
];

const PROGRAM: readonly QemuWord[] = [
  word("name", "NAME", take("nothing here shows it")),
  word("no-user-config nodefconfig", undefined, take("there is no configuration file")),
  word(
    "readconfig writeconfig",
    "FILE",
    refuse("there is no configuration file", "write its options on the command line"),
  ),
  word("no-reboot", undefined, take("boot has the same word; nothing else runs")),
  word(
    "no-shutdown",
    undefined,
    take("a machine that is off is gone", "the program ends when the guest switches off"),
  ),
  word("action", "EVENT=ACTION", ACTION),
  word(
    "daemonize",
    undefined,
    refuse("the program stays where it was started", "a shell puts it behind: locore boot … &"),
  ),
  word("pidfile", "FILE", refuse("no such file is written", "a shell knows the number: echo $!")),
  word(
    "chroot runas run-with",
    "WHAT",
    refuse("the program needs no privileges to drop", "run it as the user it shall be"),
  ),
  word(
    "sandbox",
    "WHAT",
    among(
      { off: NONE },
      refuse("there is no filter of system calls", "leave it out; the guest runs inside WebAssembly"),
    ),
  ),
  word("add-fd", "FD", refuse("no open files are handed over", LEAVE_OUT)),
  word("msg compat", "WHAT", take("it is about what QEMU says, and to whom")),
  word("async-teardown enable-sync-profile only-migratable", undefined, take("it is about QEMU itself")),
  word("incoming loadvm dump-vmstate", "WHAT", refuse("a machine cannot be stored or moved yet", LEAVE_OUT)),
  word("xen-domid", "ID", NO_XEN),
  word("xen-attach xen-domid-restrict", undefined, NO_XEN),
  word("version", undefined, refuse("it stands alone", "write locore version")),
];

const DEBUGGING: readonly QemuWord[] = [
  word("s", undefined, USUAL_PORT),
  word("S", undefined, WAITS),
  word(
    "preconfig",
    undefined,
    refuse("there is no control socket that could configure it", "-S waits for gdb"),
  ),
  word("gdb", "DEV", GDB_DEVICE),
  word("d", "KIND,…", LOGGED),
  word("D", "FILE", LOG_FILE),
  word("dfilter plugin", "WHAT", NO_LISTING),
  word("perfmap jitdump", undefined, NO_LISTING),
  word(
    "singlestep one-insn-per-tb",
    undefined,
    refuse("it is about how QEMU translates", "--jit off interprets one instruction after the other"),
  ),
];

/** Every word, by subject. */
export const QEMU_WORDS: readonly QemuWord[] = [
  ...MACHINE,
  ...FIRMWARE,
  ...CONSOLE,
  ...SCREEN,
  ...DEVICES,
  ...PROGRAM,
  ...DEBUGGING,
];
