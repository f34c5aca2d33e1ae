/** What a disk would boot, by each kind of configuration (R3.6): read as data, from the files of small disks. */
import assert from "node:assert/strict";
import test from "node:test";
import { findBootEntry } from "../../src/disk/boot-entries/find.js";
import { loadFromDisk, NothingToBoot } from "../../src/disk/boot-entries/load.js";
import { readDisk, type Disk } from "../../src/disk/disk.js";
import { partitionLabel } from "../../src/disk/partitions/table.js";
import { memorySource } from "../../src/disk/source.js";
import { composed, EXT_UUID, extImage, fatImage, writeGpt, type Files } from "../support/disk-images.js";

const LINUX = "0fc63daf-8483-4772-8e79-3d69d8477de4";
const ESP = "c12a7328-f81f-11d2-ba4b-00a0c93ec93b";
const XBOOTLDR = "bc13c2ff-59e6-4262-a352-b275fd6f7172";
const GUID = "01234567-89ab-cdef-0123-456789abcdef";
const PARTITION = 512;

/** A whole disk with these files. */
function one(files: Files, asFat = false): Disk {
  return readDisk(memorySource(asFat ? fatImage(files) : extImage(files)));
}

/** A GPT with these partitions. */
function several(...parts: readonly [type: string, image: Uint8Array][]): Disk {
  const disk = composed(
    (parts.length + 1) * PARTITION * 512,
    parts.map(([, image], i) => [(8 + i * PARTITION) * 512, image]),
  );
  writeGpt(
    disk,
    parts.map(([type], i) => ({ type, guid: GUID, first: 8 + i * PARTITION, last: 7 + (i + 1) * PARTITION })),
  );
  return readDisk(memorySource(disk));
}

/** What it boots, in short. */
function found(
  disk: Disk,
): { kernel: string; initrds: string[]; options: string | undefined; why: string } | undefined {
  const { entry } = findBootEntry(disk);
  if (entry === undefined) return undefined;
  const place = ({ volume: { partition }, file }: typeof entry.kernel): string =>
    `${partition ? partitionLabel(partition) : ""}${file.path}`;
  return {
    kernel: place(entry.kernel),
    initrds: entry.initrds.map(place),
    options: entry.options,
    why: entry.why,
  };
}

function notes(disk: Disk): string {
  return findBootEntry(disk).notes.join("\n");
}

const KERNELS: Files = { "/vmlinuz-1": "one", "/vmlinuz-2": "two", "/initrd-2": "initrd", "/ucode": "cpu" };

function entry(kernel: string, more = ""): string {
  return `title ${kernel}\nlinux ${kernel}\n${more}`;
}

test("R3.6 Boot Loader Specification: keys, several initrds and options, comments; paths are of the partition", () => {
  const disk = several(
    [
      ESP,
      fatImage({
        ...KERNELS,
        "/loader/entries/a.conf": `# a comment\ntitle  A system\nlinux   /vmlinuz-2\ninitrd /ucode\ninitrd /initrd-2\noptions root=x\noptions  quiet  ro\n`,
      }),
    ],
    [LINUX, extImage({ "/etc/x": "" })],
  );
  const { entry: chosen } = findBootEntry(disk);
  assert.equal(chosen?.title, "A system");
  assert.deepEqual(found(disk), {
    kernel: "1/vmlinuz-2",
    initrds: ["1/ucode", "1/initrd-2"],
    options: "root=x quiet  ro",
    why: "/loader/entries/a.conf of partition 1, the first by the specification's order",
  });
});

const ORDERS: readonly [what: string, entries: Record<string, string>, first: string][] = [
  [
    "the file's name, highest version first, without sort-key",
    { "x-1.9": "", "x-1.10": "", "x-1.2": "" },
    "x-1.10",
  ],
  ["sort-key before none", { "z-9": "", a: "sort-key z\nversion 1\n" }, "a"],
  ["sort-key, lowest first", { a: "sort-key b\n", b: "sort-key a\n" }, "b"],
  ["machine-id, lowest first", { a: "sort-key a\nmachine-id 2\n", b: "sort-key a\nmachine-id 1\n" }, "b"],
  ["version, highest first", { a: "sort-key a\nversion 6.1~rc1\n", b: "sort-key a\nversion 6.1\n" }, "b"],
  ["tries: what failed comes last", { "z+0-3": "", "a+2-1": "" }, "a+2-1"],
];
for (const [what, entries, first] of ORDERS)
  test(`R3.6 Boot Loader Specification: order by ${what}`, () => {
    const files: Record<string, string> = {};
    for (const [name, text] of Object.entries(entries)) {
      files[`/loader/entries/${name}.conf`] = entry(`/k-${name}`, text);
      files[`/k-${name}`] = "kernel";
    }
    assert.equal(found(one(files))?.kernel, `/k-${first}`);
  });

test("R3.6 Boot Loader Specification: the default of loader.conf, a pattern, comes first; one that is not there is told", () => {
  const files = {
    ...KERNELS,
    "/loader/entries/m-1.conf": entry("/vmlinuz-1"),
    "/loader/entries/m-2.conf": entry("/vmlinuz-2"),
  };
  const old = one({ ...files, "/loader/loader.conf": "timeout 3\ndefault m-?\ndefault *-1\n" });
  assert.equal(found(old)?.kernel, "/vmlinuz-1");
  assert.match(found(old)?.why ?? "", /the default of \/loader\/loader.conf/);
  const none = one({ ...files, "/loader/loader.conf": "default nothing*\n" });
  assert.equal(found(none)?.kernel, "/vmlinuz-2");
  assert.match(notes(none), /wants nothing\*, which no entry is/);
});

test("R3.6 Boot Loader Specification: Fedora's /boot with grubenv's saved_entry and variables in options", () => {
  const disk = one({
    "/boot/vmlinuz-1": "one",
    "/boot/vmlinuz-2": "two",
    "/boot/loader/entries/f-1.conf": entry("/boot/vmlinuz-1", "options $kernelopts $tuned_params\n"),
    "/boot/loader/entries/f-2.conf": entry("/boot/vmlinuz-2"),
    "/boot/grub2/grubenv": "# GRUB Environment Block\nsaved_entry=f-1\nkernelopts=root=UUID=1 ro\n########",
  });
  assert.equal(found(disk)?.kernel, "/boot/vmlinuz-1");
  assert.equal(found(disk)?.options, "root=UUID=1 ro");
});

test("R3.6 Boot Loader Specification: entries for other machines, of EFI programs and with missing files are told and left out", () => {
  const disk = one({
    ...KERNELS,
    "/loader/entries/z-arm.conf": entry("/vmlinuz-1", "architecture aa64\n"),
    "/loader/entries/y-efi.conf": "title E\nefi /EFI/x.efi\n",
    "/loader/entries/x.conf": entry("/missing"),
    "/loader/entries/w.conf": entry("/vmlinuz-1", "initrd /missing-initrd\n"),
    "/loader/entries/a.conf": entry("/vmlinuz-2", "architecture x64\n"),
  });
  assert.equal(found(disk)?.kernel, "/vmlinuz-2");
  for (const word of [
    /z-arm.conf is for aa64/,
    /y-efi.conf names no linux/,
    /names \/missing,/,
    /missing-initrd/,
  ])
    assert.match(notes(disk), word);
});

test("R3.6 XBOOTLDR comes before the ESP, and the ESP before others", () => {
  const bls = (kernel: string): Files => ({ [kernel]: "k", "/loader/entries/a.conf": entry(kernel) });
  const disk = several(
    [LINUX, extImage(bls("/l"))],
    [ESP, fatImage(bls("/E"))],
    [XBOOTLDR, extImage(bls("/x"))],
  );
  assert.equal(found(disk)?.kernel, "3/x");
  const without = several([LINUX, extImage(bls("/l"))], [ESP, fatImage(bls("/E"))]);
  assert.equal(found(without)?.kernel, "2/E");
});

const EXTLINUX = `
# menus are for people
TIMEOUT 50
UI menu.c32
DEFAULT second
APPEND everywhere
LABEL first
  MENU LABEL ^First
  LINUX /vmlinuz-1
LABEL second
  KERNEL ../vmlinuz-2
  INITRD ../ucode,../initrd-2
  APPEND root=/dev/vda1 quiet
LABEL third
  KERNEL /vmlinuz-1
  APPEND -
`;

test("R3.6 extlinux.conf: the DEFAULT label; paths from the configuration's folder; an APPEND of its own", () => {
  const disk = one({ ...KERNELS, "/extlinux/extlinux.conf": EXTLINUX });
  assert.deepEqual(found(disk), {
    kernel: "/vmlinuz-2",
    initrds: ["/ucode", "/initrd-2"],
    options: "root=/dev/vda1 quiet",
    why: "/extlinux/extlinux.conf of the whole disk, its DEFAULT",
  });
});

test("R3.6 extlinux.conf: MENU DEFAULT comes first, a DEFAULT that is a menu is passed over, APPEND - is nothing, initrd= is one", () => {
  const at = (text: string): ReturnType<typeof found> =>
    found(one({ ...KERNELS, "/extlinux/extlinux.conf": text }));
  const marked = EXTLINUX.replace("LABEL third", "LABEL third\n  menu default");
  assert.equal(at(marked)?.kernel, "/vmlinuz-1");
  assert.equal(at(marked)?.options, "");
  const menu = at(EXTLINUX.replace("DEFAULT second", "DEFAULT vesamenu.c32"));
  assert.equal(menu?.kernel, "/vmlinuz-1");
  assert.equal(menu?.options, "everywhere");
  const words = at("label l\nkernel /vmlinuz-2\nappend initrd=/ucode,/initrd-2 root=x\n");
  assert.deepEqual(words?.initrds, ["/ucode", "/initrd-2"]);
  assert.equal(words?.options, "root=x");
});

test("R3.6 syslinux.cfg in a FAT: INCLUDE, also of itself, ends; what is not there is told", () => {
  const disk = one(
    {
      "/LINUX": "k",
      "/syslinux/syslinux.cfg": "INCLUDE more.cfg\nMENU INCLUDE nothing.cfg\n",
      "/syslinux/more.cfg": "INCLUDE syslinux.cfg\ndefault a\nlabel a\nkernel /linux\n",
    },
    true,
  );
  assert.equal(found(disk)?.kernel, "/LINUX");
  assert.match(notes(disk), /includes nothing.cfg, which is not there/);
  assert.match(notes(disk), /includes too much/);
});

/** As Debian's grub-mkconfig writes it. */
const GRUB = `#
# DO NOT EDIT THIS FILE
#
if [ -s $prefix/grubenv ]; then
  set have_grubenv=true
  load_env
fi
if [ "\${next_entry}" ] ; then
   set default="\${next_entry}"
   set next_entry=
   save_env next_entry
   set boot_once=true
else
   set default="0"
fi

if [ x"\${feature_menuentry_id}" = xy ]; then
  menuentry_id_option="--id"
else
  menuentry_id_option=""
fi

export menuentry_id_option

if [ "\${prev_saved_entry}" ]; then
  set saved_entry="\${prev_saved_entry}"
fi

function savedefault {
  if [ -z "\${boot_once}" ]; then
    saved_entry="\${chosen}"
    save_env saved_entry
  fi
}
function load_video {
  if [ x$feature_all_video_module = xy ]; then
    insmod all_video
  else
    insmod efi_gop
  fi
}

if [ x$feature_default_font_path = xy ] ; then
   font=unicode
else
insmod part_gpt
    font="/usr/share/grub/unicode.pf2"
fi

if loadfont $font ; then
  set gfxmode=auto
  load_video
  insmod gfxterm
  set locale_dir=$prefix/locale
  set lang=en_US
fi
terminal_output gfxterm
if [ "\${recordfail}" = 1 ] ; then
  set timeout=30
else
  if [ x$feature_timeout_style = xy ] ; then
    set timeout_style=menu
    set timeout=5
  else
    set timeout=5
  fi
fi
if background_image /usr/share/desktop-base/grub.png; then
  set color_normal=white/black
else
  set menu_color_normal=cyan/blue
fi
function gfxmode {
	set gfxpayload="\${1}"
}
set linux_gfx_mode=
menuentry 'Debian GNU/Linux' --class debian --class gnu-linux $menuentry_id_option 'gnulinux-simple-X' {
	load_video
	gfxmode $linux_gfx_mode
	insmod gzio
	if [ x$grub_platform = xxen ]; then insmod xzio; insmod lzopio; fi
	insmod part_gpt
	insmod ext2
	set root='hd7,gpt9'
	if [ x$feature_platform_search_hint = xy ]; then
	  search --no-floppy --fs-uuid --set=root --hint-bios=hd0,gpt1 --hint-efi=hd0,gpt1  ${EXT_UUID}
	else
	  search --no-floppy --fs-uuid --set=root ${EXT_UUID}
	fi
	echo	'Loading Linux 2 ...'
	linux	/boot/vmlinuz-2 root=UUID=${EXT_UUID} ro  quiet "dyndbg=file x.c +p"
	echo	'Loading initial ramdisk ...'
	initrd	/boot/ucode /boot/initrd-2
}
submenu 'Advanced options for Debian GNU/Linux' $menuentry_id_option 'gnulinux-advanced-X' {
	menuentry 'Debian GNU/Linux, with Linux 2' --class debian $menuentry_id_option 'gnulinux-2-advanced-X' {
		search --no-floppy --fs-uuid --set=root ${EXT_UUID}
		linux	/boot/vmlinuz-2 root=UUID=${EXT_UUID} ro
	}
	menuentry 'Debian GNU/Linux, with Linux 1 (recovery mode)' --class debian $menuentry_id_option 'gnulinux-1-recovery-X' {
		search --no-floppy --fs-uuid --set=root ${EXT_UUID}
		linux	/boot/vmlinuz-1 root=UUID=${EXT_UUID} ro single
	}
}
### BEGIN /etc/grub.d/30_uefi-firmware ###
if [ "$grub_platform" = "efi" ]; then
	menuentry 'UEFI Firmware Settings' $menuentry_id_option 'uefi-firmware' {
		fwsetup
	}
fi
if [ -f  \${config_directory}/custom.cfg ]; then
  source \${config_directory}/custom.cfg
elif [ -z "\${config_directory}" -a -f  $prefix/custom.cfg ]; then
  source $prefix/custom.cfg
fi
`;
const BOOT: Files = Object.fromEntries(
  Object.entries(KERNELS).map(([path, content]) => [`/boot${path}`, content]),
);

test("R3.6 grub.cfg of Debian: the default entry's linux and initrd lines, root found by UUID", () => {
  const disk = several([ESP, fatImage({})], [LINUX, extImage({ ...BOOT, "/boot/grub/grub.cfg": GRUB })]);
  assert.deepEqual(found(disk), {
    kernel: "2/boot/vmlinuz-2",
    initrds: ["2/boot/ucode", "2/boot/initrd-2"],
    options: `root=UUID=${EXT_UUID} ro quiet dyndbg=file x.c +p`,
    why: '/boot/grub/grub.cfg of partition 2, its default "0"',
  });
  assert.equal(notes(disk), "");
});

for (const [environment, kernel, why] of [
  ["next_entry=gnulinux-advanced-X>gnulinux-1-recovery-X", "/boot/vmlinuz-1", "by ids through a submenu"],
  ["next_entry=1>1", "/boot/vmlinuz-1", "by numbers"],
  [
    "next_entry=Advanced options for Debian GNU/Linux>Debian GNU/Linux, with Linux 1 (recovery mode)",
    "/boot/vmlinuz-1",
    "by titles",
  ],
  ["next_entry=1", "/boot/vmlinuz-2", "the first of a submenu"],
  ["next_entry=nothing", "/boot/vmlinuz-2", "what is not there is the first"],
] as const)
  test(`R3.6 grub.cfg: the default of grubenv, ${why}`, () => {
    const disk = one({
      ...BOOT,
      "/boot/grub/grub.cfg": GRUB,
      "/boot/grub/grubenv": `# GRUB Environment Block\n${environment}\n####`,
    });
    assert.equal(found(disk)?.kernel, kernel);
  });

test("R3.6 grub.cfg of a boot partition of its own: paths are relative to it; its kernel's root is elsewhere", () => {
  const files = Object.fromEntries(
    Object.entries(BOOT).map(([path, content]) => [path.slice("/boot".length), content]),
  );
  const text = GRUB.replaceAll("/boot/", "/");
  const disk = several(
    [LINUX, extImage({ ...files, "/grub/grub.cfg": text })],
    [LINUX, extImage({ "/etc/x": "" })],
  );
  assert.equal(found(disk)?.kernel, "1/vmlinuz-2");
});

test("R3.6 grub.cfg of an ESP that only leads to another", () => {
  const stub = `search.fs_uuid ${EXT_UUID} root hd0,gpt2 \nset prefix=($root)'/boot/grub'\nconfigfile $prefix/grub.cfg\n`;
  const disk = several(
    [ESP, fatImage({ "/EFI/debian/grub.cfg": stub })],
    [LINUX, extImage({ ...BOOT, "/boot/grub/grub.cfg": GRUB })],
  );
  assert.equal(found(disk)?.kernel, "2/boot/vmlinuz-2");
});

const SCRIPTS: readonly [what: string, text: string, kernel: string | undefined, note?: RegExp][] = [
  [
    "variables in paths, with and without braces",
    'd=/boot; v="2"\nmenuentry a { linux $d/vmlinuz-${v} }',
    "/boot/vmlinuz-2",
  ],
  ["device names", "menuentry a { linux (hd0)/boot/vmlinuz-1 }", "/boot/vmlinuz-1"],
  [
    "search by label and by file",
    "menuentry a { search --file /boot/vmlinuz-2 --set=r\nlinux ($r)/boot/vmlinuz-2 }",
    "/boot/vmlinuz-2",
  ],
  [
    "functions with arguments",
    "function f { linux $1 $2 }\nmenuentry a { f /boot/vmlinuz-1 ro }",
    "/boot/vmlinuz-1",
  ],
  [
    "elif, !, -o, -d, != and numbers",
    "if [ ! -d /boot ]; then x=1; elif [ 2 -gt 10 -o -d /boot ]; then x=2; else x=1; fi\nmenuentry a { linux /boot/vmlinuz-$x }",
    "/boot/vmlinuz-2",
  ],
  [
    "lines that go on and comments",
    "menuentry a { # first\n linux \\\n /boot/vmlinuz-1 # second\n}",
    "/boot/vmlinuz-1",
  ],
  ["quotes and escapes", "menuentry 'a}b' { linux \"/boot/vmlinuz\"-'1' a\\ b }", "/boot/vmlinuz-1"],
  [
    "loops, which are told",
    "for i in 1 2; do set x=$i; done\nmenuentry a { linux /boot/vmlinuz-1 }",
    "/boot/vmlinuz-1",
    /line 1: a loop is not run/,
  ],
  [
    "commands that are not known, which fail and are told",
    "if strange x; then x=1; else x=2; fi\nmenuentry a { linux /boot/vmlinuz-$x }",
    "/boot/vmlinuz-2",
    /line 1: strange is not run/,
  ],
  [
    "a file that nobody can parse, which is told",
    "menuentry a { linux /boot/vmlinuz-1 ",
    "/boot/vmlinuz-2",
    /line 1: found the end of the file/,
  ],
  [
    "a function that calls itself, which ends",
    "function f { f; }\nf\nmenuentry a { linux /boot/vmlinuz-1 }",
    "/boot/vmlinuz-2",
    /too much to be read/,
  ],
  [
    "a variable that doubles, which ends",
    `x=aaaaaaaaaaaaaaaa\n${'x="$x$x"\n'.repeat(60)}`,
    "/boot/vmlinuz-2",
    /too much to be read/,
  ],
  [
    "chainloaders, which load no kernel",
    "menuentry a { chainloader +1 }",
    "/boot/vmlinuz-2",
    /loads no kernel that is here/,
  ],
  [
    "words like properties of objects",
    "if [ a constructor b ]; then x=1; fi; constructor; menuentry a { linux /boot/vmlinuz-1 }",
    "/boot/vmlinuz-1",
    /not understood/,
  ],
];
for (const [what, text, kernel, note] of SCRIPTS)
  test(`R3.6 grub.cfg: ${what}`, () => {
    const disk = one({ ...BOOT, "/boot/grub/grub.cfg": text });
    assert.equal(found(disk)?.kernel, kernel);
    if (note !== undefined) assert.match(notes(disk), note);
  });

test("R3.6 a configuration of many megabytes' worth of work ends soon", () => {
  const nested = `${"if true; then ".repeat(5000)}${"fi; ".repeat(5000)}`;
  const spaces = `menuentry${" ".repeat(60_000)}x {\n}\n`;
  const lines = "set a=$a$a\n".repeat(10_000);
  for (const text of [nested, spaces, lines, "{".repeat(60_000), "$".repeat(60_000), '"$a'.repeat(20_000)]) {
    const start = performance.now();
    findBootEntry(
      readDisk(
        memorySource(extImage({ "/boot/grub/grub.cfg": text, "/extlinux.conf": text }, { blocks: 1024 })),
      ),
    );
    assert.ok(performance.now() - start < 10_000);
  }
});

test("R3.6 without a configuration: Debian's links, with the initrd beside", () => {
  const disk = one({
    ...BOOT,
    "/boot/initrd.img-1": "i",
    "/vmlinuz": { link: "boot/vmlinuz-1" },
    "/initrd.img": { link: "/boot/initrd.img-1" },
  });
  assert.deepEqual(found(disk), {
    kernel: "/boot/vmlinuz-1",
    initrds: ["/boot/initrd.img-1"],
    options: undefined,
    why: "/vmlinuz of the whole disk",
  });
});

test("R3.6 without a configuration: the highest version, and the initrd named after it as each distribution names it", () => {
  const names = ["initrd.img-6.10.1", "initramfs-6.10.1.img", "initrd-6.10.1", "initramfs-6.10.1"];
  for (const initrd of names) {
    const disk = one({
      "/boot/vmlinuz-6.9.30": "old",
      "/boot/vmlinuz-6.10.1": "new",
      "/boot/vmlinuz-6.10.1~rc9": "older",
      "/boot/vmlinuz-9-rescue-x": "no",
      "/boot/vmlinuz-9.old": "no",
      "/boot/initrd.img-6.9.30": "no",
      [`/boot/${initrd}`]: "initrd",
    });
    assert.equal(found(disk)?.kernel, "/boot/vmlinuz-6.10.1");
    assert.deepEqual(found(disk)?.initrds, [`/boot/${initrd}`]);
  }
  assert.equal(found(one({ "/vmlinuz-virt": "k", "/initramfs-virt": "i" }))?.kernel, "/vmlinuz-virt");
});

test("R3.6 what is booted: the bytes of kernel and initrds, each from a multiple of four on", () => {
  const disk = one({
    ...KERNELS,
    "/loader/entries/a.conf": entry("/vmlinuz-2", "initrd /ucode /initrd-2\noptions quiet\n"),
  });
  const boot = loadFromDisk(disk);
  assert.equal(new TextDecoder().decode(boot.kernel.bytes), "two");
  assert.equal(new TextDecoder().decode(boot.initrd?.bytes), "cpu\0initrd\0\0");
  assert.equal(boot.commandLine, "quiet");
  assert.equal(boot.kernel.path, "/vmlinuz-2");
});

test("R3.6 a disk without a kernel: what was looked at is said", () => {
  const disk = several([ESP, fatImage({})], [LINUX, extImage({ "/etc/x": "" })]);
  assert.throws(
    () => loadFromDisk(disk),
    (error) =>
      error instanceof NothingToBoot &&
      /GPT, vfat in partition 1, ext2 in partition 2, and no kernel/.test(error.message),
  );
});
