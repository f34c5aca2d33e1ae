/** Debian's OpenSSL in the guest, all of it: every digest, cipher and kind of key by every code path, 64 and 32 bits. */
import test from "node:test";
import { testSoftware } from "../support/software.js";
import { CODE_PATHS, opensslFiles, opensslScript } from "./openssl.js";

const LIMIT = 40e9;

for (const path of Object.keys(CODE_PATHS)) {
  test(`R6.1 OpenSSL computes in the guest what the host computes: ${path}`, async (t) => {
    const script = opensslScript([path], true);
    await testSoftware(
      t,
      { packages: ["openssl"], files: opensslFiles(), script },
      { maxInstructions: LIMIT },
    );
  });
}

for (const kernel of ["debian-686-pae", "debian-cloud"]) {
  test(`R6.1 OpenSSL for i386 computes under ${kernel} what the host computes`, async (t) => {
    const paths =
      kernel === "debian-cloud"
        ? ["everything there is"]
        : ["everything there is", "SSSE3, no AES-NI, no PCLMULQDQ, no SHA", "SSE2 alone"];
    await testSoftware(
      t,
      {
        packages: ["openssl"],
        architecture: "i386",
        files: opensslFiles(),
        script: opensslScript(paths, true),
      },
      { kernel, maxInstructions: LIMIT },
    );
  });
}
