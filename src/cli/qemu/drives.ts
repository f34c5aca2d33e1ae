/** QEMU's -drive and -hda as disks of ours: virtio disks on MMIO, written to as QEMU writes to them. */
import { parseSuboptions } from "../values.js";
import { same, type Rule, type Ruling } from "./rules.js";

/** Where the disk is plugged in; all become virtio disks. */
const INTERFACES = ["virtio", "none", "ide", "scsi"];
/** How QEMU itself reaches the file. */
const IDLE = [
  "id",
  "index",
  "cache",
  "aio",
  "werror",
  "rerror",
  "discard",
  "detect-zeroes",
  "media",
  "unit",
  "bus",
];
const FORMATS = ["raw", "qcow2"];
const NOTE = "the guest finds a virtio disk: /dev/vda, not /dev/sda";

function isOn(value: string | undefined): boolean {
  return value === "on" || value === "true" || value === "yes";
}

/** A value of ours, in which two commas are one. */
function quoted(value: string): string {
  return value.replaceAll(",", ",,");
}

function judgeDrive(value: string): Ruling {
  const facts = new Map(parseSuboptions(value, "file"));
  const file = facts.get("file");
  const bus = facts.get("if") ?? "ide";
  const format = facts.get("format");
  const refused = (why: string, instead: string): Ruling => ({ taken: false, why, instead });
  if (file === undefined) return refused("there is no disk without a file", "-drive file=FILE,if=virtio");
  if (!INTERFACES.includes(bus)) return refused(`no disk is plugged in as ${bus}`, "say if=virtio");
  if (format !== undefined && !FORMATS.includes(format))
    return refused(
      `images of the format ${format} are not read`,
      `qemu-img convert -O qcow2 ${file} new.qcow2`,
    );
  if (facts.get("media") === "cdrom") facts.set("readonly", "on");
  const known = ["file", "if", "format", "readonly", "read-only", "snapshot", "serial", ...IDLE];
  const unknown = [...facts.keys()].find((key) => !known.includes(key));
  if (unknown !== undefined) return refused(`there is no ${unknown}= of a disk`, "leave it out");
  const reads = isOn(facts.get("readonly")) || isOn(facts.get("read-only"));
  const access = reads ? ",ro" : isOn(facts.get("snapshot")) ? "" : ",rw";
  const serial = facts.get("serial");
  const more = `${format === undefined ? "" : `,format=${format}`}${serial === undefined ? "" : `,serial=${quoted(serial)}`}`;
  const args = ["--disk", `file=${quoted(file)}${access}${more}`];
  return bus === "virtio" || bus === "none" ? { taken: true, args } : { taken: true, args, note: NOTE };
}

/** -drive file=…,format=raw|qcow2,if=virtio,readonly=on,snapshot=on,serial=S */
export const drive: Rule = {
  about:
    "--disk FILE,rw; with readonly=on ,ro; with snapshot=on it keeps what is written in memory, as --disk does by itself",
  judge: judgeDrive,
};

/** -hda FILE */
export const DRIVE_OF_FILE: Rule = same(
  "--disk FILE,rw",
  (value) => ["--disk", `file=${quoted(value)},rw`],
  NOTE,
);
