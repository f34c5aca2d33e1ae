/**
 * R6.1 `formats/`, `boot/`, `verdicts/`, `convert/` and `export/` run unchanged where there is no Node: the file that the build makes for
 * pages, in a bare context and in Chromium, says of every kind of file what the modules say here. Nothing leaves the page.
 */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import test from "node:test";
import vm from "node:vm";
import { transform } from "esbuild";
import puppeteer, { type Page } from "puppeteer-core";
import * as library from "../../src/api/browser.js";
import { kernels, otherFiles, type FileKind } from "../support/file-kinds.js";
import { repositoryRoot, repositoryText } from "../support/repository.js";
import { requireGuest, requireTool } from "../support/requires.js";
import { brokenKernels } from "../verdicts/x86-collection.js";
import { everything } from "./everything.js";

const BUNDLE = path.join(repositoryRoot, "dist/browser/locore.js");
const code = readFileSync(BUNDLE, "utf8");

function samples(): FileKind[] {
  // Their readers are those of the sound ones: a part of them is enough.
  const broken = brokenKernels()
    .filter((_, i) => i % 3 === 0)
    .map(({ name, bytes }): FileKind => [name, bytes, "broken"]);
  return [...kernels(), ...otherFiles(), ...broken];
}

/** What the library must not need of the world around it: Node's, and what reaches out of a page. */
const OUTSIDE = [
  ...["process", "Buffer", "require", "__dirname", "__filename", "setImmediate", "global"],
  ...["window", "document", "navigator", "location", "self", "globalThis", "localStorage", "indexedDB"],
  ...["fetch", "XMLHttpRequest", "WebSocket", "EventSource", "Worker", "importScripts", "setTimeout"],
];

test("R6.1 the file for pages imports nothing, and names no global of Node's and none that reaches out of a page", async () => {
  assert.doesNotMatch(code, /^import\b|\bimport\(/m);
  // Only globals are replaced: a property or a local of that name is none.
  const define = Object.fromEntries(OUTSIDE.map((name) => [name, `__outside_${name}`]));
  const { code: marked } = await transform(`${code}\nexport default typeof fetch;`, { define });
  assert.deepEqual(
    marked.match(/__outside_\w+/g),
    ["__outside_fetch"],
    "what was put in to be found, and no more",
  );
});

test("R6.1 in a context that has nothing but TextDecoder and TextEncoder it says what it says here", async () => {
  const { code: script } = await transform(code, { format: "iife", globalName: "locore" });
  const context = vm.createContext({ TextDecoder, TextEncoder });
  vm.runInContext(script, context);
  const say = vm.runInContext(
    `const everything = ${everything.toString()}; (text) => everything(locore, Uint8Array.from(JSON.parse(text)))`,
    context,
  ) as (text: string) => string;
  for (const [name, bytes] of samples())
    assert.equal(say(JSON.stringify(Array.from(bytes))), everything(library, bytes), name);
});

/** A page that is given files and says what they are. Its policy lets it load its script, and connect to nobody. */
const PAGE = `<!doctype html>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'self' 'unsafe-inline'; img-src data:">
<link rel="icon" href="data:,">
<input type="file" id="files" multiple>
<script type="module">
import * as library from "./locore.js";
const everything = ${everything.toString()};
document.querySelector("#files").addEventListener("change", async ({ target }) => {
  const said = [];
  for (const file of target.files) said.push(everything(library, new Uint8Array(await file.arrayBuffer())));
  window.said = said;
});
window.ready = true;
</script>`;

/** The page of `docs/browser.md`, as it stands. */
const EXAMPLE = /```html\n([^]*?)```/.exec(repositoryText("docs/browser.md"))?.[1] ?? "";

/** Serves the page and its script, and notes what is asked for. */
async function serve(): Promise<{ url: string; asked: string[]; close(): void }> {
  const asked: string[] = [];
  const server = createServer(({ url = "" }, answer) => {
    asked.push(url);
    const script = url === "/locore.js";
    answer.setHeader("content-type", script ? "text/javascript" : "text/html");
    answer.end(script ? code : url === "/example" ? EXAMPLE : PAGE);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}/`, asked, close: () => void server.close() };
}

const LIMIT_MS = 60_000;

/** Starts Chromium and gives `use` a page of it. */
async function inChromium(executablePath: string, use: (page: Page) => Promise<void>): Promise<void> {
  // Chromium's sandbox does not start for root.
  const args = process.getuid?.() === 0 ? ["--no-sandbox"] : [];
  const browser = await puppeteer.launch({ executablePath, headless: "shell", args });
  try {
    const page = await browser.newPage();
    page.setDefaultTimeout(LIMIT_MS);
    await use(page);
  } finally {
    await browser.close();
  }
}

/** What a file field can do; its own type is the browser's, which is not known here. */
type FileField = { uploadFile(...files: string[]): Promise<void> };

/** Gives the page's file field files, as a person would. */
async function choose(page: Page, files: readonly string[]): Promise<void> {
  const input = await page.$("input[type=file]");
  assert.ok(input);
  await (input as unknown as FileField).uploadFile(...files);
}

test("R6.1 in Chromium it says of every kind of file, and of Debian's kernel, what it says here; the page asks for nothing more", async (t) => {
  const browser = requireTool(t, "chromium-headless-shell");
  const guest = await requireGuest(t, "debian-cloud");
  if (browser === undefined || guest === undefined) return;
  const folder = mkdtempSync(path.join(tmpdir(), "locore-browser-"));
  const { url, asked, close } = await serve();
  try {
    const files = samples().map(([, bytes], i) => {
      const file = path.join(folder, String(i));
      writeFileSync(file, bytes);
      return file;
    });
    files.push(guest.files.kernel);
    await inChromium(browser, async (page) => {
      await page.goto(url);
      await page.waitForFunction("window.ready === true");
      await page.setOfflineMode(true);
      await choose(page, files);
      await page.waitForFunction("window.said !== undefined");
      const said = (await page.evaluate("window.said")) as string[];
      assert.equal(said.length, files.length);
      files.forEach((file, i) => {
        assert.equal(said[i], everything(library, new Uint8Array(readFileSync(file))), file);
      });
      assert.deepEqual(asked, ["/", "/locore.js"]);
      await page.setOfflineMode(false);
      await page.goto(`${url}example`);
      await choose(page, [files[0]]);
      await page.waitForFunction('document.body.textContent.includes("PVH entry")');
      const text = (await page.evaluate("document.body.textContent")) as string;
      assert.match(text, /ELF64 x86-64 EXEC, PVH entry at 0x200000: qemu-microvm, qemu-pc, firecracker/);
    });
  } finally {
    close();
    rmSync(folder, { recursive: true });
  }
});
