/** OpenSSL and xz of Debian in the guest, quickly: what its two most different code paths compute is what the host computes. */
import test from "node:test";
import { testSoftware } from "../support/software.js";
import { opensslFiles, opensslScript } from "./openssl.js";

/** Compressing and testing, beside OpenSSL: another program's own checks. */
const XZ = `
cat /data/* /bin/sh >all
xz -k -1 all && xz -t all.xz && xz -l all.xz | tail -n 1 && xz -dc all.xz | cmp - all && echo xz works
busybox sha256sum all.xz
`;

test("R6.1 OpenSSL and xz of Debian compute in the guest what the host's processor computes", async (t) => {
  const script = opensslScript(["everything there is", "SSE2 alone"], false) + XZ;
  await testSoftware(t, { packages: ["openssl", "xz-utils"], files: opensslFiles(), script });
});
