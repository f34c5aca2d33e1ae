/** The README's first commands, as a newcomer runs them. */
import test from "node:test";
import { holds, newcomer, prepare, useBlocks, type Expected } from "./readme.js";

const UNAME = /^Linux locore 6\.1\.\S+-cloud-amd64 .* x86_64 GNU\/Linux\r?$/m;

const FIRST: readonly Expected[] = [
  { command: "run --", shows: /^Linux vm 6\.1\.\S+-cloud-amd64 .* x86_64 GNU\/Linux$/m },
  { command: "initramfs", shows: /^initrd\.img: [\d.]+ MiB/m },
  { command: "boot debian-cloud", shows: UNAME },
  { command: "boot -M microvm", shows: UNAME },
  { command: "boot seabios", shows: /^firmware: SeaBIOS \(version /m },
  { command: "plan", shows: /"regions": \[/ },
  { command: "inspect", shows: /vmlinuz-\S+: Linux bzImage, x86-64/ },
  { command: "export", shows: /^guest\.cfg: written$/m },
  { command: "doctor", shows: /^wasm: works/m },
];

test("R3.1 the README's first commands run as they stand, from an empty folder and an empty cache", async (t) => {
  const [[run, pull, ...others]] = useBlocks();
  const folder = await newcomer(t);
  if (folder === undefined || !(await prepare(t, folder, [run, pull]))) return;
  await holds(folder, [run, ...others], FIRST);
});
