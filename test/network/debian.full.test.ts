/**
 * R3.7 Debian's own programs on the user-mode network: apt, curl, ApacheBench, dig, ping, an SSH server. Everything beyond the guest is in
 * this process, or is this host's.
 */
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import dgram from "node:dgram";
import { readdirSync, readFileSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import http from "node:http";
import net, { type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { test, type TestContext } from "node:test";
import { AptRepository } from "../support/apt-repository.js";
import { randomBytes } from "../support/random.js";
import { requirePackages, requireTool } from "../support/requires.js";
import { hasRunGuests, startRun } from "../support/run-command.js";

const LIMIT = { timeout: 600_000 };
const MINUTES = ["--timeout", "8m"];
const NET = ["--net", "user,host=yes"];
const MIB = 2 ** 20;

type Handler = (request: http.IncomingMessage, answer: http.ServerResponse) => void;

/** Serves on this host's loopback; gives the port. */
async function serve(t: TestContext, handler: Handler): Promise<number> {
  const server = http.createServer(handler);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  return (server.address() as AddressInfo).port;
}

/** A port that nobody has, for now. */
async function freePort(): Promise<number> {
  const server = net.createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Whether this can run; the reason is told otherwise. */
async function has(t: TestContext, packages: string): Promise<boolean> {
  if (!(await hasRunGuests(t))) return false;
  return (await requirePackages(t, { packages: packages.split(",") })) !== undefined;
}

const root = (packages: string): string[] => ["--root", `debian:${packages}`];
const shell = (script: string): string[] => ["--", "sh", "-c", script];

async function temporary(t: TestContext): Promise<string> {
  const folder = await mkdtemp(path.join(tmpdir(), "locore-net-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

test("R3.7 apt-get finds and fetches a package of a repository of this host", LIMIT, async (t) => {
  const packages = "apt,dpkg";
  if (!(await has(t, packages))) return;
  const repository = new AptRepository(await temporary(t));
  const content = randomBytes(3, MIB);
  await repository.publish([
    { name: "told", version: "1.2", files: [{ name: "usr/share/told", bytes: content }] },
  ]);
  const asked: string[] = [];
  const port = await serve(t, (request, answer) => {
    asked.push(request.url ?? "");
    readFile(path.join(repository.pool, path.basename(request.url ?? ""))).then(
      (bytes) => answer.end(bytes),
      () => answer.writeHead(404).end(),
    );
  });
  const script = `
    mkdir -p /etc/apt/apt.conf.d /var/lib/dpkg /var/lib/apt/lists/partial /var/cache/apt/archives/partial /w && cd /w
    : >/var/lib/dpkg/status
    echo 'deb [trusted=yes] http://host.locore:${port} ./' >/etc/apt/sources.list
    echo 'APT::Sandbox::User "root";' >/etc/apt/apt.conf.d/own
    apt-get update >/tmp/said 2>&1 && apt-get download told >>/tmp/said 2>&1 || cat /tmp/said
    md5sum <told_1.2_amd64.deb | cut -c1-32`;
  const { out, err } = await startRun(t, [...root(packages), "-m", "512M", ...NET, ...shell(script)]).ended;
  const file = readFileSync(repository.packageFile("told", "1.2"));
  assert.equal(out.toString().trim(), createHash("md5").update(file).digest("hex"), err);
  assert.ok(asked.includes("/./Packages"), asked.join(" "));
});

test("R3.7 200 MB arrive as they were, both ways", LIMIT, async (t) => {
  const packages = "curl";
  if (!(await has(t, packages))) return;
  const big = Buffer.concat(Array.from({ length: 20 }, (_, i) => randomBytes(i + 1, 10_000_000)));
  const hash = createHash("md5");
  let sent = 0;
  const port = await serve(t, (request, answer) => {
    if (request.method === "GET") {
      answer.end(big);
      return;
    }
    request.on("data", (bytes: Buffer) => {
      sent += bytes.length;
      hash.update(bytes);
    });
    request.on("end", () => answer.end("taken\n"));
  });
  const url = `http://host.locore:${port}/`;
  const script = `curl -s -o /tmp/big ${url}; md5sum </tmp/big | cut -c1-32; curl -s -T /tmp/big ${url}`;
  const words = [...root(packages), "-m", "768M", ...NET, ...MINUTES, ...shell(script)];
  const { out, err } = await startRun(t, words).ended;
  const digest = createHash("md5").update(big).digest("hex");
  assert.equal(out.toString(), `${digest}\ntaken\n`, err);
  assert.deepEqual([sent, hash.digest("hex")], [big.length, digest]);
});

/** Open descriptors of a process, and what it has in memory, bytes. */
function held(pid: number): { descriptors: number; resident: number } {
  const status = readFileSync(`/proc/${pid}/status`, "latin1");
  const resident = 1024 * Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]);
  return { descriptors: readdirSync(`/proc/${pid}/fd`).length, resident };
}

test(
  "R3.7 20,000 short connections, twenty at once: none fails, and the process holds no more of this host's for them",
  { ...LIMIT, skip: process.platform === "linux" ? false : "reads /proc" },
  async (t) => {
    const packages = "apache2-utils";
    if (!(await has(t, packages))) return;
    let connections = 0;
    const port = await serve(t, (_, answer) => answer.end("answer\n"));
    const counted = await serve(t, (_, answer) => answer.end(`${connections++}\n`));
    const bench = (count: number, words = ""): string =>
      `ab -q -c 20 -n ${count} ${words} http://10.0.2.2:${port}/ | grep -E '^(Complete|Failed|Non-2xx)'`;
    // What is made once is there before the first look.
    const script = `
      wget -qO- http://10.0.2.2:${counted}/ >/dev/null
      ${bench(2000)}; sleep 3; echo warm; sleep 1
      ${bench(20_000)}; sleep 3; echo over; sleep 2`;
    const run = startRun(t, [...root(packages), "-m", "512M", ...NET, ...MINUTES, ...shell(script)]);
    await run.shows("warm");
    const before = held(run.pid);
    let most = 0;
    const looking = setInterval(() => (most = Math.max(most, held(run.pid).descriptors)), 100);
    const begun = performance.now();
    await run.shows("over");
    const seconds = (performance.now() - begun) / 1000;
    clearInterval(looking);
    const after = held(run.pid);
    const { out, err } = await run.ended;
    const lines = out.toString().replaceAll(/ +/g, " ").trim().split("\n");
    const [complete, failed] = ["Complete requests: ", "Failed requests: 0"];
    assert.deepEqual(
      lines,
      [`${complete}2000`, failed, "warm", `${complete}20000`, failed, "over"],
      out.toString() + err,
    );
    t.diagnostic(
      `${(20_000 / seconds).toFixed(0)} connections a second; descriptors ${before.descriptors}, ${most} at most, ${after.descriptors}; ` +
        `resident ${(before.resident / MIB).toFixed(0)} to ${(after.resident / MIB).toFixed(0)} MiB`,
    );
    assert.ok(most < before.descriptors + 150, `${most} descriptors at most, ${before.descriptors} before`);
    assert.ok(after.descriptors <= before.descriptors + 5, `${after.descriptors} descriptors behind it`);
    assert.ok(after.resident - before.resident < 150 * MIB, `${before.resident} to ${after.resident} bytes`);
  },
);

/** Time that a process has used, ms; its threads count. */
function processorTime(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "latin1").split(") ")[1].split(" ");
  return 10 * (Number(fields[11]) + Number(fields[12]));
}

test(
  "R3.7 500 connections on which nobody says anything cost no time",
  { ...LIMIT, skip: process.platform === "linux" ? false : "reads /proc" },
  async (t) => {
    const packages = "bash";
    if (!(await has(t, packages))) return;
    const open = new Set<net.Socket>();
    const server = net.createServer((socket) => {
      open.add(socket);
      socket.on("error", () => undefined);
      socket.on("close", () => open.delete(socket));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    t.after(() => {
      server.close();
      for (const socket of open) socket.destroy();
    });
    const { port } = server.address() as AddressInfo;
    const script = `
      ulimit -n 2000; sleep 8; echo none; sleep 12
      for ((i = 0; i < 500; i++)); do exec {fd}<>/dev/tcp/10.0.2.2/${port}; done
      sleep 8; echo open; sleep 12; echo over`;
    const run = startRun(t, [...root(packages), "-m", "512M", ...NET, "--", "bash", "-c", script]);
    const used = async (): Promise<number> => {
      const [begun, before] = [performance.now(), processorTime(run.pid)];
      await new Promise((resolve) => setTimeout(resolve, 10_000));
      return (processorTime(run.pid) - before) / (performance.now() - begun);
    };
    await run.shows("none");
    const idle = await used();
    await run.shows("open");
    assert.equal(open.size, 500);
    const connected = await used();
    await run.shows("over");
    t.diagnostic(
      `${(idle * 100).toFixed(1)} % of a core idle, ${(connected * 100).toFixed(1)} % with 500 open`,
    );
    assert.ok(connected < idle + 0.02, `${idle} of a core, ${connected} with connections`);
  },
);

/** A nameserver of this host's: what it says by datagram is cut short if it is long. */
async function nameserver(t: TestContext): Promise<number> {
  const long = Buffer.alloc(200, "x");
  const answerTo = (question: Buffer, byDatagram: boolean): Buffer => {
    let end = 12;
    const labels: string[] = [];
    for (; question[end] > 0; end += 1 + question[end])
      labels.push(question.subarray(end + 1, end + 1 + question[end]).toString());
    const asked = question.subarray(12, end + 5);
    const count = labels[0] === "large" ? 12 : 1;
    const cut = byDatagram && count > 1;
    const text = labels[0] === "large" ? long : Buffer.from(`text of ${labels.join(".")}`);
    // A pointer to the name, TXT, IN, a minute.
    const record = Buffer.concat([
      Buffer.from([0xc0, 12, 0, 16, 0, 1, 0, 0, 0, 60, 0, text.length + 1, text.length]),
      text,
    ]);
    const head = Buffer.from([question[0], question[1], cut ? 0x83 : 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0]);
    head[7] = cut ? 0 : count;
    return Buffer.concat([head, asked, ...(cut ? [] : Array.from({ length: count }, () => record))]);
  };
  const server = net.createServer((socket) => {
    socket.on("error", () => undefined);
    socket.once("data", (bytes) => {
      const answer = answerTo(bytes.subarray(2), false);
      socket.end(Buffer.concat([Buffer.from([answer.length >>> 8, answer.length & 0xff]), answer]));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const datagrams = dgram.createSocket("udp4");
  datagrams.on("message", (bytes, from) => datagrams.send(answerTo(bytes, true), from.port, from.address));
  await new Promise<void>((resolve) => datagrams.bind(port, "127.0.0.1", resolve));
  t.after(() => {
    server.close();
    datagrams.close();
  });
  return port;
}

test(
  "R3.7 dig finds addresses, texts and an answer of 2.5 KB, by datagrams and by TCP; ping and a datagram's echo are answered",
  LIMIT,
  async (t) => {
    const packages = "bind9-dnsutils,iputils-ping,socat";
    if (!(await has(t, packages))) return;
    const names = await nameserver(t);
    const echo = dgram.createSocket("udp4");
    echo.on("message", (bytes, from) => echo.send(bytes, from.port, from.address));
    await new Promise<void>((resolve) => echo.bind(0, "127.0.0.1", resolve));
    t.after(() => echo.close());
    const { port } = echo.address();
    const script = `
      dig +short host.locore A
      dig +short localhost.example AAAA; dig host.locore AAAA | grep -o 'status: [A-Z]*'
      dig +short said.example TXT
      dig +short +notcp large.example TXT | wc -l
      dig +short +tcp large.example TXT | sort -u | tr -d '"\\n' | wc -c
      ping -c 3 -i 0.2 10.0.2.2 | grep -o '3 received'
      head -c 20000 /dev/zero | tr '\\0' e >/tmp/datagram
      socat -t 5 -b 30000 - UDP:host.locore:${port} </tmp/datagram | md5sum; md5sum </tmp/datagram`;
    // The host's own nameservers are where the network is; here it is told of another.
    const env = {
      NODE_OPTIONS: `--import data:text/javascript,import(%22node:dns%22).then(d=>d.setServers([%22127.0.0.1:${names}%22]))`,
    };
    const words = [...root(packages), "-m", "512M", ...NET, ...shell(script)];
    const { out, err } = await startRun(t, words, { env }).ended;
    const lines = out.toString().trim().split("\n");
    assert.deepEqual(
      lines.slice(0, 6),
      ["10.0.2.2", "status: NOERROR", '"text of said.example"', "12", "200", "3 received"],
      out.toString() + err,
    );
    assert.equal(lines[6], lines[7], "the datagram comes back, in its pieces");
  },
);

test("R3.7 ssh of this host's into the guest, by a key: a command, and 5 MB through it", LIMIT, async (t) => {
  const packages = "dropbear-bin";
  if (!(await has(t, packages))) return;
  const [ssh, keygen] = [requireTool(t, "ssh"), requireTool(t, "ssh-keygen")];
  if (ssh === undefined || keygen === undefined) return;
  const folder = await temporary(t);
  const key = path.join(folder, "key");
  assert.equal(spawnSync(keygen, ["-q", "-t", "ed25519", "-N", "", "-f", key]).status, 0);
  const port = await freePort();
  const script = `
    mkdir -p /root/.ssh /etc/dropbear /var/run
    echo 'root:x:0:0:root:/root:/bin/sh' >/etc/passwd; echo 'root:*:19000::::::' >/etc/shadow; echo /bin/sh >/etc/shells
    echo '${readFileSync(`${key}.pub`, "latin1").trim()}' >/root/.ssh/authorized_keys
    chmod 700 /root /root/.ssh; chmod 600 /root/.ssh/authorized_keys; chown -R 0:0 /root
    dropbearkey -t ed25519 -f /etc/dropbear/key >/dev/null 2>&1
    dropbear -F -E -s -r /etc/dropbear/key -p 22 &
    while ! grep -q ':0016 ' /proc/net/tcp; do sleep 0.1; done
    echo serving; wait`;
  const run = startRun(t, [
    ...[...root(packages), "-m", "256M", "--net", "user", "--publish", `${port}:22`],
    ...[...MINUTES, ...shell(script)],
  ]);
  await run.shows("serving");
  const options = [
    "StrictHostKeyChecking=no",
    "UserKnownHostsFile=/dev/null",
    "LogLevel=ERROR",
    "BatchMode=yes",
  ];
  const words = [...options.flatMap((one) => ["-o", one]), "-F", "none", "-i", key, "-p", `${port}`];
  const call = (command: string, input: Uint8Array): Promise<string> =>
    new Promise((resolve) => {
      const child = spawn(ssh, [...words, "root@127.0.0.1", command], { stdio: "pipe" });
      let said = "";
      child.stdout.on("data", (bytes: Buffer) => (said += bytes.toString()));
      child.stderr.on("data", (bytes: Buffer) => (said += bytes.toString()));
      child.stdin.on("error", () => undefined);
      child.on("close", () => resolve(said));
      child.stdin.end(input);
    });
  assert.equal(
    await call("cat /sys/class/net/eth0/address; id -u", new Uint8Array(0)),
    "52:54:00:12:34:56\n0\n",
  );
  const bytes = randomBytes(9, 5_000_000);
  const digest = createHash("md5").update(bytes).digest("hex");
  assert.equal((await call("md5sum", bytes)).slice(0, 32), digest);
});

test(
  "R1.4 R3.7 a machine that is killed leaves no process, no port and no connection",
  { ...LIMIT, skip: process.platform === "linux" ? false : "reads /proc" },
  async (t) => {
    if (!(await hasRunGuests(t))) return;
    const closed: Promise<void>[] = [];
    const server = net.createServer((socket) => {
      socket.on("error", () => undefined);
      closed.push(new Promise((resolve) => socket.on("close", () => resolve())));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    t.after(() => server.close());
    const { port } = server.address() as AddressInfo;
    const published = await freePort();
    const capture = path.join(await temporary(t), "killed.pcapng");
    const script = `for i in $(seq 20); do nc 10.0.2.2 ${port} & done; sleep 2; echo connected; sleep 100`;
    const words = [...NET, "--publish", `${published}:80`, "--pcap", capture, ...shell(script)];
    const run = startRun(t, words);
    await run.shows("connected");
    assert.equal(closed.length, 20);
    const marked = (): string[] =>
      readdirSync("/proc").filter((pid) => {
        try {
          return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/cmdline`, "latin1").includes(capture);
        } catch {
          return false;
        }
      });
    assert.deepEqual(marked(), [`${run.pid}`]);
    process.kill(run.pid, "SIGKILL");
    await run.ended;
    await Promise.all(closed);
    assert.deepEqual(marked(), []);
    const again = net.createServer();
    await new Promise<void>((resolve, reject) => {
      again.on("error", reject);
      again.listen(published, "127.0.0.1", resolve);
    });
    again.close();
  },
);
