/**
 * FreeBSD's own driver and stack on the user-mode network (R3.7): it takes the guest's address, fetches a page and sends what was asked.
 * Kernel and file system are in no package that can be fetched: LOCORE_FREEBSD names the folder that has them; without
 * it there is nothing to test.
 */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import http from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import { locore } from "../support/kernel-files.js";
import { freebsdInit, PAGE_BEGINS, PAGE_ENDS, withInit } from "./freebsd-init.js";

const folder = process.env["LOCORE_FREEBSD"] ?? "";
const KERNEL = path.join(folder, "freebsd-net.kernel");
const ROOT = path.join(folder, "freebsd-root.ufs");
const there = folder !== "" && existsSync(KERNEL) && existsSync(ROOT);
const COMMAND_LINE = "boot_serial=1 hw.uart.console=io:0x3f8 vfs.root.mountfrom=ufs:/dev/vtbd0";
const LINES = 2000;

test(
  "R3.7 FreeBSD takes its address, and a page of 2000 lines arrives whole",
  { skip: there ? false : "LOCORE_FREEBSD has no kernel", timeout: 280_000 },
  async (t) => {
    const lines = Array.from({ length: LINES }, (_, i) => `line ${i} of the page`);
    const asked: string[] = [];
    const server = http.createServer((request, answer) => {
      asked.push(request.url ?? "");
      answer.end(`${lines.join("\n")}\n`);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    t.after(() => server.close());
    const { port } = server.address() as AddressInfo;
    const own = await mkdtemp(path.join(tmpdir(), "locore-freebsd-"));
    t.after(() => rm(own, { recursive: true, force: true }));
    const disk = path.join(own, "root.ufs");
    await writeFile(disk, withInit(new Uint8Array(readFileSync(ROOT)), freebsdInit(port, "/from-freebsd")));
    const words = ["boot", KERNEL, "--append", COMMAND_LINE, "--disk", `${disk},rw`, "--timeout", "240"];
    const { status, out, err } = await locore([...words, "--net", "user,host=yes"]).during(t).ended;
    const text = out.replaceAll("\r", "");
    assert.equal(status, 0, `${text.slice(-2000)}${err}`);
    assert.deepEqual(asked, ["/from-freebsd"]);
    const page = text.slice(text.indexOf(PAGE_BEGINS) + PAGE_BEGINS.length, text.indexOf(PAGE_ENDS));
    assert.match(page, /HTTP\/1.1 200 OK/);
    assert.deepEqual(page.trim().split("\n").slice(-LINES), lines);
  },
);
