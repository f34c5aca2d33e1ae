/** R1.10 R3.10 Machines of the library and the cache that they are kept in: what is damaged, aborted, shared, or not to be kept. */
import assert from "node:assert/strict";
import { chmodSync, existsSync, readdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { KeptMachines } from "../../src/cli/run/warm/folder.js";
import { Vm, type VmOptions } from "../../src/vm/index.js";
import { freePort } from "../kernels/net-servers.js";
import { scratch } from "../support/built-tree.js";
import { nothingLeft } from "../support/nothing-left.js";
import { hasRunGuests } from "../support/run-command.js";
import { damagePages, keptFiles } from "../support/warm-run.js";
import { bootOf, keptNames, useOwnCache } from "../support/warm-vm.js";

const TIME = { timeout: 600_000 };
const KEPT = [".json", ".snap"];

/** Starts a machine and ends it; gives which boot it had. */
async function bootWith(options: VmOptions = {}, coldReason?: RegExp): Promise<string> {
  await using vm = await Vm.start(options);
  if (coldReason !== undefined) assert.match(vm.coldReason ?? "", coldReason);
  return await bootOf(vm);
}

test(
  "R1.10 R6.2 Vm.start: a kept machine that is damaged is thrown away, and the kernel boots",
  TIME,
  async (t) => {
    if (!(await hasRunGuests(t))) return;
    const cache = useOwnCache(t);
    const port = await freePort();
    const net = { publish: [`127.0.0.1:${port}:80`] };
    const boot = await bootWith({ net });
    assert.equal(await bootWith({ net }), boot);
    const [before] = keptFiles(cache, ".snap");
    damagePages(cache);
    const again = await bootWith({ net }, /^the machine that was kept did not go on: /);
    assert.notEqual(again, boot);
    assert.deepEqual(keptNames(cache), KEPT);
    assert.notEqual(keptFiles(cache, ".snap")[0], before);
    assert.equal(await bootWith({ net }), again);
  },
);

test(
  "R1.10 Vm.start: aborted at whatever moment, the reason comes back, and nothing half is left",
  TIME,
  async (t) => {
    if (!(await hasRunGuests(t))) return;
    const cache = useOwnCache(t);
    // What began this test has ended by then.
    await sleep(100);
    const active = process.getActiveResourcesInfo();
    const reason = new Error("not any more");
    const folder = path.join(cache, "locore/warm");
    const isWriting = (): boolean =>
      existsSync(folder) && readdirSync(folder).some((name) => name.endsWith(".lock"));
    const aborted = async (when: (isOver: () => boolean) => Promise<unknown>): Promise<void> => {
      const abort = new AbortController();
      let isOver = false;
      const starting = Vm.start({ net: true, signal: abort.signal }).then(
        async (vm) => (await vm.end).end.kind,
        (error: unknown) => error,
      );
      void starting.then(() => (isOver = true));
      await when(() => isOver);
      abort.abort(reason);
      assert.ok([reason, "interrupted"].includes((await starting) as Error | string));
      const names = existsSync(folder) ? keptNames(cache) : [];
      assert.ok(names.length === 0 || names.join() === KEPT.join(), names.join());
      await nothingLeft(active);
    };
    for (const wait of [0, 20, 60, 150, 500, 1000]) await aborted(() => sleep(wait));
    // While the first one is written, which is completed.
    await aborted(async (isOver) => {
      while (!isWriting() && !isOver()) await sleep(1);
    });
    assert.deepEqual(keptNames(cache), KEPT);
    for (const wait of [0, 10, 30, 60, 100, 150, 200, 300, 500]) await aborted(() => sleep(wait));
  },
);

test(
  "R1.10 Vm.start: of machines that begin at once one is kept, and the next ones go on from it",
  TIME,
  async (t) => {
    if (!(await hasRunGuests(t))) return;
    const cache = useOwnCache(t);
    const boots = await Promise.all([bootWith(), bootWith(), bootWith()]);
    assert.deepEqual(keptNames(cache), KEPT);
    const next = await bootWith();
    assert.ok(boots.includes(next));
    assert.deepEqual(await Promise.all([bootWith(), bootWith()]), [next, next]);
  },
);

test(
  "R1.10 Vm.start: folders, network and environment are those of each start; what cannot be mounted is said",
  TIME,
  async (t) => {
    if (!(await hasRunGuests(t))) return;
    const cache = useOwnCache(t);
    const boots = new Set<string>();
    for (const name of ["first", "second"]) {
      const folder = scratch(t);
      writeFileSync(path.join(folder, "name"), name);
      await using vm = await Vm.start({
        net: { mtu: 1600 },
        shares: { [`/at/${name}`]: `${folder},rw` },
        env: { NAME: name },
      });
      boots.add(await bootOf(vm));
      const script = `cat /at/${name}/name; echo " $NAME"; ls /at; : >/at/${name}/new; cat /sys/class/net/eth0/mtu; cat /etc/resolv.conf`;
      const { stdout } = await vm.exec(script).check();
      assert.match(stdout, new RegExp(`^${name} ${name}\\n${name}\\n1600\\nnameserver `));
      assert.ok(existsSync(path.join(folder, "new")));
      await assert.rejects(vm.fork(), { name: "VmError", fault: "snapshot" });
    }
    assert.equal(boots.size, 1);
    const [before] = keptFiles(cache, ".snap");
    const refused = Vm.start({ net: { mtu: 1600 }, shares: { "/proc/nowhere": `${scratch(t)},rw` } });
    await assert.rejects(refused, { name: "VmError", fault: "no-exec", message: /cannot be mounted/ });
    assert.deepEqual(keptFiles(cache, ".snap"), [before]);
  },
);

test("R1.10 R3.10 Vm.start: a machine that went on is saved whole, and goes on again", TIME, async (t) => {
  if (!(await hasRunGuests(t))) return;
  const cache = useOwnCache(t);
  const boot = await bootWith();
  const file = path.join(scratch(t), "warm.snap");
  const sums = "sha256sum /bin/busybox /locore/run /init";
  let before = "";
  {
    await using vm = await Vm.start();
    await vm.snapshot(file);
    before = (await vm.exec(sums).check()).stdout;
  }
  KeptMachines.open(path.join(cache, "locore"))?.clear();
  await using again = await Vm.restore(file);
  assert.equal(await bootOf(again), boot);
  assert.equal((await again.exec(sums).check()).stdout, before);
  await using shell = await again.shell();
  await shell.send("exit 3\n");
  assert.equal(await shell.end, 3);
});

test(
  "R1.10 Vm.start: nothing is kept with cold, with a disk, where the limit or the folder says so, or another process does",
  TIME,
  async (t) => {
    if (!(await hasRunGuests(t))) return;
    const cache = useOwnCache(t);
    const folder = path.join(cache, "locore/warm");
    const names = (): string[] => (existsSync(folder) ? readdirSync(folder) : []);
    await bootWith({ cold: true }, /^cold: true$/);
    const disk = path.join(scratch(t), "disk");
    writeFileSync(disk, new Uint8Array(1 << 20));
    await bootWith({ disks: [disk] }, /^a disk may be another/);
    assert.deepEqual(names(), []);

    const machines = KeptMachines.open(path.join(cache, "locore"))!;
    await machines.setLimit({ count: 0, bytes: 0 });
    const boot = await bootWith();
    assert.deepEqual(names(), ["limit.json"]);
    await machines.setLimit({ count: 8, bytes: 1 << 20 });
    assert.notEqual(await bootWith(), boot);
    assert.deepEqual(names(), ["limit.json"]);

    await machines.setLimit({ count: 8, bytes: 1 << 30 });
    const kept = await bootWith();
    const [record] = keptFiles(cache, ".snap");
    const { key } = machines.list()[0];
    machines.forget(key);
    writeFileSync(machines.lockFile(key), "");
    assert.notEqual(await bootWith(), kept);
    assert.equal(existsSync(record), false);
    assert.equal(
      names().some((name) => name.endsWith(".snap")),
      false,
    );

    // Others may write there: what is in it is not believed, and nothing more is put there.
    chmodSync(folder, 0o777);
    const before = names();
    await bootWith();
    assert.deepEqual(names(), before);
  },
);
