/** The stub with a machine of two CPUs behind it, asked as gdb asks. What Debian's gdb makes of it is in test/kernels/gdb*.ts. */
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { featuresOf, registersOf, type GdbArchitecture } from "../../../src/diagnose/gdb/registers.js";
import { machineEnd } from "../../../src/machine/end.js";
import { GdbClient, smallMachine, type ClientOptions } from "../../support/gdb-client.js";
import { COUNTER, debuggedGuest, SPINS, TICKS } from "../../support/gdb-guest.js";

const ENDLESS = 0xffff_ffff;
const GUEST = debuggedGuest(ENDLESS);
const hex = (value: number): string => value.toString(16);

async function client(
  t: TestContext,
  options: ClientOptions & { deterministic?: boolean; jit?: "off" | "eager"; rounds?: number } = {},
): Promise<GdbClient> {
  const { deterministic = false, jit = "off", rounds, ...others } = options;
  const guest = rounds === undefined ? GUEST : debuggedGuest(rounds);
  const machine = await smallMachine(guest.bytes, { deterministic, jit });
  t.after(() => machine.dispose());
  return new GdbClient(machine, others).attach();
}

/** Up to where both CPUs work. */
function bothRun(gdb: GdbClient): void {
  assert.equal(gdb.ask(`Z0,${hex(GUEST.at.rest)},1`), "OK");
  assert.match(gdb.go("vCont;c"), /^T05thread:2;swbreak:;/);
  assert.equal(gdb.ask(`z0,${hex(GUEST.at.rest)},1`), "OK");
  assert.equal(gdb.ask(`Z0,${hex(GUEST.at.work)},1`), "OK");
  assert.match(gdb.go("vCont;c"), /^T05thread:1;swbreak:;/);
  assert.equal(gdb.ask(`z0,${hex(GUEST.at.work)},1`), "OK");
}

test("R3.11 a gdb that comes finds the machine standing still, and the guest's code unchanged by breakpoints", async (t) => {
  const gdb = await client(t);
  assert.match(gdb.ask("?"), /^T05thread:1;/);
  assert.equal(gdb.step(), false);
  const code = gdb.ask(`m${hex(GUEST.at.work)},10`);
  assert.equal(gdb.ask(`Z0,${hex(GUEST.at.work)},1`), "OK");
  assert.match(gdb.go("vCont;c"), /^T05thread:1;swbreak:;/);
  assert.equal(gdb.register("eip"), GUEST.at.work);
  assert.equal(gdb.ask(`m${hex(GUEST.at.work)},10`), code);
  assert.deepEqual([...gdb.machine.memory.read(GUEST.at.work, 16)], [...Buffer.from(code, "hex")]);
});

for (const jit of ["off", "eager"] as const)
  test(`R3.11 each call comes to a breakpoint, and none without it; a hardware one is the same (--jit ${jit})`, async (t) => {
    const gdb = await client(t, { jit });
    for (const [kind, name] of [
      ["0", "swbreak"],
      ["1", "hwbreak"],
    ]) {
      assert.equal(gdb.ask(`Z${kind},${hex(GUEST.at.work)},1`), "OK");
      assert.match(gdb.go("vCont;c"), new RegExp(`^T05thread:1;${name}:;`));
      const before = gdb.word(COUNTER);
      for (let i = 1; i <= 50; i++) {
        assert.match(gdb.go("vCont;c"), new RegExp(`^T05thread:1;${name}:;`));
        assert.equal(gdb.word(COUNTER), before + i);
      }
      assert.equal(gdb.ask(`z${kind},${hex(GUEST.at.work)},1`), "OK");
    }
    gdb.send("vCont;c");
    gdb.run(100);
    assert.equal(gdb.next(), undefined);
  });

test("R3.11 a step executes one instruction of one CPU; a step by a range those that lie in it", async (t) => {
  const gdb = await client(t);
  bothRun(gdb);
  assert.equal(gdb.register("eip"), GUEST.at.work);
  const [spins, counter] = [gdb.word(SPINS), gdb.word(COUNTER)];
  assert.match(gdb.go("vCont;s:1"), /^T05thread:1;$/);
  assert.equal(gdb.register("eip"), GUEST.at.work + 1);
  assert.match(gdb.go(`vCont;r${hex(GUEST.at.work)},${hex(GUEST.at.counted)}:1`), /^T05thread:1;$/);
  assert.equal(gdb.register("eip"), GUEST.at.counted);
  assert.equal(gdb.word(COUNTER), counter + 1);
  assert.equal(gdb.word(SPINS), spins, "the other CPU stood still");
});

test("R3.11 a step keeps interrupts and the guest's time away, as QEMU's does, and gdb may have it otherwise", async (t) => {
  const gdb = await client(t);
  bothRun(gdb);
  assert.equal(gdb.ask("qqemu.sstepbits"), "ENABLE=1,NOIRQ=2,NOTIMER=4");
  assert.equal(gdb.ask("qqemu.sstep"), "0x7");
  const ticks = gdb.word(TICKS);
  const now = gdb.machine.now();
  await new Promise((resolve) => setTimeout(resolve, 20));
  for (let i = 0; i < 200; i++) assert.match(gdb.go("vCont;s:1;c"), /^T05thread:1;$/);
  assert.equal(gdb.word(TICKS), ticks);
  assert.ok(gdb.machine.now() - now < 5e6, `${gdb.machine.now() - now} ns`);
  assert.equal(gdb.ask("Qqemu.sstep=1"), "OK");
  assert.equal(gdb.ask(`Z0,${hex(GUEST.at.tick)},1`), "OK");
  let stop = "";
  for (let i = 0; i < 200_000 && !stop.includes("swbreak"); i++) stop = gdb.go("vCont;s:1;c");
  assert.equal(gdb.register("eip"), GUEST.at.tick, "the timer's handler came between two steps");
});

test("R3.11 watchpoints stop behind a write, a read or either, and say where; others do not stop", async (t) => {
  const gdb = await client(t);
  bothRun(gdb);
  for (const [kind, name] of [
    ["2", "watch"],
    ["4", "awatch"],
  ]) {
    assert.equal(gdb.ask(`Z${kind},${hex(COUNTER)},4`), "OK");
    assert.equal(gdb.go("vCont;c"), `T05thread:1;${name}:${hex(COUNTER)};`);
    assert.equal(gdb.register("eip"), GUEST.at.counted);
    assert.equal(gdb.ask(`z${kind},${hex(COUNTER)},4`), "OK");
  }
  assert.equal(gdb.ask(`Z2,${hex(SPINS)},4`), "OK");
  assert.equal(gdb.go("vCont;c"), `T05thread:2;watch:${hex(SPINS)};`);
});

test("R3.11 threads are CPUs, with what they do; one may run while the other stands still", async (t) => {
  const gdb = await client(t);
  assert.equal(gdb.ask("qfThreadInfo"), "m1,2");
  assert.equal(gdb.ask("qsThreadInfo"), "l");
  const said = (id: number): string => Buffer.from(gdb.ask(`qThreadExtraInfo,${id}`), "hex").toString();
  assert.equal(said(1), "CPU 0 [running]");
  assert.equal(said(2), "CPU 1 [waits to be started]");
  assert.equal(gdb.ask("T2"), "OK");
  assert.equal(gdb.ask("T3"), "E16");
  bothRun(gdb);
  assert.equal(gdb.ask("Hg2"), "OK");
  const second = gdb.register("eip");
  assert.ok(second >= GUEST.at.rest && second < GUEST.at.first, hex(second));
  assert.equal(gdb.ask("Hgp1.1"), "OK");
  const [counter, spins] = [gdb.word(COUNTER), gdb.word(SPINS)];
  gdb.send("vCont;c:2");
  gdb.run(50);
  gdb.stub.receive(Uint8Array.of(3));
  assert.match(gdb.next() ?? "", /^T02thread:/);
  assert.equal(gdb.word(COUNTER), counter);
  assert.ok(gdb.word(SPINS) > spins);
});

test("R3.11 Ctrl-C stops a machine that runs; detach lets it go on without breakpoints; another gdb may come", async (t) => {
  const gdb = await client(t);
  bothRun(gdb);
  assert.equal(gdb.ask(`Z0,${hex(GUEST.at.tick)},1`), "OK");
  assert.equal(gdb.ask("D"), "OK");
  const ticks = (): number => Buffer.from(gdb.machine.memory.read(TICKS, 4)).readUInt32LE(0);
  const before = ticks();
  for (let i = 0; i < 5000 && ticks() === before; i++) gdb.run(1);
  assert.ok(ticks() > before);
  assert.equal(gdb.next(), undefined);
  gdb.attach();
  assert.match(gdb.ask("?"), /^T05thread:/);
  assert.equal(gdb.step(), false);
});

for (const architecture of ["i386", "i386:x86-64"] as GdbArchitecture[])
  test(`R3.11 registers of ${architecture} are described, read and written; what no CPU can hold is refused`, async (t) => {
    const gdb = await client(t, { architecture });
    let xml = "";
    for (let part = "m"; part.startsWith("m"); xml += part.slice(1))
      part = gdb.ask(`qXfer:features:read:target.xml:${hex(xml.length)},1000`);
    const described = [...xml.matchAll(/<reg name="([^"]+)" bitsize="(\d+)"/g)].map(([, name, bits]) => [
      name,
      Number(bits),
    ]);
    const registers = registersOf(architecture);
    assert.deepEqual(
      described,
      registers.map(({ name, bits }) => [name, bits]),
    );
    for (const { name } of featuresOf(architecture)) assert.ok(xml.includes(`<feature name="${name}">`));
    const all = gdb.ask("g");
    assert.equal(
      all.length,
      registers.reduce((sum, { bits }) => sum + bits / 4, 0),
    );
    assert.equal(gdb.ask(`G${all}`), "OK");
    const number = (name: string): string => hex(registers.findIndex((one) => one.name === name));
    const long = architecture === "i386" ? "" : "00000000";
    const [bx, cr0] = [architecture === "i386" ? "ebx" : "rbx", "cr0"];
    assert.equal(gdb.ask(`P${number(bx)}=78563412${long}`), "OK");
    assert.equal(gdb.register(bx), 0x12345678);
    assert.equal(gdb.ask(`P${number("st3")}=0102030405060708ff3f`), "OK");
    assert.equal(gdb.ask(`p${number("st3")}`), "0102030405060708ff3f");
    assert.equal(gdb.ask(`P${number("xmm1")}=${"ab".repeat(16)}`), "OK");
    assert.equal(gdb.ask(`p${number("xmm1")}`), "ab".repeat(16));
    assert.equal(gdb.ask(`P${number(cr0)}=00000080${long}`), "E16", "PG without PE");
    assert.equal(gdb.ask(`P${number("mxcsr")}=ffffffff`), "E16");
    assert.equal(gdb.ask("Pfff=00"), "E01");
    assert.equal(gdb.ask(`p${hex(registers.length)}`), "E16");
  });

test("R3.11 memory is read as far as it is RAM, written as a whole or not; physical where gdb asks for it", async (t) => {
  const gdb = await client(t);
  assert.equal(gdb.ask(`M${hex(COUNTER)},2:abcd`), "OK");
  assert.equal(gdb.ask(`X${hex(COUNTER + 2)},2:\x01}`), "OK");
  assert.equal(gdb.ask(`m${hex(COUNTER)},4`), "abcd017d");
  assert.equal(gdb.ask("m7ffffe,8"), "0000", "up to the end of RAM");
  assert.equal(gdb.ask("mfee00000,4"), "E0e", "no device is asked");
  assert.equal(gdb.ask("M7ffffe,4:01020304"), "E0e");
  assert.equal(gdb.ask("m7ffffe,2"), "0000", "nothing was written");
  assert.equal(gdb.ask("mffffffffffffffff,8"), "E0e");
  assert.equal(gdb.ask("qqemu.PhyMemMode"), "0");
  assert.equal(gdb.ask("Qqemu.PhyMemMode:1"), "OK");
  assert.equal(gdb.ask(`m${hex(COUNTER)},4`), "abcd017d");
  assert.match(
    gdb.ask("qXfer:memory-map:read::0,800"),
    /<memory type="ram" start="0x0" length="0x[0-9a-f]+"\/>/,
  );
  assert.equal(gdb.ask("m800000,4"), "E0e");
});

test("R3.11 packets that make no sense are errors, or not understood; the machine stays as it was", async (t) => {
  const gdb = await client(t);
  for (const unknown of ["", "!", "R00", "b", "qFoo", "QFoo", "vFoo", "vMustReplyEmpty", "Z9,0,1", "Hx1"])
    assert.equal(gdb.ask(unknown), "", unknown);
  for (const wrong of [
    "mzz,4",
    "m10",
    "M10,4:00",
    "X10,1",
    "Gxyz",
    "P",
    "Z0,zz",
    "Z2,0,0",
    "Z2,0,ffffff",
    "H",
    "Hg77",
    "Tzz",
    "vCont;x",
    "vCont;c:9",
    "vCont",
    "vCont;",
    "qThreadExtraInfo,z",
    "qRcmd,0",
  ])
    assert.match(gdb.ask(wrong), /^(E[0-9a-f]{2})?$/, wrong);
  assert.equal(gdb.ask("qXfer:features:read:other.xml:0,100"), "E00");
  assert.equal(gdb.machine.instructions, 0);
});

test("R3.11 a machine that crashes is kept for a look; it ends when gdb lets it", async (t) => {
  const gdb = await client(t);
  bothRun(gdb);
  // No handler of any exception, and UD2.
  gdb.machine.memory.fill(0x9000, 0x800, 0);
  assert.equal(gdb.ask(`M${hex(GUEST.at.work)},2:0f0b`), "OK");
  let stop = gdb.go("vCont;c");
  assert.match(Buffer.from(stop.slice(1), "hex").toString(), /^locore: crashed \(triple-fault\)/);
  stop = gdb.next() ?? "";
  assert.match(stop, /^T06thread:/);
  assert.equal(gdb.register("eip"), GUEST.at.work);
  assert.equal(gdb.go("vCont;c"), "W04");
});

test("R3.11 gdb hears how a machine ended; kill ends it", async (t) => {
  const gdb = await client(t, { rounds: 100 });
  assert.equal(gdb.go("vCont;c"), "W01");
  const other = await client(t);
  other.send("k");
  assert.deepEqual(other.machine.end, machineEnd("interrupted", "gdb kill"));
  assert.equal(other.step(), false);
});

test("R3.11 monitor: registers, interrupts, translations, devices, addresses; what is wrong is said", async (t) => {
  const gdb = await client(t, { snapshot: (file) => `saved to ${file}` });
  bothRun(gdb);
  const monitor = (text: string): string => {
    const shown = gdb.ask(`qRcmd,${Buffer.from(text).toString("hex")}`);
    assert.equal(gdb.next(), "OK");
    return Buffer.from(shown.slice(1), "hex").toString();
  };
  assert.match(monitor("help"), /^info registers +all of a CPU/m);
  assert.match(monitor("info registers"), /^CPU 0: ready, \d+ instructions\nrax /);
  assert.match(monitor("info irq"), /^local APIC 1: enabled/m);
  assert.match(monitor("info irq"), /^8259 master: requested/m);
  assert.match(monitor("info tlb"), /^data 0x0*200000 -> 0x200000$/m);
  assert.match(monitor("info devices"), /^lapic: addresses 0xfee00000-/m);
  assert.match(monitor("info mem"), /^CPU 0 has no paging/);
  assert.match(monitor("translate 0x200000"), /^0x200000 -> 0x200000 \(RAM\): writable, executable/);
  assert.match(monitor("translate zz"), /expected an address/);
  assert.equal(monitor("snapshot a b.snap"), "saved to a b.snap\n");
  assert.equal(monitor("log"), "no kernel's log was found in memory\n");
  assert.match(monitor("symbols x"), /no file can be written/);
  assert.match(monitor("frobnicate"), /^frobnicate: no such command\nhelp/);
  assert.match(monitor("quit"), /the machine ends/);
  assert.equal(gdb.machine.end?.route, "gdb monitor quit");
});

test("R3.11 monitor reset: the machine begins again and stands still, breakpoints hold, and QEMU's word for it does the same", async (t) => {
  const gdb = await client(t);
  const monitor = (text: string): string => {
    const shown = gdb.ask(`qRcmd,${Buffer.from(text).toString("hex")}`);
    assert.equal(gdb.next(), "OK");
    return Buffer.from(shown.slice(1), "hex").toString();
  };
  const entry = gdb.register("eip");
  bothRun(gdb);
  gdb.ask(`Z0,${hex(GUEST.at.work)},1`);
  for (const word of ["reset", "system_reset"]) {
    assert.match(gdb.go("vCont;c"), /^T05.*swbreak/);
    assert.notEqual(gdb.word(COUNTER) + gdb.word(TICKS), 0);
    assert.match(monitor(word), /^the machine is as it began/);
    assert.equal(gdb.register("eip"), entry);
    assert.equal(gdb.word(COUNTER) + gdb.word(TICKS), 0);
    assert.equal(gdb.machine.stats().resets, 0);
    assert.match(gdb.go("vCont;c"), /^T05.*swbreak/);
    assert.equal(gdb.register("eip"), GUEST.at.work);
  }
  gdb.machine.finish(machineEnd("interrupted", "test"));
  assert.equal(monitor("reset"), "this machine cannot begin again\n");
});
