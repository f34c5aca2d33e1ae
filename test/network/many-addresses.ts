/**
 * A host with addresses of every kind, as a process in a network of its own (unshare(1)): services on all of them at once, by TCP and by
 * UDP. It runs a guest that tries each, and says as JSON what was reached.
 *
 * Arguments: the program of the command line, then addresses, which are those of its interfaces or led to it.
 */
import { spawn } from "node:child_process";
import dgram from "node:dgram";
import http from "node:http";

const PORT = 8000;
const [program, ...addresses] = process.argv.slice(2);

/** What reached which service. */
export interface Reached {
  tcp: string[];
  udp: string[];
  out: string;
  err: string;
}

const reached: Reached = { tcp: [], udp: [], out: "", err: "" };
const server = http.createServer((request, answer) => {
  reached.tcp.push(request.headers.host ?? "");
  answer.end("reached\n");
});
const datagrams = dgram.createSocket("udp4");
datagrams.on("message", (bytes) => reached.udp.push(bytes.toString().trim()));
await new Promise<void>((resolve) => server.listen(PORT, "0.0.0.0", resolve));
await new Promise<void>((resolve) => datagrams.bind(PORT, "0.0.0.0", resolve));
// The services are there: this process reaches them itself, by each address.
for (const address of addresses) await fetch(`http://${address}:${PORT}/`);
reached.tcp = [];
const script = `
  for each in ${[...addresses, "10.0.2.2"].join(" ")}; do
    wget -qO- http://$each:${PORT}/ 2>/dev/null && echo "$each was reached"
    timeout 2 tftp -g -r $each -l /tmp/got $each ${PORT} >/dev/null 2>&1
  done
  echo over`;
const words = ["run", "--timeout", "150s", "--net", "user", "--", "sh", "-c", script];
const child = spawn(process.execPath, [program, ...words], { stdio: ["ignore", "pipe", "pipe"] });
child.stdout.on("data", (bytes: Buffer) => (reached.out += bytes.toString()));
child.stderr.on("data", (bytes: Buffer) => (reached.err += bytes.toString()));
await new Promise((resolve) => child.on("close", resolve));
console.log(JSON.stringify(reached));
process.exit(0);
