/** QEMU's words on our command line: every one is taken, put into our words, or refused with what to write. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import test from "node:test";
import { checkOperands, parseArguments, UsageError, type Arguments } from "../../src/cli/args.js";
import { BOOT_OPERANDS, readBootRequest, type BootRequest } from "../../src/cli/boot-request.js";
import { boot } from "../../src/cli/commands/boot.js";
import { exportCommand } from "../../src/cli/commands/export.js";
import { plan } from "../../src/cli/commands/plan.js";
import { readNet } from "../../src/cli/net-option.js";
import { QEMU_WORDS } from "../../src/cli/qemu/words.js";
import { readTrace } from "../../src/cli/trace-option.js";
import { readGdb, type GdbRequest } from "../../src/cli/gdb-option.js";
import { locore } from "../support/cli.js";
import { requireTool } from "../support/requires.js";

function parsed(...args: string[]): Arguments {
  const given = parseArguments(args, boot.options, QEMU_WORDS);
  checkOperands(given.operands, BOOT_OPERANDS);
  return given;
}

/** A request without the time at which it was made. */
function request(...args: string[]): BootRequest {
  const made = readBootRequest(parsed(...args));
  delete made.clock.rtcStart;
  return made;
}

/** Words that are taken and change nothing. */
const NOTHING = [
  "-serial stdio",
  "-serial mon:stdio",
  "-serial stdio -serial none -serial null",
  "-chardev stdio,id=c,mux=on,signal=off -serial chardev:c -mon chardev=c,mode=readline",
  "-accel tcg",
  "-accel tcg,thread=multi,tb-size=256",
  "-accel kvm -accel tcg",
  "-M microvm",
  "-machine microvm,accel=tcg",
  "-machine type=microvm,accel=kvm:tcg,acpi=on,pit=on,pic=on,rtc=on,isa-serial=on,usb=off,kernel_irqchip=split",
  "-M microvm,x-option-roms=off,auto-kernel-cmdline=off,memory-backend=m",
  "-display none",
  "-vga none",
  "-vnc none",
  "-nographic",
  "-nodefaults",
  "-no-user-config",
  "-no-reboot",
  "-monitor none",
  "-monitor null",
  "-qmp none",
  "-parallel none",
  "-net none",
  "-nic none",
  "-cpu max",
  "-cpu host",
  "-cpu qemu64",
  "-smp 1,sockets=1,cores=1,threads=1",
  "-rtc base=utc",
  "-rtc base=utc,clock=host,driftfix=slew",
  "-name guest,process=q",
  "-boot c",
  "-boot order=dc,menu=on",
  "-k de",
  "-L /usr/share/qemu",
  "-no-hpet",
  "-overcommit mem-lock=off",
  "-mem-prealloc -mem-path /dev/hugepages",
  "-object memory-backend-memfd,id=m,size=512M,share=on",
  "-device isa-debug-exit",
  "-device isa-debug-exit,iobase=0xf4,iosize=0x04",
  "-object rng-random,id=r,filename=/dev/urandom",
  "-device virtio-serial-device,id=s",
  "-balloon none",
  "-device vmgenid",
  "-device vmgenid,guid=auto",
  "-action panic=exit-failure,reboot=reset",
  "-watchdog-action none",
  "-sandbox off",
  "-audiodev none,id=a",
  "-gdb none",
];

/** Words that are taken with a remark, and its text. */
const WITH_NOTE: [string, RegExp][] = [
  ["-M q35", /^-M q35: this machine is like microvm: it has no PCI$/],
  ["-machine pc,accel=tcg", /no PCI/],
  ["-M pc-q35-7.2", /no PCI/],
  ["-M pc-i440fx-9.0,usb=off", /no PCI/],
  ["-uuid 12345678-1234-1234-1234-123456789abc", /no SMBIOS/],
  ["-no-shutdown", /the program ends when the guest switches off/],
];

/** What is refused: the word, why, what to write or do. */
const REFUSED: [string, RegExp, RegExp][] = [
  ["-enable-kvm", /no kvm engine yet/, /leave it out: the built-in engine needs no virtualisation/],
  ["-accel kvm", /no kvm engine yet/, /leave it out: the built-in engine/],
  ["-accel hvf", /no hvf engine yet/, /leave it out/],
  ["-M microvm,accel=kvm", /no kvm engine yet/, /leave it out/],
  ["-M virt", /one machine here/, /leave it out, or write -M microvm/],
  ["-M isapc", /one machine here/, /leave it out, or write -M microvm/],
  ["-M help", /one machine/, /locore plan KERNEL/],
  ["-M microvm,pit=off", /pit is always there/, /leave pit=off out/],
  ["-M microvm,pcie=on", /has no pcie/, /leave pcie=on out/],
  ["-M microvm,phandle-start=1", /phandle-start cannot be set/, /leave/],
  ["-serial file:out.txt", /standard output/, /^write --log out\.txt$/],
  ["-serial none", /one serial port/, /-serial stdio/],
  ["-serial null", /one serial port/, /-serial stdio/],
  ["-serial tcp::4444,server", /one serial port/, /--log FILE/],
  ["-serial pty", /one serial port/, /-serial stdio/],
  ["-serial stdio -serial pty", /one serial port/, /leave the others out/],
  ["-monitor stdio", /no monitor/, /Ctrl-A x/],
  ["-monitor telnet::55555,server,nowait", /no monitor/, /--timeout T/],
  ["-mon chardev=c,mode=control", /no control socket/, /signal/],
  ["-qmp unix:q,server", /no control socket/, /signal/],
  ["-chardev socket,id=c,path=s", /one serial port/, /-serial stdio/],
  ["-debugcon stdio", /is kept/, /--firmware-log/],
  ["-icount shift=3", /time cannot be chosen/, /--deterministic counts time in instructions, 10 ns each/],
  ["-icount shift=auto,rr=record,rrfile=r", /nothing is recorded/, /--deterministic/],
  ["-d int,in_asm", /executed code is not listed/, /--trace port.*trace:compare.*docs\/trace-compare\.md/],
  ["-dfilter 0x1000", /executed code is not listed/, /--trace/],
  ["-preconfig", /no control socket/, /-S waits for gdb/],
  ["-gdb stdio", /a port of this host or a socket/, /--gdb PORT or --gdb unix:PATH/],
  ["-gdb tcp:example.org:1234", /from this host only/, /ssh -L/],
  ["-singlestep", /how QEMU translates/, /--jit off/],
  ["-drive file=disk.img,format=vmdk,if=virtio", /vmdk are not read/, /qemu-img convert/],
  ["-drive if=pflash,format=raw,file=OVMF.fd", /no flash memory/, /-bios FILE/],
  ["-pflash OVMF.fd", /no flash memory/, /-bios FILE/],
  ["-cdrom cd.iso", /^-cdrom cd\.iso: disks are virtio disks on MMIO/, /--disk FILE/],
  ["-blockdev driver=file,filename=d", /virtio disks on MMIO/, /--disk FILE/],
  ["-fsdev local,id=f,path=.", /shared by virtio-fs/, /--share DIR:TAG/],
  ["-device virtio-9p-device,fsdev=f,mount_tag=t", /shared by virtio-fs/, /--share DIR:TAG/],
  ["-virtfs local,path=.,mount_tag=t,security_model=mapped-xattr", /on the host/, /security_model=none/],
  ["-virtfs local,path=.", /needs path= and mount_tag=/, /mount_tag=TAG/],
  ["-virtfs synth,mount_tag=t", /there is no synth/, /protocol=9p/],
  ["-virtfs local,path=.,mount_tag=t,fmode=600", /fmode cannot be set/, /leave fmode= out/],
  ["-netdev user", /needs id=/, /-netdev user,id=n/],
  ["-netdev user,id=n -netdev user,id=m", /there is one card, and -netdev user,id=n is it/, /one of the two/],
  ["-netdev user,id=n -nic user", /there is one card/, /one of the two/],
  ["-netdev user,id=n,hostfwd=tcp::22", /is no port/, /hostfwd=tcp::2222-:22/],
  ["-netdev user,id=n,hostfwd=tcp::80-10.0.2.16:80", /the guest is 10\.0\.2\.15/, /tcp::80-:80/],
  ["-netdev user,id=n,net=192.168.0.0/24", /QEMU's usual ones/, /leave net= out/],
  ["-netdev user,id=n,smb=/home", /smb cannot be set/, /leave smb= out/],
  ["-netdev stream,id=n,addr.type=inet,addr.host=h,addr.port=1", /by a path/, /addr\.type=unix/],
  ["-netdev socket,id=n,connect=127.0.0.1:1234", /by a path/, /addr\.type=unix.*server=on/],
  ["-netdev user,id=n,restrict=maybe", /restrict=maybe is neither on nor off/, /restrict=on or/],
  [
    "-netdev stream,id=n,addr.type=unix,addr.path=p,addr.abstract=on",
    /an abstract address is none/,
    /leave addr\.abstract= out/,
  ],
  ["-netdev tap,id=n", /has to be named/, /ifname=tap0/],
  ["-netdev bridge,id=n,br=br0", /no card is plugged into bridge/, /user, stream and tap.*switch=NAME/],
  ["-nic vde", /no card is plugged into vde/, /switch=NAME/],
  ["-net nic,macaddr=52:54:00:00:00:01", /one word here/, /--net user,mac=52:54:00:00:00:01/],
  ["-net socket,listen=:1234", /by a path/, /addr\.type=unix/],
  ["-net nowhere", /expected none or user/, /--net user/],
  ["-device e1000,netdev=n", /virtio cards/, /--net user/],
  ["-netdev user,id=m -device virtio-net-pci,netdev=n", /needs the network/, /-netdev user,id=n/],
  ["-netdev user,id=n -device virtio-net-pci,netdev=n,tx=timer", /tx cannot be set/, /leave tx= out/],
  ["-device nvme,drive=d", /virtio disks on MMIO/, /--disk FILE/],
  ["-device virtio-net-pci,netdev=n", /needs the network/, /--net user/],
  ["-device virtio-rng-pci,max-bytes=1024", /max-bytes cannot be set/, /leave max-bytes= out/],
  ["-device virtserialport,chardev=c,name=n", /no named port/, /docs\/virtio\.md/],
  ["-device virtio-gpu-device", /no graphics/, /--screen/],
  ["-device virtio-crypto-device", /no such virtio device/, /--console hvc0, --rng/],
  ["-virtioconsole pty", /one serial port/, /-serial stdio/],
  ["-device VGA", /no graphics/, /--screen/],
  ["-device loader,file=f,addr=0x1000", /by address/, /--module/],
  ["-device vmgenid,guid=324e6eaf-d1d1-4bf6-bf41-b9bb6c91fb87", /another one in each run/, /guid=auto/],
  ["-device isa-debug-exit,iobase=0x300", /at 0xf4 and 0x501 only/, /iobase=0xf4/],
  ["-device intel-iommu", /no such device/, /locore plan KERNEL --devices/],
  ["-display gtk", /no graphics/, /--screen/],
  ["-sdl", /no graphics/, /--screen/],
  ["-vga qxl", /no graphics/, /--screen/],
  ["-vnc :0", /no graphics/, /--screen/],
  ["-usb", /no USB/, /leave it out/],
  ["-object iothread,id=t", /no objects/, /leave it out/],
  ["-global kvm-pit.lost_tick_policy=discard", /no properties/, /leave it out/],
  ["-smbios type=1,serial=1", /no SMBIOS/, /leave it out/],
  ["-fw_cfg name=opt/a,string=b", /fw_cfg/, /--append/],
  ["-daemonize", /stays where it was started/, /locore boot … &/],
  ["-pidfile p", /no such file is written/, /echo \$!/],
  ["-sandbox on", /filter of system calls/, /WebAssembly/],
  ["-runas nobody", /no privileges/, /run it as/],
  ["-loadvm s", /stored or moved yet/, /leave it out/],
  ["-incoming tcp:0:4444", /stored or moved yet/, /leave it out/],
  ["-dtb d.dtb", /no device tree/, /leave it out/],
  ["-action panic=none", /each with its status/, /leave panic=none out/],
  ["-cpu EPYC", /one model of CPU/, /write max/],
  ["-cpu max,+avx512f", /does not have it/, /promised by default/],
];

for (const line of NOTHING) {
  test(`R1.5 ${line}: taken, and changes nothing`, () => {
    const short = request("vmlinuz");
    if (line.includes("-smp")) short.cpus = 1;
    assert.deepEqual(request("-kernel", "vmlinuz", ...line.split(" ")), short);
    assert.deepEqual(parsed("vmlinuz", ...line.split(" ")).notes, []);
  });
}

for (const [line, note] of WITH_NOTE) {
  test(`R1.5 ${line}: taken, with a note`, () => {
    assert.deepEqual(request(...line.split(" "), "-kernel", "vmlinuz"), request("vmlinuz"));
    const { notes } = parsed("vmlinuz", ...line.split(" "));
    assert.equal(notes.length, 1);
    assert.match(notes[0], note);
  });
}

for (const [line, why, hint] of REFUSED) {
  test(`R1.5 ${line}: refused with what to do`, () => {
    // With a kernel on either side: no value of an unknown word may become an operand.
    for (const words of [
      ["-kernel", "vmlinuz", ...line.split(" ")],
      [...line.split(" "), "vmlinuz"],
    ]) {
      assert.throws(
        () => request(...words),
        (error: unknown) => {
          assert.ok(error instanceof UsageError);
          assert.match(error.message, why);
          assert.match(error.hint ?? "", hint);
          assert.doesNotMatch(`${error.message} ${error.hint}`, /did you mean|two different/);
          return true;
        },
      );
    }
  });
}

const GDB: [string, GdbRequest][] = [
  ["-s", { place: { port: 1234 }, wait: false }],
  ["-S -s", { place: { port: 1234 }, wait: true }],
  ["-S -gdb tcp::9000", { place: { port: 9000 }, wait: true }],
  ["-gdb tcp:localhost:9000,server=on,wait=off -S", { place: { port: 9000 }, wait: true }],
  ["-gdb unix:/tmp/g,server,nowait", { place: { path: "/tmp/g" }, wait: false }],
  ["--gdb", { place: { port: 1234 }, wait: false }],
  ["--gdb 0,wait,arch=i386", { place: { port: 0 }, wait: true, architecture: "i386" }],
  ["--gdb=unix:g", { place: { path: "g" }, wait: false }],
];

for (const [line, gdb] of GDB) {
  test(`R3.11 ${line}: says where gdb attaches, before the kernel's name or behind it`, () => {
    for (const args of [
      [...line.split(" "), "vmlinuz"],
      ["vmlinuz", ...line.split(" ")],
    ]) {
      assert.deepEqual(readGdb(parsed(...args)), gdb);
      assert.deepEqual(parsed(...args).operands, ["vmlinuz"]);
    }
  });
}

for (const [line, kinds, file] of [
  ["-d int", ["irq", "exit"], "locore-trace.json"],
  ["-d cpu_reset,int -D log.json", ["exit", "irq"], "log.json"],
  ["-d guest_errors,unimp", undefined, undefined],
  ["--trace port:uart16550", ["port"], "locore-trace.json"],
] as const)
  test(`R3.9 ${line}: what is traced, and where to`, () => {
    const request = readTrace(parsed("vmlinuz", ...line.split(" ")));
    assert.deepEqual([request?.words.kinds, request?.file], [kinds, file]);
  });

test("R3.9 --trace: words that make no sense are refused, before anything runs", () => {
  for (const wrong of ["--trace=nothing", "--trace=port:", "--trace-file=x"])
    assert.throws(() => readTrace(parsed("vmlinuz", wrong)), UsageError);
});

test("R3.11 --gdb: what is no place and no word is refused, before anything runs", () => {
  for (const wrong of ["70000", "unix:", "1234,wait,fast", "arch=arm"])
    assert.throws(() => readGdb(parsed("vmlinuz", `--gdb=${wrong}`)), UsageError);
});

const VIRTFS_SHARE = { folder: "a", tag: "t", cache: "auto", protocol: "9p" } as const;
const VIRTIO: [string, Partial<BootRequest>][] = [
  [
    "-virtfs local,path=a,mount_tag=t,security_model=none,id=x",
    { sharedFolders: [{ ...VIRTFS_SHARE, access: "write" }] },
  ],
  ["-virtfs local,path=a,mount_tag=t,readonly=on", { sharedFolders: [{ ...VIRTFS_SHARE, access: "read" }] }],
  ["-object rng-builtin,id=r -device virtio-rng-device,rng=r", { rng: true }],
  ["-device virtio-rng-pci", { rng: true }],
  ["-device virtio-balloon-device,free-page-reporting=on", { balloon: 0 }],
  ["-balloon virtio", { balloon: 0 }],
  ["--balloon 64M", { balloon: 64 * 2 ** 20 }],
  ["-virtioconsole stdio", { console: "hvc0" }],
  [
    "-chardev stdio,id=c,mux=on -device virtio-serial-device -device virtconsole,chardev=c",
    { console: "hvc0" },
  ],
];
for (const [line, asked] of VIRTIO) {
  test(`R1.5 R3.5 ${line}: a virtio device of ours`, () => {
    assert.deepEqual(request("-kernel", "vmlinuz", ...line.split(" ")), { ...request("vmlinuz"), ...asked });
  });
}

/** What is said of a network, the same in our words, and what is different here. */
const NETS: [line: string, ours: string, note?: RegExp][] = [
  ["-netdev user,id=n,restrict=on", "--net user,deny=*"],
  [
    "-netdev user,id=n",
    "--net user",
    /-netdev user,id=n: the guest does not reach this host; --net user,host=yes lets it$/,
  ],
  [
    "-netdev user,id=n,restrict=on,hostfwd=tcp::2222-:22,hostfwd=udp:127.0.0.1:53-10.0.2.15:53",
    "--net user,deny=* --publish 2222:22 --publish 127.0.0.1:53:53/udp",
    /port 2222 is open on this host's loopback alone; --publish 0\.0\.0\.0:2222:22/,
  ],
  [
    "-device virtio-net-device,netdev=n,mac=52:54:00:00:00:07,host_mtu=9000 -netdev user,id=n,restrict=y",
    "--net user,deny=*,mac=52:54:00:00:00:07,mtu=9000",
  ],
  [
    "-netdev stream,id=n,server=on,addr.type=unix,addr.path=a -device virtio-net-pci,netdev=n,mac=52:54:00:00:00:07",
    "--net socket=a,listen=yes,mac=52:54:00:00:00:07",
  ],
  [
    "-nic tap,ifname=tap1,script=no,downscript=no,model=virtio-net-pci,mac=52:54:00:00:00:07",
    "--net tap=tap1,mac=52:54:00:00:00:07",
  ],
  ["-nic user,model=virtio,restrict=on", "--net user,deny=*"],
  ["-nic user,restrict=on", "--net user,deny=*", /virtio card/],
  [
    "-net nic,model=virtio,macaddr=52:54:00:00:00:07 -net user,hostfwd=tcp:127.0.0.1:80-:80,restrict=on",
    "--net user,deny=*,mac=52:54:00:00:00:07 --publish 127.0.0.1:80:80",
  ],
  ["-net nic -net user", "--net user"],
];
for (const [line, ours, note] of NETS) {
  test(`R1.5 R3.7 ${line}: ${ours}`, () => {
    const [theirs, same] = [line, ours].map((text) => parsed("k", ...text.split(" ")));
    for (const name of ["publish", "net"]) {
      const [found, expected] = [theirs, same].map((args) => args.values(name));
      assert.deepEqual(
        found.map((value) => value.split(",").sort()),
        expected.map((value) => value.split(",").sort()),
      );
    }
    assert.ok(readNet(theirs) !== undefined);
    assert.match(theirs.notes.join(), note ?? /^$/);
  });
}

test("R1.5 R3.7 ports of QEMU's user network are about a run: what only looks at a machine leaves them out", () => {
  const args = parseArguments(
    ["k", ..."-nic user,hostfwd=tcp::2222-:22".split(" ")],
    plan.options,
    QEMU_WORDS,
  );
  assert.deepEqual(readBootRequest(args).net, "user");
});

test("R1.5 -bios FILE runs before the kernel; without one the firmware is what boots", () => {
  assert.deepEqual(request("-kernel", "k", "-bios", "b.bin"), request("k", "-o", "loader.bios=b.bin"));
  assert.deepEqual(request("-bios", "b.bin"), request("b.bin"));
  assert.deepEqual(request("k", "-bios", "a,loader.b=c.bin").bios, "a,loader.b=c.bin");
  assert.throws(() => request("-o", "loader.bios=on"), /which kernel/);
});

test("R1.5 -no-acpi, and acpi=off of a machine, are --acpi off", () => {
  for (const line of ["-no-acpi", "-M microvm,acpi=off", "-machine q35,acpi=off,usb=off"])
    assert.deepEqual(request("k", ...line.split(" ")), request("k", "--acpi", "off"), line);
});

test("R1.5 -device pc-testdev, and isa-debugcon at 0xe9, are -o testdev=on", () => {
  for (const line of ["-device pc-testdev", "-device isa-debugcon,iobase=0xe9"])
    assert.deepEqual(request("k", ...line.split(" ")), request("k", "-o", "testdev=on"), line);
});

test("R1.5 -vga std, -display curses and -curses are --screen", () => {
  for (const line of ["-vga std", "-display curses,charset=CP437", "-curses"])
    assert.deepEqual(request("k", ...line.split(" ")), request("k", "--screen"), line);
});

test("R1.5 a whole command line of QEMU's asks for the same as the short one", () => {
  const machine = "-M microvm,accel=tcg -cpu max -m 512 -smp 2 -kernel vmlinuz -initrd initrd.img".split(" ");
  const quiet = "-nographic -no-reboot -nodefaults -no-user-config -serial stdio -display none -monitor none";
  const append = "console=ttyS0 root=/dev/vda,ro";
  const whole = [...machine, "-append", append, ...quiet.split(" ")];
  const short = ["vmlinuz", "--initrd", "initrd.img", "--append", append, "-m", "512M", "--smp", "2"];
  assert.deepEqual(request(...whole), request(...short));
  assert.deepEqual(parsed(...whole).notes, []);
});

test("R1.5 boot, plan and export take the same words; a command's own word of that name counts there", async () => {
  for (const command of [boot, plan, exportCommand]) assert.equal(await command.foreign!(), QEMU_WORDS);
  const named = parseArguments(["k", "--name", "g"], exportCommand.options, QEMU_WORDS);
  assert.equal(named.value("name"), "g");
});

test("R1.5 the program says it with status 2, and a note on standard error", async () => {
  const refused = await locore("boot", "-enable-kvm", "-kernel", "nonexistent/vmlinuz");
  assert.equal(refused.status, 2);
  assert.match(
    refused.err,
    /^locore: -enable-kvm: there is no kvm engine yet\n +leave it out: .*\n.*help boot\n$/,
  );
  const noted = await locore("plan", "-M", "q35", "nonexistent/vmlinuz");
  assert.match(noted.err, /^locore: note: -M q35: .*no PCI\n/);
});

test("R1.5 help of boot points at help qemu, which names every word once with what becomes of it", async () => {
  assert.match((await locore("help", "boot")).out, /QEMU's words are understood.*locore help qemu/s);
  const { status, out } = await locore("help", "qemu");
  assert.equal(status, 0);
  const names = QEMU_WORDS.flatMap(({ name, aliases = [] }) => [name, ...aliases]);
  assert.deepEqual(names, [...new Set(names)]);
  for (const name of names) assert.match(out, new RegExp(`^  (-\\S+, )*-${name}\\b`, "m"));
});

test("R1.5 every option of QEMU's --help is known", (t) => {
  const qemu = requireTool(t, "qemu-system-x86_64");
  if (qemu === undefined) return;
  const { stdout } = spawnSync(qemu, ["--help"], { encoding: "utf8" });
  const names = [...stdout.matchAll(/^-{1,2}([a-z][\w-]*)(?:\/-(\w+))?/gim)].flatMap(([, a, b]) =>
    b === undefined ? [a] : [a, b],
  );
  assert.ok(names.length > 100, stdout);
  const known = new Set(
    [...QEMU_WORDS, ...boot.options].flatMap(({ name, aliases = [] }) => [name, ...aliases]),
  );
  // main.ts adds help to every command.
  known.add("h").add("help");
  assert.deepEqual(
    names.filter((name) => !known.has(name)),
    [],
  );
});
