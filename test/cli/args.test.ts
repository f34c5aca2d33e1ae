/** The command line's grammar and values. */
import { test } from "node:test";
import assert from "node:assert/strict";
import { checkOperands, parseArguments, UsageError } from "../../src/cli/args.js";
import {
  BOOT_OPERANDS,
  BOOT_OPTIONS,
  readBootRequest,
  type BootRequest,
} from "../../src/cli/boot-request.js";
import { closest } from "../../src/cli/closest.js";
import { parseDuration, parsePairs, parseSize, parseSuboptions } from "../../src/cli/values.js";

function request(...args: string[]): BootRequest {
  const parsed = parseArguments(args, BOOT_OPTIONS);
  checkOperands(parsed.operands, BOOT_OPERANDS);
  return readBootRequest(parsed);
}

function usage(message: RegExp, hint?: RegExp): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof UsageError);
    assert.match(error.message, message);
    if (hint !== undefined) assert.match(error.hint ?? "", hint);
    return true;
  };
}

test("R1.5 locore's, QEMU's and bhyve's spellings give the same request", () => {
  const expected: BootRequest = {
    kernel: "vmlinuz",
    initrd: "initrd.img",
    commandLine: "console=ttyS0 root=/dev/vda",
    memory: 512 * 1024 * 1024,
    cpus: 2,
    loader: {},
    clock: { deterministic: { nsPerInstruction: 10 } },
  };
  const spellings = [
    [
      "--deterministic",
      "vmlinuz",
      "--initrd",
      "initrd.img",
      "--append",
      "console=ttyS0 root=/dev/vda",
      "--memory=512M",
      "--smp=2",
    ],
    [
      "--deterministic",
      "-kernel",
      "vmlinuz",
      "-initrd",
      "initrd.img",
      "-append",
      "console=ttyS0 root=/dev/vda",
      "-m",
      "512",
      "-smp",
      "2",
    ],
    [
      "--deterministic",
      "-m512M",
      "--cpus",
      "2",
      "-o",
      "loader.kernel=vmlinuz,loader.initrd=initrd.img",
    ].concat("-o", "loader.append=console=ttyS0 root=/dev/vda"),
    [
      "--deterministic",
      "-smp",
      "cpus=2",
      "-m",
      "0.5G",
      "--initrd=initrd.img",
      "--append=console=ttyS0 root=/dev/vda",
      "--",
      "vmlinuz",
    ],
  ];
  for (const spelling of spellings) assert.deepEqual(request(...spelling), expected);
});

test("R1.5 -o chooses loader and entry", () => {
  const { loader } = request("k", "-o", "loader.name=linux,loader.entry=32");
  assert.deepEqual(loader, { name: "linux", entry: "32" });
});

test("R1.5 a command line with commas is one -o pair", () => {
  const { commandLine, loader } = request(
    "k",
    "-o",
    "loader.cmdline=console=ttyS0,115200 root=/dev/vda,loader.entry=32",
  );
  assert.equal(commandLine, "console=ttyS0,115200 root=/dev/vda");
  assert.deepEqual(loader, { entry: "32" });
});

test("R1.5 what is written right behind -m and -o is their value only where it looks like one", () => {
  assert.equal(request("k", "-m64").memory, 64 * 1024 ** 2);
  assert.deepEqual(request("k", "-oloader.entry=32").loader, { entry: "32" });
  for (const other of ["-mumble", "-oddity"])
    assert.throws(() => request("k", other, "x"), usage(/unknown option/));
});

test("R1.5 -m, -smp and -rtc take QEMU's suboptions, and refuse unknown ones", () => {
  assert.equal(request("k", "-m", "size=512M,slots=2,maxmem=1G").memory, 512 * 1024 ** 2);
  assert.equal(request("k", "-m", "512,slots=2,maxmem=1G").memory, 512 * 1024 ** 2);
  assert.equal(request("k", "-smp", "2,sockets=1,cores=2,threads=1").cpus, 2);
  assert.equal(request("k", "-smp", "sockets=2,cores=2").cpus, 4);
  assert.equal(request("k", "-smp", "maxcpus=4").cpus, 4);
  assert.equal(request("k", "-smp", "1,maxcpus=4").cpus, 1);
  assert.equal(request("k", "-rtc", "base=2024-02-29T12:00:00,clock=vm").clock.rtcStart, 1_709_208_000);
  const now = request("k", "-rtc", "base=utc,clock=host,driftfix=slew").clock.rtcStart ?? 0;
  assert.ok(Math.abs(now - Date.now() / 1000) < 100);
  assert.equal(request("k", "--deterministic", "-rtc", "base=utc").clock.rtcStart, undefined);
  assert.throws(() => request("k", "-rtc", "base=localtime"), usage(/the clock shows UTC/, /--rtc 2024/));
  assert.throws(
    () => request("k", "-m", "512M,pages=2"),
    usage(/unknown suboption pages/, /size, slots, maxmem/),
  );
  assert.throws(() => request("k", "-smp", "2,size=3"), usage(/unknown suboption size/));
  assert.throws(() => request("k", "-smp", "sockets=0"), usage(/--smp 0: expected a whole number/));
  assert.throws(() => request("k", "-m", "maxmem=1G"), usage(/expected a size/));
});

test("R1.3 modules: FILE and arguments, several, in both spellings; a space in FILE has a backslash", () => {
  const { modules } = request(
    "k",
    "--module",
    "a.elf  root=/dev/vda  x",
    "-module=b\\ c",
    "-o",
    "loader.module=d -v",
  );
  assert.deepEqual(modules, [
    { path: "a.elf", commandLine: "root=/dev/vda  x" },
    { path: "b c", commandLine: "" },
    { path: "d", commandLine: "-v" },
  ]);
  assert.equal(request("k").modules, undefined);
  assert.throws(() => request("k", "--module", " x"), usage(/--module " x": expected a file name first/));
});

test("a misspelt option, -o name or command is answered with what was meant", () => {
  assert.throws(() => request("k", "--intrd", "x"), usage(/unknown option --intrd/, /did you mean --initrd/));
  assert.throws(() => request("k", "-o", "entry=32"), usage(/-o entry/, /did you mean loader.entry/));
  assert.throws(() => request("k", "-o", "foo=32"), usage(/-o foo/, /there are loader\.name, .*testdev/));
  assert.throws(() => request("k", "--mem", "1G"), usage(/unknown option --mem/, /did you mean --memory/));
});

test("a size of memory that no machine has is refused as it was written", () => {
  for (const size of ["1", "1T", "2049K"])
    assert.throws(
      () => request("k", "-m", size),
      usage(new RegExp(`-m ${size}: expected 2M to 512G`), /counts MiB/),
    );
  assert.equal(request("k", "-m", "2").memory, 2 << 20);
});

test("a missing kernel, two kernels, a missing value and a surplus operand are usage errors", () => {
  assert.throws(() => request(), usage(/which kernel/));
  assert.throws(() => request("a", "-kernel", "b"), usage(/two different kernels.*a and b/));
  assert.throws(() => request("a", "--append"), usage(/--append needs a value/));
  assert.throws(() => request("a", "b", "c"), usage(/unexpected operand c/));
  assert.throws(() => request("a", "--deterministic=yes"), usage(/takes no value/));
  assert.throws(() => request("a", "-smp", "0"), usage(/--smp 0: expected a whole number/));
});

test("R3.6 a second operand is a disk with the root, before those of --disk", () => {
  const { kernel, diskFiles } = request("k", "a.img,ro", "--disk", "b.img");
  assert.equal(kernel, "k");
  assert.deepEqual(diskFiles, [
    { file: "a.img", access: "read", root: true },
    { file: "b.img", access: "memory" },
  ]);
  assert.deepEqual(request("k", "--disk", "b.img,root").diskFiles, [
    { file: "b.img", access: "memory", root: true },
  ]);
});

test("R6.3 a deterministic guest's clock starts where it is told; others start at the host's time", () => {
  assert.equal(request("k", "--rtc", "2024-02-29T12:00:00Z").clock.rtcStart, 1_709_208_000);
  assert.equal(request("k", "--deterministic").clock.rtcStart, undefined);
  assert.ok(Math.abs((request("k").clock.rtcStart ?? 0) - Date.now() / 1000) < 100);
  for (const utc of ["2024-02-29T12:00", "2024-02-29T12:00:00.5", "2024-02-29T13:00+01:00"])
    assert.equal(request("k", "--rtc", utc).clock.rtcStart, 1_709_208_000, utc);
  for (const bad of ["yesterday", "Feb 29 2024 12:00", "2024-13-01"])
    assert.throws(() => request("k", "--rtc", bad), usage(/2024-02-29T12:00:00Z, or now/));
});

test("an option's value may begin with a dash", () => {
  assert.equal(request("k", "--append", "-v").commandLine, "-v");
});

test("sizes and durations are read as people write them, and refused with an example", () => {
  assert.equal(parseSize("-m", "256"), 256 * 1024 ** 2);
  assert.equal(parseSize("-m", "1GiB"), 1024 ** 3);
  assert.equal(parseSize("-m", "64k"), 64 * 1024);
  assert.equal(parseDuration("--timeout", "1.5s"), 1500);
  assert.equal(parseDuration("--timeout", "2m"), 120_000);
  for (const bad of ["", "0", "-1", "1X", "M"]) assert.throws(() => parseSize("-m", bad), usage(/256M/));
  assert.throws(() => parseDuration("--timeout", "soon"), usage(/30s/));
  assert.throws(() => parseDuration("--timeout", "1000h"), usage(/576h/));
});

test("R1.5 -o: a comma ends a pair only where another begins; any other belongs to the value", () => {
  const pairs = (text: string): [string, string][] => parsePairs("-o", text, "loader.");
  assert.deepEqual(pairs("loader.cmdline=console=ttyS0,115200 root=/dev/vda"), [
    ["loader.cmdline", "console=ttyS0,115200 root=/dev/vda"],
  ]);
  assert.deepEqual(pairs("loader.cmdline=a=1,b=2"), [["loader.cmdline", "a=1,b=2"]]);
  assert.deepEqual(pairs("loader.cmdline=a=1,b=2,loader.entry=32,loader.name=linux"), [
    ["loader.cmdline", "a=1,b=2"],
    ["loader.entry", "32"],
    ["loader.name", "linux"],
  ]);
  assert.deepEqual(pairs("loader.cmdline=a, loader.b"), [["loader.cmdline", "a, loader.b"]]);
  assert.deepEqual(pairs("loader.cmdline=a,"), [["loader.cmdline", "a,"]]);
  assert.throws(() => pairs("loader.a=1,loader.b"), usage(/expected name=value, found "loader.b"/));
});

test("R1.5 -o: a doubled comma is one comma of the value, as QEMU has it, also before what looks like a pair", () => {
  const pairs = (text: string): [string, string][] => parsePairs("-o", text, "loader.");
  assert.deepEqual(pairs("loader.a=1,,2,loader.b=3"), [
    ["loader.a", "1,2"],
    ["loader.b", "3"],
  ]);
  assert.deepEqual(pairs("loader.a=1,,loader.b=3"), [["loader.a", "1,loader.b=3"]]);
  assert.deepEqual(pairs("loader.a=1,,,loader.b=3"), [
    ["loader.a", "1,"],
    ["loader.b", "3"],
  ]);
});

test("R1.5 QEMU's suboptions: the first may leave out its key, a flag is on, a doubled comma is one", () => {
  assert.deepEqual(parseSuboptions("microvm,accel=tcg,usb", "type"), [
    ["type", "microvm"],
    ["accel", "tcg"],
    ["usb", "on"],
  ]);
  assert.deepEqual(parseSuboptions("file=a,,b,if=none", "file"), [
    ["file", "a,b"],
    ["if", "none"],
  ]);
});

test("the nearest word is suggested only if it is near", () => {
  assert.equal(closest("inspcet", ["boot", "inspect"]), "inspect");
  assert.equal(closest("xyz", ["boot", "inspect"]), undefined);
});

test("R1.8 loader.bios and loader.vgabios name firmware; the 16-bit entry implies a BIOS; off is none", () => {
  const firmware = (...args: string[]): Pick<BootRequest, "bios" | "vgaRom" | "screen"> => {
    const { bios, vgaRom, screen } = request("kernel", ...args);
    return { bios, vgaRom, screen } as Pick<BootRequest, "bios" | "vgaRom" | "screen">;
  };
  const none = { bios: undefined, vgaRom: undefined, screen: undefined };
  assert.deepEqual(firmware(), none);
  assert.deepEqual(firmware("-o", "loader.bios=b.bin,loader.vgabios=v.bin"), {
    ...none,
    bios: "b.bin",
    vgaRom: "v.bin",
  });
  assert.deepEqual(firmware("-o", "loader.entry=16"), { ...none, bios: "on" });
  assert.deepEqual(firmware("-o", "loader.entry=16,loader.bios=off"), none);
  assert.deepEqual(firmware("--screen"), { ...none, screen: true });
});
