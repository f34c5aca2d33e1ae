/**
 * `--share` as a person has it, with Linux's own driver (R3.1): a folder of the host, read-only unless rw is said; what the guest does in it
 * is what the host finds.
 */
import assert from "node:assert/strict";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { test, type TestContext } from "node:test";
import { guestValue, WITHOUT_CRYPTO_TESTS } from "../support/kernel-boot.js";
import { kernelFiles, locore } from "../support/kernel-files.js";
import { kernelModules, VIRTIO_MODULES } from "../support/kernel-modules.js";

const LIMIT = { timeout: 280_000 };
const COMMAND_LINE = `console=ttyS0 quiet ${WITHOUT_CRYPTO_TESTS}`;
const MODULES = [...VIRTIO_MODULES, "fuse", "virtiofs"];

interface Guest {
  /** Where a test keeps its files. */
  folder: string;
  words: string[];
}

async function guestOf(t: TestContext, script: string): Promise<Guest | undefined> {
  const modules = await kernelModules(t, "debian-cloud", MODULES);
  if (modules === undefined) return undefined;
  const files = await kernelFiles(t, {
    packages: modules.packages,
    command: `${modules.load}\nmkdir -p /mnt /first /second\n${script}`,
  });
  return (
    files && {
      folder: files.folder,
      words: [files.kernel, "--initrd", files.initrd, "--append", COMMAND_LINE],
    }
  );
}

async function boot(t: TestContext, { words }: Guest, ...more: string[]): Promise<string> {
  const { status, out, err } = await locore(["boot", ...words, ...more]).during(t).ended;
  assert.equal(status, 0, out + err);
  return out.replaceAll("\r", "");
}

/** One boot shows all: a start of Linux takes longer than what follows. */
const WORK = `
mount -t virtiofs share0 /first; mount -t virtiofs share1 /second
echo "first=$(cat /first/one)"; echo "second=$(cat /second/two)"; echo "owner=$(stat -c %u:%g /second/two)"
(echo x > /first/new) 2>&1 | sed 's/^/new: /'; rm /first/one 2>&1 | sed 's/^/rm: /'
mount -t virtiofs work /mnt && cd /mnt || exit 9
echo "read=$(cat from-host)"
echo "link=$(readlink link)"
mkdir -p made/deep && echo written > made/deep/file && ln -s deep/file made/link && ln made/deep/file made/hard
mv made/hard made/renamed; chmod 600 made/renamed
head -c 3000000 /dev/urandom > big; md5sum big > sum; cp big made/copy; rm big
echo appended >> from-host; truncate -s 5 cut
touch -d @1000000000 from-host
cat ../etc/shadow 2>/dev/null; cat outside 2>&1
rmdir made 2>&1 | sed 's/^/rmdir: /'
sync; cd /; umount /mnt && mount -t virtiofs work /mnt && echo "again=$(cat /mnt/made/renamed)"
`;

test(
  "R3.1 what a guest does in a share is what the host finds there; a share is read-only unless rw is said, several have a tag each, and one an owner",
  LIMIT,
  async (t) => {
    const guest = await guestOf(t, WORK);
    if (guest === undefined) return;
    const shared = path.join(guest.folder, "shared");
    const at = (name: string): string => path.join(shared, name);
    mkdirSync(shared);
    writeFileSync(at("from-host"), "of the host\n");
    writeFileSync(at("cut"), "too long a text");
    writeFileSync(path.join(guest.folder, "secret"), "not to be seen");
    symlinkSync("from-host", at("link"));
    symlinkSync("../secret", at("outside"));
    const [first, second] = ["with, comma", "second"].map((name) => path.join(guest.folder, name));
    for (const folder of [first, second]) mkdirSync(folder);
    writeFileSync(path.join(first, "one"), "1");
    writeFileSync(path.join(second, "two"), "2");
    const shares = [first.replaceAll(",", ",,"), `${second},owner=7:8`, `${shared}:work,rw`];
    const out = await boot(t, guest, ...shares.flatMap((share) => ["--share", share]));
    assert.equal(guestValue(out, "first"), "1");
    assert.equal(guestValue(out, "second"), "2");
    assert.equal(guestValue(out, "owner"), "7:8");
    assert.match(out, /new: .*Read-only file system/);
    assert.match(out, /rm: .*Read-only file system/);
    assert.ok(existsSync(path.join(first, "one")));
    assert.equal(guestValue(out, "read"), "of the host");
    assert.equal(guestValue(out, "link"), "from-host");
    assert.equal(guestValue(out, "again"), "written");
    assert.doesNotMatch(out, /not to be seen/);
    assert.match(out, /rmdir: .*Directory not empty/);
    assert.equal(readFileSync(at("made/deep/file"), "utf8"), "written\n");
    assert.equal(readlinkSync(at("made/link")), "deep/file");
    assert.equal(statSync(at("made/renamed")).ino, statSync(at("made/deep/file")).ino);
    assert.equal(statSync(at("made/renamed")).mode & 0o777, 0o600);
    assert.equal(readFileSync(at("from-host"), "utf8"), "of the host\nappended\n");
    assert.equal(statSync(at("from-host")).mtimeMs, 1e12);
    assert.equal(readFileSync(at("cut"), "utf8"), "too l");
    assert.equal(statSync(at("made/copy")).size, 3_000_000);
    assert.ok(!existsSync(at("big")));
    assert.ok(lstatSync(at("outside")).isSymbolicLink());
  },
);
