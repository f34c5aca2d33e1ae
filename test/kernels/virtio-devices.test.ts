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
  driver: string,
  script: string,
  options: Partial<KernelBootOptions>,
): Promise<KernelBoot | undefined> {
  const modules = await kernelModules(t, "debian-cloud", [...VIRTIO_MODULES, driver]);
  if (modules === undefined) return undefined;
  return bootKernel(t, {
    commandLine: COMMAND_LINE,
    initramfs: { packages: modules.packages, command: `${modules.load}\n${script}` },
    ...options,
  });
}

test("R3.5 virtio-rng is Linux's hardware random number generator; a deterministic run repeats what it gives", async (t) => {
  const runs: string[] = [];
  for (let run = 0; run < 2; run++) {
    const boot = await bootWith(
      t,
      "virtio-rng",
      `cat /sys/class/misc/hw_random/rng_current
       echo "random=$(dd if=/dev/hwrng bs=1k count=64 iflag=fullblock 2>/dev/null | sha256sum)"
       echo "distinct=$(dd if=/dev/hwrng bs=1k count=4 2>/dev/null | od -An -v -tx4 -w4 | sort -u | wc -l)"`,
      { more: { moreDevices: [{ type: "virtio-rng" }] } },
    );
    if (boot === undefined) return;
    assertEnd(boot, "off", "acpi-s5", 0);
    assert.match(boot.console, /virtio_rng\.0/);
    assert.ok(Number(guestValue(boot.console, "distinct")) > 1000);
    runs.push(guestValue(boot.console, "random"));
  }
  assert.equal(runs[0], runs[1]);
});

test("R3.5 a named port of virtio-console carries every byte, both ways", async (t) => {
  const sent = randomBytes(5, 100_000);
  let given = 0;
  const got: Uint8Array[] = [];
  const channel: Channel = {
    write: (bytes) => void got.push(bytes.slice()),
    read: (limit) => {
      const bytes = sent.subarray(given, given + limit);
      given += bytes.length;
      return bytes;
    },
  };
  const boot = await bootWith(
    t,
    "virtio_console",
    `until [ -e /sys/class/virtio-ports/vport*p1/name ]; do sleep 0.1; done
     echo "name=$(cat /sys/class/virtio-ports/vport*p1/name)"
     head -c ${sent.length} /dev/vport*p1 > /tmp/in
     cat /tmp/in > $(echo /dev/vport*p1)
     echo "size=$(wc -c < /tmp/in)"
     echo "console=$(stty -F /dev/hvc0 size)"`,
    {
      more: { moreDevices: [{ type: "virtio-console", config: { ports: ["org.locore.test"] } }] },
      channels: new Map([["org.locore.test", channel]]),
    },
  );
  if (boot === undefined) return;
  assertEnd(boot, "off", "acpi-s5", 0);
  assert.equal(guestValue(boot.console, "name"), "org.locore.test");
  assert.equal(guestValue(boot.console, "console"), "25 80");
  assert.deepEqual(Buffer.concat(got), Buffer.from(sent));
});

test("R1.10 who reads a named port finds the end of its input, also behind none at all; a terminal is hvc0", async (t) => {
  const ended = (bytes: Uint8Array): Channel => {
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
  };
  const shown: Uint8Array[] = [];
  const text = randomBytes(6, 1_000_000);
  const boot = await bootWith(
    t,
    "virtio_console",
    `port() { for each in /sys/class/virtio-ports/*; do [ "$(cat $each/name 2>/dev/null)" = $1 ] && echo /dev/\${each##*/}; done; }
     until [ -n "$(port empty)" -a -n "$(port text)" ]; do sleep 0.1; done
     echo "empty=$(cat $(port empty) | wc -c)"
     echo "text=$(cat $(port text) | sha256sum | cut -d' ' -f1)"
     echo "again=$(cat $(port text) | wc -c)"
     echo shown > /dev/hvc0`,
    {
      more: {
        moreDevices: [{ type: "virtio-console", config: { terminal: "screen", ports: ["empty", "text"] } }],
      },
      channels: new Map<string, Channel>([
        ["empty", ended(new Uint8Array(0))],
        ["text", ended(text)],
        ["screen", { write: (bytes) => void shown.push(bytes.slice()), read: () => new Uint8Array(0) }],
      ]),
    },
  );
  if (boot === undefined) return;
  assertEnd(boot, "off", "acpi-s5", 0);
  assert.equal(guestValue(boot.console, "empty"), "0");
  assert.equal(guestValue(boot.console, "text"), createHash("sha256").update(text).digest("hex"));
  assert.equal(guestValue(boot.console, "again"), "0");
  assert.equal(Buffer.concat(shown).toString("latin1"), "shown\r\n");
});

test("R3.5 hvc0 is a console: what is written to it is the machine's console", async (t) => {
  const boot = await bootWith(
    t,
    "virtio_console",
    `echo "through hvc0" > /dev/hvc0; stty -F /dev/hvc0 size`,
    {
      more: { moreDevices: [{ type: "virtio-console", config: { backend: "console" } }] },
    },
  );
  if (boot === undefined) return;
  assertEnd(boot, "off", "acpi-s5", 0);
  assert.match(boot.console, /^through hvc0$/m);
  assert.match(boot.console, /^25 80$/m);
});

test("R3.5 a balloon takes what it is asked for, and hears of free pages", async (t) => {
  const PAGES = 8192;
  const boot = await bootWith(
    t,
    "virtio_balloon",
    `echo "reporting=$(cut -c6 /sys/bus/virtio/devices/virtio0/features)"
     for i in 1 2 3; do sleep 1; done
     awk '/^balloon_inflate/ { print "inflated=" $2 }' /proc/vmstat`,
    { more: { moreDevices: [{ type: "virtio-balloon", config: { pages: PAGES } }] } },
  );
  if (boot === undefined) return;
  assertEnd(boot, "off", "acpi-s5", 0);
  assert.equal(guestValue(boot.console, "reporting"), "1");
  assert.equal(guestValue(boot.console, "inflated"), String(PAGES));
});
