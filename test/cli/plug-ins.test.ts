/** R1.1 `--device FILE` and `--loader FILE`: what is loaded, where it stands, and every way in which such a file can be wrong. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { parseDevice } from "../../src/cli/device-option.js";
import type { PlanPart } from "../../src/boot/plan.js";
import { locore } from "../support/cli.js";
import { pageFiles } from "../support/page-files.js";
import { pvhElf } from "../support/qemu/pvh-elf.js";

const PROGRAM = fileURLToPath(new URL("../../src/cli/main.js", import.meta.url));
const LOAD_ADDRESS = 0x100000;
const folder = mkdtempSync(path.join(tmpdir(), "locore-test-"));
after(() => rmSync(folder, { recursive: true }));

function file(name: string, text: string | Uint8Array): string {
  const place = path.join(folder, name);
  writeFileSync(place, text);
  return place;
}

/** mov eax, [0xd0000000]; mov [0xd0000004], eax; out 0xf4, eax: the status is what the device says. */
const kernel = file(
  "kernel",
  pvhElf(
    LOAD_ADDRESS,
    Uint8Array.of(0xa1, 0, 0, 0, 0xd0, 0xa3, 4, 0, 0, 0xd0, 0xe7, 0xf4, 0xf4),
    LOAD_ADDRESS,
  ),
);

/** A module with a part type that differs in these lines from one that reads 20. */
function device(name: string, changes = "", more = ""): string {
  return file(
    name,
    `import { standing } from "locore";
const plain = {
  type: "mine",
  summary: "reads 20",
  place: standing("mine", { mmio: [{ size: 8 }], irqs: ["any"] }),
  create(part, wires) {
    wires.mmio(0, { readMmio: () => Number(part.config?.value ?? 20), writeMmio: () => undefined });
    return { save: () => ({}) };
  },
};
export default { ...plain, ${changes} };
${more}`,
  );
}

async function parts(...args: string[]): Promise<PlanPart[]> {
  const { status, out, err } = await locore("plan", kernel, "--json", ...args);
  assert.equal(status, 0, err);
  return (JSON.parse(out) as { devices: PlanPart[] }).devices;
}

/** The program as a process: the machine's own thread loads the file. */
function boot(...args: string[]): { status: number | null; err: string } {
  const { status, stderr } = spawnSync(process.execPath, [PROGRAM, "boot", kernel, ...args], { input: "" });
  return { status, err: stderr.toString() };
}

describe("R1.1 --device FILE", () => {
  const mine = device("mine.js");

  it("R1.1 adds a part of the type that the file exports", async () => {
    const added = { name: "mine", type: "mine", mmio: [{ start: 0xd000_0000, size: 8 }], irqs: [5] };
    const usual = await parts();
    assert.deepEqual(await parts("--device", mine), [...usual, added]);
  });

  it("R1.1 name=, mmio=, irq= and configuration", async () => {
    const words = `${mine},name=x,mmio=0xd8000000,irq=7,value=3,flag`;
    assert.deepEqual((await parts("--device", words)).at(-1), {
      name: "x",
      type: "mine",
      mmio: [{ start: 0xd800_0000, size: 8 }],
      irqs: [7],
      config: { value: "3", flag: "on" },
    });
  });

  it("R1.1 two parts of one file, which is loaded once", async () => {
    const two = await parts("--device", mine, "--device", `${mine},name=second`);
    assert.deepEqual(
      two.slice(-2).map(({ name, irqs }) => ({ name, irqs })),
      [
        { name: "mine", irqs: [5] },
        { name: "second", irqs: [10] },
      ],
    );
  });

  it("R1.1 of several types in a file, type= says which; without, each is added", async () => {
    const both = file(
      "both.js",
      `import one from "./mine.js";
export const first = one;
export const second = {
  ...one,
  type: "other",
  place: (request, claim) => ({ ...one.place(request, claim), type: "other" }),
};
export const helper = 5;`,
    );
    assert.deepEqual(
      (await parts("--device", both)).slice(-2).map(({ type }) => type),
      ["mine", "other"],
    );
    assert.equal((await parts("--device", `${both},type=other,irq=7`)).at(-1)?.type, "other");
    const { status, err } = await locore("plan", kernel, "--device", `${both},irq=7`);
    assert.equal(status, 8);
    assert.match(
      err,
      /both\.js: found part types mine, other; expected one\. Say with type= which is meant\./,
    );
  });

  it("R1.1 the machine's thread runs it: the guest reads 20, or what its configuration says", () => {
    assert.equal(boot("--device", mine).status, (20 << 1) | 1);
    assert.equal(boot("--device", `${mine},value=9`).status, (9 << 1) | 1);
  });

  it("R1.1 a path that counts from the folder one is in; the text of the plan has it", async () => {
    const { status, out } = await locore("plan", kernel, "--devices", "--device", path.relative(".", mine));
    assert.equal(status, 0);
    assert.match(out, /^ {2}mine +memory 0d0000000–0d0000007, irq 5$/m);
  });

  it("R1.5 values are read with care", () => {
    assert.deepEqual(parseDevice("./a.js,mmio=0x1000+0x20,port=768,irq=3,irq=5"), {
      file: "./a.js",
      mmio: [{ start: 0x1000, size: 0x20 }],
      ports: [{ start: 768 }],
      irqs: [3, 5],
    });
    assert.deepEqual(parseDevice("dir/a,,b.js,text=1,,2"), { file: "dir/a,b.js", config: { text: "1,2" } });
    for (const wrong of ["./a.js,mmio=here", "./a.js,port=-1", "./a.js,irq=5x", "a=./b.js"])
      assert.throws(() => parseDevice(wrong), { name: "UsageError" }, wrong);
  });

  it("R1.5 QEMU's -device keeps its meaning, with one dash or two; a path is a file with either", async () => {
    for (const dashes of ["-device", "--device"]) {
      assert.equal(
        (await locore("plan", kernel, dashes, "isa-debug-exit,iobase=0xf4,iosize=0x04")).status,
        0,
      );
      const disk = await locore("plan", kernel, dashes, "nvme,drive=d");
      assert.equal(disk.status, 2);
      assert.match(disk.err, /virtio disks/);
      const laid = await locore("plan", kernel, dashes, "loader,file=./f.js,addr=0x1000");
      assert.match(laid.err, /no files are laid into memory/);
      assert.equal((await parts(dashes, mine)).at(-1)?.name, "mine");
    }
    const none = await locore("plan", kernel, "--device", "toaster");
    assert.equal(none.status, 2);
    assert.match(none.err, /no such device\n.*--device \.\/mine\.js adds one of your own/);
  });
});

describe("R1.1 a file that cannot be plugged in is status 8, with what was found and what to do", () => {
  const throwing = '{ throw new TypeError("boom"); }';
  mkdirSync(path.join(folder, "folder.js"));
  const WRONG: [what: string, name: string, message: RegExp][] = [
    ["not there", path.join(folder, "gone.js"), /gone\.js: found no such file; expected a JavaScript file/],
    ["a folder", path.join(folder, "folder.js"), /folder\.js: found a folder; expected a JavaScript file/],
    [
      "a syntax error",
      file("syntax.mjs", "export const a = 1;\n\nexport default { type: = 5 };\n"),
      /syntax\.mjs: found a syntax error in line 3: Unexpected token '='; expected a JavaScript module/,
    ],
    [
      "an import of what there is not",
      file("names.mjs", 'import { nonsense } from "locore";\nexport default nonsense;\n'),
      /names\.mjs: found a syntax error in line 1: .*nonsense/,
    ],
    [
      "a module that is missing",
      file("missing.mjs", 'import "./nothing.js";\n'),
      /missing\.mjs: found an import that fails: Cannot find module/,
    ],
    [
      "throws when it is loaded",
      file("throws.mjs", 'const x = 1;\nthrow new RangeError("too much");\n'),
      /throws\.mjs: found that it throws RangeError: too much \(throws\.mjs:2:7\); expected a module that loads/,
    ],
    [
      "exports nothing",
      file("empty.mjs", ""),
      /empty\.mjs: found no export; expected a part type: export default \{/,
    ],
    [
      "exports something else",
      file("else.mjs", "export default function f() {}\nexport const n = 5;\nexport const z = null;"),
      /else\.mjs: found the exports default \(function\), n \(number\), z \(null\); expected a part type/,
    ],
    [
      "no create",
      device("no-create.js", "create: undefined"),
      /export default a part type "mine" without create/,
    ],
    ["no place", device("no-place.js", "place: 5"), /export default a part type "mine" without place/],
    ["no type", device("no-type.js", "type: undefined"), /in the export default no type; expected a text/],
    [
      "a type that is taken",
      device("taken.js", 'type: "i8254"'),
      /taken\.js: found the part type "i8254"; expected a name that is not taken/,
    ],
    [
      "place throws",
      device("place.js", `place() ${throwing}`),
      /place\.js: found that place threw TypeError: boom \(place\.js:11:\d+\); expected a result, or a refusal/,
    ],
    [
      "announce throws",
      device("announce.js", `announce() ${throwing}`),
      /announce\.js: found that announce threw TypeError: boom/,
    ],
    [
      "place gives nonsense",
      device("odd.js", 'place: () => ({ name: "mine", type: "mine", irqs: [4] })'),
      /place the parts of the machine: part mine: found irqs 4 from place; expected interrupts that claim\.irq was called for/,
    ],
  ];
  for (const [what, name, message] of WRONG) {
    it(`R1.1 ${what}`, async () => {
      const { status, err } = await locore("plan", kernel, "--device", name);
      assert.match(err, message);
      assert.equal(status, 8, err);
      assert.doesNotMatch(err, /bug in locore/);
    });
  }

  it("R1.1 boot says the same, and what create throws, which it does only there", () => {
    const create = device("create.js", `create() ${throwing}`);
    const made = boot("--device", create);
    assert.match(made.err, /create\.js: found that create threw TypeError: boom \(create\.js:11:\d+\)/);
    assert.equal(made.status, 8);
    const gone = boot("--device", path.join(folder, "gone.js"));
    assert.match(gone.err, /gone\.js: found no such file/);
    assert.equal(gone.status, 8);
  });

  it("R1.1 with --json the facts are fields", async () => {
    const { err } = await locore("plan", kernel, "--json", "--device", path.join(folder, "gone.js"));
    const failure = JSON.parse(err) as Record<string, unknown>;
    assert.equal(failure["name"], "PlugInError");
    assert.equal(failure["found"], "no such file");
    assert.match(String(failure["file"]), /gone\.js$/);
  });

  it("R1.1 a device that throws while the guest runs: status 12, the part, the access, the place in the file", () => {
    const broken = device(
      "broken.js",
      `create(part, wires) {
        wires.mmio(0, { readMmio() { throw new Error("no"); }, writeMmio() {} });
        return { save: () => ({}) };
      }`,
    );
    const { status, err } = boot("--device", `${broken},name=b`);
    assert.equal(status, 12, err);
    assert.match(
      err,
      /^locore: failed by device-error: part "b": readMmio\(0x0, 4\) threw Error: no \(broken\.js:12:\d+\) \(status 12, \d+ instructions\)$/m,
    );
  });

  it("R1.7 a device that reaches beyond guest memory gets an answer, and the guest goes on", () => {
    const REACHES = [
      "view(2 ** 40, 8) === undefined",
      "writable(-5, 9) === undefined",
      "view(0, 1e300) === undefined",
      "contains(NaN, NaN) === false",
      "readU64(NaN) === -1",
      "readU32(0xffff_fffe) === -1",
      "writeU32(2 ** 32, 1) === false",
      "writeU64(2 ** 53, 1, 1) === false",
      "writeU32(0x8000, 77) && memory.readU32(0x8000) === 77",
    ];
    const reaching = device(
      "reaching.js",
      `create(part, wires) {
        const right = () => { const memory = wires.memory(); return [${REACHES.map((one) => `memory.${one}`).join(", ")}]; };
        wires.mmio(0, { readMmio: () => right().filter((one) => one).length, writeMmio() {} });
        return { save: () => ({}) };
      }`,
    );
    const { status, err } = boot("--device", reaching);
    assert.equal(status, (REACHES.length << 1) | 1, err);
  });
});

describe("R1.1 --loader FILE", () => {
  const [, body] = [...pageFiles("docs/loaders.md", "ts")][0];
  /** The page's loader without its types. */
  const source = body
    .replace(/^import \{[^}]*\}/m, "import { placeCommandLine, placeGdt, protectedMode32 }")
    .replace(/: (BootFault|BootProtocol|Loader|string|Uint8Array|bigint)\b/g, "")
    .replace(/: number\b/g, "");
  const toy = file("toy.mjs", source);
  const image = new Uint8Array(13).fill(0xf4);
  image.set(new TextEncoder().encode("TOY1"));
  new DataView(image.buffer).setUint32(4, 0x200000, true);
  new DataView(image.buffer).setUint32(8, 0x200000, true);
  const toyKernel = file("toy.img", image);

  it("R1.1 boots what it alone can read, with its own options", async () => {
    const { status, stderr } = spawnSync(process.execPath, [PROGRAM, "boot", toyKernel, "--loader", toy], {
      input: "",
    });
    assert.equal(status, 0, stderr.toString());
    const { out } = await locore("plan", toyKernel, "--loader", toy, "-o", "loader.stack=0x9000", "--json");
    const made = JSON.parse(out) as { loader: { name: string }; bootCpu: { gpr: string[] } };
    assert.equal(made.loader.name, "toy");
    assert.equal(made.bootCpu.gpr[4], "0x9000");
  });

  it("R1.1 what is wrong with it is told with file and function", async () => {
    const start = 'export default { name: "w", summary: "", options: {}, readsForeign: true, ';
    const protocol = (more: string): string =>
      `${start} recognise: () => ({ fits: true, why: "y", protocol: { entry: "e", layOutMemory() {}, describeBootCpu() {}, ${more} } }) };`;
    const WRONG: [string, RegExp][] = [
      ["export const a = 5;", /found the exports a \(number\); expected a loader/],
      [
        `${start} recognise() { throw new Error("no"); } };`,
        /found that recognise threw Error: no \(\S+\.mjs:1:\d+\)/,
      ],
      [`${start} recognise: () => true };`, /found something else from recognise; expected \{ fits: true/],
      [protocol('layOutMemory() { throw new Error("full"); }'), /found that layOutMemory threw Error: full/],
      [
        protocol('describeBootCpu() { throw new Error("off"); }'),
        /found that describeBootCpu threw Error: off/,
      ],
      [
        'export default { name: "pvh", options: {}, recognise() {} };',
        /found the loader "pvh"; expected a name that is not/,
      ],
      ['export default { name: "w", recognise() {} };', /a loader "w" without options/],
      ['export default { name: "w", options: {} };', /a loader "w" without recognise/],
    ];
    for (const [index, [text, message]] of WRONG.entries()) {
      const { status, err } = await locore("plan", toyKernel, "--loader", file(`wrong-${index}.mjs`, text));
      assert.match(err, message);
      assert.equal(status, 8, err);
    }
  });
});
