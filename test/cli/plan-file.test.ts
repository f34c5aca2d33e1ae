/** R1.6 `plan --json`, an edit, `--plan`: what was asked and the parts are inputs, everything else follows. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { isaDevice } from "../../src/firmware/acpi/isa-device.js";
import { integer, name as amlName } from "../../src/firmware/acpi/aml.js";
import { locore } from "../support/cli.js";
import { makeBzImage } from "../support/images.js";
import { pvhElf } from "../support/qemu/pvh-elf.js";

const PROGRAM = fileURLToPath(new URL("../../src/cli/main.js", import.meta.url));
const LOAD_ADDRESS = 0x100000;
const folder = mkdtempSync(path.join(tmpdir(), "locore-test-"));
after(() => rmSync(folder, { recursive: true }));

function file(name: string, contents: string | Uint8Array): string {
  const place = path.join(folder, name);
  writeFileSync(place, contents);
  return place;
}

interface Part {
  name: string;
  type: string;
  ports?: { start: number | string; size: number }[];
  irqs?: number[];
  config?: object;
}
/** What the tests look at and edit. */
interface PlanJson {
  request: Record<string, unknown> & { kernel: { file: string; sha256?: string } };
  devices: Part[];
  commandLine: string;
  bootCpu: Record<string, unknown>;
  e820: { size: number }[];
  ram: { size: number }[];
  cpus: number;
  memory: { contents: string };
  clock: Record<string, unknown>;
  modules: { name: string; commandLine: string }[];
  warnings: string[];
  added: unknown[];
  regions: { content: { base64?: string } }[];
  digests?: Record<string, string>;
}

const kernel = file("vmlinuz", makeBzImage());
const initrd = file("initrd", "an initrd");
const RTC = ["--rtc", "2024-02-29T12:00:00Z"];

async function planText(...args: string[]): Promise<string> {
  const { status, out, err } = await locore("plan", ...args, "--json");
  assert.equal(status, 0, err);
  return out;
}

const written = async (...args: string[]): Promise<PlanJson> =>
  JSON.parse(await planText(...args)) as PlanJson;

let files = 0;
/** The file of an edited plan. */
function saved(plan: object | string): string {
  return file(`plan-${files++}.json`, typeof plan === "string" ? plan : JSON.stringify(plan));
}

const replanned = async (plan: object): Promise<PlanJson> => written("--plan", saved(plan));

async function refused(plan: object | string, message: RegExp, status = 8): Promise<void> {
  const answer = await locore("plan", "--plan", saved(plan));
  assert.match(answer.err, message);
  assert.equal(answer.status, status, answer.err);
}

function part(plan: PlanJson, type: string): Part {
  const found = plan.devices.find((one) => one.type === type);
  assert.ok(found, type);
  return found;
}

/** Moves the serial port. */
function moveUart(plan: PlanJson, start: number | string, irq: number): PlanJson {
  const uart = part(plan, "uart16550");
  uart.ports = [{ start, size: 8 }];
  uart.irqs = [irq];
  return plan;
}

function firmware(plan: PlanJson): Buffer {
  return Buffer.concat(plan.regions.map(({ content }) => Buffer.from(content.base64 ?? "", "base64")));
}

function uartNode(where: string, start: number, irq: number, uid: number): Buffer {
  const at = { ports: [{ start, size: 8 }], irqs: [irq] };
  return Buffer.from(isaDevice(where, "PNP0501", at, amlName("_UID", integer(uid))));
}

describe("R1.6 a plan that was written is the machine", () => {
  it("R1.6 as it is, it comes to the same bytes", async () => {
    const loaderPairs = ["-o", "loader.append=console=ttyS0,,115200 a,b"];
    for (const args of [
      [kernel, ...RTC],
      [kernel, "--initrd", initrd, "-m", "64.5M", "--smp", "2", "--cpu=-aes,-bmi1", ...RTC],
      [kernel, "--deterministic", "--screen", "-o", "loader.entry=32", ...loaderPairs],
      [kernel, "-o", "testdev=on", ...RTC],
      [kernel, "--announce", "both", "--acpi", "on", "-o", "virtio.version=1", ...RTC],
      [kernel, "--acpi", "off", ...RTC],
      [kernel, "--console", "hvc0", "--rng", "--balloon", "64M", ...RTC],
      [kernel, "--console", "serial", "--balloon", "0", ...RTC],
    ]) {
      const text = await planText(...args);
      assert.equal(await planText("--plan", saved(text)), text, args.join(" "));
    }
  });

  it("R1.6 a file with a blank in its name, modules and their command lines", async () => {
    const elf = file("a kernel", pvhElf(LOAD_ADDRESS, Uint8Array.of(0xf4), LOAD_ADDRESS));
    const module = file("a module", "of words");
    const text = await planText(elf, "--module", `${module.replaceAll(" ", "\\ ")} x=1 y,z`, ...RTC);
    assert.equal(await planText("--plan", saved(text)), text);
    assert.equal((JSON.parse(text) as PlanJson).modules[0].commandLine, "x=1 y,z");
  });

  it("R1.6 keys in another order, other blanks, fields that follow left out: the same machine", async () => {
    const plan = await written(kernel, ...RTC);
    const turned = Object.fromEntries(Object.entries(plan).reverse());
    assert.deepEqual(await replanned(turned), plan);
    const { request } = plan;
    assert.deepEqual(await replanned({ version: 1, request }), plan);
  });

  it("R1.6 a clock that follows the host's does so when the plan is used", async () => {
    const plan = await written(kernel);
    assert.equal(plan.request["rtc"], "now");
    const later = await replanned(plan);
    assert.ok(Number(later.clock["rtcStart"]) >= Number(plan.clock["rtcStart"]));
  });

  it("R1.6 boot takes it, too", () => {
    // mov dx, 0x2f8; mov al, "!"; out dx, al; cli; hlt
    const code = [0x66, 0xba, 0xf8, 0x02, 0xb0, 0x21, 0xee, 0xfa, 0xf4];
    const printing = file("printing", pvhElf(LOAD_ADDRESS, Uint8Array.from(code), LOAD_ADDRESS));
    const run = (...args: string[]): { out: string; status: number | null; err: string } => {
      const { stdout, stderr, status } = spawnSync(process.execPath, [PROGRAM, ...args], { input: "" });
      return { out: stdout.toString(), err: stderr.toString(), status };
    };
    assert.equal(run("boot", printing).out, "");
    const plan = JSON.parse(run("plan", printing, "--json").out) as PlanJson;
    const moved = run("boot", "--plan", saved(moveUart(plan, "0x2f8", 3)));
    assert.deepEqual({ out: moved.out, status: moved.status }, { out: "!", status: 0 }, moved.err);
  });
});

describe("R1.1 R1.6 an edit of the parts is what is built", () => {
  it("R1.6 a serial port that was moved: plan, DSDT and command line follow", async () => {
    const usual = await written(kernel, ...RTC);
    assert.ok(firmware(usual).includes(uartNode("COM1", 0x3f8, 4, 1)));
    assert.equal(usual.commandLine, "console=ttyS0");
    const moved = await replanned(moveUart(usual, 0x2f8, 3));
    assert.deepEqual(part(moved, "uart16550").ports, [{ start: 0x2f8, size: 8 }]);
    assert.ok(firmware(moved).includes(uartNode("COM2", 0x2f8, 3, 2)));
    assert.ok(!firmware(moved).includes("COM1"));
    assert.equal(moved.commandLine, "console=ttyS1");
    assert.deepEqual(moved.warnings, []);
    // What was written of the moved machine is a plan again.
    assert.deepEqual(await replanned(moved), moved);
  });

  it("R1.6 where no PC has one, Linux is told the port", async () => {
    const moved = await replanned(moveUart(await written(kernel), "0x300", 5));
    assert.equal(moved.commandLine, "console=uart,io,0x300,115200");
  });

  it("R1.6 a part that was taken out is in no table; the console's absence is told", async () => {
    const plan = await written(kernel, ...RTC);
    plan.devices = plan.devices.filter(({ type }) => type !== "uart16550" && type !== "i8042");
    const less = await replanned(plan);
    assert.ok(!firmware(less).includes("COM1") && !firmware(less).includes("KBD"));
    assert.equal(less.commandLine, "");
    assert.deepEqual(less.added, []);
    assert.match(less.warnings.join(), /no serial port that is its console/);
  });

  it("R1.6 a part that was put in", async () => {
    const plan = await written(kernel, ...RTC);
    plan.devices.push({ name: "second", type: "uart16550", ports: [{ start: 0x2e8, size: 8 }], irqs: [5] });
    const more = await replanned(plan);
    assert.ok(firmware(more).includes(uartNode("COM4", 0x2e8, 5, 4)));
    assert.equal(more.commandLine, "console=ttyS0", "the console stays where it was");
  });

  it("R1.1 a part moved onto another is refused, both named; one that cannot be moved, too", async () => {
    const plan = await written(kernel);
    await refused(
      moveUart(structuredClone(plan), 0x3f8, 8),
      /part (uart16550|mc146818): found interrupt 8, which "(mc146818|uart16550)" has/,
    );
    await refused(
      moveUart(structuredClone(plan), 0x606, 3),
      /part acpi-pm: found ports 0x608–0x60b, which "uart16550" has \(0x606–0x60d\)/,
    );
    const pic = structuredClone(plan);
    part(pic, "i8259").ports![0].start = 0x30;
    await refused(pic, /part i8259: found ports 0x30\+2, .*; expected 0x20\+2, .*it cannot be moved/);
    const ranges = structuredClone(plan);
    part(ranges, "uart16550").ports![0].size = 4;
    await refused(ranges, /part uart16550: found ports 0x3f8\+4; expected ranges of these sizes: 8/);
  });

  it("R1.6 what no machine can do without is asked back by its name", async () => {
    for (const type of ["ioapic", "lapic", "acpi-pm"]) {
      const plan = await written(kernel);
      plan.devices = plan.devices.filter((one) => one.type !== type);
      await refused(plan, new RegExp(`part ${type}: found no such part; expected .*put it back`));
    }
  });
});

describe("R1.6 an edit of the request is taken, and everything follows", () => {
  it("R1.6 memory, CPUs, command line, features, loader", async () => {
    const plan = await written(kernel, "-m", "64M", ...RTC);
    Object.assign(plan.request, {
      memory: "128M",
      cpus: 2,
      commandLine: "quiet console=ttyS0",
      loader: { entry: "32" },
    });
    plan.request["features"] = { aes: false };
    const other = await replanned(plan);
    const same = ["--append", "quiet console=ttyS0", "-o", "loader.entry=32", "--cpu=-aes", ...RTC];
    assert.deepEqual(other, await written(kernel, "-m", "128M", "--smp", "2", ...same));
  });

  it("R1.6 a file that has changed is refused by its name; without its digest it is taken", async () => {
    const changing = file("changing", makeBzImage());
    const initial = file("initial", "one");
    const plan = await written(changing, "--initrd", initial);
    writeFileSync(initial, "two");
    await refused(
      plan,
      /initial: found other bytes than those that the plan was made from; .*delete that sha256/,
    );
    delete (plan.request["initrd"] as { sha256?: string }).sha256;
    await replanned(plan);
    plan.request.kernel.file = path.join(folder, "gone");
    await refused(plan, /kernel \S+gone: no such file/);
  });

  it("R1.1 devices of one's own are part of the request; their files are held to their digests", async () => {
    const text = (value: number): string => `import { standing } from "locore";
export default {
  type: "mine", summary: "", place: standing("mine", { mmio: [{ size: 8 }], irqs: ["any"] }),
  create: () => ({ save: () => ({ value: ${value} }) }),
};`;
    const mine = file("mine.mjs", text(1));
    const plan = await written(kernel, "--device", `${mine},irq=7,x=y`, ...RTC);
    assert.deepEqual(await replanned(plan), plan);
    const moved = structuredClone(plan);
    part(moved, "mine").irqs = [10];
    assert.deepEqual(part(await replanned(moved), "mine"), { ...part(plan, "mine"), irqs: [10] });
    const without = structuredClone(plan);
    without.devices.pop();
    assert.ok((await replanned(without)).devices.every(({ type }) => type !== "mine"));
    writeFileSync(mine, text(2));
    await refused(plan, /mine\.mjs: found other bytes than those that the plan was made from/);
  });
});

describe("R1.6 what only follows cannot be edited: it is named, with what to change instead", () => {
  const EDITS: [path: string, edit: (plan: PlanJson) => unknown, instead: RegExp][] = [
    ["bootCpu.rip", (plan) => (plan.bootCpu["rip"] = "0x1234"), /request\.kernel or request\.loader/],
    ["e820", (plan) => (plan.e820[0].size -= 4096), /request\.memory/],
    ["ram", (plan) => (plan.ram[0].size = 0x1000000), /request\.memory/],
    ["cpus", (plan) => (plan.cpus = 2), /request\.cpus/],
    ["commandLine", (plan) => (plan.commandLine = "quiet"), /request\.commandLine/],
    ["clock.rtcStart", (plan) => (plan.clock["rtcStart"] = 0), /request\.rtc/],
    ["memory.contents", (plan) => (plan.memory.contents = "adopted"), /Put it back, or delete it/],
    ["warnings", (plan) => plan.warnings.push("x"), /Put it back, or delete it/],
    ["regions", (plan) => plan.regions.pop(), /request\.kernel, request\.initrd/],
    ["colour", (plan) => Object.assign(plan, { colour: "red" }), /Put it back, or delete it/],
  ];
  for (const [field, edit, instead] of EDITS) {
    it(`R1.6 ${field}`, async () => {
      const plan = await written(kernel);
      edit(plan);
      const start = new RegExp(`: ${field.replace(".", "\\.")}: found (an edit|a field).*`);
      await refused(plan, new RegExp(start.source + instead.source));
    });
  }
});

describe("R4.4 a file that is no plan", () => {
  const request = { kernel: { file: kernel } };
  const WRONG: [what: string, plan: object | string, message: RegExp, status?: number][] = [
    ["no JSON", "{", /plan \S+\.json: found no JSON: .*; expected JSON/],
    ["a list", "[]", /found an array; expected an object/],
    ["another version", { version: 2, request }, /version: found 2; expected 1/],
    ["no request", { version: 1 }, /request: found nothing; expected an object/],
    [
      "a field that there is not",
      { version: 1, request: { ...request, memroy: 5 } },
      /request\.memroy: found a field that no request has; expected kernel, initrd/,
    ],
    [
      "a file as text",
      { version: 1, request: { kernel } },
      /request\.kernel: found ".*"; expected an object/,
    ],
    [
      "a size that is none",
      { version: 1, request: { ...request, memory: "much" } },
      /-m much: expected a size/,
      2,
    ],
    [
      "a feature that is none",
      { version: 1, request: { ...request, features: { avx9: false } } },
      /avx9: unknown feature/,
      2,
    ],
    ["no kernel", { version: 1, request: {} }, /which kernel\?/, 2],
    ["devices that are no list", { version: 1, request, devices: 5 }, /devices: found 5; expected an array/],
    [
      "a part without a type",
      { version: 1, request, devices: [{}] },
      /devices\[0\]\.type: found nothing; expected a text/,
    ],
    [
      "a type that there is not",
      { version: 1, request, devices: [{ type: "warp" }] },
      /part warp: found type "warp"; expected lapic, /,
    ],
    [
      "a port that is no number",
      { version: 1, request, devices: [{ type: "vga", ports: [{ start: "x" }] }] },
      /devices\[0\]\.ports\[0\]\.start: found "x"; expected a whole number/,
    ],
    [
      "an odd field of a part",
      { version: 1, request, devices: [{ type: "vga", irq: 5 }] },
      /devices\[0\]\.irq: found a field that is not known; expected name, type/,
    ],
    ["no end of brackets", "[".repeat(100_000), /found no JSON|levels at most/],
    [
      "deep, and well formed",
      `{"version":1,"request":{},"x":${"[".repeat(20_000)}${"]".repeat(20_000)}}`,
      /found values inside values/,
    ],
    [
      "__proto__",
      '{"version":1,"request":{"__proto__":{"kernel":1}}}',
      /request\.__proto__: found a field that no request has/,
    ],
  ];
  for (const [what, plan, message, status] of WRONG) {
    it(`R4.4 ${what}`, () => refused(plan, message, status));
  }

  it("R1.5 beside --plan nothing else says what is planned", async () => {
    const plan = saved(await written(kernel));
    for (const more of [
      [kernel],
      ["--append", "x"],
      ["-m", "64M"],
      ["--device", "./a.js"],
      ["-o", "testdev=on"],
    ]) {
      const { status, err } = await locore("plan", "--plan", plan, ...more);
      assert.equal(status, 2, err);
      assert.match(err, /says all that is planned; found .* beside\n.*edit request in the file instead/);
    }
    const gone = await locore("plan", "--plan", path.join(folder, "none.json"));
    assert.equal(gone.status, 8);
    assert.match(gone.err, /plan \S+none\.json: no such file/);
  });
});
