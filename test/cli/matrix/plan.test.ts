/** R1.10 R6.6 The matrix of `locore run` as data: axes, cells, the command line of each; and what is said of wrong ones. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { parseArguments, UsageError, type Arguments } from "../../../src/cli/args.js";
import { checkKernel } from "../../../src/cli/matrix/kernels.js";
import { MATRIX_OPTIONS, readMatrixRequest } from "../../../src/cli/matrix/options.js";
import { cellWords, isAxisWord, parseAxes, planCells, type Cell } from "../../../src/cli/matrix/plan.js";
import { readRunRequest, RUN_COMMAND_OPTIONS } from "../../../src/cli/run/request.js";
import { locore } from "../../support/cli.js";

function given(...words: string[]): Arguments {
  return parseArguments(words, [...RUN_COMMAND_OPTIONS, ...MATRIX_OPTIONS]);
}

function cells(words: readonly string[], only: string[] = [], exclude: string[] = []): Cell[] {
  return planCells(parseAxes(words, RUN_COMMAND_OPTIONS), { only, exclude });
}

function names(...of: Parameters<typeof cells>): string[] {
  return cells(...of).map(({ name }) => name);
}

/** The message of the UsageError, with its hint. */
function refusal(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    assert.ok(error instanceof UsageError);
    return `${error.message} | ${error.hint}`;
  }
  return "nothing was refused";
}

test("R1.10 R6.6 matrix: every combination, the first axis changing last", () => {
  assert.deepEqual(names(["kernel=debian-12,debian-13,sid", "smp=1,4"]), [
    "kernel=debian-12 smp=1",
    "kernel=debian-12 smp=4",
    "kernel=debian-13 smp=1",
    "kernel=debian-13 smp=4",
    "kernel=sid smp=1",
    "kernel=sid smp=4",
  ]);
});

test("R1.10 matrix: a doubled comma belongs to a value, an empty value leaves the option out, a value with blanks is quoted in a name", () => {
  const [first, second] = cells(["append=console=ttyS0,,115200 quiet,"]);
  assert.equal(first.name, 'append="console=ttyS0,115200 quiet"');
  assert.equal(second.name, "append=");
  const args = given("--append", "x", "--", "true");
  assert.deepEqual(cellWords(second, args, RUN_COMMAND_OPTIONS), ["--append=x", "--", "true"]);
});

test("R1.10 matrix: every option that takes a value is an axis, by each of its names; those that cells cannot share say why", () => {
  const alone = ["log", "pcap", "publish", "gdb"];
  for (const { name, aliases = [], value, choices } of RUN_COMMAND_OPTIONS)
    for (const said of [name, ...aliases]) {
      const axis = (): unknown => parseAxes([`${said}=${choices?.[0] ?? "1"}`], RUN_COMMAND_OPTIONS);
      if (alone.includes(name)) assert.match(refusal(axis), /cannot be an axis \| .*(file|port)/);
      else if (value === undefined) assert.match(refusal(axis), /takes no value/);
      else assert.ok(axis());
    }
});

test("R1.10 matrix: --only and --exclude take what has all of their values", () => {
  const words = ["kernel=a,b", "smp=1,2"];
  assert.deepEqual(names(words, ["kernel=a,smp=2", "kernel=b"], []), [
    "kernel=a smp=2",
    "kernel=b smp=1",
    "kernel=b smp=2",
  ]);
  assert.deepEqual(names(words, [], ["smp=2", "kernel=b"]), ["kernel=a smp=1"]);
  assert.deepEqual(
    cells(words, [], ["smp=2"]).map(({ index }) => index),
    [0, 1],
  );
});

test("R1.10 matrix: a cell's run has the options that were given, its own values, the kernel and the command", () => {
  const args = given(
    "--rw",
    "-m",
    "1G",
    "--json",
    "--matrix",
    "smp=1,4",
    "vmlinux",
    "--",
    "make",
    "a=1",
    "--",
    "x",
  );
  const [, cell] = cells(["smp=1,4"]);
  const words = cellWords(cell, args, RUN_COMMAND_OPTIONS);
  assert.deepEqual(words, ["--rw", "-m=1G", "--smp=4", "vmlinux", "--", "make", "a=1", "--", "x"]);
  const request = readRunRequest(parseArguments(words, RUN_COMMAND_OPTIONS));
  assert.deepEqual(
    [request.cpus, request.memory, request.kernel, request.json],
    [4, 2 ** 30, "vmlinux", false],
  );
  assert.deepEqual(request.command, ["make", "a=1", "--", "x"]);
});

test("R1.10 matrix: without a command there is nothing that could fail, and that is refused", async () => {
  const { status, out, err } = await locore("run", "--matrix", "smp=1,2");
  assert.deepEqual([status, out], [125, ""]);
  assert.match(
    err,
    /--matrix: there is no command\n +locore run --matrix smp=1,4 -- COMMAND, or --exec TEXT/,
  );
});

test("R1.10 matrix: what is wrong is named, with what was probably meant", () => {
  const args = given("--smp", "2", "--matrix", "smp=1", "--", "true");
  const table: [() => unknown, RegExp][] = [
    [() => cells(["smpp=1"]), /--matrix smpp=1: there is no option of that name \| did you mean smp\?/],
    [() => cells(["wholly=1"]), /an axis is one of kernel, root/],
    [() => cells(["smp"]), /--matrix smp: expected AXIS=VALUE/],
    [() => cells(["smp=1,2,1"]), /1 stands there twice/],
    [() => cells(["smp=1", "cpus=2"]), /cpus is the axis smp again/],
    [() => cells(["jit=on,onn"]), /--matrix jit=onn: expected on, off.* \| did you mean on\?/],
    [
      () => cells(["kernel=sid", "smp=1"], ["kernal=sid"]),
      /--only kernal=sid: .*no axis kernal \| did you mean kernel/,
    ],
    [() => cells(["kernel=sid"], [], ["kernel=sd"]), /has no value "sd" \| did you mean sid/],
    [() => cells(["smp=1"], [], ["smp=1"]), /leave nothing/],
    [
      () =>
        cells(
          ["a", "m", "e", "user"].map((name) => `${name}=${Array.from({ length: 11 }, (_, i) => i).join()}`),
        ),
      /14641 combinations; at most 10000/,
    ],
    [() => checkKernel("debain-12"), /--matrix kernel=debain-12: .* \| did you mean debian-12\?/],
    [
      () => cellWords(cells(["smp=1"])[0], args, RUN_COMMAND_OPTIONS),
      /--smp is an axis of the matrix as well/,
    ],
    [
      () => cellWords(cells(["smp=1"])[0], given("--log", "x"), RUN_COMMAND_OPTIONS),
      /--log in a matrix: .*--out DIR/,
    ],
    [() => readMatrixRequest(given("--report", "juint=x")), /--report juint=x: .* \| did you mean junit=x\?/],
    [() => readMatrixRequest(given("--report", "tap=")), /expected junit=FILE, tap=FILE, markdown=FILE/],
    [() => readMatrixRequest(given("--report", "tap=-", "--json")), /can hold one report only/],
    [() => readMatrixRequest(given("--jobs", "0")), /--jobs 0/],
  ];
  for (const [action, expected] of table) assert.match(refusal(action), expected);
});

test("R1.10 matrix: axes may stand behind one --matrix; --dry-run lists the cells and runs nothing", async () => {
  const listed = await locore("run", "--dry-run", "--matrix", "kernel=debian-12,sid", "smp=1,4", "--", "a=b");
  assert.equal(listed.status, 0, listed.err);
  assert.deepEqual(listed.out.trim().split("\n").length, 4);
  assert.ok(isAxisWord("smp=1") && !isAxisWord("./smp=1") && !isAxisWord("bzImage"));
});

test("R1.10 matrix: a wrong value, a report without a folder and a matrix's option without a matrix are status 125", async () => {
  for (const [words, said] of [
    [["--matrix", "smp=1,x"], /smp=x: --smp x: expected a whole number/],
    [
      ["--matrix", "smp=1", "--report", "junit=/no/such/folder/x"],
      /report \/no\/such\/folder\/x: there is no folder/,
    ],
    [["--jobs", "2"], /--jobs is about a matrix/],
  ] as const) {
    const { status, err, out } = await locore("run", ...words, "--", "true");
    assert.equal(status, 125, err);
    assert.match(err, said);
    assert.equal(out, "");
  }
});
