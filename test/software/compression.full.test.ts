/**
 * Programs that compress, in the guest: what they write is what they write on the host, they read it back, and 7-Zip's
 * benchmark, which checks its results, is content.
 */
import test from "node:test";
import type { AddedFile } from "../../src/guests/index.js";
import { fixedBytes } from "../support/fixed-keys.js";
import { testSoftware } from "../support/software.js";

const LIMIT = 60e9;
const PACKAGES = ["p7zip-full", "xz-utils", "zstd", "gzip", "bzip2", "lz4", "brotli"];

/** Noise, text that repeats with changes, and one byte many times. */
const FILES: AddedFile[] = [
  { to: "/data/noise", bytes: fixedBytes(3, 30_000) },
  {
    to: "/data/text",
    bytes: Buffer.from(Array.from({ length: 4_000 }, (_, i) => `line ${i * i} of ${i % 97}\n`).join("")),
  },
  { to: "/data/zeros", bytes: new Uint8Array(100_000) },
];

const SCRIPT = `
cd /tmp
cat /data/* >all
sum() { busybox sha256sum <"$1"; }
check() { # what file back...
  name=$1 file=$2; shift 2
  echo "$name $(sum $file)"
  "$@" <$file | cmp - all && echo "$name read back"
}
for level in 1 6 9; do
  gzip -n -$level <all >z && check "gzip $level" z gzip -d
  bzip2 -$level <all >z && check "bzip2 $level" z bzip2 -d
  lz4 -q -$level <all >z && check "lz4 $level" z lz4 -d
done
for level in 0 6; do
  xz -T1 -$level <all >z && check "xz $level" z xz -d && xz -t <z
done
xz -T1 --x86 --lzma2=preset=3 --check=sha256 </bin/dash >z && xz -dc z | cmp - /bin/dash && sum z
for level in 1 3 12; do
  zstd -q -T1 -$level <all >z && check "zstd $level" z zstd -q -d && zstd -q -t <z
done
for level in 1 9; do
  brotli -q $level <all >z && check "brotli $level" z brotli -d
done
for method in LZMA LZMA2 PPMd BZip2 Deflate; do
  rm -f a.7z
  7z a -mmt1 -m0=$method -mtm- -mtc- -mta- a.7z all >said || { echo "7z a $method: $?"; cat said; }
  7z t a.7z >said && grep "Everything is Ok" said
  7z x -so a.7z | cmp - all && echo "7z $method works"
done
rm -f a.7z; 7z a -mmt1 -psecret -mhe=on a.7z all >said && 7z t -psecret a.7z | grep "Everything is Ok"
for hash in CRC32 CRC64 SHA1 SHA256 BLAKE2sp XXH64; do
  7z h -scrc$hash /data/noise /data/text /data/zeros | grep -E "^[0-9A-Fa-f]{8,} "
done
7z b 1 -mmt1 -md18 >said 2>&1 && echo "7z b is content" || cat said
true
`;

for (const architecture of ["amd64", "i386"] as const) {
  test(`R6.1 compressors write in the guest what they write on the host: ${architecture}`, async (t) => {
    await testSoftware(
      t,
      { packages: PACKAGES, architecture, files: FILES, script: SCRIPT },
      { maxInstructions: LIMIT, kernel: architecture === "i386" ? "debian-686-pae" : "debian-cloud" },
    );
  });
}
