/** R3.7, R1.4 A tap: frames both ways with an interface of this host, which goes with the process. Needs Linux, koffi and leave to make one. */
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { accessSync, constants, existsSync } from "node:fs";
import test from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { CableNetwork } from "../../src/host/node/net/cable-network.js";
import { nativeCalls } from "../../src/host/node/native-calls.js";
import { encodeFrame, FrameReader } from "../../src/net/frame-stream.js";

const PATIENCE_MS = 20_000;

/** Why there can be no tap here. */
async function missing(): Promise<string | false> {
  if (nativeCalls() === undefined) return "koffi is not here";
  if (process.getuid?.() !== 0) return "only root makes taps";
  try {
    accessSync("/dev/net/tun", constants.R_OK | constants.W_OK);
    execFileSync("ip", ["tuntap"], { stdio: "ignore" });
    return false;
  } catch {
    return "/dev/net/tun or ip is not here";
  }
}
const skip = await missing();
const names = ["a", "b", "c"].map((letter) => `lc${process.pid % 100_000}${letter}`);
const isThere = (name: string): boolean => existsSync(`/sys/class/net/${name}`);

async function until(is: () => boolean, what: string): Promise<void> {
  const end = performance.now() + PATIENCE_MS;
  while (!is()) {
    assert.ok(performance.now() < end, what);
    await sleep(5);
  }
}

function cable(name: string, said: string[] = []): CableNetwork {
  return new CableNetwork({ mtu: 1500, cable: { kind: "tap", name } }, { say: (line) => said.push(line) });
}

/** Who has 10.251.7.1? */
function question(): Uint8Array {
  const bytes = new Uint8Array(42);
  bytes.fill(0xff, 0, 6);
  bytes.set([2, 0, 0, 0, 0, 1], 6);
  bytes.set([8, 6, 0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 1, 10, 251, 7, 2], 12);
  bytes.set([10, 251, 7, 1], 38);
  return bytes;
}

test(
  "R3.7 tap: the host answers a guest's frame; the interface goes when the cable is out",
  { skip },
  async () => {
    const network = cable(names[0]);
    await network.opened();
    assert.ok(isThere(names[0]));
    execFileSync("ip", ["addr", "add", "10.251.7.1/24", "dev", names[0]]);
    execFileSync("ip", ["link", "set", names[0], "up"]);
    const reader = new FrameReader();
    const answers: Uint8Array[] = [];
    network.connect((bytes) => {
      reader.push(bytes.slice());
      for (let frame = reader.next(); frame !== undefined; frame = reader.next())
        if (frame.bytes[12] === 8 && frame.bytes[13] === 6 && frame.bytes[21] === 2)
          answers.push(frame.bytes);
      return bytes.length;
    });
    await until(() => {
      void network.channel.output(encodeFrame({ bytes: question() }));
      return answers.length > 0;
    }, "an answer of ARP");
    assert.deepEqual([...answers[0].subarray(28, 32)], [10, 251, 7, 1]);
    await network.close();
    assert.ok(!isThere(names[0]));
  },
);

test(
  "R3.7 tap: one that another process has, and one that is no tap, are said with what to do",
  { skip },
  async () => {
    const network = cable(names[1]);
    await network.opened();
    await assert.rejects(cable(names[1]).opened(), /another process that has it/);
    await assert.rejects(cable("lo").opened(), /an interface of another kind/);
    execFileSync("ip", ["tuntap", "add", "dev", names[2], "mode", "tap", "multi_queue"]);
    try {
      await assert.rejects(cable(names[2]).opened(), /a tap of several queues.*without multi_queue/s);
    } finally {
      execFileSync("ip", ["tuntap", "del", "dev", names[2], "mode", "tap", "multi_queue"]);
    }
    await network.close();
  },
);

test(
  "R3.7 tap: one that is taken away meanwhile is told of once, and nothing else happens",
  { skip },
  async () => {
    const said: string[] = [];
    const network = cable(names[0], said);
    await network.opened();
    network.connect((bytes) => bytes.length);
    execFileSync("ip", ["link", "del", names[0]]);
    await until(() => said.length > 0, "a word");
    await network.close();
    assert.equal(said.length, 1);
    assert.match(said[0], /nothing more is exchanged/);
  },
);

const MODULE = new URL("../../src/host/node/net/cable-network.js", import.meta.url).href;

for (const [ending, code] of [
  ["kill -9", `process.kill(process.pid, "SIGKILL");`],
  ["an exit that closes nothing", "process.exit(0);"],
] as const)
  test(`R1.4 tap: ${ending} leaves no interface and no process`, { skip }, async () => {
    const script = `import { CableNetwork } from ${JSON.stringify(MODULE)};
const network = new CableNetwork({ mtu: 1500, cable: { kind: "tap", name: ${JSON.stringify(names[2])} } }, { say() {} });
await network.opened();
network.connect((bytes) => bytes.length);
process.stdout.write("there");
process.stdin.once("data", () => { ${code} });`;
    const child = spawn(process.execPath, ["--input-type=module", "-e", script], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    await once(child.stdout, "data");
    assert.ok(isThere(names[2]));
    child.stdin.end("x");
    await once(child, "close");
    assert.ok(!isThere(names[2]));
  });

test(
  "R3.7 tap: one that was made for heads before its frames (vnet_hdr) gives and takes frames without",
  { skip },
  async () => {
    const name = names[2];
    execFileSync("ip", ["tuntap", "add", "dev", name, "mode", "tap", "vnet_hdr"]);
    try {
      const network = cable(name);
      await network.opened();
      execFileSync("ip", ["link", "set", name, "up"]);
      const sent = (): number =>
        Number(execFileSync("cat", [`/sys/class/net/${name}/statistics/rx_bytes`], { encoding: "utf8" }));
      await until(() => {
        void network.channel.output(encodeFrame({ bytes: question() }));
        return sent() > 0;
      }, "the host has a frame");
      assert.equal(sent() % question().length, 0);
      await network.close();
    } finally {
      execFileSync("ip", ["tuntap", "del", "dev", name, "mode", "tap"]);
    }
  },
);
