/**
 * The kernel's own tests of its ciphers, in kernel mode: every module of AES-NI, PCLMULQDQ, SHA, SSE and BMI2 code that
 * Debian builds is loaded, `tcrypt` asks for every algorithm there is, and each must have passed its self-test.
 */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import test from "node:test";
import type { PackageSet } from "../../src/guests/index.js";
import { entriesOfDeb } from "../../src/guests/archives/deb.js";
import { DOCUMENTATION } from "../../src/guests/initramfs/package-files.js";
import { assertEnd, bootKernel, lastWords } from "../support/kernel-boot.js";
import { requirePackages } from "../support/requires.js";

interface Subject {
  package: string;
  release: string;
  architecture: "amd64" | "i386";
  /** Drivers that must be among those that passed: one at least for each kind of instruction. */
  drivers: readonly string[];
}

const AES = ["aes-aesni", "cbc-aes-aesni", "xts-aes-aesni"];
const X86_64 = [
  ...AES,
  "ctr-aes-aesni",
  "sha1-ni",
  "sha256-ni",
  "curve25519-x86",
  "chacha20-simd",
  "poly1305-simd",
];

const SUBJECTS: readonly Subject[] = [
  {
    package: "linux-image-cloud-amd64",
    release: "bookworm",
    architecture: "amd64",
    drivers: [
      ...X86_64,
      "generic-gcm-aesni",
      "sha1-ssse3",
      "sha512-ssse3",
      "ghash-clmulni",
      "crc32c-intel",
      "crct10dif-pclmul",
    ],
  },
  { package: "linux-image-cloud-amd64", release: "trixie", architecture: "amd64", drivers: X86_64 },
  {
    package: "linux-image-686-pae",
    release: "bookworm",
    architecture: "i386",
    drivers: [...AES, "crc32c-intel", "crc32-pclmul", "ecb-serpent-sse2", "twofish-asm"],
  },
];

const LIMIT = 25e9;
const MEMORY = 512 * 2 ** 20;
/** kmod loads liblzma only when it meets a compressed module, so no dependency names it. */
const LOADER = ["kmod", "liblzma5", "dash"];
/** What would pull a whole boot into the initramfs. */
const ASSUME = ["initramfs-tools", "linux-initramfs-tool", "linux-base", "apparmor", "dracut"];
const OMIT = [...DOCUMENTATION, /^boot\//, /^usr\/lib\/modules\/[^/]*\/kernel\/(?!crypto|lib|arch)/];

/** `force` is for ciphers that are no faster than C on some CPUs; a module for AVX finds no device here. */
const SCRIPT = `
depmod -a
cd /lib/modules/*/kernel/arch/x86/crypto
for module in *.ko*; do
  name=\${module%%.ko*}
  case $name in *avx*) continue ;; esac
  modprobe $name || modprobe $name force=1 || echo "not loaded: $name"
done 2>/dev/null
modprobe tcrypt 2>/dev/null
dmesg | grep -E "alg: .*(fail|wrong|overran|unexpected)"
modprobe raid6_pq || echo "not loaded: raid6_pq"
echo algorithms:
busybox awk '/^driver/ { driver = $3 } /^selftest/ { print driver, $3 }' /proc/crypto | sort
`;

async function kernelOf(set: PackageSet): Promise<Uint8Array> {
  for (const { name, file } of set.packages) {
    if (!/^linux-image-\d/.test(name)) continue;
    for (const entry of entriesOfDeb(await readFile(file))) {
      if (/^\.\/boot\/vmlinuz-/.test(entry.path)) return entry.bytes.slice();
    }
  }
  return assert.fail("no package holds a kernel");
}

for (const subject of SUBJECTS) {
  const { release, architecture, drivers } = subject;
  test(`R6.1 every cipher of ${release}'s ${subject.package} passes the kernel's self-test`, async (t) => {
    const packages = await requirePackages(t, {
      packages: [subject.package, ...LOADER],
      release,
      architecture,
      assume: ASSUME,
    });
    if (!packages) return;
    const boot = await bootKernel(t, {
      image: { name: subject.package, bytes: await kernelOf(packages) },
      busybox: architecture === "i386" ? "busybox-i386" : "busybox",
      loader: { name: "pvh" },
      commandLine: "console=ttyS0 loglevel=1",
      memory: MEMORY,
      maxInstructions: LIMIT,
      initramfs: { packages: { ...packages, omit: OMIT }, command: SCRIPT },
    });
    if (!boot) return;
    assertEnd(boot, "off", "acpi-s5", 0);
    const [before, after = ""] = boot.console.split("algorithms:\n");
    assert.doesNotMatch(before, /^not loaded/m);
    // Algorithms that tcrypt knows and Debian does not build.
    const absent = /failed to allocate transform for \S+ -2$|failed \(rc=-2\)$/;
    const failures = before.split("\n").filter((line) => /alg: /.test(line) && !absent.test(line));
    assert.deepEqual(failures, []);
    const results = after.split("\n").filter((line) => / (passed|unknown)$/.test(line));
    t.diagnostic(`${results.length} algorithms`);
    assert.deepEqual(
      results.filter((line) => !line.endsWith(" passed")),
      [],
    );
    assert.ok(results.length >= 100, lastWords(boot.console));
    const passed = new Set(results.map((line) => line.replace(/ passed$/, "")));
    assert.deepEqual(
      drivers.filter((name) => !passed.has(name)),
      [],
    );
  });
}
