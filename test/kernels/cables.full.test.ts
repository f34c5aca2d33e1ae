/** R3.7, R1.4 Linux's own driver and stack on cables: machines on a switch and what becomes of them when one is killed, QEMU and passt as peers. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import http from "node:http";
import type net from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { describe, test, type TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { pcapngFrames } from "../support/pcapng-reader.js";
import { requireTool } from "../support/requires.js";
import { hasRunGuests, startRun, type RunningCommand } from "../support/run-command.js";

const LIMIT = { timeout: 280_000 };

function folderOf(t: TestContext): string {
  const folder = mkdtempSync(path.join(tmpdir(), "locore-c-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** A page of this host's. */
async function page(t: TestContext): Promise<number> {
  const server = http.createServer((_request, answer) => answer.end("a page\n"));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => server.close());
  return (server.address() as net.AddressInfo).port;
}

describe("R3.7 --net with a cable, with Debian's cloud kernel", { concurrency: 2 }, () => {
  test(
    "R3.7 R1.4 switch: three machines reach each other; when the one that has the switch is killed, the others go on, and nothing is left",
    LIMIT,
    async (t) => {
      if (!(await hasRunGuests(t))) return;
      const folder = folderOf(t);
      const capture = path.join(folder, "frames");
      const on = (address: number, script: string, ...words: string[]): RunningCommand =>
        startRun(t, ["--net", `switch=s,addr=10.0.3.${address}/24`, ...words, "--", "sh", "-c", script], {
          env: { XDG_RUNTIME_DIR: folder },
        });
      const first = on(1, "echo up; sleep 1000");
      await first.shows("up");
      const server = on(2, "while :; do echo answer | nc -l -p 7; done & echo up; sleep 1000");
      await server.shows("up");
      const script = `
        until ping -c1 -W1 10.0.3.1 >/dev/null; do :; done
        until nc -w 2 10.0.3.2 7 </dev/null; do :; done
        echo both
        while ping -c1 -W1 10.0.3.1 >/dev/null; do :; done
        until nc -w 2 10.0.3.2 7 </dev/null; do :; done
        ip link show eth0 | grep -o 'link/ether [0-9a-f:]*'`;
      const client = on(3, script, "--pcap", capture);
      await client.shows("both");
      process.kill(first.pid, "SIGKILL");
      const end = await client.ended;
      assert.equal(end.status, 0, end.err);
      const lines = end.out.toString().trim().split("\n");
      assert.deepEqual(lines.slice(0, 3), ["answer", "both", "answer"]);
      assert.match(lines[3], /^link\/ether 52:54:00:/);
      assert.ok(pcapngFrames(readFileSync(capture)).length > 10);
      process.kill(server.pid, "SIGTERM");
      await server.ended;
      assert.ok(!existsSync(path.join(folder, "locore/switch-s.sock")), "who had it last took it away");
    },
  );

  test(
    "R3.7 socket: a machine that listens gets its address from QEMU's network by -netdev stream, and a page",
    LIMIT,
    async (t) => {
      if (!(await hasRunGuests(t)) || requireTool(t, "qemu-system-x86_64") === undefined) return;
      const at = path.join(folderOf(t), "net.sock");
      const port = await page(t);
      const run = startRun(t, [
        "--net",
        `socket=${at},listen=yes`,
        "--",
        "sh",
        "-c",
        `ip -4 addr show eth0 | grep -o 'inet [0-9./]*'; wget -qO- http://10.0.2.2:${port}/`,
      ]);
      while (!existsSync(at)) await sleep(20);
      const words = `-machine none -nographic -monitor none -serial none
      -netdev stream,id=s,server=off,addr.type=unix,addr.path=${at} -netdev user,id=u
      -netdev hubport,id=a,hubid=0,netdev=s -netdev hubport,id=b,hubid=0,netdev=u`;
      const qemu = spawn("qemu-system-x86_64", words.split(/\s+/), { stdio: "ignore" });
      t.after(() => qemu.kill("SIGKILL"));
      const end = await run.ended;
      assert.equal(end.out.toString(), "inet 10.0.2.15/24\na page\n", end.err);
    },
  );

  test(
    "R3.7 socket: a machine that connects to passt gets an address and reaches this host",
    LIMIT,
    async (t) => {
      if (!(await hasRunGuests(t)) || requireTool(t, "passt") === undefined) return;
      const at = path.join(folderOf(t), "net.sock");
      const port = await page(t);
      const passt = spawn("passt", ["-f", "-q", "-s", at, "--runas", String(process.getuid?.() ?? 0)], {
        stdio: "ignore",
      });
      t.after(() => passt.kill("SIGKILL"));
      while (!existsSync(at)) await sleep(20);
      const script = `wget -qO- http://$(ip route | sed -n 's/default via \\([^ ]*\\).*/\\1/p'):${port}/`;
      const end = await startRun(t, ["--net", `socket=${at}`, "--", "sh", "-c", script]).ended;
      assert.equal(end.out.toString(), "a page\n", end.err);
    },
  );
});
