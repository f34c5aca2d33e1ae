/**
 * Programs as judges of shared folders (R3.1), each on a share of every `cache`: git, a compiler and make, fio, and random work on a
 * file that the host does as well. What they leave is looked at on the host.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { test, type TestContext } from "node:test";
import { DOCUMENTATION } from "../../src/guests/initramfs/package-files.js";
import { SHARE_CACHES, type ShareCache } from "../../src/share/share-options.js";
import { FSX_SOURCE, fsxOnHost } from "../support/fsx.js";
import { guestValue, WITHOUT_CRYPTO_TESTS } from "../support/kernel-boot.js";
import { kernelFiles, locore } from "../support/kernel-files.js";
import { VIRTIO_MODULES } from "../support/kernel-modules.js";
import { requireGuest, requirePackages, requireTool } from "../support/requires.js";

const LIMIT_S = 900;
const LIMIT = { timeout: (LIMIT_S + 60) * 1000 };
const MODULES = [...VIRTIO_MODULES, "fuse", "virtiofs"];

/** Of the packages, what no judge asks for: a smaller initramfs boots sooner. */
const UNUSED = [
  /^boot\//,
  /perl|\/gconv\//,
  /^usr\/lib\/git-core\/git-(remote|http|imap|daemon|shell|sh-)/,
  /^usr\/bin\/(scalar|git-shell)$/,
  /lib(c|m-2\.36|mvec|tirpc|nsl|rt|crypt|pthread)\.a$/,
];

interface Judged {
  console: string;
  /** The host's folder behind each share. */
  folders: ReadonlyMap<ShareCache, string>;
  /** For other files of the host. */
  folder: string;
}

/**
 * Runs a script in /mnt/CACHE for every cache, with $cache set, and programs of packages; `put` fills a folder before. Undefined after a
 * skip.
 */
async function judged(
  t: TestContext,
  packages: readonly string[],
  script: string,
  put: (folder: string) => void = () => undefined,
): Promise<Judged | undefined> {
  const kernel = await requireGuest(t, "debian-cloud");
  if (kernel === undefined) return undefined;
  const set = await requirePackages(t, {
    packages: ["dash", ...packages, `${kernel.package}=${kernel.version}`],
    assume: ["kmod", "linux-base", "initramfs-tools"],
  });
  if (set === undefined) return undefined;
  const otherModules = new RegExp(`^usr/lib/modules/(?!.*/(${MODULES.join("|")})\\.ko$)`);
  const files = await kernelFiles(t, {
    packages: { ...set, omit: [...DOCUMENTATION, ...UNUSED, otherModules] },
    command: [
      "set -e",
      ...MODULES.map((name) => `insmod $(find /lib/modules -name ${name}.ko)`),
      "export HOME=/root",
      `for cache in ${SHARE_CACHES.join(" ")}; do`,
      "mkdir -p /mnt/$cache; mount -t virtiofs $cache /mnt/$cache; cd /mnt/$cache",
      script,
      "cd /; umount /mnt/$cache",
      "done",
    ].join("\n"),
  });
  if (files === undefined) return undefined;
  const folders = new Map(SHARE_CACHES.map((cache) => [cache, path.join(files.folder, cache)]));
  for (const folder of folders.values()) {
    mkdirSync(folder);
    put(folder);
  }
  const machine = locore([
    ...["boot", files.kernel, "--initrd", files.initrd, "-m", "768M", "--timeout", String(LIMIT_S)],
    ...[...folders].flatMap(([cache, folder]) => ["--share", `${folder}:${cache},rw,cache=${cache}`]),
    ...["--append", `console=ttyS0 quiet ${WITHOUT_CRYPTO_TESTS}`],
  ]).during(t);
  machine.child.stdin.end();
  const { status, out, err } = await machine.ended;
  assert.match(out, /^locore: exit 0\r?$/m, `${out.slice(-3000)}${err}`);
  assert.equal(status, 0, err);
  return { console: out.replaceAll("\r", ""), folders, folder: files.folder };
}

const FILES = 200;

const GIT = `
git config --global safe.directory '*'; git config --global user.name judge; git config --global user.email judge
git init -q -b main repository; cd repository
i=0; while [ $i -lt ${FILES} ]; do mkdir -p d$((i % 7)); seq $i $((i * 3)) >d$((i % 7))/f$i; i=$((i + 1)); done
git add . && git commit -qm first
git checkout -qb side; seq 1 5000 >d0/f0; git mv d1/f1 d2/moved; git rm -q d3/f3; git commit -qam second
git checkout -q main; echo more >>d4/f4; git commit -qam third
git merge -q --no-edit side
[ -z "$(git status --porcelain)" ]
git clone -q . ../clone
git gc -q; git fsck --full --strict
git -C ../clone fsck --full --strict
[ -z "$(git -C ../clone status --porcelain)" ]
echo "$cache.head=$(git -C ../clone rev-parse HEAD)"
`;

test(
  "R3.1 git makes a repository on a share, merges, clones and packs it; the host's git finds it whole",
  LIMIT,
  async (t) => {
    const git = requireTool(t, "git");
    if (git === undefined) return;
    const found = await judged(t, ["git"], GIT);
    if (found === undefined) return;
    for (const [cache, folder] of found.folders)
      for (const name of ["repository", "clone"]) {
        const run = (...args: string[]): string => {
          const options = { cwd: path.join(folder, name), encoding: "utf8" } as const;
          const { status, stdout, stderr } = spawnSync(git, ["-c", "safe.directory=*", ...args], options);
          assert.equal(status, 0, `${cache} ${name}: git ${args.join(" ")}: ${stdout}${stderr}`);
          return stdout.trim();
        };
        run("fsck", "--full", "--strict");
        assert.equal(run("status", "--porcelain"), "", `${cache} ${name}`);
        assert.equal(run("ls-files").split("\n").length, FILES - 1);
        assert.equal(run("rev-parse", "HEAD"), guestValue(found.console, `${cache}.head`));
      }
  },
);

const PARTS = 30;

/** C that adds up a number of each of its parts, with a header that make has to write first. */
function putProject(folder: string): void {
  const parts = Array.from({ length: PARTS }, (_, i) => i);
  const write = (name: string, ...lines: string[]): void =>
    writeFileSync(path.join(folder, name), `${lines.join("\n")}\n`);
  for (const i of parts)
    write(
      `part${i}.c`,
      "#include <stdlib.h>",
      '#include "scale.h"',
      `int part${i}(void) { return ${i} * SCALE; }`,
    );
  write(
    "main.c",
    "#include <stdio.h>",
    ...parts.map((i) => `int part${i}(void);`),
    `int main(void) { printf("%d\\n", ${parts.map((i) => `part${i}()`).join(" + ")}); return 0; }`,
  );
  const objects = ["main.o", ...parts.map((i) => `part${i}.o`)].join(" ");
  write(
    "Makefile",
    ...[`sum: ${objects}`, "\ttcc -o $@ $^", "%.o: %.c scale.h", "\ttcc -c -o $@ $<"],
    ...["scale.h: scale.txt", '\techo "#define SCALE $$(cat $<)" >$@'],
  );
  write("scale.txt", "3");
}

const BUILD = `
make -s
echo "$cache.sum=$(./sum)"
make -q
sleep 2; echo 5 >scale.txt
make -s
echo "$cache.again=$(./sum)"
`;

test(
  "R3.1 make and a compiler build a project on a share, run it, and build again what is older than its source",
  LIMIT,
  async (t) => {
    const found = await judged(t, ["make", "tcc", "libc6-dev"], BUILD, putProject);
    if (found === undefined) return;
    const sum = (PARTS * (PARTS - 1)) / 2;
    for (const [cache, folder] of found.folders) {
      assert.equal(guestValue(found.console, `${cache}.sum`), String(3 * sum));
      assert.equal(guestValue(found.console, `${cache}.again`), String(5 * sum));
      assert.equal(readFileSync(path.join(folder, "scale.h"), "utf8"), "#define SCALE 5\n");
    }
  },
);

/** A shared mapping with cache=none needs Linux 6.6, which this is not. */
const FIO = `
ways="--ioengine=psync,--rw=write --ioengine=psync,--rw=randwrite --ioengine=psync,--rw=randrw,--fsync=16 --ioengine=psync,--rw=randwrite,--direct=1 --ioengine=libaio,--iodepth=8,--rw=randrw,--direct=1"
[ $cache = none ] || ways="$ways --ioengine=mmap,--rw=randwrite"
for way in $ways; do
  fio --name=judge --filename=file --size=8M --bsrange=512-128k --blockalign=512 $(echo $way | tr , ' ') \\
    --verify=crc32c --verify_fatal=1 --do_verify=1 --randseed=17 --thread --eta=never --output=/tmp/out || { cat /tmp/out; exit 1; }
  grep -q 'err= 0' /tmp/out
  echo "judge: $cache $way"
  rm file
done
fio --name=several --directory=. --numjobs=4 --size=2M --bs=4k --rw=randwrite --ioengine=psync \\
  --verify=sha256 --verify_fatal=1 --group_reporting --thread --eta=never --output=/tmp/out || { cat /tmp/out; exit 1; }
echo "judge: $cache several"
`;

test(
  "R3.1 fio writes to a share and verifies: in every size and order, O_DIRECT, mapped, several at once",
  LIMIT,
  async (t) => {
    const found = await judged(t, ["fio"], FIO);
    if (found === undefined) return;
    const judges = found.console.match(/^judge: \w+ /gm) ?? [];
    assert.equal(judges.length, SHARE_CACHES.length * 7 - 1, found.console.slice(-3000));
  },
);

const SEEDS = [1, 20261121, 77777];
const OPERATIONS = 1500;

const FSX = `
[ -e /fsx ] || tcc -o /fsx fsx.c
maps=1; [ $cache != none ] || maps=0
for seed in ${SEEDS.join(" ")}; do /fsx file$seed $seed ${OPERATIONS} $maps && echo "judge: $cache $seed"; done
`;

test(
  "R3.1 random writes, reads, truncations, appends and mappings of a seed leave what the same leave on the host",
  LIMIT,
  async (t) => {
    const found = await judged(t, ["tcc", "libc6-dev"], FSX, (folder) =>
      writeFileSync(path.join(folder, "fsx.c"), FSX_SOURCE),
    );
    if (found === undefined) return;
    for (const seed of SEEDS) {
      const expected = fsxOnHost(path.join(found.folder, "on-host"), seed, OPERATIONS);
      for (const [cache, folder] of found.folders) {
        assert.ok(found.console.includes(`judge: ${cache} ${seed}`), found.console.slice(-3000));
        assert.ok(expected.equals(readFileSync(path.join(folder, `file${seed}`))), `${cache}, seed ${seed}`);
      }
    }
  },
);
