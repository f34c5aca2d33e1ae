/**
 * The benchmark harness on monitors made of a line of JavaScript: what it times, how it ends a run, what it says of
 * wrong results and of bars.
 */
import assert from "node:assert/strict";
import path from "node:path";
import test from "node:test";
import { startUpVerdicts, verdicts } from "../../bench/bars.js";
import type { Case, Span } from "../../bench/case.js";
import { runCases } from "../../bench/harness.js";
import type { Series } from "../../bench/harness.js";
import { parseOptions } from "../../bench/options.js";
import type { Monitor, Peer } from "../../bench/peers.js";
import { report } from "../../bench/report.js";
import { figure, geometricMean, table } from "../../bench/statistics.js";
import { WORKLOADS } from "../../bench/workloads.js";
import { workloadScript } from "../../bench/workload-cases.js";
import { scratch } from "../support/disk-tools.js";

const SPAN: Span = { name: "work", what: "", from: "begin", to: "end", bar: "integer" };
const WORK_MS = 60;
const WORK = `console.log("begin"); setTimeout(() => console.log("end"), ${WORK_MS});`;

function peer(monitor: Monitor, script: string): Peer {
  const command = { program: process.execPath, args: ["-e", script], guestBytes: 1 << 30 };
  return { name: monitor, monitor, kind: monitor, judged: monitor === "locore", command: () => command };
}

interface Setting {
  until?: string;
  wrong?: Map<string, string>;
  timeoutMs?: number;
  silentMs?: number;
  runs?: number;
  productOnly?: boolean;
}

async function run(peers: Peer[], setting: Setting = {}): Promise<{ series: Series[]; rounds: string[] }> {
  const benchmark: Case = {
    group: "compute",
    name: "work",
    spans: [SPAN],
    monitors: ["locore", "qemu"],
    prepare: () => Promise.resolve({ kernel: "none", memoryMib: 1 }),
    wrong: () => setting.wrong ?? new Map<string, string>(),
    ...(setting.until === undefined ? {} : { until: setting.until }),
    ...(setting.productOnly === undefined ? {} : { productOnly: setting.productOnly }),
  };
  const rounds: string[] = [];
  const { series } = await runCases([benchmark], peers, {
    runs: setting.runs ?? 1,
    timeoutMs: setting.timeoutMs ?? 60_000,
    ...(setting.silentMs === undefined ? {} : { silentMs: setting.silentMs }),
    folder: "",
    onRun: (_name, name, round) => rounds.push(`${name} ${round}`),
  });
  return { series, rounds };
}

test("R3.10 the time between two console lines is measured, peers take turns", async () => {
  const { series, rounds } = await run([peer("qemu", WORK), peer("locore", WORK)], { runs: 2 });
  assert.deepEqual(rounds, ["qemu 1", "locore 1", "qemu 2", "locore 2"]);
  for (const s of series) {
    assert.equal(s.ms.length, 2);
    // A timer may fire a little early; the lines cannot come at once.
    assert.ok(Math.min(...s.ms) > WORK_MS / 2, String(s.ms));
    assert.ok(s.processMs.every((whole, i) => whole > s.ms[i]));
  }
});

test("R3.10 a run whose last line came is ended, and what it reports on the way out counts", async () => {
  const report = '{"instructions":1000,"mips":5,"engine":{"pages":3}}';
  const script = `${WORK} process.on("SIGTERM", () => { console.error('${report}'); process.exit(); });
    setInterval(() => 0, 1000);`;
  const [series] = (await run([peer("locore", script)], { until: "end" })).series;
  assert.deepEqual(series.failed, []);
  assert.deepEqual([series.instructions, series.mips, series.engine], [[1000], [5], { pages: 3 }]);
});

test("R3.10 a run that hangs is killed and is no sample", async () => {
  const [series] = (await run([peer("locore", "console.log('begin'); for (;;);")], { timeoutMs: 1_000 }))
    .series;
  assert.deepEqual([series.failed, series.ms], [["timed out"], []]);
});

test("R3.10 a run that shows nothing is tried again, and is no sample after three times", async (t) => {
  const mark = path.join(scratch(t), "mark");
  const once = `const fs = require("node:fs"); const known = fs.existsSync(${JSON.stringify(mark)});
    fs.writeFileSync(${JSON.stringify(mark)}, ""); if (!known) for (;;); ${WORK}`;
  const [second] = (await run([peer("qemu", once)], { silentMs: 2_000 })).series;
  assert.deepEqual([second.failed, second.ms.length], [[], 1]);
  const [never] = (await run([peer("qemu", "for (;;);")], { silentMs: 500 })).series;
  assert.deepEqual([never.failed, never.ms], [["showed nothing, 3 times"], []]);
});

test("R3.10 a case may leave out the variants of locore that are not the product", async () => {
  const variant = { ...peer("locore", WORK), name: "interpreter", judged: false };
  const { rounds } = await run([peer("qemu", WORK), peer("locore", WORK), variant], { productOnly: true });
  assert.deepEqual(rounds, ["qemu 1", "locore 1"]);
});

test("R3.10 a run that ends early says its last words", async () => {
  const [series] = (await run([peer("locore", "console.log('begin'); throw new Error('no disk')")])).series;
  assert.match(series.failed[0], /^ended early, status 1\nbegin\n[^]*no disk/);
});

test("R3.10 a wrong result is no sample and is told", async () => {
  const [series] = (await run([peer("locore", WORK)], { wrong: new Map([["work", "42"]]) })).series;
  assert.deepEqual([series.wrong, series.ms], [["42"], []]);
  assert.match(report([series], []), /WRONG RESULT: work on locore: 42/);
});

test("R3.10 a peer that is missing is skipped with its reason", async () => {
  const missing = { ...peer("qemu", WORK), missing: "not installed" };
  const options = { runs: 1, timeoutMs: 1_000, folder: "", onRun: () => assert.fail("nothing runs") };
  assert.deepEqual(await runCases([], [missing], options), {
    series: [],
    skipped: [{ name: "qemu", reason: "not installed" }],
  });
});

function series(more: Partial<Series>): Series {
  const lists = {
    ms: [],
    processMs: [],
    instructions: [],
    mips: [],
    beyondGuestMib: [],
    wrong: [],
    failed: [],
  };
  const names = {
    group: "compute",
    name: "a",
    what: "",
    bar: "integer",
    peer: "QEMU",
    monitor: "qemu",
  } as const;
  return { ...names, judged: false, ...lists, ...more };
}

test("R3.10 bars: ratios of medians, their geometric mean, the slowest program", () => {
  const ours = { peer: "locore", monitor: "locore", judged: true, node: "v26" } as const;
  const all = [
    series({ name: "a", ms: [100, 100, 900] }),
    series({ ...ours, name: "a", ms: [50, 10, 60] }),
    series({ name: "b", ms: [100] }),
    series({ ...ours, name: "b", ms: [200] }),
  ];
  const found = verdicts(all).map((v) => [v.bar, v.value, v.met]);
  assert.deepEqual(found, [
    ["compute, geometric mean", 1, false],
    ["slowest integer program (b)", 2, false],
  ]);
});

test("R3.10 bars: a start is compared with what Node takes for itself", () => {
  const samples = {
    nothingMs: [50, 40, 900],
    versionMs: [60],
    emptyMs: [100],
    smallMs: [210],
    debianMs: [300],
    coldMs: [4000],
    warmMs: [260, 251, 240],
    vmColdMs: [2400, 2300, 2500],
    vmWarmMs: [320, 300, 310],
  };
  const found = startUpVerdicts(new Map([["locore", samples]])).filter(({ met }) => met !== undefined);
  assert.deepEqual(
    found.map((v) => [v.bar, v.value, v.met]),
    [
      ["--version, by Node that does nothing", 1.2, true],
      ["a small kernel's first instruction, by an empty worker's start", 2.1, false],
      ["Debian's first instruction", 300, true],
      ["the same beyond an empty worker's start", 151, false],
    ],
  );
  const without = { ...samples, debianMs: [], coldMs: [], warmMs: [], vmColdMs: [], vmWarmMs: [] };
  const missing = startUpVerdicts(new Map([["locore", without]]));
  assert.deepEqual(
    missing.filter(({ bar }) => /^Debian|^run|^the same|^Vm/.test(bar)),
    [],
  );
});

test("R3.10 bars: a 32-bit boot is compared with v86 on the same Node", () => {
  const boot = { group: "boot", name: "i386", bar: "boot-v86" } as const;
  const all = [
    series({ ...boot, peer: "v86 (20)", monitor: "v86", node: "v20", ms: [100] }),
    series({ ...boot, peer: "v86 (26)", monitor: "v86", node: "v26", ms: [50] }),
    series({ ...boot, peer: "locore", monitor: "locore", judged: true, node: "v26", ms: [40] }),
  ];
  const [found] = verdicts(all);
  assert.deepEqual([found.bar, found.value, found.met], ["i386, by v86's time", 0.8, true]);
});

test("R3.10 statistics: medians, geometric means, Markdown", () => {
  assert.equal(figure([]), undefined);
  assert.deepEqual(figure([3, 1, 2])?.median, 2);
  assert.deepEqual(figure([4, 1, 2, 3])?.median, 2.5);
  assert.equal(geometricMean([]), undefined);
  assert.ok(Math.abs(geometricMean([1, 4])! - 2) < 1e-12);
  assert.equal(table([["name", "s"], ["a", "1"]]), "| name |   s |\n| ---- | --: |\n| a    |   1 |"); // prettier-ignore
});

test("R3.10 options: what makes no sense is refused by name", () => {
  assert.throws(() => parseOptions(["--runs", "0"]), /--runs 0: expected a positive integer/);
  assert.throws(() => parseOptions(["--scale", "x"]), /--scale x: expected a positive number/);
  assert.throws(() => parseOptions(["--node", "/nowhere/node"]), /--node \/nowhere\/node: that is no Node/);
  const { runs, scale, only } = parseOptions(["--quick", "--only", "sieve", "--only", "boot"]);
  assert.deepEqual([runs, scale, only], [1, 0.1, ["sieve", "boot"]]);
});

test("R3.10 workloads: the guest's script has a line before and after each, and its result", () => {
  const script = workloadScript(WORKLOADS, 1).split("\n");
  for (const { name } of WORKLOADS) {
    const at = [`begin ${name}"`, `end ${name}"`, `result ${name}: $`].map((text) =>
      script.findIndex((line) => line.startsWith(`echo "bench: ${text}`)),
    );
    assert.ok(at[0] >= 0 && at[1] === at[0] + 2 && at[2] === at[0] + 3, `${name}: lines ${at.join(", ")}`);
  }
  assert.equal(script.at(-1), 'echo "bench: done"');
});
