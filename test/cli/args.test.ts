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
import { parseDuration, parsePairs, parseSize } from "../../src/cli/values.js";

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
    deterministic: true,
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
  assert.throws(() => request("k", "-o", "entry=32"), usage(/-o entry/, /loader.entry/));
});

test("a missing kernel, two kernels, a missing value and a surplus operand are usage errors", () => {
  assert.throws(() => request(), usage(/which kernel/));
  assert.throws(() => request("a", "-kernel", "b"), usage(/two different kernels.*a and b/));
  assert.throws(() => request("a", "--append"), usage(/--append needs a value/));
  assert.throws(() => request("a", "b"), usage(/unexpected operand b/));
  assert.throws(() => request("a", "--deterministic=yes"), usage(/takes no value/));
  assert.throws(() => request("a", "-smp", "0"), usage(/--smp 0: expected a whole number/));
});

test("R6.3 a deterministic guest's clock starts where it is told; others start at the host's time", () => {
  assert.equal(request("k", "--rtc", "2024-02-29T12:00:00Z").rtcStart, 1_709_208_000);
  assert.equal(request("k", "--deterministic").rtcStart, undefined);
  assert.ok(Math.abs((request("k").rtcStart ?? 0) - Date.now() / 1000) < 100);
  for (const utc of ["2024-02-29T12:00", "2024-02-29T12:00:00.5", "2024-02-29T13:00+01:00"])
    assert.equal(request("k", "--rtc", utc).rtcStart, 1_709_208_000, utc);
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

test("a doubled comma is a comma inside a value, as QEMU has it", () => {
  assert.deepEqual(parsePairs("-o", "a=1,,2,b=3"), [
    ["a", "1,2"],
    ["b", "3"],
  ]);
});

test("the nearest word is suggested only if it is near", () => {
  assert.equal(closest("inspcet", ["boot", "inspect"]), "inspect");
  assert.equal(closest("xyz", ["boot", "inspect"]), undefined);
});

test("R1.8 loader.bios and loader.vgabios name firmware; the 16-bit entry implies a BIOS; off is none", () => {
  const firmware = (...args: string[]): Pick<BootRequest, "bios" | "vgabios" | "screen"> => {
    const { bios, vgabios, screen } = request("kernel", ...args);
    return { bios, vgabios, screen } as Pick<BootRequest, "bios" | "vgabios" | "screen">;
  };
  const none = { bios: undefined, vgabios: undefined, screen: undefined };
  assert.deepEqual(firmware(), none);
  assert.deepEqual(firmware("-o", "loader.bios=b.bin,loader.vgabios=v.bin"), {
    ...none,
    bios: "b.bin",
    vgabios: "v.bin",
  });
  assert.deepEqual(firmware("-o", "loader.entry=16"), { ...none, bios: "on" });
  assert.deepEqual(firmware("-o", "loader.entry=16,loader.bios=off"), none);
  assert.deepEqual(firmware("--screen"), { ...none, screen: true });
});
