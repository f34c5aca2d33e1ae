/** Linux's own drivers on the virtio devices that are no disks: entropy, console and named ports, balloon (R3.5). */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import test from "node:test";
import type { Channel } from "../../src/devices/part.js";
import { kernelModules, VIRTIO_MODULES } from "../support/kernel-modules.js";
import {
  assertEnd,
  bootKernel,
  guestValue,
  WITHOUT_CRYPTO_TESTS,
  type KernelBoot,
  type KernelBootOptions,
} from "../support/kernel-boot.js";
import { randomBytes } from "../support/random.js";

const COMMAND_LINE = `console=ttyS0 quiet ${WITHOUT_CRYPTO_TESTS}`;

async function bootWith(
  t: test.TestContext,
  drivers: readonly string[],
  script: string,
  options: Partial<KernelBootOptions>,
): Promise<KernelBoot | undefined> {
  const modules = await kernelModules(t, "debian-cloud", [...VIRTIO_MODULES, ...drivers]);
  if (modules === undefined) return undefined;
  return bootKernel(t, {
    commandLine: COMMAND_LINE,
    initramfs: { packages: modules.packages, command: `${modules.load}\n${script}` },
    ...options,
  });
}

/** Input that has an end. */
function ended(bytes: Uint8Array): Channel {
  let rest = bytes;
  return {
    write: () => undefined,
    read: (limit) => {
      const now = rest.subarray(0, limit);
      rest = rest.subarray(now.length);
      return now;
    },
    inputOpen: () => rest.length > 0,
  };
}

/** A channel that keeps what the guest wrote. */
function heard(input: Channel = ended(new Uint8Array(0))): Channel & { text(): Buffer } {
  const got: Uint8Array[] = [];
  return { ...input, write: (bytes) => void got.push(bytes.slice()), text: () => Buffer.concat(got) };
}

const PAGES = 8192;

test("R3.5 R1.10 one Linux drives a console with ports, a source of entropy and a balloon", async (t) => {
  const sent = randomBytes(5, 300_000);
  const both = heard({ ...ended(sent), inputOpen: () => true });
  const screen = heard();
  const boot = await bootWith(
    t,
    ["virtio_console", "virtio-rng", "virtio_balloon"],
    `port() { for each in /sys/class/virtio-ports/*; do [ "$(cat $each/name 2>/dev/null)" = $1 ] && echo /dev/\${each##*/}; done; }
     until [ -n "$(port empty)" -a -n "$(port text)" -a -n "$(port both)" ]; do sleep 0.1; done
     head -c ${sent.length} $(port both) > /tmp/in
     cat /tmp/in > $(port both)
     echo "size=$(wc -c < /tmp/in)"
     echo "empty=$(cat $(port empty) | wc -c)"
     echo "text=$(cat $(port text) | sha256sum | cut -d' ' -f1)"
     echo "again=$(cat $(port text) | wc -c)"
     echo shown > /dev/hvc0
     echo "console=$(stty -F /dev/hvc0 size)"
     cat /sys/class/misc/hw_random/rng_current
     echo "distinct=$(dd if=/dev/hwrng bs=1k count=4 iflag=fullblock 2>/dev/null | od -An -v -tx4 -w4 | sort -u | wc -l)"
     echo "reporting=$(cut -c6 /sys/bus/virtio/drivers/virtio_balloon/virtio*/features)"
     sleep 2
     awk '/^balloon_inflate/ { print "inflated=" $2 }' /proc/vmstat`,
    {
      more: {
        moreDevices: [
          { type: "virtio-console", config: { terminal: "screen", ports: ["empty", "text", "both"] } },
          { type: "virtio-rng" },
          { type: "virtio-balloon", config: { pages: PAGES } },
        ],
      },
      channels: new Map([
        ["empty", ended(new Uint8Array(0))],
        ["text", ended(sent)],
        ["both", both],
        ["screen", screen],
      ]),
    },
  );
  if (boot === undefined) return;
  assertEnd(boot, "off", "acpi-s5", 0);
  const value = (name: string): string => guestValue(boot.console, name);
  assert.equal(value("size"), String(sent.length));
  assert.deepEqual(both.text(), Buffer.from(sent));
  assert.equal(value("empty"), "0", "who reads a port finds the end of its input, also behind none at all");
  assert.equal(value("text"), createHash("sha256").update(sent).digest("hex"));
  assert.equal(value("again"), "0");
  assert.equal(screen.text().toString("latin1"), "shown\r\n");
  assert.equal(value("console"), "25 80");
  assert.match(boot.console, /virtio_rng\.0/);
  assert.ok(Number(value("distinct")) > 1000);
  assert.equal(value("reporting"), "1");
  assert.equal(value("inflated"), String(PAGES));
});
